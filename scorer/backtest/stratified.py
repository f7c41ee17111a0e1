"""Whether a rule tells buyers from others among leads that are alike otherwise.

The common odds ratio over strata: N. Mantel and W. Haenszel, "Statistical Aspects of the Analysis of Data
from Retrospective Studies of Disease", JNCI 22 (1959). The variance of its logarithm, good for few large
strata and for many small ones: J. Robins, N. Breslow and S. Greenland, "Estimators of the Mantel-Haenszel
Variance Consistent in Both Sparse Data and Large-Strata Limiting Models", Biometrics 42 (1986).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log, sqrt
from typing import NamedTuple

from scorer.backtest.intervals import Interval, quantile

STRATA = 20
RULE_LEVEL = 0.99
"""Many rules are looked at; at 95% one in twenty that tell nothing would be said to tell something."""
FEWEST = 5
"""Leads with a rule, leads without, and conversions, in strata that have both: with fewer no verdict."""
BUYERS, NON_BUYERS, NOTHING, TOO_FEW = "tells buyers", "tells non-buyers", "tells nothing", "too few"


class Table(NamedTuple):
    """One stratum: leads with the rule's points and without, that convert and that do not."""

    with_converted: int
    with_other: int
    without_converted: int
    without_other: int


class Odds(NamedTuple):
    ratio: float
    interval: Interval


def odds_ratio(tables: Iterable[Table], level: float = RULE_LEVEL) -> Odds | None:
    """sum(ad/n) / sum(bc/n), with the interval of Robins, Breslow and Greenland; None where either is 0.

    var(ln ratio) = sum PR / 2(sum R)^2 + sum (PS + QR) / 2(sum R)(sum S) + sum QS / 2(sum S)^2 with R = ad/n,
    S = bc/n, P = (a + d)/n, Q = (b + c)/n in each stratum.
    """
    r = s = pr = psqr = qs = 0.0
    for a, b, c, d in tables:
        n = a + b + c + d
        if not n:
            continue
        rise, fall, same, cross = a * d / n, b * c / n, (a + d) / n, (b + c) / n
        r += rise
        s += fall
        pr += same * rise
        psqr += same * fall + cross * rise
        qs += cross * fall
    if r == 0.0 or s == 0.0:
        return None
    spread = quantile(level) * sqrt(pr / (2 * r * r) + psqr / (2 * r * s) + qs / (2 * s * s))
    middle = log(r / s)
    return Odds(r / s, Interval(exp(middle - spread), exp(middle + spread)))


def edges(values: Iterable[float], strata: int = STRATA) -> list[float]:
    """Values that cut these into so many parts of about equal size; equal values stay together."""
    ordered = sorted(values)
    if not ordered:
        return []
    cuts = (ordered[len(ordered) * part // strata] for part in range(1, strata))
    return sorted({cut for cut in cuts if cut > ordered[0]})


def informative(tables: Sequence[Table]) -> list[Table]:
    """Strata that have leads on both sides: the others say nothing about the rule."""
    return [
        table
        for table in tables
        if table.with_converted + table.with_other and table.without_converted + table.without_other
    ]


def verdict(tables: Sequence[Table], odds: Odds | None) -> str:
    """In one of four words.

    "Too few" also where the interval leaves open both a halving and a doubling of the odds: then it has not
    been shown that the rule tells nothing.
    """
    sums = [sum(column) for column in zip(*informative(tables), strict=True)] or [0, 0, 0, 0]
    converted = sums[0] + sums[2]
    if odds is None or converted < FEWEST or min(sums[0] + sums[1], sums[2] + sums[3]) < FEWEST:
        return TOO_FEW
    low, high = odds.interval
    if low > 1:
        return BUYERS
    if high < 1:
        return NON_BUYERS
    return TOO_FEW if low < 1 / 2 and high > 2 else NOTHING  # noqa: PLR2004 - half and double


def contradicts(points: float, said: str) -> bool:
    """The sign of a rule's points says the opposite of the verdict."""
    return (points > 0 and said == NON_BUYERS) or (points < 0 and said == BUYERS)
