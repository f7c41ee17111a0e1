"""First announcements: how many convert, and how two rule files differ in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

from scorer.backtest.intervals import wilson
from scorer.backtest.report import Announcements, Changes, Funnel, Group, Moved, Share
from scorer.backtest.weeks import DAY
from scorer.domain.outcomes import instant

FIRST = 10
"""Leads that are named."""


def share(count: int, of: int) -> Share:
    return Share(of, count, count / of if of else 0.0, wilson(count, of))


def funnel(created: int, qualified: Mapping[bytes, int], conversions: Mapping[bytes, int]) -> Funnel:
    after = sum(qualified[lead] <= at for lead, at in conversions.items() if lead in qualified)
    return Funnel(created, len(qualified), len(conversions), after)


def announcements(
    qualified: Mapping[bytes, int], conversions: Mapping[bytes, int], end: int, horizon: int
) -> Announcements:
    """``qualified``, ``conversions``: lead -> ms of the first; ``end``, ``horizon``: ms."""
    announced = hits = 0
    for lead, at in qualified.items():
        converted = conversions.get(lead)
        if at > end - horizon or (converted is not None and converted < at):
            continue
        announced += 1
        hits += converted is not None and converted <= at + horizon
    days = sorted(
        (at - qualified[lead]) / DAY
        for lead, at in conversions.items()
        if lead in qualified and qualified[lead] <= at
    )
    return Announcements(
        share(hits, announced), share(len(days), len(conversions)), round(median(days), 2) if days else None
    )


def differences(today: Mapping[bytes, int], change: Mapping[bytes, int]) -> list[tuple[str, Moved]]:
    """(earlier, later, newly or no_longer; the lead) of all leads about which two rule files differ.

    By lead id; ``today``, ``change``: lead -> ms of its first announcement.
    """
    found = []
    for lead in sorted(today.keys() | change.keys()):
        first, second = today.get(lead), change.get(lead)
        if first == second:
            continue
        days = None if first is None or second is None else round((second - first) / DAY, 3)
        if first is None:
            kind = "newly"
        elif second is None:
            kind = "no_longer"
        else:
            kind = "earlier" if second < first else "later"
        moved = Moved(
            lead.decode(),
            None if first is None else instant(first),
            None if second is None else instant(second),
            days,
        )
        found.append((kind, moved))
    return found


def changes(
    today: Mapping[bytes, int], change: Mapping[bytes, int], found: Iterable[tuple[str, Moved]]
) -> Changes:
    """``found``: see ``differences``."""
    groups: dict[str, list[Moved]] = {"earlier": [], "later": [], "newly": [], "no_longer": []}
    for kind, moved in found:
        groups[kind].append(moved)
    same = sum(change.get(lead) == at for lead, at in today.items())
    return Changes(same=same, area=None, **{kind: _group(members) for kind, members in groups.items()})


def _group(members: list[Moved]) -> Group:
    days = [abs(one.days) for one in members if one.days is not None]
    return Group(len(members), round(median(days), 2) if days else None, members[:FIRST])
