"""What the backtest says of leads is what replay and explain say of them, on any number of processes."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scorer.backtest.exported import backtest_export
from scorer.backtest.report import encode_report
from scorer.backtest.reporting import Reported, report
from scorer.backtest.running import Material, backtest_events
from scorer.backtest.weeks import week_name
from scorer.cli import run
from scorer.domain import partition
from scorer.domain.calendar import Calendar
from scorer.domain.explaining import Explanation
from scorer.domain.model import encode_model
from scorer.event_lines import EventLines
from scorer.explain.past import in_replay
from scorer.log_lines import Recorded, line_of
from scorer.replay import Replay
from scorer.replay.sources import BadLines, EventSource, ExportSource
from scorer.rulefile import require
from scorer.wire.identity import Identity
from scorer.wire.times import milliseconds
from tests.bench import workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorer.domain.indexing import TypeIndex
    from scorer.domain.lead import Lead
    from scorer.domain.rules import RuleSet

ROOT = Path(__file__).parents[3]
TODAY = ROOT / "rules" / "default.yaml"
DAY = 86_400_000
HORIZON = 20 * DAY
SECRET = "test"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORER_LEAD_SECRET", SECRET)


@contextmanager
def no_bar(_: str, __: int) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


def _lines() -> list[bytes]:
    """Events of 70 leads in 100 days: late ones, ones without a time, leads that are found to be one, and
    lines that can't be used."""
    rng = Random(3)
    lines = []
    for number, event in enumerate(workload.events(3_000, leads=70, daily=30)):
        told: dict[str, Any] = json.loads(workload.message(event))
        if number % 60 == 59:
            told["type"] = "feedback.converted"
        dice = rng.random()
        if dice < 0.04:
            told["type"] = "profile.linked"
            told["data"] = {"user_id": f"u{rng.randrange(40)}"}
        elif dice < 0.07:
            del told["subject"]
            told["data"]["user_id"] = f"u{rng.randrange(40)}"
        elif dice < 0.10:
            del told["time"]
        elif dice < 0.12:
            told["type"] = "page.invented"
        elif dice < 0.13:
            told["time"] = "yesterday"
        lines.append(json.dumps(told).encode())
    for place in (2_000, 900, 0):
        lines.insert(place, b'{"specversion": "1.0", "half')
        lines.insert(place, b"")
    return lines


LINES = _lines()


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(LINES))
    return path


@pytest.fixture
def change(tmp_path: Path) -> Path:
    text = TODAY.read_text().replace("points: +15", "points: +9").replace("points: +10\n", "points: +16\n")
    path = tmp_path / "change.yaml"
    path.write_text(text)
    return path


def _material(
    events: Path, *rules: Path, jobs: int = 1, length: int = 1 << 23, bucket: int = 1 << 23
) -> Material:
    models = [encode_model(require(path)) for path in rules]
    return backtest_events(events, models, HORIZON, jobs, no_bar, length=length, bucket=bucket)


def _reported(material: Material) -> Reported:
    return report(material, "events", HORIZON, None)


def _replay(until: int | None = None) -> Replay:
    """As ``scorer replay`` does it."""
    source = EventSource(BadLines(), encode_model(require(TODAY)), EventLines(Identity(SECRET)))
    replay = Replay() if until is None else Replay(until=until)
    for _ in replay.run(source.batches(LINES, lambda _: None)):
        pass
    return replay


def _first_announcements(outcomes: Path) -> dict[str, str]:
    """The slow obvious way: all outcomes, read by what they became part of."""
    told = [json.loads(line) for line in outcomes.read_text().splitlines()]
    into = {one["subject"]: one["data"]["into"] for one in told if one["type"] == "lead.merged"}
    first: dict[str, str] = {}
    for one in told:
        if one["type"] == "lead.qualified":
            lead = one["subject"]
            while lead in into:
                lead = into[lead]
            first[lead] = min(one["time"], first.get(lead, "9"))
    return first


def test_who_qualifies_is_what_two_replays_say(
    events: Path, change: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = []
    for rules in (TODAY, change):
        out = tmp_path / "outcomes.jsonl"
        assert run(["replay", str(events), "--rules", str(rules), "--outcomes", str(out), "--top", "0"]) == 0
        times.append(_first_announcements(out))
    today, changed = times
    expected = {
        (lead, today.get(lead), changed.get(lead))
        for lead in today.keys() | changed.keys()
        if today.get(lead) != changed.get(lead)
    }
    leads = tmp_path / "leads.jsonl"
    arguments = ["backtest", str(events), "--rules", str(TODAY), "--change", str(change), "--json"]
    capsys.readouterr()
    assert run([*arguments, "--jobs", "2", "--leads", str(leads), "--horizon", "20"]) == 0
    told = [json.loads(line) for line in leads.read_text().splitlines()]
    assert {(one["lead"], one["today"], one["change"]) for one in told} == expected
    assert len(told) == len(expected) > 15
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert changes["same"] == sum(changed.get(lead) == at for lead, at in today.items())
    for what in ("earlier", "later", "newly", "no_longer"):
        assert changes[what]["count"] == sum(one["what"] == what for one in told)
        assert [one["lead"] for one in changes[what]["first"]] == sorted(
            one["lead"] for one in told if one["what"] == what
        )[:10]


def test_any_number_of_processes_ranges_and_buckets_give_the_same(events: Path, change: Path) -> None:
    expected = encode_report(_reported(_material(events, TODAY, change)).report)
    for jobs, length, bucket in ((1, 5_000, 30_000), (3, 40_000, 1 << 23), (2, 40_000, 100_000)):
        found = _reported(_material(events, TODAY, change, jobs=jobs, length=length, bucket=bucket))
        assert encode_report(found.report) == expected


def test_lines_that_cannot_be_used_are_the_replays(events: Path) -> None:
    bad = BadLines()
    source = EventSource(bad, encode_model(require(TODAY)), EventLines(Identity(SECRET)))
    for _ in source.batches(LINES, lambda _: None):
        pass
    material = _material(events, TODAY, jobs=2, length=40_000)
    assert material.reasons == bad.reasons
    assert material.bad == bad.first
    assert material.records == sum(1 for line in LINES if line) - bad.count


def test_a_record_at_which_the_engine_fails_is_passed_over(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [
        line for line in LINES[1_000:] if b"page.viewed" in line and b"subject" in line and b"time" in line
    ]
    time = json.loads(late[7])["time"]
    without = tmp_path / "without.jsonl"
    without.write_bytes(b"\n".join(line for line in LINES if time.encode() not in line))

    def fails(rules: RuleSet, lead: Lead, key: bytes, index: TypeIndex | None, at: int, *rest: Any) -> None:
        if at == milliseconds(time):
            raise ZeroDivisionError
        engine_step(rules, lead, key, index, at, *rest)

    engine_step = partition.step
    monkeypatch.setattr(partition, "step", fails)
    found, expected = _material(events, TODAY), _material(without, TODAY)
    assert found.files[0].faults == 1
    assert found.notes[0] == "the engine failed at 1 records and passed over them"
    assert found.files[0].qualified == expected.files[0].qualified
    assert found.files[0].weeks == expected.files[0].weeks
    assert found.files[0].readings.totals == expected.files[0].readings.totals


def test_a_lead_is_read_at_its_monday_as_explain_reads_it(events: Path) -> None:
    material = _material(events, TODAY)
    readings = material.files[0].readings
    assert len(readings.leads) > 20
    rows: dict[int, list[int]] = {}
    for row, monday in enumerate(readings.mondays):
        rows.setdefault(monday, []).append(row)
    for monday in sorted(rows)[:4]:
        at = material.draw.mondays[monday]
        replay = _replay(at)
        for row in rows[monday]:
            one = in_replay(replay, readings.leads[row].decode(), at)
            assert isinstance(one, Explanation)
            assert one.total == readings.totals[row]
            assert one.band == readings.bands[row]
            points: Counter[str] = Counter()
            for line in one.ledger:
                points[line.rule] += line.points
            found = {
                rule: value
                for rule, (places, values) in readings.rules.items()
                for place, value in zip(places, values, strict=True)
                if place == row
            }
            assert found == {rule: value for rule, value in points.items() if abs(value) >= 0.05}


def test_weeks_count_what_replay_says(events: Path) -> None:
    whole = _reported(_material(events, TODAY)).report
    calendar = Calendar("UTC")
    source = EventSource(BadLines(), encode_model(require(TODAY)), EventLines(Identity(SECRET)))
    counts: Counter[tuple[str, str]] = Counter()
    replay = Replay()
    for outcomes in replay.run(source.batches(LINES, lambda _: None)):
        for outcome in outcomes:
            told = msgspec.json.decode(outcome.value)
            at = int(datetime.fromisoformat(told["time"]).timestamp() * 1000)
            counts[week_name(calendar.period("week", at)), told["type"]] += 1
    for week in whole.today.weeks:
        assert week.qualified == counts[week.week, "lead.qualified"]
        assert week.disqualified == counts[week.week, "lead.disqualified"]
        assert sum(week.stages.values()) == counts[week.week, "lead.stage"]
    assert sum(week.created for week in whole.today.weeks) == replay.leads == whole.today.funnel.created
    assert [week.week for week in whole.today.weeks] == sorted({week.week for week in whole.today.weeks})


def _export(path: Path, partitions: int = 3) -> None:
    model = encode_model(require(TODAY))
    stream = (
        event._replace(type="feedback.converted", topic=workload.FEEDBACK, data={})
        if number % 50 == 49
        else event
        for number, event in enumerate(workload.events(3_000, leads=70, daily=30, partitions=partitions))
    )
    entries = list(workload.log(stream, partitions=partitions, model=model))
    with path.open("wb") as file:
        for partition in range(partitions):  # as `scorer log export` writes them
            for entry in entries:
                if entry.partition == partition:
                    file.write(line_of(partition, Recorded(*entry[1:])) + b"\n")


def test_an_export_is_read_with_the_rules_that_are_in_it(tmp_path: Path, change: Path) -> None:
    path = tmp_path / "log.jsonl"
    _export(path)
    changed = encode_model(require(change))
    own = backtest_export(path, None, changed, HORIZON, 2, no_bar)
    given = backtest_export(path, encode_model(require(TODAY)), changed, HORIZON, 1, no_bar)
    whole = _reported(own).report
    assert encode_report(whole) == encode_report(_reported(given).report)
    assert whole.today.landmark is not None
    assert whole.today.name == "Default lead scoring"
    assert whole.changes is not None
    assert whole.changes.newly.count + whole.changes.no_longer.count > 0


def test_a_lead_of_an_export_is_read_at_its_monday_as_explain_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    _export(path)
    material = backtest_export(path, None, None, HORIZON, 1, no_bar)
    readings = material.files[0].readings
    assert len(readings.leads) > 20
    for row in range(0, len(readings.leads), 12):
        at = material.draw.mondays[readings.mondays[row]]
        one = in_replay(_replay_export(path, at), readings.leads[row].decode(), at)
        assert isinstance(one, Explanation)
        assert one.total == readings.totals[row]


def _replay_export(path: Path, until: int) -> Replay:
    replay = Replay(until=until)
    source = ExportSource(BadLines())
    for _ in replay.run(source.batches(path.read_bytes().splitlines(), lambda _: None)):
        pass
    return replay
