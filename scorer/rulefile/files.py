"""From a file to its tree: what rule files, their tests, keys files and mapping files have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from scorer.errors import UserError
from scorer.rulefile.diagnostics import Place, Report, TooManyError
from scorer.rulefile.draft import LARGEST, decode, split
from scorer.rulefile.nodes import Broken, Mapping, kind
from scorer.rulefile.syntax import parse

T = TypeVar("T")


def read(path: Path) -> bytes:
    """A file's bytes, as many as a rule file may have; raises ``UserError`` only if it can't be opened."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error


def understand(
    data: bytes,
    name: str,
    build: Callable[[Report, Mapping], T | None],
    what: str,
    begin: str,
    folder: Path | None = None,
    *,
    quoting: bool = True,
) -> tuple[T | None, Report]:
    """What ``build`` makes of a file's tree, and every mistake.

    ``name`` stands for the file in the diagnostics. ``what`` it is ("a rule file") and how to ``begin`` one
    are said of files that are nothing of the kind. ``folder``: where further files are looked for.
    ``quoting``: whether messages may repeat a value.
    """
    text, problems = decode(data, what)
    lines = split(text)
    report = Report(name, lines, folder)
    made = None
    try:
        for problem in problems:
            report.error(*problem)
        if text or not problems:
            root = _root(report, lines, what, begin, quoting=quoting)
            made = None if root is None else build(report, root)
    except TooManyError:
        pass
    return made, report


def _root(report: Report, lines: list[str], what: str, begin: str, *, quoting: bool) -> Mapping | None:
    root = parse(lines, report, what, quoting=quoting)
    if isinstance(root, Mapping):
        return root
    if root is None and not report.errors:
        report.error(Place(1, 1), "the file is empty", begin)
    elif root is not None and not isinstance(root, Broken):
        message = f"{what} is written as `key: value` lines, but this is {kind(root)}"
        report.error(root.place, message, begin)
    return None
