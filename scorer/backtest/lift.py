"""Conversion by tenths of the leads, from the highest scores to the lowest, and by named groups."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple, TypeVar

from scorer.backtest.intervals import Interval, wilson

TENTHS = 10
Group = TypeVar("Group", bound=Hashable)


class Share(NamedTuple):
    """Leads of one kind, and those of them that convert."""

    leads: int
    converted: int

    @property
    def share(self) -> float:
        """0 where there are no leads."""
        return self.converted / self.leads if self.leads else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.converted, self.leads)


class Tenth(NamedTuple):
    low: float
    high: float
    """The scores in it."""
    share: Share


def tenths(scores: Sequence[float], converts: Sequence[bool], ties: Sequence[bytes]) -> list[Tenth]:
    """Parts of equal size (within one), highest scores first; ``ties`` order leads of equal scores.

    Fewer than ten where there are fewer leads.
    """
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], ties[place]))
    parts = min(TENTHS, len(order))
    found = []
    for part in range(parts):
        members = order[len(order) * part // parts : len(order) * (part + 1) // parts]
        yes = sum(converts[place] for place in members)
        found.append(Tenth(scores[members[-1]], scores[members[0]], Share(len(members), yes)))
    return found


def by_group(groups: Sequence[Group], converts: Sequence[bool]) -> dict[Group, Share]:
    """In the order in which the groups first come."""
    found: dict[Group, list[int]] = {}
    for group, yes in zip(groups, converts, strict=True):
        counts = found.setdefault(group, [0, 0])
        counts[0] += 1
        counts[1] += yes
    return {group: Share(leads, converted) for group, (leads, converted) in found.items()}
