from __future__ import annotations

import json
from pathlib import Path

import pytest

from scorer.cli import run

ROOT = Path(__file__).parents[3]
DEFAULT = ROOT / "rules" / "default.yaml"
BAD = "model: Bad\nscores: {fit: {}}\nrules:\n  fit:\n    - {rule: r, when: {a: 25+}, points: five}\n"


def test_check_of_a_good_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(DEFAULT)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "29 rules, 2 scores, 1 segment, 4 disqualifications, 7 stage rules, 4 follow-ups" in out


def test_check_shows_every_mistake_of_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, worse = tmp_path / "bad.yaml", tmp_path / "worse.yaml"
    bad.write_text(BAD)
    worse.write_text("model: x\n")
    assert run(["check", str(bad), str(DEFAULT), str(worse)]) == 2
    out, err = capsys.readouterr()
    assert f"{bad}:5:27: error:" in err
    assert f"{bad}:5:41: error:" in err
    assert f"{bad}: 2 mistakes" in err
    assert f"{worse}: 2 mistakes" in err
    assert "default.yaml: 29 rules" in out


def test_check_with_warnings_alone_is_a_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(BAD.replace("25+", "[b, B]").replace("five", "5"))
    assert run(["check", str(file)]) == 0
    assert "warning: `B` is in this list already" in capsys.readouterr().err


def test_check_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD)
    assert run(["check", "--format", "json", str(bad)]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [(one["line"], one["column"], one["severity"]) for one in found] == [
        (5, 27, "error"),
        (5, 41, "error"),
    ]
    assert run(["check", "--format", "json", str(DEFAULT)]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_check_for_code_scanning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD)
    assert run(["check", "--format", "sarif", str(bad)]) == 2
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (ran,) = log["runs"]
    assert ran["tool"]["driver"]["name"] == "scorer"
    first = ran["results"][0]
    assert first["level"] == "error"
    assert first["ruleId"] in {rule["id"] for rule in ran["tool"]["driver"]["rules"]}
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == bad.as_posix()
    assert place["region"] == {"startLine": 5, "startColumn": 27, "endColumn": 30}


def test_check_of_a_folder_with_rules_and_their_tests(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(DEFAULT.parent)]) == 0
    out = capsys.readouterr().out
    assert "default.yaml: 29 rules" in out
    assert "default.test.yaml: 40 tests" in out


def test_check_of_rule_tests_with_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tests = tmp_path / "some.test.yaml"
    tests.write_text("rules: a.yaml\ntests:\n  - test: A\n    story: [{at: soon, does: page.viewed}]\n")
    assert run(["check", str(tests)]) == 2
    assert "`soon` is not a time" in capsys.readouterr().err


def test_check_of_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(tmp_path)]) == 2
    assert "has no rule files" in capsys.readouterr().err


def test_show_names_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "show", str(DEFAULT)]) == 0
    out = capsys.readouterr().out
    assert "+10  Decision-maker: while decision_maker is yes or true\n" in out
    assert "+20  Call booked: booking.created where not rescheduled is true, half every 60 days\n" in out
    assert "warm: need is yes or true and (budget is yes or true or authority" in out


def test_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "show", "--json", str(DEFAULT)]) == 0
    assert json.loads(capsys.readouterr().out)["threshold"] == {"enter": 20.0, "exit": 15.0}


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"]])
def test_show_of_a_bad_file_is_its_mistakes(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    assert run(["rules", *arguments, str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "has 2 mistakes" in err


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "--help"]) == 0
    out = capsys.readouterr().out
    assert "show" in out
    assert "apply" in out
