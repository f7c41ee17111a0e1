"""Granting awards: which variant, within which limits, into which mass."""

from __future__ import annotations

from math import exp
from struct import Struct
from typing import Final, cast

from scorer.domain.conditions import SHORT_NAME, Properties, comparable, short_name
from scorer.domain.grants import Grant, Variant
from scorer.domain.lead import Lead
from scorer.domain.model import (
    LinearDecay,
    Once,
    OncePerObject,
    PerPeriod,
    PerUnit,
    PointsPerPeriod,
    Table,
)
from scorer.domain.reading import share_left
from scorer.domain.rules import RuleSet

PERIOD: Final = Struct(">IH")
"""An entry of ``Lead.limits`` for grants per period: period number, grants made in it."""
SPENT_IN_PERIOD: Final = Struct(">Id")
"""An entry of ``Lead.limits`` for points per period: period number, points granted in it."""
PERIODS_KEPT: Final = 512
"""More than the days of the 400-day horizon: a record that is not refused always finds its period."""


def grant(rules: RuleSet, lead: Lead, award: Grant, properties: Properties, at: int) -> float:
    """Grant an award whose condition holds, as of its event time (ms); the points granted, 0 for none."""
    weight = 1.0
    if award.given is not None and not award.given.holds(lead, at):
        return 0.0
    if not award.by_value:
        variant = award.variants[0]
    else:
        picked, weight = _by_value(award, properties)
        if picked is None:
            return 0.0  # nothing is granted, so no limit is used up; a grant of 0 units is one
        variant = picked
    if award.points_period:
        share = _share_within(rules, lead, award, variant, weight, at)
        if not share:
            return 0.0
        weight *= share
    elif award.period:
        if not _within_period(rules, lead, award, at):
            return 0.0
    elif award.limit is not None and not _within_limit(rules, lead, award, properties):
        return 0.0
    if award.first_later:
        first, later = award.variants
        variant = first
        if first.slot in lead.limits:
            variant = later
        else:
            lead.limits[first.slot] = b""
    points = 0.0 if award.prepared else variant.points * weight
    if award.special and not award.prepared and award.key not in lead.specials:
        lead.specials = (*lead.specials, award.key)
    if award.linear is not None:
        _add_day(rules, lead, award.linear, variant, at, weight)
        return points
    growth = weight * exp(variant.rate * (at - lead.landmark))
    lead.masses[variant.slot] = lead.masses.get(variant.slot, 0.0) + growth
    if not award.special:
        lead.sums[variant.group] += variant.points * growth
    return points


def _by_value(award: Grant, properties: Properties) -> tuple[Variant | None, float]:
    """(the variant that an activity earns by one of its properties, its weight)."""
    points = cast("PerUnit | Table", award.award.points)
    value = properties.get(points.field)
    if isinstance(points, PerUnit):
        if type(value) is not int and type(value) is not float:
            return None, 0.0
        up, down = award.variants
        return (up, float(value)) if value >= 0 else (down, float(-value))
    variant = award.rows.get(comparable(value)) if value is not None else None
    if variant is None and points.otherwise is not None:
        variant = award.variants[-1]
    return variant, 1.0


def _within_limit(rules: RuleSet, lead: Lead, award: Grant, properties: Properties) -> bool:
    limit = award.limit
    kept = lead.limits.get(award.key)
    if isinstance(limit, Once):
        lead.limits[award.key] = b""
        return kept is None
    objects = cast("OncePerObject", limit)
    name = short_name(properties.get(objects.field))
    if name is None:
        return False
    kept = kept or b""
    room = rules.model.objects * SHORT_NAME - len(kept)
    former = None if objects.renamed_from is None else short_name(properties.get(objects.renamed_from))
    names = [one for one in (name, former) if one is not None and not _find(kept, one)]
    # Both names are one object from now on, whichever of them is heard of first.
    new = room > 0 and name in names and (former is None or former == name or former in names)
    added = names[:1] if former == name else names
    if room > 0 and added:
        lead.limits[award.key] = kept + b"".join(added[: room // SHORT_NAME])
    return new


def _find(packed: bytes, name: bytes) -> bool:
    at = packed.find(name)
    while at >= 0 and at % SHORT_NAME:
        at = packed.find(name, at + 1)
    return at >= 0


def _within_period(rules: RuleSet, lead: Lead, award: Grant, at: int) -> bool:
    """Count one more grant in a period, kept in order of periods; False when it has had its grants."""
    times, key = cast("PerPeriod", award.limit).times, award.key
    period = max(rules.calendar.period(award.period, at), 0)
    kept = lead.limits.get(key, b"")
    position = len(kept)
    while position:
        number, count = PERIOD.unpack_from(kept, position - PERIOD.size)
        if number == period:
            if count >= times:
                return False
            start = position - PERIOD.size
            lead.limits[key] = kept[:start] + PERIOD.pack(period, count + 1) + kept[position:]
            return True
        if number < period:
            break
        position -= PERIOD.size
    kept = kept[:position] + PERIOD.pack(period, 1) + kept[position:]
    lead.limits[key] = kept[-PERIODS_KEPT * PERIOD.size :]
    return True


def _share_within(
    rules: RuleSet, lead: Lead, award: Grant, variant: Variant, weight: float, at: int
) -> float:
    """Count points in a period; the share (0..1) of a grant that its limit leaves room for."""
    limit, key = cast("PointsPerPeriod", award.limit), award.key
    if award.first_later and variant.slot in lead.limits:
        variant = award.variants[1]
    period = max(rules.calendar.period(limit.period, at), 0)
    entries = dict(SPENT_IN_PERIOD.iter_unpack(lead.limits.get(key, b"")))
    room = limit.points - entries.get(period, 0.0)
    wanted = abs(variant.points * weight)
    if not wanted:
        return 1.0
    share: float = min(1.0, room / wanted)
    if share <= 0:
        return 0.0
    entries[period] = entries.get(period, 0.0) + wanted * share
    kept = sorted(entries.items())[-PERIODS_KEPT:]
    lead.limits[key] = b"".join(SPENT_IN_PERIOD.pack(number, spent) for number, spent in kept)
    return share


def _add_day(
    rules: RuleSet, lead: Lead, decay: LinearDecay, variant: Variant, at: int, weight: float
) -> None:
    if lead.days is None:
        lead.days = {}
    days = lead.days.setdefault(variant.slot, {})
    day = rules.calendar.day(at)
    days[day] = days.get(day, 0.0) + weight
    today = rules.calendar.day(lead.clock)
    first = next(iter(days))
    if not share_left(decay, today - first):
        for old in [old for old in days if not share_left(decay, today - old)]:
            del days[old]


def resum(rules: RuleSet, lead: Lead) -> None:
    """Compute ``sums`` and ``specials`` anew from masses, days and standing points."""
    lead.sums = [0.0] * rules.group_count
    lead.specials = ()
    for slot in (*lead.masses, *(lead.days or ())):
        award, variant = rules.variants[slot]
        if not award.special:
            lead.sums[variant.group] += variant.points * lead.masses[slot]
        elif award.key not in lead.specials and not award.prepared:
            lead.specials = (*lead.specials, award.key)
    for judged in rules.judged:
        if judged.standing_group >= 0 and judged.slot in lead.holds:
            lead.sums[judged.standing_group] += judged.item.points


def rebase(rules: RuleSet, lead: Lead, at: int) -> None:
    """Move the landmark to ``at``, before the masses' exponents outgrow a double."""
    elapsed = at - lead.landmark
    for slot, mass in lead.masses.items():
        rate = rules.rates[rules.variants[slot][1].rate_index]
        if rate:
            lead.masses[slot] = mass * exp(-rate * elapsed)
    lead.landmark = at
    resum(rules, lead)
