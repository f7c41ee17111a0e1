"""What an import finds before it writes anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scorer.cli import run
from scorer.history import FIRST_NUMBER, History
from scorer.wire.identity import Identity
from scorer.wire.times import milliseconds

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOW = milliseconds("2026-11-01T00:00:00Z")


def event(number: int, **more: Any) -> bytes:
    attributes = {"specversion": "1.0", "id": str(number), "source": "/t", "type": "email.opened"}
    return json.dumps(
        attributes | {"subject": "ann", "time": "2026-10-01T00:00:00Z", "data": {}} | more
    ).encode()


def written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_every_line_is_looked_at(tmp_path: Path) -> None:
    lines = [
        event(1),
        b"{",
        event(2, time="2025-09-20T00:00:00Z"),
        b"",
        event(3, time="2026-11-01T00:06:00Z"),
        event(4, type="lead.qualified"),
        event(5, time=None),
    ]
    checked = History(written(tmp_path / "h", *lines), Identity("s"), NOW).check()
    assert (checked.lines, checked.facts) == (7, 2)
    assert [(one.line, one.reason) for one in checked.invalid] == [
        (2, "not_json"),
        (3, "too_old"),
        (5, "future"),
        (6, "unknown_type"),
    ]


def test_the_number_names_the_content(tmp_path: Path) -> None:
    one = History(written(tmp_path / "one", event(1)), Identity("s"), NOW).check().number
    same = History(written(tmp_path / "same", event(1)), Identity("s"), NOW + 1).check().number
    other = History(written(tmp_path / "other", event(2)), Identity("s"), NOW).check().number
    assert one == same != other
    assert FIRST_NUMBER <= one < 2**63


def test_only_the_first_invalid_lines_are_kept_but_all_are_counted(tmp_path: Path) -> None:
    checked = History(written(tmp_path / "h", *[b"{"] * 1_000), Identity("s"), NOW).check()
    assert len(checked.invalid) == checked.SHOWN
    assert checked.reasons == {"not_json": 1_000}


def test_progress_adds_up_to_the_size(tmp_path: Path) -> None:
    history = History(
        written(tmp_path / "h", *(event(number) for number in range(2_500))), Identity("s"), NOW
    )
    steps: list[int] = []
    history.check(steps.append)
    assert sum(steps) == history.size
    assert len(steps) > 2


def test_invalid_lines_stop_it_before_any_kafka_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "h", b"{", event(1, time=None))
    assert run(["import", str(file), "--bootstrap", "127.0.0.1:1"]) == 1
    told = capsys.readouterr().err
    assert "line 1: not_json" in told
    assert "1 of 2 lines are invalid: 1 not_json" in told
    assert "--skip-invalid" in told


def test_a_check_needs_no_kafka(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "h", event(1, time=None))
    assert run(["import", str(file), "--check", "--bootstrap", "127.0.0.1:1"]) == 0
    assert "1 event can be imported" in capsys.readouterr().out
