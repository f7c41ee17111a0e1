"""`scorer erase` and `scorer subject-access` without Kafka: whom they are about, and what makes no sense."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from scorer.cli import run

if TYPE_CHECKING:
    from pathlib import Path

MAIL = ("--email", "anna@example.com")
NOWHERE = ("--bootstrap", "127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--yes",), "nobody is named"),
        (("--email", "no address", "--yes"), "names nobody"),
        (("--user-id", "null", "--yes"), "names nobody"),
        (("--lead", "a\tb", "--yes"), "no lead id"),
        (MAIL, "there is nobody to ask"),
        ((*MAIL, "--text", "x"), "belong to --prove"),
        ((*MAIL, "--json"), "belong to --prove"),
        ((*MAIL, "--timeout", "0"), "--timeout"),
        ((*MAIL, "--yes", "--request", "for Anna%40example.com"), "--request names the person"),
        (("--from", "/there/is/no/such/file"), "No such file"),
        ((*MAIL, "--yes", "--receipt", "/there/is/no/such/folder/receipt.json"), "No such file"),
    ],
)
def test_what_makes_no_sense_is_said_and_names_nobody(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["erase", *arguments, *NOWHERE]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "no address" not in told
    assert "nna@" not in told


@pytest.mark.parametrize("command", ["erase", "subject-access"])
def test_names_come_from_standard_input_too(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("# whom\nemail anna@example.com\nphone 0171\n"))
    assert run([command, "--from", "-", *NOWHERE]) == 2
    assert "standard input, line 3: no identifier" in capsys.readouterr().err


def test_a_file_has_to_be_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "whom"
    path.write_bytes(b"email \xff@example.com")
    assert run(["erase", "--from", str(path), *NOWHERE]) == 2
    assert "not UTF-8 at byte 6" in capsys.readouterr().err


def test_without_the_secret_it_warns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SCORER_LEAD_SECRET", raising=False)
    assert run(["erase", *MAIL, *NOWHERE]) == 2
    assert "SCORER_LEAD_SECRET is not set" in capsys.readouterr().err
