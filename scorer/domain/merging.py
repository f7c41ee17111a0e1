"""Two leads that are one person become one lead, as if they had always been.

Almost all of a lead's state is a sum, a union or the newest of something, whichever of the two it came
to first. What is not: limits on grants that both have used (the limit holds), and where each of them
stood (the stage that says most about the person).
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final, cast

from scorer.domain.conditions import SHORT_NAME
from scorer.domain.granting import PERIOD, PERIODS_KEPT, SPENT_IN_PERIOD, rebase, resum
from scorer.domain.grants import Grant
from scorer.domain.lead import DISQUALIFIED, SEEN_ENTRY, SPENT, Lead
from scorer.domain.lifecycle import (
    CONTACTED,
    CUSTOMER,
    INACTIVE,
    NEGOTIATION,
    NURTURE,
    OPEN_STAGE,
    QUALIFIED_STAGE,
    UNQUALIFIED,
)
from scorer.domain.machines import CLICKS, MAILS
from scorer.domain.model import Once, OncePerObject, PerPeriod, PointsPerPeriod
from scorer.domain.person import unite
from scorer.domain.rules import RuleSet
from scorer.domain.settling import last_told, stay_known

SAYS_MOST: Final = (
    INACTIVE,
    OPEN_STAGE,
    NURTURE,
    QUALIFIED_STAGE,
    CONTACTED,
    NEGOTIATION,
    UNQUALIFIED,
    CUSTOMER,
)
"""Stages, the one that counts last. Who is active under another name is not inactive; whom sales talks to is
theirs; whom a rule has ruled out is out, but not a customer."""


def merge(rules: RuleSet, lead: Lead, other: Lead, attributes: int) -> None:
    """Add to ``lead`` all that ``other`` is; both stand at these rules.

    ``attributes``: how many are kept. Nothing is evaluated: that is for the caller, and so are
    ``fence``, ``milestone``, ``seq``, ``wake``, ``links`` and ``reported``, which stay ``lead``'s.
    """
    if not other.since:
        return
    lead.clock = max(lead.clock, other.clock)
    lead.judged = max(lead.judged, other.judged)
    for one in (lead, other):
        rebase(rules, one, lead.clock)
    _merge_standing(rules, lead, other)
    _merge_watches(rules, lead, other)
    _merge_limits(rules, lead, other)
    _merge_masses(lead, other)
    lead.holds = tuple(dict.fromkeys((*lead.holds, *other.holds)))
    _merge_attributes(lead, other, attributes)
    lead.seen = _merge_seen(lead.seen, other.seen, rules.model.dedupe)
    _merge_mails(lead, other)
    unite(lead, other)
    resum(rules, lead)


# -- points --------------------------------------------------------------------------------------------


def _merge_masses(lead: Lead, other: Lead) -> None:
    """Both have the same landmark."""
    for slot, mass in other.masses.items():
        lead.masses[slot] = lead.masses.get(slot, 0.0) + mass
    if other.days is None:
        return
    if lead.days is None:
        lead.days = {}
    for slot, days in other.days.items():
        lead.days[slot] = _both(lead.days.get(slot, {}), days)


def _both(mine: dict[int, float], its: dict[int, float]) -> dict[int, float]:
    """By day, the earliest first."""
    return {day: mine.get(day, 0.0) + its.get(day, 0.0) for day in sorted({*mine, *its})}


def _merge_limits(rules: RuleSet, lead: Lead, other: Lead) -> None:
    """Unite what limits grants, and take away those that the limit would not have made."""
    for award in rules.grants:
        key = award.key
        mine, its = lead.limits.get(key), other.limits.get(key)
        if its is not None:
            if mine is None:
                lead.limits[key] = its
            else:
                lead.limits[key], left = _united(rules, award, mine, its)
                if left < 1.0:
                    # Of two single grants the earlier is known; of many, those of the lead that stays count.
                    beyond = _later(award, lead, other) if isinstance(award.limit, Once) else other
                    for variant in award.variants:
                        _scale(beyond, variant.slot, left)
        if award.first_later:
            _merge_first(award, lead, other)


def _united(rules: RuleSet, award: Grant, mine: bytes, its: bytes) -> tuple[bytes, float]:
    """(what limits the grants of both, the share of one lead's grants that is left within the limit)."""
    limit = award.limit
    if isinstance(limit, Once):
        return b"", 0.0
    if isinstance(limit, OncePerObject):
        known = {mine[at : at + SHORT_NAME] for at in range(0, len(mine), SHORT_NAME)}
        names = [its[at : at + SHORT_NAME] for at in range(0, len(its), SHORT_NAME)]
        new = [name for name in names if name not in known]
        both = (mine + b"".join(new))[: rules.model.objects * SHORT_NAME]
        return both, len(new) / len(names) if names else 1.0
    if isinstance(limit, PerPeriod):
        return _united_periods(PERIOD, mine, its, limit.times)
    return _united_periods(SPENT_IN_PERIOD, mine, its, cast("PointsPerPeriod", limit).points)


def _united_periods(packing: Struct, mine: bytes, its: bytes, most: Any) -> tuple[bytes, float]:
    """``most``: of grants (a whole number, as they are packed), or of points, in one period."""
    used: dict[int, Any] = dict(packing.iter_unpack(mine))
    made: Any = 0
    left: Any = 0
    for period, more in packing.iter_unpack(its):
        before = used.get(period, 0)
        used[period] = min(before + more, max(most, before))
        made += more
        left += used[period] - before
    kept = sorted(used.items())[-PERIODS_KEPT:]
    return b"".join(packing.pack(period, one) for period, one in kept), left / made if made else 1.0


def _later(award: Grant, lead: Lead, other: Lead) -> Lead:
    """Which of the two was granted the award later, as far as that can still be told."""
    for variant in award.variants:
        slot = variant.slot
        if lead.days and other.days and lead.days.get(slot) and other.days.get(slot):
            return lead if min(lead.days[slot]) > min(other.days[slot]) else other
        if slot in lead.masses and slot in other.masses:
            return lead if lead.masses[slot] > other.masses[slot] else other
    return other


def _merge_first(award: Grant, lead: Lead, other: Lead) -> None:
    """Of two first grants one was a later one."""
    first, later = award.variants
    if first.slot not in other.limits:
        return
    if first.slot in lead.limits:
        second = _later(award, lead, other)
        if first.slot in second.masses:
            mass = second.masses.pop(first.slot)
            second.masses[later.slot] = second.masses.get(later.slot, 0.0) + mass
        if second.days is not None and first.slot in second.days:
            days = second.days.pop(first.slot)
            second.days[later.slot] = _both(second.days.get(later.slot, {}), days)
    lead.limits[first.slot] = b""


def _scale(lead: Lead, slot: int, share: float) -> None:
    if slot in lead.masses:
        lead.masses[slot] *= share
        if not lead.masses[slot]:
            del lead.masses[slot]
    if lead.days is not None and slot in lead.days:
        lead.days[slot] = {day: weight * share for day, weight in lead.days[slot].items() if share}
        if not lead.days[slot]:
            del lead.days[slot]


# -- what is remembered ------------------------------------------------------------------------------


def _merge_watches(rules: RuleSet, lead: Lead, other: Lead) -> None:
    """With ``since``, from which they are watched."""
    since = min(lead.since, other.since) if lead.since else other.since
    starts: dict[int, int] = {}
    for slot, watch in rules.watches.items():
        start = other.watched_since(slot)
        if lead.since:
            start = min(start, lead.watched_since(slot))
        if start > since:
            starts[slot] = start
        times = sorted([*lead.newest.get(slot, ()), *other.newest.get(slot, ())])
        if times:
            lead.newest[slot] = times[-watch.count :]
    lead.since, lead.starts = since, starts or None


def _merge_attributes(lead: Lead, other: Lead, most: int) -> None:
    attributes = lead.attributes
    for name, held in other.attributes.items():
        mine = attributes.get(name)
        if (mine is None and len(attributes) < most) or (mine is not None and held[0] > mine[0]):
            attributes[name] = held


def _merge_seen(mine: bytes, its: bytes, most: int) -> bytes:
    entries = {
        packed[at : at + 8]: packed[at + 8 : at + SEEN_ENTRY]
        for packed in (its, mine)
        for at in range(0, len(packed), SEEN_ENTRY)
    }
    by_time = sorted(entries.items(), key=_by_stamp)
    return b"".join(digest + stamp for digest, stamp in by_time[-most:]) if most else b""


def _by_stamp(entry: tuple[bytes, bytes]) -> bytes:
    return entry[1]


def _merge_mails(lead: Lead, other: Lead) -> None:
    lead.machines += other.machines
    if other.delivered:
        delivered = [*(lead.delivered or {}).items(), *other.delivered.items()]
        lead.delivered = dict(sorted(delivered, key=_by_time)[-MAILS:])
    if other.clicks:
        clicks = [*(lead.clicks or []), *other.clicks]
        known = [place for place, click in enumerate(clicks) if click[3] is None]
        gone = set(known[: max(0, len(clicks) - CLICKS)])
        lead.clicks = [click for place, click in enumerate(clicks) if place not in gone]


def _by_time(delivery: tuple[bytes, int]) -> int:
    return delivery[1]


# -- where the lead stands -----------------------------------------------------------------------------


def _merge_standing(rules: RuleSet, lead: Lead, other: Lead) -> None:
    """``told`` stays: what the stage was for those who listen.

    What a condition has ruled out is judged anew, of the two together, and told.
    """
    mine, its = SAYS_MOST.index(lead.stage), SAYS_MOST.index(other.stage)
    judged = other.status == DISQUALIFIED and other.disqualified_by not in rules.moves_by_slot
    if (its > mine and not judged) or not lead.since:
        lead.stage, lead.status = other.stage, other.status
        lead.disqualified_by = other.disqualified_by
        lead.ready_since = other.ready_since
    elif its == mine:
        if SPENT in (lead.status, other.status):
            lead.status = SPENT
        lead.disqualified_by = lead.disqualified_by or other.disqualified_by
        if lead.ready_since and other.ready_since:
            lead.ready_since = min(lead.ready_since, other.ready_since)
        else:
            lead.ready_since = lead.ready_since or other.ready_since
    if lead.told < 0 or other.told < 0:
        # Of what those who listen know of the two, what says most; of what they don't, nothing is told now.
        stay_known(lead, max(last_told(lead), last_told(other), key=SAYS_MOST.index))
    lead.quiet_until = max(lead.quiet_until, other.quiet_until)
