"""``scorer explain`` in recorded events: what a person reads, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from scorer.cli import run
from scorer.domain.explaining import decode_explanation

RULES = """\
model: Small
time zone: UTC
qualify: {enter: above 20, exit: below 15}
scores: {fit: {decay: none}, engagement: {decay: half every 30 days}}
rules:
  fit:
    - {rule: Boss, when: {job: CEO}, points: +5}
  engagement:
    - {rule: Trial, on: app.trial_started, points: +16}
    - {rule: Viewed, on: page.viewed, points: +1}
"""
EVENT = '{"specversion":"1.0","id":"%s","source":"/a","type":"%s","time":"%s","subject":"%s","data":%s}\n'
EVENTS = (
    EVENT % ("1", "page.viewed", "2026-10-01T09:00:00Z", "lead-17", "{}"),
    EVENT % ("2", "profile.updated", "2026-10-01T09:00:05Z", "lead-17", '{"job":"CEO"}'),
    EVENT % ("3", "app.trial_started", "2026-10-02T09:00:00Z", "lead-17", '{"user_id":"7"}'),
    EVENT % ("4", "profile.linked", "2026-10-03T09:00:00Z", "mine", '{"email":"a@example.net"}'),
)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that ask in these events by these rules."""
    monkeypatch.setenv("SCORER_LEAD_SECRET", "test")
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "events.jsonl").write_text("".join(EVENTS) + "no event\n")
    return ["--replay", str(tmp_path / "events.jsonl"), "--rules", str(tmp_path / "rules.yaml")]


def test_a_person_reads_every_line_and_what_comes_next(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", "lead-17", *asked]) == 0
    out, err = capsys.readouterr()
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:2] == ["lead-17", "21.59 points at 2026-10-03 08:59:58: qualified, cold, stage Qualified"]
    assert "Trial engagement 0.98 15.63" in lines
    assert "Boss fit 1.00 5.00" in lines
    assert "Viewed engagement 0.95 0.95" in lines
    assert "total 21.59" in lines
    assert any(line.endswith("is no longer qualified: below 15 (15.00 points)") for line in lines)
    assert "rules Small, version 1" in out
    assert err.startswith("1 lines left out: 1 not_json\n  line 5: not_json: ")


def test_what_is_brought_about_by_time_until_then_has_come(
    asked: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["explain", "lead-17", "--json", "--at", "2027-06-01", *asked]) == 0
    found = decode_explanation(capfdbinary.readouterr().out)
    assert (found.at, found.status, found.next) == ("2027-06-01T00:00:00.000Z", "open", [])
    assert found.total < 15
    assert run(["explain", "lead-17", "--at", "2027-06-01", *asked]) == 0
    assert b"Time alone brings about no outcome until 2028-07-05 00:00:00." in capfdbinary.readouterr().out


def test_names_are_shown_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCORER_LEAD_SECRET", "test")
    (tmp_path / "rules.yaml").write_text(RULES.replace("rule: Viewed", 'rule: "Path [/pricing] :100:"'))
    (tmp_path / "events.jsonl").write_text(EVENTS[0].replace("lead-17", "crm:100:7"))
    where = ["--replay", str(tmp_path / "events.jsonl"), "--rules", str(tmp_path / "rules.yaml")]
    assert run(["explain", "crm:100:7", *where]) == 0
    out = capsys.readouterr().out
    assert "crm:100:7\n" in out
    assert "Path [/pricing] :100:" in out
    assert run(["explain", "a\udcff", *where]) == 2
    assert "no lead id" in capsys.readouterr().err


def test_a_past_instant_knows_nothing_of_what_came_later(
    asked: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["explain", "lead-17", "--json", "--at", "2026-10-02", *asked]) == 0
    found = decode_explanation(capfdbinary.readouterr().out)
    assert (found.at, found.status) == ("2026-10-02T00:00:00.000Z", "open")
    assert {line.rule: line.grants for line in found.ledger} == {
        "Boss": 1.0,
        "Viewed": pytest.approx(2 ** -(15 / 24 / 30)),
    }
    assert found.total == sum(line.points for line in found.ledger)
    assert found.next == []
    assert run(["explain", "lead-17", "--at", "2026-09-30", *asked]) == 1


def test_an_identifier_leads_to_the_whole_person(
    asked: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["explain", "--email", "A@example.net", "mine", "--json", *asked]) == 0
    out = capfdbinary.readouterr().out
    found = decode_explanation(out)  # one line: both are one lead
    assert found.lead == "mine"
    assert run(["explain", "--email", "A@example.net", *asked]) == 0
    assert capfdbinary.readouterr().out.startswith(b"mine (asked for as e_")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["lead-18"], 1, "lead-18: there is no such lead"),
        (["lead-17", "--at", "yesterday"], 2, "error: --at: "),
        ([], 2, "error: nobody is named"),
    ],
)
def test_what_is_not_there_is_said(
    asked: list[str], arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", *arguments, *asked]) == code
    out, err = capsys.readouterr()
    assert not out
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "--worker", "http://127.0.0.1:1"], "no worker at http://127.0.0.1:1"),
        (["x", "--worker", "worker-1"], "no address such as"),
        (["x", "--rules", __file__], "--rules goes with --replay"),
    ],
)
def test_without_a_worker_it_says_how_to_name_one(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", *arguments]) in (1, 2)
    assert message in capsys.readouterr().err
