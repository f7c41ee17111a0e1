"""Reading a lead's points at an instant not before its clock.

Grants are kept as masses with forward decay (Cormode, Shkapenyuk, Srivastava and Xu, "Forward Decay: A
Practical Time Decay Model for Streaming Systems", ICDE 2009): a grant at t adds e^(rate (t - landmark)),
and a mass is read at an instant as mass * e^(-rate (instant - landmark)).
"""

from __future__ import annotations

from math import exp
from typing import Final

from scorer.domain.grants import Grant, Variant
from scorer.domain.lead import Lead
from scorer.domain.model import LinearDecay
from scorer.domain.rules import RuleSet

TOLERANCE: Final = 1e-9
"""Points. A total this close to a threshold has neither risen above it nor fallen below it, so that
rounding can't decide: a booked call worth 20 is not above 20."""


def total(rules: RuleSet, lead: Lead, at: int) -> float:
    """The total score at an instant (ms)."""
    if rules.clamped:
        return clamp(weigh(rules, parts(rules, lead, at)), rules.model.floor, rules.model.cap)
    sums = lead.sums
    elapsed = at - lead.landmark
    result = 0.0
    for rate, groups in zip(rules.rates, rules.rate_weights, strict=True):
        points = 0.0
        for group, weight in groups:
            points += sums[group] * weight
        if points:
            result += points * exp(-rate * elapsed)
    for key in lead.specials:
        grant = rules.specials.get(key)
        if grant is not None:
            result += special(rules, lead, grant, at) * rules.weights[grant.score]
    return result


def parts(rules: RuleSet, lead: Lead, at: int) -> list[float]:
    """The value of each score, clamped but not weighted, in the order of the model's scores."""
    sums = lead.sums
    elapsed = at - lead.landmark
    values = [0.0] * len(rules.weights)
    group = 0
    for index in range(len(values)):
        value = 0.0
        for rate in rules.rates:
            points = sums[group]
            if points:
                value += points * exp(-rate * elapsed)
            group += 1
        values[index] = value
    for key in lead.specials:
        grant = rules.specials.get(key)
        if grant is not None:
            values[grant.score] += special(rules, lead, grant, at)
    if rules.clamped:
        for index, score in enumerate(rules.model.scores):
            values[index] = clamp(values[index], score.floor, score.cap)
    return values


def weigh(rules: RuleSet, values: list[float]) -> float:
    """The weighted sum of score values."""
    total_ = 0.0
    weights = rules.weights
    for index in range(len(weights)):
        total_ += (
            values[index] * weights[index]
        )  # not sum(): from Python 3.12 on it compensates, and bytes would differ
    return total_


def clamp(value: float, floor: float | None, cap: float | None) -> float:
    if cap is not None and value > cap:
        return cap
    if floor is not None and value < floor:
        return floor
    return value


def cap_value(value: float, cap: float | None) -> float:
    """A rule's value within its cap: from above for a positive cap, from below for a negative one."""
    if cap is None:
        return value
    return min(value, cap) if cap >= 0 else max(value, cap)


def special(rules: RuleSet, lead: Lead, grant: Grant, at: int) -> float:
    """The value of an award that is capped or decays linearly."""
    value = 0.0
    for variant in grant.variants:
        value += variant_value(rules, lead, grant, variant, at)
    return cap_value(value, grant.cap)


def variant_value(rules: RuleSet, lead: Lead, grant: Grant, variant: Variant, at: int) -> float:
    """The points that one variant of an award is worth at an instant, before its cap."""
    if grant.linear is None:
        mass = lead.masses.get(variant.slot)
        if mass is None:
            return 0.0
        return variant.points * mass * exp(-rules.rates[variant.rate_index] * (at - lead.landmark))
    days = None if lead.days is None else lead.days.get(variant.slot)
    if not days:
        return 0.0
    today = rules.calendar.day(at)
    return variant.points * sum(
        grants * share_left(grant.linear, today - day) for day, grants in days.items()
    )


def share_left(decay: LinearDecay, midnights: int) -> float:
    """The share (0..1) of an award left after a number of midnights."""
    return max(0.0, 1.0 - decay.share * (max(midnights, 0) // decay.days))


def above(rules: RuleSet, value: float) -> bool:
    """The total is above the threshold at which a lead qualifies."""
    return value > rules.enter + TOLERANCE


def below(rules: RuleSet, value: float) -> bool:
    """The total is below the threshold at which a qualified lead no longer is."""
    return value < rules.exit - TOLERANCE


def reaches(value: float, least: float) -> bool:
    """A value is at least another, rounding aside."""
    return value >= least - TOLERANCE


def ready(rules: RuleSet, lead: Lead, at: int) -> bool:
    """All that a lead needs to qualify, but for how long it must have had it.

    The total above ``enter``, each score at its minimum, and the requirement as it was last judged.
    """
    if rules.requirement and rules.requirement not in lead.holds:
        return False
    if not above(rules, total(rules, lead, at)):
        return False
    if rules.minimum:
        values = parts(rules, lead, at)
        for index, least in rules.minimum:
            if not reaches(values[index], least):
                return False
    return True
