"""Rule files: the text that marketers write, read into the model that the engine runs.

``load`` and ``loads`` never raise for what stands in a file: every mistake is a ``Diagnostic`` with line,
column and, where there is one, a hint. ``docs/rules.md`` describes the language.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from scorer.domain.model import Model
from scorer.errors import UserError
from scorer.rulefile.compiler import compile_file
from scorer.rulefile.diagnostics import Diagnostic
from scorer.rulefile.files import read, understand

__all__ = ["Diagnostic", "Loaded", "load", "loads", "mistakes", "render", "require"]


class Loaded(NamedTuple):
    """What came of a file. ``model`` is None if one of the diagnostics is an error."""

    model: Model | None
    diagnostics: list[Diagnostic]


def load(path: Path) -> Loaded:
    """Reads a file; raises ``UserError`` only if it can't be opened."""
    return _read(read(path), str(path), path.parent)


def loads(text: str, name: str = "rules.yaml") -> Loaded:
    """Reads a text; ``name`` stands for the file in the diagnostics. It can't refer to other files."""
    return _read(text.encode("utf-8", "replace"), name)


def require(path: Path) -> Model:
    """The model of a file without mistakes; raises ``UserError`` (exit code 2) with all of them."""
    loaded = load(path)
    if loaded.model is None:
        raise UserError(f"{path} has {mistakes(loaded.diagnostics)}\n\n{render(loaded.diagnostics)}")
    return loaded.model


def render(diagnostics: list[Diagnostic]) -> str:
    """All of them, with an empty line in between."""
    return "\n\n".join(one.render() for one in diagnostics)


def mistakes(diagnostics: list[Diagnostic]) -> str:
    """``1 mistake``, ``5 mistakes``: warnings and notes are none."""
    count = sum(one.severity == "error" for one in diagnostics)
    return "1 mistake" if count == 1 else f"{count} mistakes"


def _read(data: bytes, name: str, folder: Path | None = None) -> Loaded:
    begin = "begin with `model: Your company`"
    model, report = understand(data, name, compile_file, "a rule file", begin, folder)
    return Loaded(model, report.diagnostics())
