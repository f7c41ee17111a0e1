"""What is wrong with a rule file, and where: collected while reading goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, get_args

import msgspec

Severity = Literal["error", "warning", "note"]
"""A mistake; something allowed but hardly meant; something worth knowing. Only the first is a mistake."""

MOST = 200
"""Diagnostics shown of one file; more help nobody."""
ENOUGH = 1_000
"""Diagnostics after which a file is not read to its end."""
WIDEST = 240
"""Characters of a line that is shown below its diagnostic; a longer one is left out."""


class Place(NamedTuple):
    """Where something stands: line and column from 1, length in characters (at least 1)."""

    line: int
    column: int
    length: int = 1


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake, warning or note.

    ``source`` is the line of the file it is about, ``column`` counts characters from 1.
    """

    file: str
    line: int
    column: int
    severity: Severity
    message: str
    hint: str | None = None
    length: int = 1
    source: str = ""

    def render(self) -> str:
        """``file:line:column: error: message``, the line with a caret under the value, and the hint."""
        text = [f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"]
        if self.source.strip():
            before = self.source[: self.column - 1]
            margin = "".join("\t" if letter == "\t" else " " for letter in before)
            length = max(1, min(self.length, len(self.source) - len(before)))
            number = f"{self.line:>5}"
            text += [f"{number} | {self.source}", f"{'':>5} | {margin}{'^' * length}"]
        if self.hint:
            text.append(f"{'':>5} = hint: {self.hint}")
        return "\n".join(text)


class TooManyError(Exception):
    """Reading goes no further: nobody mends so many mistakes at once."""


class Report:
    """Collects the diagnostics of one file; raises ``TooManyError`` beyond ``ENOUGH``."""

    def __init__(self, file: str, lines: list[str], folder: Path | None = None) -> None:
        self._file = file
        self.lines = lines
        self.folder = folder
        """What other files are named from; None: the text is no file."""
        self.lists: dict[str, tuple[str, ...] | None] = {}
        """Named lists that conditions refer to; None: defined, but no good."""
        self.asked: set[str] = set()
        """Those of them that a condition has asked for."""
        self._found: dict[tuple[int, int, str], Diagnostic] = {}
        self.errors = 0
        self.damaged: set[int] = set()
        """Lines (from 1) that had to be left out, because they could not be read at all."""

    def error(self, place: Place, message: str, hint: str | None = None) -> None:
        self._add(place, "error", message, hint)

    def warning(self, place: Place, message: str, hint: str | None = None) -> None:
        self._add(place, "warning", message, hint)

    def note(self, place: Place, message: str, hint: str | None = None) -> None:
        self._add(place, "note", message, hint)

    def whole(self, first: int, last: int) -> bool:
        """Nothing from line ``first`` to ``last`` was left out, so what is missing there is missing."""
        while first - 1 in self.damaged:
            first -= 1
        return not any(first <= line <= last for line in self.damaged)

    def may_be_named(self, name: str) -> bool:
        """``name`` occurs in a line that was left out: it may well be defined there."""
        return any(name in self.lines[line - 1] for line in self.damaged)

    def _add(self, place: Place, severity: Severity, message: str, hint: str | None) -> None:
        line, column, length = place
        key = (line, column, message)
        if key in self._found:
            return
        if len(self._found) >= ENOUGH:
            raise TooManyError
        self.errors += severity == "error"
        source = self.lines[line - 1] if line <= len(self.lines) else ""
        self._found[key] = Diagnostic(
            file=self._file,
            line=line,
            column=column,
            severity=severity,
            message=message,
            hint=hint,
            length=length,
            source=source if len(source) <= WIDEST else "",
        )

    def diagnostics(self) -> list[Diagnostic]:
        """In the order of the file, at most ``MOST`` and a last one that counts the rest."""
        found = sorted(self._found.values(), key=lambda one: (one.line, one.column))
        if len(found) > MOST:
            last, rest = found[MOST - 1], len(found) - MOST
            worst = min((one.severity for one in found), key=get_args(Severity).index)
            found = found[:MOST]
            found.append(
                Diagnostic(
                    file=self._file,
                    line=last.line,
                    column=last.column,
                    severity=worst,
                    message=f"at least {rest} more {'mistakes' if self.errors else 'such remarks'} follow; "
                    "mend these first",
                )
            )
        return found
