"""Who makes the events: by Zipf's law a few leads make many of them, and most make few.

It decides how much is written: a checkpoint writes a lead once, however many of its events it brings.
"""

from __future__ import annotations

import math
from typing import NamedTuple

EXACT = 64
"""Leads that are taken one by one; after them, groups that grow."""
GROWTH = 1.05
"""From one group of leads to the next."""
ALIKE = 1e-6
"""An exponent as near to 1 is 1."""


class Group(NamedTuple):
    """Leads that are about as busy as each other."""

    leads: float
    share: float
    """Of all events, that each of them makes."""


def groups(leads: float, exponent: float) -> list[Group]:
    """The busiest first: the n-th makes events in proportion to n to the power of minus ``exponent``.

    Shares add up to 1. Raises ``ValueError`` for less than one lead or a negative exponent.
    """
    if leads < 1 or exponent < 0:
        raise ValueError(f"{leads} leads, exponent {exponent}")
    found: list[tuple[float, float]] = []
    first = 1.0
    while first < leads + 1:
        after = min(first + 1, leads + 1) if first < EXACT else min(first * GROWTH, leads + 1)
        count = after - first
        weight = first**-exponent if first < EXACT else _integral(first, after, exponent) / count
        found.append((count, weight))
        first = after
    total = math.fsum(count * weight for count, weight in found)
    return [Group(count, weight / total) for count, weight in found]


def _integral(first: float, after: float, exponent: float) -> float:
    """The sum over the ranks from ``first`` to before ``after``, by the midpoint rule."""
    low, high = first - 0.5, after - 0.5
    if abs(exponent - 1) < ALIKE:
        return math.log(high / low)
    return float((high ** (1 - exponent) - low ** (1 - exponent)) / (1 - exponent))


def touched(popularity: list[Group], events: float) -> float:
    """How many different leads so many events are about, on average."""
    return math.fsum(leads * -math.expm1(-events * share) for leads, share in popularity)


def remembered(popularity: list[Group], events: float, known: float, most: float) -> float:
    """Of the leads that ``events`` are about, each counted once: how many event ids they remember, added up.

    ``known``: events before these that are not too old to be remembered. ``most``: ids of one lead.
    """
    return math.fsum(
        leads * -math.expm1(-events * share) * min(1 + known * share, most) for leads, share in popularity
    )
