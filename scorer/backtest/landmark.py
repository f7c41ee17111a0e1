"""What the scores at the landmarks say about who converts: see docs/backtest.md."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate
from math import isnan
from random import Random
from typing import NamedTuple

from scorer.backtest import lift, ranking, stratified, thresholds
from scorer.backtest.announcing import share
from scorer.backtest.gathered import Readings
from scorer.backtest.report import Area, Best, Landmark, Point, Rule, Tenth
from scorer.backtest.shares import followed
from scorer.domain.timers import FOREVER

SEED = 20_260_101


class Sample(NamedTuple):
    """Leads that had not converted by their landmark, in the order of their ids."""

    rows: list[int]
    """In the readings."""
    scores: list[float]
    converts: list[bool]
    rises: list[tuple[float | None, float]]
    """(score a week before, None where the lead was not known then; score) of leads that had not converted a
    week before."""


def sample_of(
    readings: Readings,
    mondays: Sequence[int],
    conversions: Mapping[bytes, int],
    moved: Mapping[bytes, bytes],
    horizon: int,
) -> Sample:
    """``conversions``: lead -> ms of the first, by what leads have become part of (``moved``) in the end.

    ``mondays``, ``horizon``: ms.
    """
    sample = Sample([], [], [], [])
    for row, lead in enumerate(readings.leads):
        monday, score = readings.mondays[row], readings.totals[row]
        converted = conversions.get(followed(moved, lead), FOREVER)
        # Nobody was looked at a week before the first Monday.
        if monday and converted > mondays[monday - 1]:
            before = readings.before[row]
            sample.rises.append((None if isnan(before) else before, score))
        if converted > mondays[monday]:
            sample.rows.append(row)
            sample.scores.append(score)
            sample.converts.append(converted <= mondays[monday] + horizon)
    return sample


def landmark(
    readings: Readings,
    sample: Sample,
    mondays: int,
    enter: float,
    capacity: float | None,
    names: Sequence[str],
) -> Landmark:
    """``mondays``: how many there are. ``enter``: the rule file's. ``names``: of its rules, in its order."""
    scores, converts = sample.scores, sample.converts
    whole = lift.Share(len(scores), sum(converts))
    found = ranking.components(scores, converts)
    points, best = _thresholds(sample, mondays, enter, capacity)
    ties = [blake2b(readings.leads[row], digest_size=8).digest() for row in sample.rows]
    bands = lift.by_group([readings.bands[row] for row in sample.rows], converts)
    return Landmark(
        mondays,
        share(whole.converted, whole.leads),
        None if found is None else Area(*ranking.area(found)),
        [
            Tenth(
                one.low,
                one.high,
                share(one.share.converted, one.share.leads),
                one.share.share / whole.share if whole.share else 0.0,
            )
            for one in lift.tenths(scores, converts, ties)
        ],
        {name: share(one.converted, one.leads) for name, one in sorted(bands.items(), key=_by_share)},
        points,
        next(point for point in points if point.above == enter),
        best,
        rules(readings, sample, names),
    )


def _by_share(item: tuple[str, lift.Share]) -> tuple[float, str]:
    return -item[1].share, item[0]


def _thresholds(
    sample: Sample, mondays: int, enter: float, capacity: float | None
) -> tuple[list[Point], Best | None]:
    edges = thresholds.grid(sample.scores, enter)
    # Each lead is looked at in one of the weeks, and there are so many of them.
    scale = mondays / (mondays - 1) if mondays > 1 else 0.0
    found = thresholds.bins(edges, sample.scores, sample.converts, sample.rises, scale)
    points = [
        Point(
            one.threshold,
            one.above,
            one.precision,
            one.precision_interval,
            one.recall,
            one.recall_interval,
            one.youden,
            one.weekly,
        )
        for one in thresholds.curve(found)
    ]
    if capacity is not None and mondays < 2:  # noqa: PLR2004 - no week to count in
        return points, None
    where = thresholds.best(found, capacity)
    if where is None:
        return points, None
    interval = thresholds.bootstrap(found, capacity, Random(SEED))  # noqa: S311 - repeatable
    return points, Best("youden" if capacity is None else "capacity", where, interval)


def rules(readings: Readings, sample: Sample, names: Sequence[str]) -> list[Rule]:
    """Each rule's contribution, in the order of ``names``; those that nobody has are among them."""
    place = {row: number for number, row in enumerate(sample.rows)}
    order = sorted(range(len(sample.scores)), key=sample.scores.__getitem__)
    ordered = [sample.scores[number] for number in order]
    converted = [0, *accumulate(sample.converts[number] for number in order)]
    found = []
    for name in names:
        rows, points = readings.rules.get(name, (array("l"), array("d")))
        having = [(place[row], value) for row, value in zip(rows, points, strict=True) if row in place]
        found.append(_rule(name, having, sample, ordered, converted))
    return found


def _rule(
    name: str,
    having: list[tuple[int, float]],
    sample: Sample,
    ordered: list[float],
    converted: list[int],
) -> Rule:
    """``ordered``: all scores; ``converted``: how many convert among so many lowest of them."""
    scores, converts = sample.scores, sample.converts
    yes = sum(converts[number] for number, _ in having)
    others = [scores[number] - value for number, value in having]
    tables = _tables(having, others, sample, ordered, converted)
    odds = stratified.odds_ratio(tables)
    said = stratified.verdict(tables, odds)
    mean = sum(value for _, value in having) / len(having) if having else 0.0
    return Rule(
        name,
        mean,
        share(yes, len(having)),
        share(converted[-1] - yes, len(scores) - len(having)),
        None if odds is None else odds.ratio,
        None if odds is None else odds.interval,
        said,
        stratified.contradicts(mean, said),
    )


def _tables(
    having: list[tuple[int, float]],
    others: list[float],
    sample: Sample,
    ordered: list[float],
    converted: list[int],
) -> list[stratified.Table]:
    """Strata by the total of the other rules' points; a lead without the rule has them all from others."""
    cuts = stratified.edges(others)
    have = [[0, 0] for _ in range(len(cuts) + 1)]
    own = [[0, 0] for _ in range(len(cuts) + 1)]
    """The same leads by their whole total: they are not among those without the rule."""
    for (number, _), rest in zip(having, others, strict=True):
        column = 0 if sample.converts[number] else 1
        have[bisect_right(cuts, rest)][column] += 1
        own[bisect_right(cuts, sample.scores[number])][column] += 1
    ends = [*(bisect_left(ordered, cut) for cut in cuts), len(ordered)]
    tables, start = [], 0
    for stratum, end in enumerate(ends):
        yes = converted[end] - converted[start]
        no = end - start - yes
        with_yes, with_no = have[stratum]
        tables.append(stratified.Table(with_yes, with_no, yes - own[stratum][0], no - own[stratum][1]))
        start = end
    return tables
