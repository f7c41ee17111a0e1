"""A rule file's text on its way to the YAML parser: made plain, and mended where it can't be parsed.

A YAML parser stops at the first mistake. So that no mistake hides another, a mistake is reported and
mended in a copy of the text, and the copy is parsed again. ``Draft`` is that copy; it knows what each
place was called in the author's file.
"""

from __future__ import annotations

import re

from scorer.rulefile.diagnostics import Place

LARGEST = 1 << 20
"""Bytes of a rule file; the compiled file has to travel in one Kafka record."""

_BREAKS = re.compile(r"\r\n?")
_INVISIBLE = re.compile(
    # Control characters, line breaks that only YAML knows, spaces that look like spaces, marks of
    # writing direction (text that reads differently from what it says), halves of characters.
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xa0\u1680\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f\u3000"
    "\ud800-\udfff\ufeff\ufffe\uffff]"
)
_INDENTATION = re.compile(r" *\t[ \t]*")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MANY = 20
TABS = (2, 4, 8)
"""Spaces that a tab may have been meant to be."""

Problem = tuple[Place, str, str | None]
"""Place, message, hint."""


def decode(data: bytes, what: str = "a rule file") -> tuple[str, list[Problem]]:
    """The text of a file, with the parts replaced that are none; an empty text if it is no text at all."""
    start = Place(1, 1)
    if len(data) > LARGEST:
        return "", [(start, f"the file is larger than {LARGEST >> 20} MiB", f"is it {what}?")]
    if data.startswith(_UTF16):
        return "", [(start, "the file is UTF-16 text", "save it as UTF-8")]
    if b"\0" in data:
        return "", [(start, "this is not a text file", None)]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8-sig", "surrogateescape")
    bad = [match.start() for match in re.finditer("[\udc80-\udcff]", text)]
    if len(bad) > max(_MANY, len(text) // 20):
        return "", [(start, "this is not UTF-8 text", "save it as UTF-8")]
    problems: list[Problem] = []
    for at in bad[:_MANY]:
        line = text.count("\n", 0, at) + 1
        place = Place(line, at - (text.rfind("\n", 0, at) + 1) + 1)
        problems.append((place, "this character is not UTF-8", "save the file as UTF-8"))
    return re.sub("[\udc80-\udcff]", "\ufffd", text), problems


def split(text: str) -> list[str]:
    """The lines as an editor counts them."""
    return _BREAKS.sub("\n", text).split("\n")


class Draft:
    """Lines that can be changed. Lines and columns here count from 0, as the parser's do."""

    def __init__(self, lines: list[str], tab: int = TABS[0]) -> None:
        self.lines = list(lines)
        self.tabbed: set[int] = set()
        """Lines that were indented with tabs, here ``tab`` spaces each."""
        self._tab = tab
        self.broken: set[tuple[int, int]] = set()
        """Where a value stands that a diagnostic was already made for."""
        self.damaged: set[int] = set()
        """Lines that were left out."""
        self._shifts: dict[int, list[tuple[int, int]]] = {}

    def text(self) -> str:
        return "\n".join(self.lines)

    def place(self, line: int, column: int, length: int = 1) -> Place:
        """The place in the author's file."""
        line = min(line, len(self.lines) - 1)
        for start, by in reversed(self._shifts.get(line, ())):
            if column >= start:
                column = max(column - by, 0)
        return Place(line + 1, column + 1, max(length, 1))

    def overwrite(self, line: int, column: int, letter: str) -> None:
        """One character instead of another."""
        text = self.lines[line]
        self.lines[line] = text[:column] + letter + text[column + 1 :]

    def insert(self, line: int, column: int, text: str) -> None:
        old = self.lines[line]
        self.lines[line] = old[:column] + text + old[column:]
        self._shifts.setdefault(line, []).append((column + len(text), len(text)))

    def cut(self, line: int, column: int, instead: str = "") -> None:
        """Another end of the line, or none."""
        self.lines[line] = self.lines[line][:column] + instead

    def indent(self, line: int, by: int) -> None:
        """Moves a line ``by`` spaces to the right (negative: to the left)."""
        old = self.lines[line]
        now = max(indentation(old) + by, 0)
        self.lines[line] = " " * now + old.lstrip(" ")
        self._shifts.setdefault(line, []).append((now, now - indentation(old)))

    def blank(self, line: int) -> None:
        if not blank_or_comment(self.lines[line]):
            self.damaged.add(line)
        self.lines[line] = ""

    def make_plain(self) -> list[Problem]:
        """Replaces what can't stand in a rule file anywhere; the problems that this found."""
        problems: list[Problem] = []
        for number, line in enumerate(self.lines):
            if line.isascii() and line.isprintable():
                continue
            if line.lstrip().startswith("#"):
                self.lines[number] = _INVISIBLE.sub(" ", line).replace("\t", " ")
                continue
            self._make_plain(number, problems)
        return problems

    def _make_plain(self, number: int, problems: list[Problem]) -> None:
        line = self.lines[number]
        for match in _INVISIBLE.finditer(line):
            if len(problems) < _MANY:
                code = f"U+{ord(match.group()):04X}"
                message = f"an invisible character stands here ({code})"
                problems.append((Place(number + 1, match.start() + 1), message, "replace it by a space"))
        line = _INVISIBLE.sub(" ", line)
        if tabs := _INDENTATION.match(line):
            if line.strip() and len(problems) < _MANY:
                place = Place(number + 1, line.index("\t") + 1)
                problems.append((place, "a tab stands in the indentation", "indent with spaces only"))
            self.tabbed.add(number)
            spaces = tabs.group().replace("\t", " " * self._tab)
            self._shifts.setdefault(number, []).append((len(spaces), len(spaces) - tabs.end()))
            line = spaces + line[tabs.end() :]
        # Elsewhere a tab is as good as a space, but some parsers refuse it before a value.
        self.lines[number] = line.replace("\t", " ")


def indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def blank_or_comment(line: str) -> bool:
    text = line.lstrip(" ")
    return not text or text.startswith("#")


def is_entry(line: str) -> bool:
    """The line begins an entry of a list."""
    text = line.lstrip(" ")
    return text == "-" or text.startswith("- ")


def key_column(line: str) -> int:
    """Where the line's key begins: after a list's dash."""
    text = line.lstrip(" ")
    column = indentation(line)
    while text.startswith("- "):
        rest = text[1:].lstrip(" ")
        column += len(text) - len(rest)
        text = rest
    return column
