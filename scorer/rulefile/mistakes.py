"""What a YAML parser's complaint means to the author."""

from __future__ import annotations

import re
from typing import Any, Literal

from scorer.rulefile.draft import blank_or_comment, indentation, is_entry, key_column

KEY = r"[^\s:#'\"{}\[\],&*!|>%@`-][^:#'\"{}\[\],]*"
PAIR = re.compile(rf"(?P<key> *(?:- +)?{KEY}:) +(?P<value>\S.*)")
_NO_SPACE = re.compile(rf"( *(?:- +)?{KEY}):(?=[^\s:/])")
_NO_SPACE_IN_BRACKETS = re.compile(r"[{,] *[A-Za-z_][\w ]*:(?=[^\s:/,}\]])")
_OPEN_QUOTE = re.compile(rf" *(?:- +)?(?:{KEY}: +)?(?P<quote>[\"'])(?P<rest>.*)")
_AFTER_QUOTE = re.compile(rf"(?P<quoted> *(?:- +)?(?:{KEY}: +)?(?:\"[^\"]*\"|'[^']*') +)(?P<rest>[^#\s].*)")
_NEAR = 12
"""Lines above a complaint that are searched for its cause."""

_SIGNS = {
    ">": "write comparisons in words: `above 25`, `at least 25`",
    "<": "write comparisons in words: `below 25`, `at most 25`",
    "|": "write the text on one line",
    "%": "put the text in quotes; a share is written like `10% a week`",
}

Fix = Literal["letter", "space", "cut", "replace", "dash", "align", "leave out"]
"""What makes the line readable: another letter, a space after the colon, the rest of the line cut off or
replaced by a value, a dash, another indentation; or nothing but leaving it out."""


class Unreadable(Exception):  # noqa: N818 - a mistake in the text, not in the program
    """Where the parser stopped. Line and column count from 0; ``value`` is where the value begins that
    the mistake is in.
    """

    def __init__(
        self,
        line: int,
        column: int,
        message: str,
        hint: str | None = None,
        *,
        fix: Fix = "leave out",
        length: int = 1,
        value: int | None = None,
    ) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.message = message
        self.hint = hint
        self.fix = fix
        self.length = length
        self.value = column if value is None else value


def explain(error: Any, lines: list[str], fallback: int) -> Unreadable:
    """The author's mistake behind a parser's error; ``fallback`` is a line for one that names none."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Unreadable(fallback, 0, f"this line can't be read ({error.problem})")
    last = len(lines) - 1
    line, column = min(mark.line, last), mark.column
    context = error.context or ""
    start = error.context_mark or mark
    begin = (min(start.line, last), start.column)
    problem = error.problem or ""
    in_quotes = "quoted scalar" in context
    if "escape" in problem or "hexadecimal" in problem:
        return _escape(lines, line, column, begin[1])
    if found := _unclosed_quote(lines, begin[0] if in_quotes else line) or _no_space(lines, line):
        return found
    if "block scalar" in context or "cannot start any token" in problem:
        return _bad_start(lines, *(begin if "block scalar" in context else (line, column)))
    if "flow" in context:
        return _bracket(lines, (line, column), begin)
    if "mapping values are not allowed" in problem:
        return _second_colon(lines, line, column)
    if "could not find expected ':'" in problem:
        length = len(lines[begin[0]].rstrip()) - begin[1]
        return Unreadable(*begin, "a `key: value` is expected here", "the colon is missing", length=length)
    return _misplaced(lines, line, column, dash="'-'" in problem or "block collection" in context)


def _unclosed_quote(lines: list[str], line: int) -> Unreadable | None:
    """A quote that is opened on a line near above and closed, if at all, by the next one's opening."""
    for number in range(line, max(line - _NEAR, -1), -1):
        match = _OPEN_QUOTE.fullmatch(lines[number])
        if match and match["quote"] not in match["rest"] and not _goes_on(lines, number, line):
            column = match.start("quote")
            length = len(lines[number]) - column
            hint = f"close it with {match['quote']} on the same line"
            message = "the quote opened here is never closed"
            return Unreadable(number, column, message, hint, fix="replace", length=length)
    return None


def _goes_on(lines: list[str], number: int, line: int) -> bool:
    """The text after line ``number`` is no entry of its own: a quoted text over several lines."""
    after = lines[number + 1] if number < line else ""
    return bool(after.strip()) and not after.lstrip().startswith("- ") and not PAIR.fullmatch(after)


def _no_space(lines: list[str], line: int) -> Unreadable | None:
    """``points:+5`` on this line or the one above, which this one then seems to continue."""
    above = line_above(lines, line)
    for number in (line,) if above is None else (line, above):
        match = _NO_SPACE.match(lines[number]) or _NO_SPACE_IN_BRACKETS.search(lines[number])
        if match:
            column = match.end() - (lines[number][match.end() - 1] == ":")
            message, hint = "a space is missing after the colon", "write `key: value`"
            return Unreadable(number, column, message, hint, fix="space")
    return None


def _escape(lines: list[str], line: int, column: int, begin: int) -> Unreadable:
    at = lines[line].rfind("\\", 0, column + 1)
    hint = "in double quotes \\ has a meaning of its own; use single quotes"
    message = "this \\ means nothing here"
    return Unreadable(line, max(at, 0), message, hint, fix="letter", value=begin)


def _bad_start(lines: list[str], line: int, column: int) -> Unreadable:
    sign = lines[line][column : column + 1]
    hint = _SIGNS.get(sign, "put the text in quotes")
    return Unreadable(line, column, f"a value can't begin with `{sign}`", hint, fix="letter")


def _bracket(lines: list[str], at: tuple[int, int], begin: tuple[int, int]) -> Unreadable:
    line, column = at
    sign = lines[line][column : column + 1]
    opened = lines[begin[0]][begin[1] : begin[1] + 1]
    closing = {"[": "]", "{": "}"}.get(opened)
    if closing is None:
        if sign:
            return Unreadable(line, column, f"`{sign}` has no place here", fix="letter")
        return _unclosed_bracket(lines, line)
    if line != begin[0]:
        message = f"the `{opened}` opened here is never closed"
        return Unreadable(*begin, message, f"close it with `{closing}`", fix="replace")
    message = f"a `,` or `{closing}` is missing before this"
    if sign == ":":
        start = max(lines[line].rfind(": ", 0, column) + 2, begin[1] + 1)
        return Unreadable(line, column, message, fix="letter", value=start)
    return Unreadable(line, column, message)


def _unclosed_bracket(lines: list[str], line: int) -> Unreadable:
    for number in range(min(line, len(lines) - 1), -1, -1):
        text = lines[number]
        if text.count("[") > text.count("]") or text.count("{") > text.count("}"):
            column = min(at for at in (text.find("["), text.find("{")) if at >= 0)
            message = f"the `{text[column]}` opened here is never closed"
            return Unreadable(number, column, message, fix="replace")
    return Unreadable(line, 0, "this line can't be read")


def _second_colon(lines: list[str], line: int, column: int) -> Unreadable:
    match = PAIR.fullmatch(lines[line])
    if match and match.start("value") < column:
        hint = "put the text in quotes if the colon is part of it"
        start = match.start("value")
        return Unreadable(line, column, "a second `: ` in one value", hint, fix="letter", value=start)
    return _misplaced(lines, line, column, dash=False)


def _misplaced(lines: list[str], line: int, column: int, *, dash: bool) -> Unreadable:
    """Text after the end of a value, or a line that is indented like none above it."""
    text = lines[line]
    start = indentation(text)
    if match := _AFTER_QUOTE.fullmatch(text):
        column = match.start("rest")
    if match or (column > start and not _out_of_line(lines, line)):
        hint = "put the whole text in quotes, or remove this"
        length = len(text.rstrip()) - column
        message = "this has no place after the value"
        return Unreadable(line, column, message, hint, fix="cut", length=length)
    if dash and PAIR.fullmatch(text) and not is_entry(text) and _beside_entry(lines, line):
        hint = "every entry of a list begins with `- `"
        return Unreadable(line, start, "a `- ` is missing before this", hint, fix="dash")
    hint = "lines that belong together start in the same column; a list's lines start with `- `"
    message = "the indentation does not fit the lines above"
    return Unreadable(line, start, message, hint, fix="align")


def _beside_entry(lines: list[str], line: int) -> bool:
    """The line starts where the entries of the list above do."""
    start = indentation(lines[line])
    for number in range(line - 1, -1, -1):
        if not blank_or_comment(lines[number]) and indentation(lines[number]) <= start:
            return is_entry(lines[number]) and indentation(lines[number]) == start
    return False


def _out_of_line(lines: list[str], line: int) -> bool:
    above = line_above(lines, line)
    return above is not None and indentation(lines[line]) != key_column(lines[above])


def line_above(lines: list[str], line: int) -> int | None:
    """The nearest line above that says something."""
    return next((n for n in range(line - 1, -1, -1) if not blank_or_comment(lines[n])), None)
