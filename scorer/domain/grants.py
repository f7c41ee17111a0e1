"""Awards made ready to grant, and the names of what a lead keeps of them.

Slots name things in a lead's state. A slot is a hash of what the thing *is* (an award's granting
definition, a segment's name), so that it survives every rule change that leaves that alone and a
changed definition starts from nothing.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from scorer.domain import model
from scorer.domain.conditions import LeadPredicate, Predicate, comparable
from scorer.domain.lead import Slot


def slot(*parts: object) -> int:
    """A 32-bit name, not 0."""
    packed = msgspec.msgpack.encode(parts, enc_hook=repr)
    return int.from_bytes(blake2b(packed, digest_size=4).digest(), "big") or 1


class Variant:
    """One way in which an award grants: one mass."""

    __slots__ = ("group", "label", "points", "rate", "rate_index", "slot")

    def __init__(
        self, slot_: Slot, label: str, points: float, group: int, rate_index: int, rate: float
    ) -> None:
        self.slot = slot_
        self.label = label
        self.points = points
        self.group = group
        """Index into ``Lead.sums``."""
        self.rate_index = rate_index
        """Index into ``RuleSet.rates``."""
        self.rate = rate
        """Decay per ms."""


class Grant:
    """A compiled award."""

    __slots__ = (
        "award",
        "by_value",
        "cap",
        "first_later",
        "given",
        "key",
        "limit",
        "linear",
        "order",
        "period",
        "plain",
        "points_period",
        "prepared",
        "rows",
        "score",
        "special",
        "variants",
        "weight",
        "where",
    )

    def __init__(self, award: model.Award, order: int, score: int, weight: float) -> None:
        self.award = award
        self.order = order
        self.score = score
        self.weight = weight
        """Of its score in the total."""
        self.key: Slot = slot("award", award.id, _definition(award))
        self.cap = award.cap
        self.first_later = isinstance(award.points, model.FirstLater)
        self.by_value = isinstance(award.points, model.Table | model.PerUnit)
        self.limit = award.limit
        self.period = award.limit.period if isinstance(award.limit, model.PerPeriod) else ""
        self.points_period = isinstance(award.limit, model.PointsPerPeriod)
        self.given: LeadPredicate | None = None
        self.linear = award.decay if isinstance(award.decay, model.LinearDecay) else None
        self.special = self.cap is not None or self.linear is not None
        """Its value is not part of ``Lead.sums``: it has to be clamped or read by days."""
        self.prepared = False
        """It is granted and counts nowhere: see ``Model.prepared``."""
        self.variants: tuple[Variant, ...] = ()
        self.rows: dict[Any, Variant] = {}
        """Of a by-value table: comparable value -> variant."""
        self.where: Predicate | None = None
        """What is left to test once the index has found the award."""
        self.plain: Variant | None = None
        """Set where granting is nothing but adding to one mass and one sum."""


def _definition(award: model.Award) -> tuple[object, ...]:
    """What an award's grants depend on: all but its points, score and cap."""
    points = award.points
    shape: tuple[object, ...] = (type(points).__name__,)
    if isinstance(points, model.Table):
        others = (
            sorted(str(comparable(value)) for value, _ in points.rows) if points.otherwise is not None else []
        )
        shape = (*shape, points.field, others)
    elif isinstance(points, model.PerUnit):
        shape = (*shape, points.field)
    given = () if award.given is None else (award.given,)
    return (award.on, shape, award.limit, award.decay, *given)
