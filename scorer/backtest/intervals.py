"""Intervals for shares.

Wilson's score interval: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
JASA 22 (1927). It keeps its promise for small numbers and for shares near 0 and 1, where the textbook's
normal interval does not.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

LEVEL = 0.95


class Interval(NamedTuple):
    low: float
    high: float


def quantile(level: float) -> float:
    """Z such that a standard normal value lies in -z..z with probability ``level``."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(successes: int, trials: int, level: float = LEVEL) -> Interval:
    """The interval of a share: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n).

    0..1 where there are no trials. Raises ``ValueError`` where successes are not 0..trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials}")
    if not trials:
        return Interval(0.0, 1.0)
    z = quantile(level)
    share, square = successes / trials, z * z / trials
    middle = share + square / 2
    half = z * sqrt(share * (1 - share) / trials + square / trials / 4)
    low = 0.0 if not successes else (middle - half) / (1 + square)
    high = 1.0 if successes == trials else (middle + half) / (1 + square)
    return Interval(low, high)
