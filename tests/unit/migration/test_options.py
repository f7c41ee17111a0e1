"""What is wrong with a wish to move the lead log is said before any Kafka is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorer import cli
from scorer.settings import Settings
from scorer.wire.moved import COMES_FROM, MOVED_TO, Marks, encode_place, place_of

if TYPE_CHECKING:
    from pathlib import Path

NOWHERE = "127.0.0.1:1"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert cli.run(["log", "migrate", "--bootstrap", NOWHERE, *arguments]) == 2
    return capsys.readouterr().err


def test_it_has_to_go_somewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert "says where to" in said(capsys)
    assert "such as --partitions" in said(capsys, "--to-prefix", "v2.", "--partitions", "lead.log.v1")


def test_people_keep_their_ids(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_LEAD_SECRET", "what nobody knows")
    new = tmp_path / "new.env"
    new.write_text("# the new place\nexport SCORER_TOPIC_PREFIX='v2.'\nSCORER_LEAD_SECRET=another\n")
    assert "everybody would be somebody else there" in said(capsys, "--to-env", str(new))
    new.write_text("SCORER_TOPIC_PREFIX\n")
    assert "line 1: not NAME=value" in said(capsys, "--to-env", str(new))


def test_a_place_says_whether_it_may_be_used() -> None:
    place = encode_place(place_of(Settings(bootstrap="kafka:9092", topic_prefix="v2."), "id"))
    marks = Marks()
    assert marks.refusal(complete=False) is None
    marks.take(COMES_FROM, place)
    assert "is being moved here from kafka:9092 under the prefix v2." in str(marks.refusal(complete=False))
    assert marks.refusal(complete=True) is None
    marks.take(MOVED_TO, place)
    assert "has been moved to kafka:9092" in str(marks.refusal(complete=True))
    marks.take(MOVED_TO, None)
    assert marks.refusal(complete=True) is None
