"""What a threshold lets through, and which one is best.

The leads' scores are counted in bins: a threshold is the upper edge of one, and a score counts as above it
as it does for the engine. Youden's J: W. J. Youden, "Index for Rating Diagnostic Tests", Cancer 3 (1950).
The interval of the best threshold is the percentile bootstrap of B. Efron and R. Tibshirani, "An
Introduction to the Bootstrap" (1993), over the bins: each lead's weight is Poisson(1), and so a bin's count
is Poisson(count).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count
from math import ceil, exp, floor, inf
from random import Random
from typing import NamedTuple

from scorer.backtest.intervals import LEVEL, Interval, wilson
from scorer.domain.reading import TOLERANCE

RESAMPLES = 300
MOST = 120
"""Thresholds that are looked at."""
_STEPS = (1.0, 2.0, 5.0)
_SMALL = 30.0
"""Below this a Poisson number is drawn exactly, and from here on from the normal distribution."""


class Crossing(NamedTuple):
    """A lead that has risen in the week before its Monday, in bins; ``before`` -1: it was not known then."""

    before: int
    now: int


class Bins(NamedTuple):
    thresholds: list[float]
    """Rising. Bin i holds the scores above threshold i - 1 and not above threshold i; the last bin has no
    upper edge."""
    converted: list[int]
    others: list[int]
    crossings: Counter[Crossing]
    scale: float
    """Crossings in the sample -> leads a week."""


class Point(NamedTuple):
    """What one threshold lets through."""

    threshold: float
    above: int
    converted_above: int
    precision: float
    precision_interval: Interval
    recall: float
    """Of those that convert, the share above."""
    recall_interval: Interval
    youden: float
    weekly: float
    """Leads that rise above it in a week."""


def grid(scores: Sequence[float], include: float, most: int = MOST) -> list[float]:
    """At most about ``most`` round thresholds over the range of the scores, with ``include`` among them."""
    low, high = min([*scores, include]), max([*scores, include])
    steps = (one * 10.0**power for power in count(-2) for one in _STEPS)
    step = next(step for step in steps if high - low < most * step)
    places = range(floor(low / step), ceil(high / step) + 1)
    return sorted({round(place * step, 9) for place in places} | {include})


def bin_of(thresholds: Sequence[float], score: float) -> int:
    """The number of thresholds that the score is above, as the engine compares."""
    return bisect_left(thresholds, score - TOLERANCE)


def bins(
    thresholds: list[float],
    scores: Iterable[float],
    converts: Iterable[bool],
    rises: Iterable[tuple[float | None, float]],
    scale: float,
) -> Bins:
    """``rises``: (score a week before, None where the lead was not known; score) of leads to count."""
    converted, others = [0] * (len(thresholds) + 1), [0] * (len(thresholds) + 1)
    for score, yes in zip(scores, converts, strict=True):
        (converted if yes else others)[bin_of(thresholds, score)] += 1
    crossings: Counter[Crossing] = Counter()
    for before, now in rises:
        start = 0 if before is None else bin_of(thresholds, before)
        end = bin_of(thresholds, now)
        if end > start:
            crossings[Crossing(start, end)] += 1
    return Bins(thresholds, converted, others, crossings, scale)


def curve(found: Bins) -> list[Point]:
    """A point per threshold, rising."""
    yes, no = sum(found.converted), sum(found.others)
    weekly = _weekly(found)
    points = []
    above_yes, above_no = yes, no
    for place, threshold in enumerate(found.thresholds):
        above_yes -= found.converted[place]
        above_no -= found.others[place]
        above = above_yes + above_no
        points.append(
            Point(
                threshold,
                above,
                above_yes,
                above_yes / above if above else 0.0,
                wilson(above_yes, above),
                above_yes / yes if yes else 0.0,
                wilson(above_yes, yes),
                (above_yes / yes if yes else 0.0) - (above_no / no if no else 0.0),
                weekly[place],
            )
        )
    return points


def _weekly(found: Bins) -> list[float]:
    changes = [0] * (len(found.thresholds) + 1)
    for (start, end), leads in found.crossings.items():
        changes[start] += leads
        changes[end] -= leads
    weekly, total = [], 0
    for change in changes[:-1]:
        total += change
        weekly.append(total * found.scale)
    return weekly


def best(found: Bins, capacity: float | None) -> float | None:
    """The best threshold; None where there is none: nobody converts, or no volume fits.

    With a capacity (leads a week): the lowest threshold from which on the volume fits. Without: the one
    with the greatest Youden's J, the share of converting leads above it less that of the others; of equal
    ones the lowest.
    """
    return _lowest_that_fits(found, capacity) if capacity is not None else _greatest_youden(found)


def _lowest_that_fits(found: Bins, capacity: float) -> float | None:
    fitting = None
    weekly = _weekly(found)
    for place in reversed(range(len(found.thresholds))):
        if weekly[place] > capacity:
            break
        fitting = found.thresholds[place]
    return fitting


def _greatest_youden(found: Bins) -> float | None:
    yes, no = sum(found.converted), sum(found.others)
    if not yes or not no:
        return None
    greatest, where, above_yes, above_no = -inf, None, yes, no
    for threshold, converted, others in zip(found.thresholds, found.converted, found.others, strict=False):
        above_yes -= converted
        above_no -= others
        youden = above_yes / yes - above_no / no
        if youden > greatest:
            greatest, where = youden, threshold
    return where


def bootstrap(
    found: Bins, capacity: float | None, rng: Random, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval | None:
    """The interval of the best threshold; None where too few of the resamples have one."""
    drawn = []
    for _ in range(resamples):
        again = found._replace(
            converted=[poisson(rng, leads) for leads in found.converted],
            others=[poisson(rng, leads) for leads in found.others],
            crossings=Counter(
                {crossing: poisson(rng, leads) for crossing, leads in sorted(found.crossings.items())}
            ),
        )
        one = best(again, capacity)
        if one is not None:
            drawn.append(one)
    if len(drawn) < resamples / 2:
        return None
    drawn.sort()
    tail = (1 - level) / 2
    return Interval(drawn[floor(tail * len(drawn))], drawn[ceil((1 - tail) * len(drawn)) - 1])


def poisson(rng: Random, mean: float) -> int:
    """A Poisson number: by multiplying uniform ones (D. E. Knuth, The Art of Computer Programming 2, 3.4.1),
    and from a mean of 30 on by the normal distribution.
    """
    if mean <= 0:
        return 0
    if mean >= _SMALL:
        return max(0, round(rng.gauss(mean, mean**0.5)))
    limit, product, drawn = exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        drawn += 1
    return drawn
