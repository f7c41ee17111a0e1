"""``scorer backtest``: what a person reads, the files it writes, and what goes wrong."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scorer.backtest.report import decode_report
from scorer.broker import Range, Stored
from scorer.cli import run
from scorer.domain.model import encode_model
from scorer.log_export import LEAD_LOG
from scorer.rulefile import require
from tests.bench import workload
from tests.support import planted_events
from tests.support.planted_events import BEGAN, RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT = '{"specversion":"1.0","id":"%s","source":"/a","type":"%s","time":"%s","subject":"%s","data":{}}\n'
LINES = planted_events.lines(500, planted_events.by_effect, seed=6, days=90)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCORER_LEAD_SECRET", "test")
    monkeypatch.chdir(tmp_path)
    Path("today.yaml").write_text(RULES)
    Path("change.yaml").write_text(RULES.replace("+5}", "+8}"))
    Path("events.jsonl").write_bytes(b"\n".join(LINES) + b"\nno event\n")
    return tmp_path


BOTH = ["backtest", "events.jsonl", "--rules", "today.yaml", "--change", "change.yaml", "--jobs", "1"]


def test_a_person_reads_who_changes_and_what_it_is_worth(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(BOTH) == 0
    out, err = capsys.readouterr()
    lines = [" ".join(line.split()) for line in out.splitlines()]
    places = [
        next(place for place, line in enumerate(lines) if line.startswith(start))
        for start in (
            "events.jsonl: ",
            "today: Planted",
            "change: Planted",
            "Who qualifies under the change",
            "newly, the first 10:",
            "Leads of the whole time",
            "By week, today",
            "announced leads that convert, today:",
            "area under the ROC curve, today:",
            "By tenths of the leads, today",
            "Thresholds, today",
            "best threshold, today: above ",
            "Which rules earn their points, today",
            "area under the ROC curve, change:",
            "change less today:",
        )
    ]
    assert places == sorted(places)
    assert any(re.match(r"Demo tells buyers \+10.00 \d+ ", line) for line in lines)
    assert any(line.endswith(" enter") for line in lines)
    assert "\x1b" not in out
    assert err.startswith("1 lines left out: 1 not_json\n  line ")


def test_the_same_bytes_on_one_process_and_on_two(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for jobs in ("1", "2"):
        out, html, leads = (folder / f"{jobs}.{kind}" for kind in ("json", "html", "jsonl"))
        more = ["--out", str(out), "--html", str(html), "--leads", str(leads), "--jobs", jobs]
        assert run([*BOTH, *more]) == 0
        told.append((capsys.readouterr(), *(path.read_bytes() for path in (out, html, leads))))
    assert told[0] == told[1]
    assert decode_report(told[0][1]).report == 1


def test_one_rule_file_alone_is_reviewed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["backtest", "events.jsonl", "--rules", "today.yaml", "--json", "--capacity", "5", "--jobs", "1"])
        == 0
    )
    whole = json.loads(capsys.readouterr().out)
    assert whole["change"] is whole["changes"] is None
    assert whole["today"]["landmark"]["best"]["by"] == "capacity"
    assert whole["data"]["left_out"] == {"not_json": 1}


def test_events_come_through_a_pipe_as_well(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Standard:
        buffer = Path("events.jsonl").open("rb")  # noqa: SIM115 - closed with the test

    monkeypatch.setattr("scorer.cli.backtest.sys.stdin", Standard)
    assert run(["backtest", "-", "--rules", "today.yaml", "--json", "--jobs", "1"]) == 0
    piped = json.loads(capsys.readouterr().out)
    Standard.buffer.close()
    assert run(["backtest", "events.jsonl", "--rules", "today.yaml", "--json", "--jobs", "1"]) == 0
    direct = json.loads(capsys.readouterr().out)
    assert piped["data"].pop("source") == "standard input"
    assert direct["data"].pop("source") == "events.jsonl"
    assert piped == direct


def test_without_conversions_it_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in LINES if b"feedback.converted" not in line]
    Path("events.jsonl").write_bytes(b"\n".join(lines))
    assert run([*BOTH, "--html", "page.html"]) == 0
    out = capsys.readouterr().out
    assert "note: no feedback.converted in these events" in out
    assert "ROC" not in out
    assert "Who qualifies under the change" in out
    assert "Who converts" not in Path("page.html").read_text()


def test_a_horizon_longer_than_the_events_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BOTH, "--horizon", "400"]) == 0
    out = capsys.readouterr().out
    assert "note: the events span less than the horizon of 400 days" in out
    assert "announced leads that convert, today: 0.0% (0 of 0" in out
    assert "Thresholds" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["backtest", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["backtest"], "name a file of events, or --log"),
        (["backtest", "events.jsonl", "--log"], "name a file of events, or --log"),
        (["backtest", "events.jsonl", "--change", "broken.yaml"], "broken.yaml has 1 mistake"),
        (["backtest", "events.jsonl", "--rules", "nowhere.yaml"], "'nowhere.yaml' does not exist"),
        (["backtest", "empty.jsonl"], "there are no events in it"),
        (["backtest", "nonsense.jsonl"], "there are no events in it that could be used: line 2: not_json"),
        (["backtest", "events.jsonl", "--horizon", "0"], "--horizon"),
        (["backtest", "events.jsonl", "--html", "nowhere/page.html"], "there is no folder nowhere"),
        (["backtest", "events.jsonl", "--until", "soon"], "--until: "),
        (["backtest", "export.jsonl", "--until", "2027-01-01T00:00:00Z"], "--until is for door messages"),
        (["backtest", "export.jsonl"], "the log export has no rules"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.yaml").write_text(RULES.replace("on: booking.created", "on: booking.craeted"))
    Path("empty.jsonl").write_text("\n\n")
    Path("nonsense.jsonl").write_text("\nnothing\nof use\n")
    Path("export.jsonl").write_text(
        '{"kind":"import_begin","partition":0,"offset":0,"key":null,"number":1}\n'
    )
    assert run([*arguments, "--jobs", "1"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert message in err
    assert "Traceback" not in err


def test_a_broken_rule_file_shows_its_diagnostics(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken.yaml").write_text(RULES.replace("on: booking.created", "on: booking.craeted"))
    assert run(["backtest", "events.jsonl", "--change", "broken.yaml"]) == 2
    assert "did you mean `booking.created`?" in capsys.readouterr().err


def test_until_lets_time_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("events.jsonl").write_text(EVENT % ("1", "page.viewed", "2027-01-01T00:00:00Z", "lead-1"))
    told = []
    for more in ([], ["--until", "2027-06-01"]):
        assert run(["backtest", "events.jsonl", "--json", "--jobs", "1", *more]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0]["data"]["last"] == "2027-01-01T00:00:00.000Z"
    assert told[1]["data"]["last"] == "2027-06-01T00:00:00.000Z"


class _Log:
    """A Kafka whose log has one partition, and no dead letters."""

    def __init__(self, _: object) -> None:
        model = encode_model(require(Path("today.yaml")))
        stream = (
            workload.Event(
                BEGAN + number * 60_000,
                BEGAN + number * 60_000,
                workload.EMAIL,
                "email.opened",
                f"lead-{number % 9}",
                str(number),
                "/a",
                {},
            )
            for number in range(300)
        )
        self._entries = list(workload.log(stream, model=model))

    def ranges(self, topic: str) -> dict[int, Range]:
        return {0: Range(0, len(self._entries))} if topic == LEAD_LOG else {}

    def read(self, _: str, __: int, ___: Range) -> Iterator[Stored]:
        return (Stored(entry.offset, entry.key, entry.value, {}) for entry in self._entries)


def test_the_log_in_kafka_brings_its_own_rules(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scorer.broker.Broker", _Log)
    assert run(["backtest", "--log", "--change", "change.yaml", "--json", "--jobs", "1"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["data"]["source"] == "the lead log"
    assert whole["today"]["name"] == "Planted"
    assert whole["today"]["funnel"]["created"] == 9


def test_accounts_do_not_matter(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for more in ("", "accounts: {score: sum, enter: above 30, exit: below 20}\n"):
        Path("today.yaml").write_text(RULES + more)
        assert run(["backtest", "events.jsonl", "--rules", "today.yaml", "--json", "--jobs", "1"]) == 0
        told.append(json.loads(capsys.readouterr().out))
        told[-1]["today"].pop("fingerprint")
    assert told[0] == told[1]


class _Page(HTMLParser):
    """What a browser would fetch or run, and whether every element is closed."""

    EMPTY = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[tuple[str, str | None]] = []
        self.tags: set[str] = set()
        self.pictures = self.titles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.outside += [
            (name, value) for name, value in attrs if name in {"src", "href", "onclick", "onload"}
        ]
        if tag == "svg":
            self.pictures += 1
        if tag == "title" and self.open[-1] == "svg":
            self.titles += 1
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_escapes_what_others_wrote(folder: Path) -> None:
    evil = "<script>alert(1)</script>&\"'"
    Path("today.yaml").write_text(RULES.replace("rule: Demo", f"rule: {json.dumps('Demo' + evil)}"))
    rising = EVENT % ("x", "booking.created", "2027-02-01T00:00:00Z", "a<b>&quot;")
    again = EVENT % ("y", "page.form_submitted", "2027-02-01T01:00:00Z", "a<b>&quot;")
    Path("events.jsonl").write_bytes((rising + again).encode() + b"\n".join(LINES))
    Path("change.yaml").write_text(RULES.replace("enter: above 12", "enter: above 200"))
    assert run([*BOTH, "--html", "page.html"]) == 0
    text = Path("page.html").read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.outside == []
    assert not page.tags & {"script", "b<", "link", "img", "iframe"}
    assert page.pictures == page.titles > 8
    assert "Demo&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in text
    assert "a&lt;b&gt;&amp;quot;" in text
    assert "://" not in text.replace("http://www.w3.org/2000/svg", "")
