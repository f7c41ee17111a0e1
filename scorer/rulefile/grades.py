"""Grades of a score (A+, A, B ...) and the matrix of two of them."""

from __future__ import annotations

from typing import NamedTuple

from scorer.domain.model import Grade, Matrix, Score
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, mapping, name, sequence, single
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Mapping, Node, Text
from scorer.rulefile.quantities import number
from scorer.rulefile.words import keys

OTHERWISE = "otherwise"


class Grades(NamedTuple):
    grades: tuple[Grade, ...] = ()
    lowest: str | None = None


def grades(report: Report, node: Node) -> Grades | None:
    """``{A: 20, B: 10, C: otherwise}``: the least points of each, from the best down."""
    found = mapping(report, node, "`grades`", "`grades: {A: 20, B: 10, C: otherwise}`")
    if found is None:
        return None
    made: list[Grade] = []
    lowest: str | None = None
    for entry in found.entries:
        named = name(report, entry.key, "a grade")
        if named is None:
            continue
        if isinstance(entry.value, Text) and entry.value.value == OTHERWISE:
            if lowest is not None:
                report.error(entry.value.place, "one grade is for all others")
            lowest = named
            continue
        least = number(report, entry.value)
        if least is None:
            continue
        if made and least >= made[-1].least:
            message = f"`{named}` begins at {least:g}, but stands below `{made[-1].name}`"
            report.error(entry.value.place, message, "write the best grade first, and each with fewer points")
        elif lowest is not None:
            report.error(entry.key.place, f"nobody reaches `{named}`", "`otherwise` stands last")
        made.append(Grade(named, least))
    if lowest is None and found.entries:
        report.error(found.place, "what are all others called?", "`F: otherwise`")
    return Grades(tuple(made), lowest)


class Matrices:
    """Reads ``matrix``. ``scores``: those that the file defines, None where they are no good."""

    def __init__(self, scores: tuple[Score, ...] | None) -> None:
        self._scores = None if scores is None else {score.name: score for score in scores}

    def read(self, report: Report, node: Node) -> Matrix | None:
        found = mapping(report, node, "`matrix`", "`rows: fit`, `columns: engagement` and `cells`")
        if found is None:
            return None
        fields = Fields(report, found, "`matrix`")
        fields.only(keys("matrix"), {})
        rows = fields.require("rows", self._graded, "`rows: fit`")
        columns = fields.require("columns", self._graded, "`columns: engagement`")
        if rows is not None and rows is columns:
            fields.refuse(("columns",), "rows and columns are two scores")
            return None
        cells = fields.require("cells", mapping_of_cells, "a list for each grade: `A: [now, soon]`")
        if rows is None or columns is None or cells is None:
            return None
        made = [
            _row(report, cells, grade, len(columns.grades) + 1, columns)
            for grade in (*(grade.name for grade in rows.grades), rows.lowest or "")
        ]
        known = [*(grade.name for grade in rows.grades), rows.lowest or ""]
        for entry in cells.entries:
            if entry.key.value not in known:
                hint = did_you_mean(entry.key.value, known)
                report.error(entry.key.place, f"`{rows.name}` has no grade `{entry.key.value}`", hint)
        good = [one for one in made if one is not None]
        return Matrix(rows.name, columns.name, tuple(good)) if len(good) == len(made) else None

    def _graded(self, report: Report, node: Node) -> Score | None:
        text = single(report, node, "a score")
        if text is None or self._scores is None:
            return None
        score = self._scores.get(text.value)
        if score is None:
            hint = did_you_mean(text.value, self._scores)
            report.error(text.place, f"unknown score `{text.value}`", hint)
        elif score.grades and score.lowest is None:
            return None  # said where the grades stand
        elif score.lowest is None:
            hint = "give it some: `grades: {A: 20, B: 10, C: otherwise}`"
            report.error(text.place, f"`{text.value}` has no grades", hint)
            return None
        return score


def mapping_of_cells(report: Report, node: Node) -> Mapping | None:
    return mapping(report, node, "`cells`", "a list for each grade: `A: [now, soon]`")


def _row(report: Report, cells: Mapping, grade: str, wanted: int, columns: Score) -> tuple[str, ...] | None:
    entry = next((entry for entry in cells.entries if entry.key.value == grade), None)
    if entry is None:
        report.error(cells.place, f"`cells` has no row `{grade}`", f"`{grade}: [...]`")
        return None
    row = sequence(report, entry.value, f"the row `{grade}`")
    if row is None:
        return None
    names = [name(report, item, "a cell") for item in row.items]
    if len(names) != wanted:
        grades = ", ".join([*(one.name for one in columns.grades), columns.lowest or ""])
        message = f"the row `{grade}` has {len(names)} cells, but `{columns.name}` has {wanted} grades"
        report.error(row.place, message, f"one for each of {grades}")
        return None
    return tuple(one for one in names if one is not None)
