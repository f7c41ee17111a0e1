"""How well a score ranks: the area under the ROC curve, its interval, and the difference of two scores.

The area is the probability that a lead that converts has a higher score than one that does not, ties
counting half (Mann and Whitney's U). Variances as in E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson,
"Comparing the Areas under Two or More Correlated Receiver Operating Characteristic Curves", Biometrics 44
(1988), their structural components by midranks as in X. Sun and W. Xu, "Fast Implementation of DeLong's
Algorithm", IEEE Signal Processing Letters 21 (2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt
from typing import NamedTuple

from scorer.backtest.intervals import LEVEL, Interval, quantile

LEAST = 2
"""Of either kind, for a variance."""


class Area(NamedTuple):
    area: float
    interval: Interval
    """Normal, cut to 0..1."""


class Components(NamedTuple):
    """DeLong's structural components of one score."""

    area: float
    converted: list[float]
    """Of each lead that converts, the share of the others that it stands above."""
    others: list[float]
    """Of each other lead, the share of those that convert that stand above it."""


def midranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            ranks[place] = (start + 1 + end) / 2
        start = end
    return ranks


def components(scores: Sequence[float], converts: Sequence[bool]) -> Components | None:
    """None where not at least two leads convert and two do not."""
    positive = [score for score, yes in zip(scores, converts, strict=True) if yes]
    negative = [score for score, yes in zip(scores, converts, strict=True) if not yes]
    m, n = len(positive), len(negative)
    if min(m, n) < LEAST:
        return None
    together = midranks(positive + negative)
    above = [(rank - own) / n for rank, own in zip(together[:m], midranks(positive), strict=True)]
    below = [1 - (rank - own) / m for rank, own in zip(together[m:], midranks(negative), strict=True)]
    return Components(fsum(above) / m, above, below)


def area(found: Components, level: float = LEVEL) -> Area:
    spread = quantile(level) * sqrt(_covariance(found, found))
    return Area(found.area, Interval(max(0.0, found.area - spread), min(1.0, found.area + spread)))


def difference(one: Components, other: Components, level: float = LEVEL) -> Area:
    """Of two scores of the same leads in the same order: ``other`` less ``one``, not cut."""
    variance = _covariance(one, one) + _covariance(other, other) - 2 * _covariance(one, other)
    spread = quantile(level) * sqrt(max(0.0, variance))
    gained = other.area - one.area
    return Area(gained, Interval(gained - spread, gained + spread))


def _covariance(one: Components, other: Components) -> float:
    """Of two areas: S10/m + S01/n."""
    return _product(one, other, one.converted, other.converted) + _product(
        one, other, one.others, other.others
    )


def _product(one: Components, other: Components, first: list[float], second: list[float]) -> float:
    count = len(first)
    total = fsum((a - one.area) * (b - other.area) for a, b in zip(first, second, strict=True))
    return total / (count - 1) / count
