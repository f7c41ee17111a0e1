"""The figures: what the queries over a file of insights answer, as data."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import msgspec

from scorer.insights.files import setting
from scorer.insights.periods import Periods, day_number, first_day, label
from scorer.insights.schema import VIEWS
from scorer.insights.words import DIMENSIONS, KINDS, UNKNOWN

if TYPE_CHECKING:
    from sqlite3 import Connection


class Counted(msgspec.Struct):
    """How often something happened, and to how many people."""

    events: int = 0
    leads: int = 0


class VolumeRow(msgspec.Struct):
    period: str
    begins: date | None
    """Its first day; of a total that of the first period, None where there is none."""
    group: str | None
    """None: not grouped."""
    created: Counted
    qualified: Counted
    requalified: Counted
    disqualified: Counted
    lapsed: Counted
    converted: Counted


class Volume(msgspec.Struct):
    by: str
    group: str | None
    time_zone: str
    periods: list[str]
    """None left out between the first and the last."""
    rows: list[VolumeRow]
    """By period, then group. A period without groups has one also where nothing happened."""
    totals: list[VolumeRow]
    """Of all periods, by group: whoever is counted in two periods is one lead here."""


class Cohort(msgspec.Struct):
    period: str
    begins: date
    group: str | None
    leads: int
    """Qualified for the first time in that period."""
    converted: int
    """How many of them have come to Customer since."""
    median_days: float | None
    """From the one to the other."""


class Cohorts(msgspec.Struct):
    by: str
    group: str | None
    time_zone: str
    rows: list[Cohort]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What part of the history is asked for."""

    group: str | None = None
    first: date = date.min
    last: date = date.max
    """Days, both included."""


class Asking:
    """One connection (see ``files.read_only``), used for nothing else, and one time zone. For one thread."""

    def __init__(self, connection: Connection, time_zone: str | None = None) -> None:
        """``time_zone``: None: that of the rules last in force. Raises ``ValueError`` where there is none."""
        self.connection = connection
        self.periods = Periods(time_zone or setting(connection, "time_zone") or "UTC")
        connection.create_function("period", 2, self._number, deterministic=True)
        self._computed: set[str] = set()

    def _number(self, unit: str, at: int) -> int:
        return 0 if unit == "all" else self.periods.number(unit, at)

    def need(self, question: Question, *views: str) -> None:
        """Compute views once, for all that is asked: in this connection they become temporary tables.

        What is written to the file meanwhile is not seen any more, so figures agree with each other.
        """
        connection = self.connection
        if not self._computed:
            connection.execute("BEGIN")
        wanted = {*views, *(["dimensions"] if question.group else [])} - self._computed
        self._computed |= wanted
        for name, query in VIEWS.items():
            if name in wanted:
                connection.execute("PRAGMA query_only = OFF")
                connection.execute(f"CREATE TEMP TABLE {name} AS {query}")
                connection.execute("PRAGMA query_only = ON")

    def volume(self, by: str, question: Question) -> Volume:
        rows = self._counted(by, question)
        group = question.group
        totals = self._counted("all", question)
        found = Volume(by, group, self.periods.zone, [], [], [])
        groups = sorted({key[1] for key in totals}, key=_unknown_last) or ([None] if group is None else [])
        if rows:
            numbers = [number for number, _ in rows]
            for number in range(min(numbers), max(numbers) + 1):
                found.periods.append(label(by, number))
                found.rows += [
                    _row(found.periods[-1], first_day(by, number), one, rows.get((number, one), {}))
                    for one in groups
                    if one is None or (number, one) in rows
                ]
        first = found.rows[0].begins if found.rows else None
        found.totals = [_row("all", first, one, totals.get((0, one), {})) for one in groups]
        return found

    def _counted(self, by: str, question: Question) -> dict[tuple[int, str | None], dict[str, Counted]]:
        found: dict[tuple[int, str | None], dict[str, Counted]] = {}
        self.need(question, "beginnings", "stays", "happenings")
        named, joined = grouping(question.group)
        rows = self.connection.execute(
            f"SELECT period(?, at), {named}, kind, count(*), count(DISTINCT person)"  # noqa: S608 - our words
            f" FROM happenings {joined} WHERE period('day', at) BETWEEN ? AND ? GROUP BY 1, 2, 3",
            (by, *days(question)),
        )
        for number, group, kind, events, leads in rows:
            found.setdefault((number, group), {})[kind] = Counted(events, leads)
        return found

    def cohorts(self, by: str, question: Question) -> Cohorts:
        self.need(question, "beginnings", "stays", "cohorts")
        named, joined = grouping(question.group)
        rows = self.connection.execute(
            # The median: the lower of the two in the middle, where there are two.
            f"WITH cohort AS (SELECT period(?, at) AS number, {named} AS grouped, converted_at - at AS took"  # noqa: S608
            f" FROM cohorts {joined} WHERE period('day', at) BETWEEN ? AND ?),"
            " placed AS (SELECT *, row_number() OVER (PARTITION BY number, grouped"
            " ORDER BY took IS NULL, took)"
            " AS place, count(took) OVER (PARTITION BY number, grouped) AS converted FROM cohort)"
            " SELECT number, grouped, count(*), max(converted),"
            " max(CASE WHEN place = (converted + 1) / 2 THEN took END)"
            " FROM placed GROUP BY 1, 2 ORDER BY 1, 2",
            (by, *days(question)),
        )
        found = [
            Cohort(label(by, number), first_day(by, number), group, leads, converted, in_days(took))
            for number, group, leads, converted, took in rows
        ]
        return Cohorts(by, question.group, self.periods.zone, found)


def grouping(group: str | None) -> tuple[str, str]:
    """(expression, join) of a dimension, or of none."""
    if group is None:
        return "NULL", ""
    if group not in DIMENSIONS:
        raise ValueError(f"there is no dimension {group}")
    return f"coalesce({group}, '{UNKNOWN}')", "LEFT JOIN dimensions USING (person)"


def days(question: Question) -> tuple[int, int]:
    """Numbers of the first and the last day."""
    return day_number(question.first), day_number(question.last)


def _row(period: str, begins: date | None, group: str | None, counted: dict[str, Counted]) -> VolumeRow:
    return VolumeRow(period, begins, group, *(counted.get(kind, Counted()) for kind in KINDS))


def _unknown_last(group: str | None) -> tuple[bool, str]:
    return group == UNKNOWN, group or ""


def in_days(ms: int | None) -> float | None:
    """Three decimals: a minute and a half."""
    return None if ms is None else round(ms / 86_400_000, 3)
