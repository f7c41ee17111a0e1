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
from scorer.rulefile.diagnostics import Diagnostic, Place, Report, TooManyError
from scorer.rulefile.draft import LARGEST, Problem, decode, split
from scorer.rulefile.nodes import Broken, Mapping, kind
from scorer.rulefile.syntax import parse

__all__ = ["Diagnostic", "Loaded", "load", "loads", "render", "require"]


class Loaded(NamedTuple):
    """What came of a file. ``model`` is None if one of the diagnostics is an error."""

    model: Model | None
    diagnostics: list[Diagnostic]


def load(path: Path) -> Loaded:
    """Reads a file; raises ``UserError`` only if it can't be opened."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    return _read(*decode(data), str(path))


def loads(text: str, name: str = "rules.yaml") -> Loaded:
    """Reads a text; ``name`` stands for the file in the diagnostics."""
    return _read(*decode(text.encode("utf-8", "replace")), name)


def require(path: Path) -> Model:
    """The model of a file without mistakes; raises ``UserError`` (exit code 2) with all of them."""
    loaded = load(path)
    if loaded.model is None:
        count = sum(one.severity == "error" for one in loaded.diagnostics)
        mistakes = "1 mistake" if count == 1 else f"{count} mistakes"
        raise UserError(f"{path} has {mistakes}\n\n{render(loaded.diagnostics)}")
    return loaded.model


def render(diagnostics: list[Diagnostic]) -> str:
    """All of them, with an empty line in between."""
    return "\n\n".join(one.render() for one in diagnostics)


def _read(text: str, problems: list[Problem], name: str) -> Loaded:
    lines = split(text)
    report = Report(name, lines)
    model = None
    try:
        for problem in problems:
            report.error(*problem)
        if text or not problems:
            model = _compile(report, lines)
    except TooManyError:
        pass
    return Loaded(model, report.diagnostics())


def _compile(report: Report, lines: list[str]) -> Model | None:
    root = parse(lines, report)
    if isinstance(root, Mapping):
        return compile_file(report, root)
    if root is None and not report.errors:
        report.error(Place(1, 1), "the file is empty", "begin with `model: Your company`")
    elif root is not None and not isinstance(root, Broken):
        message = f"a rule file is written as `key: value` lines, but this is {kind(root)}"
        report.error(root.place, message, "begin with `model: Your company`")
    return None
