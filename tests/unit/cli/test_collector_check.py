"""``scorer collector check``: what a mapping file makes of samples, and its mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scorer import cli
from tests.unit.collector.webhooks.signing import PAYLOADS

MAPPING = str(PAYLOADS / "webhook" / "mapping.yaml")
VALID, INVALID = PAYLOADS / "webhook" / "valid", PAYLOADS / "webhook" / "invalid"
AT = ("--at", "2026-11-01T12:00:00Z")
Said = Callable[..., tuple[int, str, str]]
"""Runs it: exit code, standard output, standard error."""


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["collector", "check", *arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_the_events_of_samples(said: Said) -> None:
    form, other = VALID / "form.json", VALID / "another-kind.json"
    code, out, err = said(MAPPING, str(form), str(other), *AT)
    assert (code, err) == (0, "")
    head, first, second = out.split("\n\n", 2)
    assert head == f"{MAPPING}: Forms, 2 events"
    named, says, event = first.split("\n", 2)
    assert (named, says) == (str(form), "event 1 -> activity.page.v1")
    assert json.loads(event)["type"] == "page.form_submitted"
    assert second == f"{other}\nevent 1: nothing; no `when` fits it\n"


def test_what_would_be_refused(said: Said) -> None:
    code, out, err = said(MAPPING, str(VALID / "form.json"), str(INVALID / "without-id.json"), *AT)
    assert (code, err) == (1, "")
    assert "event 1 is refused: $.event_id: there is no id" in out
    assert "activity.page.v1" in out
    code, out, _ = said(MAPPING, str(INVALID / "not-json.json"), *AT)
    assert (code, "is refused" in out) == (1, True)


def test_a_sample_grows_old(said: Said) -> None:
    code, out, _ = said(MAPPING, str(VALID / "form.json"), "--at", "2029-01-01T00:00:00Z")
    assert (code, "event 1 is refused: too_old" in out) == (1, True)


def test_all_mistakes_of_a_mapping(said: Said, tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text("webhook: Shop\nsignature: standard\nevents:\n- type: page.vewed\n  id: event_id\n")
    code, out, err = said(str(path), str(VALID / "form.json"))
    assert (code, out) == (2, "")
    assert f"{path}:4:9: error: there is no activity `page.vewed`" in err
    assert "did you mean `page.viewed`" in err
    assert "write `$.event_id`" in err
    assert "whom is it about?" in err
    assert err.rstrip().endswith(f"{path}: 3 mistakes")


def test_a_mapping_alone(said: Said) -> None:
    assert said(MAPPING) == (0, f"{MAPPING}: Forms, 2 events\n", "")


def test_headers_that_a_mapping_reads(said: Said, tmp_path: Path) -> None:
    path, sample = tmp_path / "mapping.yaml", tmp_path / "sample.json"
    path.write_text(
        "webhook: Shop\nsignature: standard\nevents:\n"
        "- {type: app.bought, id: header X-Event-Id, user_id: $.user}\n"
    )
    sample.write_text('{"user": "u-1"}')
    code, out, _ = said(str(path), str(sample), "--header", "x-event-id:  e-7 ")
    assert code == 0
    assert json.loads(out.partition("v1\n")[2])["id"] == "e-7"
    assert said(str(path), str(sample))[0] == 1
    code, _, err = said(str(path), str(sample), "--header", "x-event-id")
    assert (code, "is no header" in err) == (2, True)


def test_what_is_not_there(said: Said, tmp_path: Path) -> None:
    assert said(str(tmp_path / "none.yaml"))[0] == 2
    assert said(MAPPING, str(tmp_path / "none.json"))[0] == 2


def test_the_collector_is_still_a_command_of_its_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keys = tmp_path / "keys.yaml"
    (tmp_path / "secret").write_text("0123456789abcdef")
    keys.write_text("keys: {shop: {kind: segment, secrets: [file:secret]}}\n")
    assert cli.run(["collector", "--check", "--keys", str(keys)]) == 0
    assert capsys.readouterr().out == f"{keys}: 1 key\n"
    assert cli.run(["collector", "chek"]) == 2
