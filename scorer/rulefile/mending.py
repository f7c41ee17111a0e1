"""Making a text readable again after a mistake in its YAML, at the cost of as little of it as possible."""

from __future__ import annotations

from scorer.rulefile.draft import Draft, blank_or_comment, indentation, is_entry, key_column
from scorer.rulefile.mistakes import Unreadable, line_above

_FAR = 200
"""Lines above that are looked at for a column to align with."""
_STEP = 2


class Mender:
    """Changes a draft so that the parser gets past a mistake.

    First by the remedy that the mistake names; if the parser complains about the same line again, by
    leaving out the line, then the entry of a list that it is in, then its section.
    """

    ATTEMPTS = 40

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._attempts = 0
        self._tried: dict[int, int] = {}
        """Line -> how many remedies it has had."""
        self._letters: set[tuple[int, int]] = set()

    def seen(self, mistake: Unreadable) -> bool:
        """An earlier remedy for the same line has not helped: nothing new to report."""
        if mistake.fix in {"letter", "space"}:
            return (mistake.line, mistake.column) in self._letters
        if mistake.fix == "align" and mistake.line in self._draft.tabbed:
            return True  # no wonder
        return mistake.line in self._tried

    def mend(self, mistake: Unreadable) -> bool:
        """False when it gives up."""
        self._attempts += 1
        if self._attempts > self.ATTEMPTS:
            return False
        line = mistake.line
        if self._gentle(mistake):
            return True
        tried = self._tried.setdefault(line, 0)
        self._tried[line] += 1
        if tried == 0 and self._by_name(mistake):
            return True
        if tried <= 1 and self._draft.lines[line].strip(" -"):
            self._leave_out(line)
            return True
        return (tried <= _STEP and self._leave_out_entry(line)) or self._leave_out_section(line)

    # -- remedies that cost nothing -------------------------------------------------------------

    def _gentle(self, mistake: Unreadable) -> bool:
        """One letter more or another one; a line can have several such mistakes."""
        at = (mistake.line, mistake.column)
        if mistake.fix not in {"letter", "space"} or at in self._letters:
            return False
        self._letters.add(at)
        if mistake.fix == "space":
            self._draft.insert(mistake.line, mistake.column + 1, " ")
        else:
            self._draft.overwrite(mistake.line, mistake.column, "x")
            self._draft.broken.add((mistake.line, mistake.value))
        return True

    def _by_name(self, mistake: Unreadable) -> bool:
        line, column = mistake.line, mistake.column
        lines = self._draft.lines
        if mistake.fix == "cut":
            self._draft.cut(line, column)
            return True
        if mistake.fix == "replace":
            self._leave_out_below(line, key_column(lines[line]) + 1)
            self._draft.cut(line, column, "x")
            self._draft.broken.add((line, column))
            return True
        if mistake.fix == "dash":
            self._draft.insert(line, column, "- ")
            self._shift(line + 1, column, _STEP)
            return True
        return mistake.fix == "align" and self._align(line)

    def _align(self, line: int) -> bool:
        """Moves the lines that start in this column, and what hangs on them, to a column in use above."""
        lines = self._draft.lines
        here = indentation(lines[line])
        columns: set[int] = set()
        number = line_above(lines, line)
        if number is not None and lines[number].rstrip().endswith(":"):
            columns.add(key_column(lines[number]) + _STEP)
        while number is not None and number > line - _FAR:
            if not is_entry(lines[line]):
                columns.add(key_column(lines[number]))
            elif is_entry(lines[number]):
                columns.add(indentation(lines[number]))
            number = line_above(lines, number)
        if not columns - {here}:
            return False
        by = min(columns - {here}, key=lambda column: abs(column - here)) - here
        self._shift(line, here, by)
        return True

    def _shift(self, line: int, column: int, by: int) -> None:
        """Moves ``line`` and those after it, as long as they start at ``column`` or later."""
        for number in range(line, len(self._draft.lines)):
            text = self._draft.lines[number]
            if blank_or_comment(text):
                continue
            if indentation(text) < column or (
                number > line and indentation(text) == column and is_entry(text)
            ):
                break
            self._draft.indent(number, by)

    # -- leaving out -----------------------------------------------------------------------------

    def _leave_out(self, line: int) -> None:
        """The line, but not its dash, and the deeper lines that may go on with it."""
        lines = self._draft.lines
        self._leave_out_below(line, key_column(lines[line]) + 1)
        dash = " " * indentation(lines[line]) + "-" if is_entry(lines[line]) else ""
        self._draft.blank(line)
        lines[line] = dash

    def _leave_out_entry(self, line: int) -> bool:
        lines = self._draft.lines
        for start in range(line, -1, -1):
            if is_entry(lines[start]):
                self._leave_out_below(start, indentation(lines[start]) + 1)
                self._draft.blank(start)
                return True
            if start < line and lines[start] and not lines[start].startswith((" ", "#")):
                break
        return False

    def _leave_out_below(self, line: int, column: int) -> None:
        """The lines after ``line`` as long as they start at ``column`` or later."""
        for number in range(line + 1, len(self._draft.lines)):
            text = self._draft.lines[number]
            if not blank_or_comment(text) and indentation(text) < column:
                break
            self._draft.blank(number)

    def _leave_out_section(self, line: int) -> bool:
        """Everything down to the next line that is not indented; False if that was nothing."""
        lines = self._draft.lines
        start = line
        while start > 0 and (blank_or_comment(lines[start]) or lines[start].startswith(" ")):
            start -= 1
        held = any(not blank_or_comment(text) for text in lines[start : line + 1])
        self._draft.blank(start)
        self._leave_out_below(start, 1)
        return held
