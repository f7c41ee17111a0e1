"""The pipeline: who stands where, where they go from there, and how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from scorer.domain.lifecycle import STAGES
from scorer.domain.outcomes import instant
from scorer.insights.figures import days, grouping, in_days

if TYPE_CHECKING:
    from scorer.insights.figures import Asking, Question

MEDIAN: Final = 50
NINETY: Final = 90
"""Percentiles, by nearest rank: the shortest stay that at least so many percent of the stays don't exceed."""


class Standing(msgspec.Struct):
    """How many people are in a stage now."""

    stage: str
    group: str | None
    leads: int


class Conversion(msgspec.Struct):
    """Stays in a stage by what followed them."""

    stage: str
    following: str | None
    """The next stage; None: the lead became part of another, or was forgotten."""
    stays: int
    share: float
    """Of all stays in the stage that began in the time asked for, those that go on included."""


class Pipeline(msgspec.Struct):
    group: str | None
    time_zone: str
    standing: list[Standing]
    conversions: list[Conversion]


class Length(msgspec.Struct):
    """Some stays, and how long they are, in days."""

    stays: int
    median: float | None
    ninetieth: float | None
    """The 90th percentile."""


class StageTime(msgspec.Struct):
    stage: str
    group: str | None
    completed: Length
    going_on: Length
    """Until now."""
    everything: Length
    """Both: a stay that goes on is at least as long as it is now."""


class StageTimes(msgspec.Struct):
    group: str | None
    time_zone: str
    at: str
    """Now, RFC 3339."""
    rows: list[StageTime]


def pipeline(asking: Asking, question: Question) -> Pipeline:
    """``standing`` is as of what has been read; ``question`` says when the stays began that are followed."""
    asking.need(question, "beginnings", "stays", "standing")
    named, joined = grouping(question.group)
    found = asking.connection.execute(
        f"SELECT stage, {named}, count(*) FROM standing {joined} GROUP BY 1, 2"  # noqa: S608 - our words
    )
    standing = [Standing(*row) for row in found]
    followed = asking.connection.execute(
        "SELECT stage, following, upto IS NULL, count(*) FROM stays"
        " WHERE period('day', since) BETWEEN ? AND ? GROUP BY 1, 2, 3",
        days(question),
    ).fetchall()
    began: dict[str, int] = {}
    for stage, _, _, count in followed:
        began[stage] = began.get(stage, 0) + count
    conversions = [
        Conversion(stage, following, count, round(count / began[stage], 6))
        for stage, following, goes_on, count in followed
        if not goes_on
    ]
    return Pipeline(
        question.group,
        asking.periods.zone,
        sorted(standing, key=lambda one: (STAGES.index(one.stage), one.group or "")),
        sorted(
            conversions,
            key=lambda one: (STAGES.index(one.stage), one.following is None, -one.stays, one.following or ""),
        ),
    )


_PLACED: Final = """
CREATE TEMP TABLE placed AS
WITH stay AS (
    SELECT stage, {named} AS grouped, upto IS NULL AS goes_on, max(coalesce(upto, :now) - since, 0) AS took
    FROM stays JOIN lives USING (life) {joined}
    WHERE period('day', since) BETWEEN :first AND :last
)
SELECT stage, coalesce(grouped, '') AS grouped, goes_on, 2 AS everything, took,
    row_number() OVER (PARTITION BY stage, grouped, goes_on ORDER BY took) AS place,
    row_number() OVER (PARTITION BY stage, grouped ORDER BY took) AS overall
FROM stay
"""
_RANKS: Final = """
SELECT placed.stage, placed.grouped, placed.{which}, sets.stays,
    max(CASE WHEN {place} = (stays * :median + 99) / 100 THEN took END),
    max(CASE WHEN {place} = (stays * :ninety + 99) / 100 THEN took END)
FROM placed CROSS JOIN (
    SELECT stage, grouped, {which}, max({place}) AS stays FROM placed GROUP BY 1, 2, 3
) AS sets
    ON sets.stage = placed.stage AND sets.grouped = placed.grouped AND sets.{which} = placed.{which}
GROUP BY 1, 2, 3
"""


def stage_times(asking: Asking, question: Question, now: int) -> StageTimes:
    """How long leads are in the stages that they came to in the time asked for; ``now``: ms."""
    asking.need(question, "beginnings", "stays")
    named, joined = grouping(question.group)
    first, last = days(question)
    connection = asking.connection
    connection.execute("PRAGMA query_only = OFF")
    connection.execute("DROP TABLE IF EXISTS temp.placed")
    connection.execute(_PLACED.format(named=named, joined=joined), {"now": now, "first": first, "last": last})
    connection.execute("PRAGMA query_only = ON")
    percentiles = {"median": MEDIAN, "ninety": NINETY}
    rows = [
        *connection.execute(_RANKS.format(which="goes_on", place="place"), percentiles),
        *connection.execute(_RANKS.format(which="everything", place="overall"), percentiles),
    ]
    lengths: dict[tuple[str, str | None], dict[int, Length]] = {}
    for stage, group, which, stays, median, ninetieth in rows:
        key = stage, group if question.group else None
        lengths.setdefault(key, {})[which] = Length(stays, in_days(median), in_days(ninetieth))
    none = Length(0, None, None)
    found = [
        StageTime(stage, group, *(of.get(which, none) for which in range(3)))
        for (stage, group), of in lengths.items()
    ]
    found.sort(key=lambda one: (STAGES.index(one.stage), one.group or ""))
    return StageTimes(question.group, asking.periods.zone, instant(now), found)
