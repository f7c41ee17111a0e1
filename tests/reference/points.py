"""Grants from a lead's history, and what they are worth at an instant: each by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum
from typing import Any

from scorer.domain.model import (
    Award,
    FirstLater,
    Fixed,
    HalfLife,
    Limit,
    LinearDecay,
    Model,
    Once,
    OncePerObject,
    PerPeriod,
    PerUnit,
    PointsPerPeriod,
    Table,
)
from tests.reference.calendar import midnights, period
from tests.reference.lead import Happening, Lead
from tests.reference.matching import is_number, matches, same

Span = tuple[float, float]
"""The lowest and the highest value that something takes between two instants."""


@dataclass(frozen=True)
class Grant:
    rule: str
    time: int
    variant: int
    """FirstLater: 0 first, 1 later. Table: the row, -1 for ``otherwise``. Else 0."""
    weight: float
    """PerUnit: the number of units. Else 1."""


@dataclass(frozen=True)
class Sum:
    """All scores between two instants (or at one, when they are equal)."""

    scores: dict[str, Span]
    """After the score's own clamps, before its weight."""
    total: Span


# -- grants -------------------------------------------------------------------------------------


def grants(model: Model, lead: Lead) -> list[Grant]:
    """Every grant ever made to the lead, in log order."""
    made: list[Grant] = []
    for award in model.awards:
        made += _granted(model, award, lead.history[lead.starts.get(award.id, 0) :])
    return made


def _granted(model: Model, award: Award, history: list[Happening]) -> list[Grant]:
    made: list[Grant] = []
    causes: list[Happening] = []
    names: list[Any] = []
    for one in history:
        if not matches(award.on, one.type, one.properties):
            continue
        if award.given is not None and award.id not in one.given:
            continue
        chosen = variant(award, one.properties, len(made))
        if chosen is None:
            continue
        place, weight = chosen
        if isinstance(award.limit, PointsPerPeriod):
            weight *= one.shares[award.id][0]
            if not one.shares[award.id][0]:
                continue
        elif isinstance(award.limit, OncePerObject):
            if not _new_object(model, award.limit, one, names):
                continue
        elif award.limit is not None and not _allowed(model, award.limit, one, causes):
            continue
        made.append(Grant(award.id, one.time, place, weight))
        causes.append(one)
    return made


def _allowed(model: Model, limit: Limit, one: Happening, causes: list[Happening]) -> bool:
    """``causes``: the happenings for which this rule has made its grants."""
    match limit:
        case Once():
            return not causes
        case PerPeriod(name, times):
            this = period(model.time_zone, name, one.time)
            return sum(period(model.time_zone, name, cause.time) == this for cause in causes) < times
    raise TypeError(limit)


def _new_object(model: Model, limit: OncePerObject, one: Happening, names: list[Any]) -> bool:
    """``names``: what objects have been called so far; the new ones are added."""
    value = one.properties.get(limit.field)
    if not is_scalar(value) or len(names) >= model.objects:
        return False
    former = None if limit.renamed_from is None else one.properties.get(limit.renamed_from)
    called = [value, former] if is_scalar(former) else [value]
    new = not any(_among(names, name) for name in called)
    for name in called:
        if not _among(names, name) and len(names) < model.objects:
            names.append(name)
    return new


def _among(names: list[Any], value: Any) -> bool:
    return any(same(name, value) for name in names)


def share(model: Model, award: Award, earlier: list[Happening], one: Happening) -> tuple[float, float]:
    """(what a limit in points leaves of a grant, the points that are then granted); ``earlier``: history."""
    limit = award.limit
    assert isinstance(limit, PointsPerPeriod)
    if award.given is not None and award.id not in one.given:
        return 0.0, 0.0
    granted = [before.shares[award.id] for before in earlier if before.shares.get(award.id, (0, 0))[0]]
    chosen = variant(award, one.properties, len(granted))
    if chosen is None:
        return 0.0, 0.0
    this = period(model.time_zone, limit.period, one.time)
    spent = 0.0
    for before in earlier:
        if award.id in before.shares and period(model.time_zone, limit.period, before.time) == this:
            spent += before.shares[award.id][1]
    worth_ = abs(_points(award, Grant(award.id, one.time, *chosen)) * chosen[1])
    if not worth_:
        return 1.0, 0.0
    left = max(0.0, min(1.0, (limit.points - spent) / worth_))
    return left, worth_ * left


def variant(award: Award, properties: dict[str, Any], earlier: int) -> tuple[int, float] | None:
    match award.points:
        case Fixed():
            return 0, 1.0
        case FirstLater():
            return min(earlier, 1), 1.0
        case PerUnit(name):
            value = properties.get(name)
            return (0, value) if is_number(value) else None
        case Table(name, rows, otherwise):
            for place, (value, _) in enumerate(rows):
                if name in properties and same(properties[name], value):
                    return place, 1.0
            return None if otherwise is None else (-1, 1.0)


def is_scalar(value: Any) -> bool:
    return isinstance(value, str | bool) or is_number(value)


# -- what they are worth ------------------------------------------------------------------------


def worth(model: Model, award: Award, grant: Grant, at: int) -> float:
    """Points of one grant at the instant ``at``, ms."""
    points = _points(award, grant) * grant.weight
    match award.decay:
        case HalfLife(ms):
            return points * 2.0 ** -((at - grant.time) / ms)
        case LinearDecay(share, days):
            age = midnights(model.time_zone, grant.time, at) // days
            return points * max(0.0, 1.0 - share * age)
        case None:
            return points


def _points(award: Award, grant: Grant) -> float:
    match award.points:
        case Fixed(points) | PerUnit(_, points):
            return points
        case FirstLater(first, later):
            return later if grant.variant else first
        case Table(_, rows, otherwise):
            return rows[grant.variant][1] if grant.variant >= 0 else (otherwise or 0.0)


def between(model: Model, made: list[Grant], standing: set[str], start: int, end: int) -> Sum:
    """What the scores are within, from ``start`` to ``end`` (ms).

    A grant's worth only ever moves towards 0, so it stays between its worth at the two ends; sums and
    clamps keep the order.
    """
    parts: dict[str, list[Span]] = {score.name: [] for score in model.scores}
    for award in model.awards:
        mine = [grant for grant in made if grant.rule == award.id]
        value = add(
            _sorted(worth(model, award, grant, start), worth(model, award, grant, end)) for grant in mine
        )
        if award.cap is not None and award.cap >= 0:
            value = clamp(value, award.cap, None)
        elif award.cap is not None:
            value = clamp(value, None, award.cap)
        parts[award.score].append(value)
    for rule in model.standings:
        if rule.id in standing:
            parts[rule.score].append((rule.points, rule.points))
    scores = {score.name: clamp(add(parts[score.name]), score.cap, score.floor) for score in model.scores}
    weighted = [_sorted(*(score.weight * end for end in scores[score.name])) for score in model.scores]
    return Sum(scores, clamp(add(weighted), model.cap, model.floor))


def at_instant(model: Model, made: list[Grant], standing: set[str], at: int) -> Sum:
    return between(model, made, standing, at, at)


def _sorted(one: float, other: float) -> Span:
    return min(one, other), max(one, other)


def add(spans: Iterable[Span]) -> Span:
    items = list(spans)
    return fsum(low for low, _ in items), fsum(high for _, high in items)


def clamp(span: Span, cap: float | None, floor: float | None) -> Span:
    low, high = span
    if cap is not None:
        low, high = min(low, cap), min(high, cap)
    if floor is not None:
        low, high = max(low, floor), max(high, floor)
    return low, high
