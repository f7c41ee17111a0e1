"""Replay gives what the engine gives, from an export or from plain messages, whatever else is in the file."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import scorer.domain.partition
from scorer.cli import run
from scorer.domain import model as m
from scorer.domain.model import encode_model, fingerprint
from scorer.domain.partition import LogPartition
from scorer.domain.record import ImportBegin, ImportEnd, Rules, encode_record
from scorer.domain.state import PartitionState
from scorer.log_lines import Recorded, line_of
from scorer.replay import Replay, sources
from tests.bench import workload
from tests.worker.score_faults import plant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


DAY = 86_400_000
RULES = """
model: Test
qualify: {enter: above 20, exit: below 15}
scores:
  engagement: {decay: half every 10 days}
rules:
  engagement:
    - {rule: Call booked, on: booking.created, points: +30}
    - {rule: Opened, on: email.opened, points: +1}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def event(lead: str, kind: str, time: str, **more: Any) -> dict[str, Any]:
    number = f"{lead}-{kind}-{time}"
    attributes = {"specversion": "1.0", "id": number, "source": "/t", "type": kind, "subject": lead}
    return attributes | {"time": time, "data": {}} | more


def written(path: Path, lines: Iterable[object]) -> Path:
    with path.open("wb") as file:
        for line in lines:
            file.write((line if isinstance(line, bytes) else msgspec.json.encode(line)) + b"\n")
    return path


STORY = [
    event("ann", "booking.created", "2026-01-01T10:00:00Z"),
    event("bob", "email.opened", "2026-01-01T11:00:00Z"),
    event("ann", "email.opened", "2026-03-01T10:00:00Z"),
]


def replayed(capsysbinary: pytest.CaptureFixture[bytes], *arguments: object) -> tuple[int, bytes, str]:
    code = run(["replay", *map(str, arguments)])
    out, err = capsysbinary.readouterr()
    return code, out, err.decode()


# -- plain messages ----------------------------------------------------------------------------------


def test_messages_in_file_order_with_time_passing_in_between(
    tmp_path: Path, rules: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = written(tmp_path / "events.jsonl", STORY)
    code, out, _ = replayed(capsysbinary, file, "--rules", rules, "--json")
    assert code == 0
    said = [json.loads(line) for line in out.splitlines()]
    assert [(one["type"], one["subject"], one["time"]) for one in said[:2]] == [
        ("lead.qualified", "ann", "2026-01-01T10:00:00.000Z"),
        # 30 points are 15 after one half-life, and the next message is weeks later.
        ("lead.disqualified", "ann", "2026-01-11T10:00:00.001Z"),
    ]
    assert [one["data"]["cause"] for one in said[:2]] == ["activity", "time"]
    assert [(one["type"], one["subject"]) for one in said[2:]] == [
        ("lead.score", "ann"),
        ("lead.score", "bob"),
    ]
    assert said[3]["data"]["total"] == 1.0


def test_the_same_file_gives_the_same_bytes(
    tmp_path: Path, rules: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = written(tmp_path / "e.jsonl", (workload.message(one) for one in workload.events(3_000, leads=200)))
    runs = {replayed(capsysbinary, file, "--rules", rules, "--json")[1] for _ in range(2)}
    assert len(runs) == 1
    assert runs.pop().count(b"\n") > 200


def test_outcomes_and_scores_go_to_files(
    tmp_path: Path, rules: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = written(tmp_path / "events.jsonl", STORY)
    _, everything, _ = replayed(capsysbinary, file, "--rules", rules, "--json")
    outcomes, scores = tmp_path / "outcomes", tmp_path / "scores"
    arguments = ("--rules", rules, "--outcomes", outcomes, "--scores", scores)
    _, out, err = replayed(capsysbinary, file, *arguments)
    assert outcomes.read_bytes() + scores.read_bytes() == everything
    assert b"ann" in out  # the table
    assert "1 disqualified, 1 qualified" in err


def test_time_passes_after_the_last_message_only_if_told(
    tmp_path: Path, rules: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = written(tmp_path / "events.jsonl", STORY[:1])
    _, out, _ = replayed(capsysbinary, file, "--rules", rules, "--json")
    assert b"lead.disqualified" not in out
    _, out, _ = replayed(capsysbinary, file, "--rules", rules, "--json", "--until", "2026-02-01T00:00:00Z")
    assert b"2026-01-11T10:00:00.001Z" in out
    code, _, err = replayed(capsysbinary, file, "--rules", rules, "--until", "soon")
    assert code == 2
    assert "--until" in err


def test_a_message_without_a_time_happens_when_the_one_before_it_did(
    tmp_path: Path, rules: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = written(
        tmp_path / "events.jsonl", [STORY[0], event("bob", "booking.created", "") | {"time": None}]
    )
    _, out, _ = replayed(capsysbinary, file, "--rules", rules, "--json")
    times = {json.loads(line)["time"] for line in out.splitlines()}
    assert times == {"2026-01-01T10:00:00.000Z"}


def test_lines_that_cannot_be_used_are_reported_and_left_out(
    tmp_path: Path, rules: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    bad = [
        STORY[0],
        b"{oops",
        event("cid", "email.unheard", "2026-01-02T10:00:00Z"),
        event("cid", "email.opened", "yesterday"),
        b"",
        event("cid", "email.opened", "2026-01-02T10:00:00Z", subject=None),
        [],
        {"specversion": "1.0"},
        *STORY[1:],
    ]
    good, file = written(tmp_path / "good.jsonl", STORY), written(tmp_path / "bad.jsonl", bad)
    _, expected, _ = replayed(capsysbinary, good, "--rules", rules, "--json")
    code, out, err = replayed(capsysbinary, file, "--rules", rules, "--json")
    # Views name the log offset, and outcomes nothing of the sort.
    assert out == expected
    assert code == 0
    assert "6 lines left out" in err
    assert "line 2: not_json" in err
    assert "line 3: unknown_type" in err
    assert "line 4: bad_time" in err
    assert "line 6: no_lead" in err
    assert replayed(capsysbinary, file, "--rules", rules, "--strict")[0] == 1
    assert replayed(capsysbinary, good, "--rules", rules, "--strict")[0] == 0


def test_an_empty_file_is_no_error(
    tmp_path: Path, rules: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, out, err = replayed(capsysbinary, written(tmp_path / "none", []), "--rules", rules, "--json")
    assert (code, out) == (0, b"")
    assert "0 leads" in err


def test_bad_rules_are_told_before_anything_else(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("model: T\nqualify: {enter: many}\n")
    code, out, err = replayed(capsysbinary, written(tmp_path / "e", STORY), "--rules", rules, "--json")
    assert (code, out) == (2, b"")
    assert "rules.yaml" in err


# -- log exports -------------------------------------------------------------------------------------

MODEL = m.Model(
    name="test",
    scores=(m.Score("engagement"), m.Score("fit")),
    awards=(
        m.Award("open", "engagement", m.Matcher(("email.opened",)), m.Fixed(4.0), decay=m.HalfLife(3 * DAY)),
        m.Award("page", "engagement", m.Matcher(("page.viewed",)), m.Fixed(1.5), decay=m.HalfLife(DAY)),
    ),
    standings=(
        m.Standing("quiet", "fit", m.Absent(m.Matcher(("email.opened",)), 2 * DAY), -3.0),
        m.Standing("chief", "fit", m.Compare("job", "equals", ("CEO",)), 9.0),
    ),
    disqualifications=(
        m.Disqualification("gone", m.Absent(m.Matcher(("page.viewed",)), 4 * DAY), "silence"),
    ),
)
CHANGED = msgspec.structs.replace(MODEL, threshold=m.Threshold(9.0, 6.0))


def recorded_log(partitions: int = 2, count: int = 16_000) -> dict[int, list[Recorded]]:
    """Days of events, an import and a change of rules, as a worker finds them in its partitions."""
    logs: dict[int, list[Recorded]] = defaultdict(list)
    stream = workload.events(count, leads=300, partitions=partitions, daily=1_000)
    number = 2**32 + 5
    placed = [
        (count // 4, ImportBegin(number)),
        (count // 3, ImportEnd(number)),
        (count // 2, Rules(2, fingerprint(encode_model(CHANGED)), encode_model(CHANGED))),
    ]
    controls = {at: encode_record(record) for at, record in placed}
    for place, entry in enumerate(workload.log(stream, partitions=partitions, model=encode_model(MODEL))):
        if place in controls:
            for log in logs.values():
                log.append(Recorded(len(log), None, controls[place]))
        value = entry.value
        if count // 4 < place < count // 3 and entry.key is not None and place % 2:
            value = _imported(value or b"", number, place)
        logs[entry.partition].append(Recorded(len(logs[entry.partition]), entry.key, value))
    return logs


def _imported(value: bytes, number: int, place: int) -> bytes:
    fact = scorer.domain.record.decode_record(value)
    return encode_record(msgspec.structs.replace(fact, door=number, offset=place))


def lives(logs: dict[int, list[Recorded]]) -> list[bytes]:
    """The outcomes of machines that get one record at a time."""
    said = []
    for log in logs.values():
        kept: dict[bytes, Any] = {}
        machine = LogPartition(PartitionState(), {}, kept.get)
        for recorded in log:
            machine.apply([recorded])
        for key in list(machine.dirty):
            machine.touch(key)
        said += [outcome.value for outcome in machine.outcomes]
    return said


def by_lead(values: Iterable[bytes]) -> dict[str, list[bytes]]:
    grouped: dict[str, list[bytes]] = defaultdict(list)
    for value in values:
        grouped[json.loads(value)["subject"]].append(value)
    return grouped


def exported(logs: dict[int, list[Recorded]], marks: dict[tuple[int, int], str] | None = None) -> list[bytes]:
    """Lines of an export with the partitions' records taking turns."""
    lines = []
    longest = max(len(log) for log in logs.values())
    for place in range(longest):
        for partition, log in logs.items():
            if place < len(log):
                mark = (marks or {}).get((partition, log[place].offset))
                lines.append(line_of(partition, log[place], mark))
    return lines


@pytest.fixture(scope="module")
def logs() -> dict[int, list[Recorded]]:
    return recorded_log()


def through_replay(
    lines: Iterable[bytes], cache: int = 100, model: bytes | None = None
) -> tuple[Replay, list[bytes]]:
    replay = Replay(cache)
    bad = sources.BadLines()
    batches = sources.ExportSource(bad, model).batches(lines, lambda _: None)
    said = [outcome.value for outcomes in replay.run(batches) for outcome in outcomes]
    assert not bad.count, bad.first
    return replay, said


@pytest.mark.parametrize("batch", [1_000, 100_000])
def test_an_export_gives_the_outcomes_of_the_live_run(
    logs: dict[int, list[Recorded]], batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BATCH", batch)
    replay, said = through_replay(exported(logs))
    expected = by_lead(lives(logs))
    assert by_lead(said) == expected
    assert sum(len(values) for values in expected.values()) > 500
    causes = {json.loads(value)["data"]["cause"] for value in said}
    assert causes == {"activity", "time", "rules", "import"}
    assert replay.leads == 300
    assert [one.rules.version for one in replay.standings()] == [2] * 300


def test_batches_stay_small_whatever_the_size_of_the_file(logs: dict[int, list[Recorded]]) -> None:
    def endless() -> Iterator[bytes]:
        lines = exported({0: logs[0]})
        yield from lines
        for number in range(len(lines), 5 * sources.BATCH):
            yield line_of(0, Recorded(number, None, encode_record(ImportEnd(1))))

    batches = sources.ExportSource(sources.BadLines()).batches(endless(), lambda _: None)
    sizes = [sum(map(len, batch.records.values())) for batch in batches]
    assert max(sizes) <= sources.BATCH
    assert len(sizes) > 3


def test_other_rules_take_the_place_of_those_in_the_log(logs: dict[int, list[Recorded]]) -> None:
    model = encode_model(CHANGED)
    replay, said = through_replay(exported(logs), model=model)
    assert {json.loads(value)["data"]["rules"] for value in said} == {fingerprint(model)}
    assert said != through_replay(exported(logs))[1]
    # Also where the log's first records, and the rules with them, are gone.
    tail = {0: logs[0][2_000:]}
    _, said = through_replay(exported(tail), model=model)
    assert {json.loads(value)["data"]["rules"] for value in said} == {fingerprint(model)}
    assert replay.unready == []


def test_a_partition_without_rules_is_named(logs: dict[int, list[Recorded]]) -> None:
    replay, said = through_replay(exported({0: logs[0][2:3_000]}))
    assert replay.unready == [0]
    assert said == []


def test_a_record_at_which_the_worker_failed_is_passed_over(logs: dict[int, list[Recorded]]) -> None:
    log = logs[0]
    failed = {one.offset for one in log if one.key is not None and one.offset % 300 == 7}
    without = [one for one in log if one.offset not in failed]
    replay, said = through_replay(
        exported({0: log}, dict.fromkeys(((0, at) for at in failed), "engine_error"))
    )
    assert said == through_replay(exported({0: without}))[1]
    assert replay.dead_count == len(failed) > 10
    assert by_lead(said) != by_lead(through_replay(exported({0: log}))[1])


def test_a_failing_engine_passes_over_the_record_as_the_worker_does(
    logs: dict[int, list[Recorded]], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logs[0]
    failing = {one.offset for one in log[4_000:] if one.key is not None and one.offset % 1_000 == 7}
    assert len(failing) > 1
    ids = {scorer.domain.record.decode_record(one.value or b"").id for one in log if one.offset in failing}
    with monkeypatch.context() as patched:
        plant(ids.__contains__, lambda name, value: patched.setattr(scorer.domain.partition, name, value))
        replay, said = through_replay(exported({0: log}))
    assert {offset for _, offset in replay.faults} >= failing
    marks = dict.fromkeys(replay.faults, "engine_error")
    assert said == through_replay(exported({0: log}, marks))[1]
    assert replay.dead_count == len(replay.faults)


def test_a_broken_export_is_reported_line_by_line(
    logs: dict[int, list[Recorded]],
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    lines = exported({0: logs[0][:200]})
    again, cut = lines[150], lines[170][:40]
    broken = [*lines[:160], again, *lines[160:170], cut, *lines[171:]]
    file = written(tmp_path / "log.jsonl", broken)
    code, _, err = replayed(capsysbinary, file, "--json")
    assert code == 0
    assert "line 161: out_of_order: partition 0: offset 150 after 159" in err
    assert "line 172: not_a_log_line" in err
    assert "partition 0: 1 records are missing" in err
    assert replayed(capsysbinary, file, "--json", "--strict")[0] == 1


def test_raw_records_become_dead_letters_here_too(
    tmp_path: Path, logs: dict[int, list[Recorded]], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = [*logs[0][:50], Recorded(50, b"x", b"garbage"), Recorded(51, None, None)]
    file = written(tmp_path / "log.jsonl", exported({0: log}))
    code, _, err = replayed(capsysbinary, file)
    assert code == 0
    assert "2 log records are dead letters" in err
    assert "partition 0 offset 50: undecodable" in err
