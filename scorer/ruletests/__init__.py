"""Tests that the authors of rules write: a lead's story, and what is to be true of it at which instant.

``docs/rule-tests.md`` describes the files. ``load`` reads one, ``run`` tells its stories to the engine;
neither raises for what stands in a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from scorer.errors import UserError
from scorer.rulefile import Diagnostic
from scorer.rulefile.files import read, understand
from scorer.ruletests.reading import read_suite
from scorer.ruletests.story import Suite

__all__ = ["ENDING", "Loaded", "find", "load", "loads"]

ENDING = ".test.yaml"
"""Of the names of files with rule tests."""


class Loaded(NamedTuple):
    """What came of a file. ``suite`` is None if one of the diagnostics is an error."""

    suite: Suite | None
    diagnostics: list[Diagnostic]
    lines: list[str]


def find(paths: list[Path]) -> list[Path]:
    """Files with rule tests: those named, and those in the folders named. Raises ``UserError`` for a folder
    without any.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(path.rglob(f"*{ENDING}"))
        if not inside:
            raise UserError(f"{path} has no rule tests", f"their files are named NAME{ENDING}")
        found += inside
    return list(dict.fromkeys(found))


def load(path: Path) -> Loaded:
    """Reads a file; raises ``UserError`` only if it can't be opened."""
    return _read(read(path), str(path))


def loads(text: str, name: str = f"rules{ENDING}") -> Loaded:
    """Reads a text; ``name`` stands for the file in the diagnostics."""
    return _read(text.encode("utf-8", "replace"), name)


def _read(data: bytes, name: str) -> Loaded:
    begin = "begin with `rules: default.yaml`"
    suite, report = understand(data, name, read_suite, "a file of rule tests", begin)
    return Loaded(None if report.errors else suite, report.diagnostics(), report.lines)
