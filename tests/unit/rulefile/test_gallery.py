from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from scorer.rulefile import load, loads
from tests.unit.rulefile import gallery

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", gallery.files(), ids=lambda path: path.stem)
def test_a_broken_file_and_all_its_mistakes(path: Path) -> None:
    assert gallery.said(path) == path.with_suffix(".txt").read_text("utf-8")


@pytest.mark.parametrize("path", gallery.files(), ids=lambda path: path.stem)
def test_each_mistake_has_a_place_in_the_file(path: Path) -> None:
    loaded = load(path)
    lines = path.read_bytes().decode("utf-8", "replace").splitlines() or [""]
    assert loaded.model is None
    assert any(one.severity == "error" for one in loaded.diagnostics)
    for one in loaded.diagnostics:
        assert 1 <= one.line <= len(lines) + 1
        assert 1 <= one.column <= max(map(len, lines)) + 1


def test_the_gallery_is_worth_its_name() -> None:
    assert len(gallery.files()) >= 60
    assert {path.with_suffix(".txt") for path in gallery.files()} == set(gallery.BROKEN.glob("*.txt"))


TOP = "model: Test\nscores: {fit: {}, engagement: {decay: half every 30 days}}\n"
RULES = TOP + "rules:\n  fit:\n    - {rule: Country, when: {country: US}, points: +1}\n  engagement:\n"

SLIPS = [
    "    - {rule: a, on: email.open, points: +1}",
    "    - {rule: b, on: email.opened, points: one}",
    "    - {rule: c, on: email.opened, points:+1}",
    "    - rule: d: e\n      on: email.opened\n      points: +1",
    '    - rule: "f\n      on: email.opened\n      points: +1',
    "    - rule: g\n       on: email.opened\n       points: +1",
    "    - rule: h\n      on: [email.opened\n      points: +1",
    "    - rule: i\n      on:email.opened\n      points: +1",
    "    - {rule: j, when: {employees: >= 25}, points: +1}",
    "    - {rule: k, when: {country: US}, points: +1, color: red}",
    "\t- {rule: l, on: email.opened, points: +1}",
    "    - {rule: m, on: email.opened, points: +1, limit: daily}",
    "    - {rule: n, when: {in segment: Nobody}, points: +1}",
    "    - rule: o\n      on: email.opened\n      points: +1\n      points: +2",
    "    - rule: p\n      on: email.opened}\n      points: +1",
    "    - &q {rule: q, on: email.opened, points: +1}",
    "    - {rule: Country, on: email.opened, points: +1}",
]


@pytest.mark.parametrize("second", range(len(SLIPS)))
@pytest.mark.parametrize("first", range(len(SLIPS)))
def test_no_mistake_hides_another(first: int, second: int) -> None:
    """Any two slips in one file: what is said of each alone is said of both together."""
    if first == second:
        return
    texts = (SLIPS[first], "    - {rule: fine, on: email.clicked, points: +1}", SLIPS[second])
    alone = [_said(text) for text in texts]
    assert alone[1] == []
    before = "\n".join(texts[:2]).count("\n") + 1
    expected = alone[0] + [(line + before, column, message) for line, column, message in alone[2]]
    assert _said("\n".join(texts)) == expected


def _said(rules: str) -> list[tuple[int, int, str]]:
    """Line, column and message of each mistake; messages without the lines that they refer to."""
    found = loads(RULES + rules + "\n").diagnostics
    return [(one.line, one.column, re.sub("line [0-9]+", "line N", one.message)) for one in found]
