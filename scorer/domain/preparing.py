"""Rules that come into force with their past: prepared beside the live ones, and rebuilt from the log.

A changed definition has another slot, so the live rules know nothing of its past. First they are put in
force once more with what the coming ones need beside them (``prepare``): from then on each lead is granted
that, too, and it counts nowhere. Then somebody replays the log under the coming rules (``replayed``) and
says of each lead what came before (``past_of``), which takes the place of what was granted meanwhile
(``take_over``). When that has been said of all leads, the coming rules are put in force: they find their
slots filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import exp
from typing import Final, NamedTuple

from msgspec.structs import replace

from scorer.domain.conditions import leaves, matchers
from scorer.domain.granting import rebase, resum
from scorer.domain.grants import slot
from scorer.domain.lead import Lead, Slot
from scorer.domain.model import Award, Condition, InSegment, Model, Segment
from scorer.domain.record import Rebuilt
from scorer.domain.rules import RuleSet, build_model

SEGMENT: Final = "segment."
"""Begins the types of entering and leaving one."""


class Slots(NamedTuple):
    """What is rebuilt, by its slots in a lead."""

    variants: frozenset[Slot]
    limits: frozenset[Slot]
    watches: frozenset[Slot]
    """Of all windows that are to look further back."""
    begun: frozenset[Slot]
    """Those of them that nobody has watched before."""


def prepare(live: Model, coming: Model) -> Model:
    """The live rules with what the coming ones need to have a past; ``live`` where that is nothing."""
    kept = {grant.key for grant in build_model(live).grants if not grant.prepared}
    bare = replace(live, prepared=(), watched=())
    names = {segment.name for segment in _equal_segments(live, coming)}
    awards = tuple(
        award
        for award, grant in zip(coming.awards, build_model(coming).grants, strict=True)
        if grant.key not in kept and _can_be_rebuilt(award, names)
    )
    watched = tuple(_further(bare, coming))
    return replace(bare, prepared=awards, watched=watched)


def replayed(live: Model, coming: Model) -> Model:
    """The coming rules as the past is replayed under them.

    What they alone decide about, such as zone, machines and how much is remembered, they decide from their
    coming into force on.
    """
    return replace(
        coming,
        time_zone=live.time_zone,
        grace=live.grace,
        dedupe=live.dedupe,
        objects=live.objects,
        machines=live.machines,
        identity=live.identity,
    )


def slots_of(prepared: RuleSet) -> Slots:
    """What is to be rebuilt for rules made by ``prepare``."""
    grants = [grant for grant in prepared.grants if grant.prepared]
    variants = frozenset(variant.slot for grant in grants for variant in grant.variants)
    # A first grant is remembered under its variant's slot, everything else under the award's.
    limits = frozenset(grant.key for grant in grants) | variants
    watches = frozenset(_watched(prepared.model.watched))
    live = build_model(replace(prepared.model, prepared=(), watched=()))
    return Slots(variants, limits, watches, frozenset(name for name in watches if name not in live.watches))


def past_of(lead: Lead, slots: Slots, version: int, as_of: int) -> Rebuilt:
    """A replayed lead's past. ``version``: of the prepared rules; ``as_of``: the last offset read."""
    days = {key: kept for key, kept in (lead.days or {}).items() if key in slots.variants}
    return Rebuilt(
        version,
        as_of,
        lead.landmark,
        {key: mass for key, mass in lead.masses.items() if key in slots.variants},
        days or None,
        {key: kept for key, kept in lead.limits.items() if key in slots.limits},
        {key: times for key, times in lead.newest.items() if key in slots.watches},
    )


def take_over(rules: RuleSet, lead: Lead, past: Rebuilt, slots: Slots) -> None:
    """Put a lead's past in the place of what has been noted since the rules were prepared."""
    if past.landmark > lead.landmark:
        rebase(rules, lead, past.landmark)  # a mass is carried to a later landmark only: it gets no larger
    masses = {key: mass for key, mass in lead.masses.items() if key not in slots.variants}
    for key, mass in past.masses.items():
        if key in slots.variants:
            rate = rules.rates[rules.variants[key][1].rate_index]
            masses[key] = mass * exp(rate * (past.landmark - lead.landmark))
    lead.masses = masses
    days = {key: kept for key, kept in (lead.days or {}).items() if key not in slots.variants}
    days |= {key: kept for key, kept in (past.days or {}).items() if key in slots.variants}
    lead.days = days or None
    lead.limits = {key: kept for key, kept in lead.limits.items() if key not in slots.limits}
    lead.limits |= {key: kept for key, kept in past.limits.items() if key in slots.limits}
    starts = lead.starts or {}
    for key in slots.watches:
        known, times = lead.newest.get(key, []), past.newest.get(key, [])
        if key not in slots.begun and (key in starts or len(times) <= len(known)):
            continue  # the live rules look back to where they began to watch, and need what they have
        lead.newest.pop(key, None)
        if times:
            lead.newest[key] = times
    lead.starts = {key: start for key, start in starts.items() if key not in slots.begun} or None
    resum(rules, lead)


# -- what can be rebuilt -------------------------------------------------------------------------------


def _can_be_rebuilt(award: Award, names: set[str]) -> bool:
    """Time alone enters and leaves segments, and no replay stands at the same instant as the live rules."""
    if any(kind.startswith(SEGMENT) for kind in award.on.types):
        return False
    return all(leaf.name in names for leaf in leaves(award.given) if isinstance(leaf, InSegment))


def _equal_segments(live: Model, coming: Model) -> Iterator[Segment]:
    """Those that are the same in both, down to the segments that they use."""
    held = {segment.name: segment for segment in live.segments}
    equal: set[str] = set()
    for segment in coming.segments:
        used = {leaf.name for leaf in leaves(segment.when) if isinstance(leaf, InSegment)}
        if held.get(segment.name) == segment and used <= equal:
            equal.add(segment.name)
            yield segment


def _further(live: Model, coming: Model) -> Iterator[Condition]:
    """The coming windows that look at what the live ones don't, or at more of it."""
    known, wanted = build_model(live).watches, build_model(coming).watches
    conditions: list[Condition | None] = [
        *(award.given for award in coming.awards),
        *(one.when for one in coming.segments),
        *(one.when for one in coming.standings),
        *(one.when for one in coming.disqualifications),
        *(one.when for one in coming.bands),
        *(one.when for one in coming.moves),
        *(one.when for one in coming.follow_ups),
        coming.threshold.when,
    ]
    found: dict[Condition, None] = {}
    for leaf in (leaf for condition in conditions for leaf in leaves(condition)):
        for name in _watched([leaf]):
            if name not in known or wanted[name].count > known[name].count:
                found[leaf] = None
    yield from found


def _watched(conditions: Iterable[Condition]) -> Iterator[Slot]:
    for leaf in (leaf for condition in conditions for leaf in leaves(condition)):
        yield from (slot("watch", matcher) for matcher in matchers(leaf))
