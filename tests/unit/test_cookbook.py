"""The cookbook's rule files and the tutorial: they load, pass, and print what is said."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest

from scorer.cli import run as scorer
from scorer.rulefile import load, loads, render, require
from scorer.ruletests import ENDING
from scorer.ruletests import load as load_tests
from scorer.ruletests import loads as loads_tests
from scorer.ruletests.coverage import coverage
from scorer.ruletests.running import run

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "rules" / "tutorial.yaml"
RECIPES = sorted(path for path in (ROOT / "rules" / "cookbook").glob("*.yaml") if ENDING not in path.name)
INDEX = (ROOT / "docs" / "cookbook.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
BLOCKS: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PLAIN = re.sub(r"```(yaml|json)\n.*?```", "", PAGE, flags=re.DOTALL)
PRINTED: list[str] = re.findall(r"```\n(.*?)```", PLAIN, re.DOTALL)
HEAD = "model: Example\n"
SCORES = "scores: {fit: {}, engagement: {}}\n"


# -- cookbook ----------------------------------------------------------------------------------------


def test_there_are_recipes() -> None:
    assert len(RECIPES) >= 24


@pytest.mark.parametrize("path", [*RECIPES, TUTORIAL], ids=lambda path: str(path.stem))
def test_a_file_has_no_mistakes_and_its_tests_see_all_of_it(path: Path) -> None:
    loaded = load(path)
    assert [one for one in loaded.diagnostics if one.severity != "note"] == []
    assert loaded.model is not None
    tests = load_tests(path.with_name(f"{path.stem}{ENDING}"))
    assert tests.diagnostics == []
    assert tests.suite is not None
    assert tests.suite.rules is not None
    assert tests.suite.rules.text == path.name
    results = [run(test, loaded.model) for test in tests.suite.tests]
    wrong = [(result.test.name, each.wrong) for result in results for each in result.failures]
    assert wrong == []
    assert coverage(loaded.model, [result.held for result in results]).missed == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.stem))
def test_a_file_begins_with_its_wish(path: Path) -> None:
    lines = path.read_text("utf-8").split("\n")
    assert lines[0].startswith('# "')
    assert "Mind:" in "".join(line for line in lines if line.startswith("#"))


def test_the_index_names_every_file_and_no_other() -> None:
    named = re.findall(r"\[([\w-]+)\]\(\.\./rules/cookbook/([\w-]+)\.yaml\)", INDEX)
    assert [shown for shown, file in named if shown != file] == []
    assert sorted(file for _, file in named) == [path.stem for path in RECIPES]


@pytest.mark.parametrize("page", [INDEX, PAGE], ids=["cookbook", "tutorial"])
def test_no_link_leads_nowhere(page: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page)
    assert [target for target in targets if not (ROOT / "docs" / target).is_file()] == []


# -- tutorial ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", BLOCKS, ids=lambda text: text.split("\n")[0])
def test_a_block_loads(block: str) -> None:
    if block.startswith("rules: "):
        tests = loads_tests(block)
        assert tests.diagnostics == []
        assert tests.suite is not None
        model = require(TUTORIAL)
        assert [run(test, model).failures for test in tests.suite.tests] == [[]]
        return
    if block.startswith("model"):
        text = block
    elif block.startswith("- rule"):
        text = f"{HEAD}{SCORES}rules:\n  engagement:\n{indent(block, '    ')}"
    else:
        text = f"{HEAD}{'' if 'scores:' in block else SCORES}rules: {{}}\n{block}"
    loaded = loads(text)
    assert loaded.model is not None, render(loaded.diagnostics)
    assert [one for one in loaded.diagnostics if one.severity != "note"] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.startswith(("model", "rules: "))])
def test_a_block_stands_in_the_whole_file(block: str) -> None:
    assert _without_indentation(block) in _without_indentation(TUTORIAL.read_text("utf-8"))


def test_the_first_file_is_the_beginning_of_the_whole_one() -> None:
    assert loads(BLOCKS[0]).model is not None
    whole = _without_indentation(TUTORIAL.read_text("utf-8"))
    for part in BLOCKS[0].split("\n\n"):
        if not part.startswith("scores"):
            assert _without_indentation(part) in whole


def test_what_the_tutorial_prints_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each example of a command, with the file as it is at that step."""
    first, more = BLOCKS[0], indent(BLOCKS[1], "    ")
    tests = next(block for block in BLOCKS if block.startswith("rules: rosterly.yaml"))
    wrong = next(block for block in PRINTED if not block.startswith("$"))
    weaker = TUTORIAL.read_text("utf-8").replace("points: +20", "points: +18")
    steps = ["", f"{first}\n{more}\n{wrong}", weaker, None]
    commands = [block for block in PRINTED if block.startswith("$ scorer ")]
    for text, block in zip(steps, commands, strict=True):
        folder = ROOT if text is None else tmp_path
        monkeypatch.chdir(folder)
        if text is not None:
            (folder / "rosterly.yaml").write_text(text, "utf-8")
            (folder / f"rosterly{ENDING}").write_text(tests, "utf-8")
        command, _, expected = block.partition("\n")
        scorer(command.split()[2:])
        out, err = capsys.readouterr()
        said = err + out
        for piece in expected.split("...\n"):
            assert piece.strip("\n") in said


def _without_indentation(text: str) -> str:
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())
