"""The examples of docs/rules.md are rule files, or parts of one."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest

from scorer.domain.lifecycle import LEGAL, STAGES
from scorer.rulefile import loads, render
from scorer.rulefile.words import GROUPS

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
HEAD = "model: Example\nscores: {fit: {}, engagement: {}}\n"
SEGMENTS = "segments:\n  Readers: {at least: 3, of: email.opened, within: 30 days}\n"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_an_example(example: str) -> None:
    if example.startswith("- rule"):
        text = f"{HEAD}{SEGMENTS}rules:\n  engagement:\n{indent(example, '    ')}"
    elif example.startswith("model"):
        text = example
    else:
        head = HEAD.splitlines(keepends=True)[0] if "scores:" in example else HEAD
        text = f"{head}rules: {{}}\n{example}"
    loaded = loads(text)
    assert loaded.model is not None, render(loaded.diagnostics)
    # A part of a file may define what only other parts would use.
    whole = example.startswith("model")
    assert [one for one in loaded.diagnostics if whole or "is used nowhere" not in one.message] == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8


def test_the_page_names_every_word() -> None:
    words = {word.key for group in GROUPS.values() for word in group}
    assert {word for word in words if word not in PAGE} == set()


def test_the_page_lists_the_moves_that_a_rule_may_make() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| ([\w, ]+) \|$", PAGE, re.MULTILINE))
    for number, name in enumerate(STAGES):
        targets = [STAGES[one] for one in sorted(LEGAL[number]) if STAGES[one] != "Qualified"]
        assert rows[name].split(", ") == targets
