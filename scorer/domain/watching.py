"""What rules keep an eye on: newest activities, conditions on the lead, dates, moves to another stage."""

from __future__ import annotations

from typing import Any

from scorer.domain import model
from scorer.domain.conditions import LeadPredicate, Predicate, Properties, on_properties
from scorer.domain.grants import slot
from scorer.domain.lead import Slot
from scorer.domain.lifecycle import NUMBERS


class Watch:
    """Newest times of matching activities, kept for conditions on recency."""

    __slots__ = ("always", "count", "judged", "leaves", "shortest", "slot", "waits", "where")

    def __init__(self, slot_: Slot, where: Predicate | None) -> None:
        self.slot = slot_
        self.where = where
        self.count = 1
        """Times kept."""
        self.leaves: tuple[tuple[int, int], ...] = ()
        """(activities wanted, window in ms) of each recency; 0 activities wanted: an absence."""
        self.shortest = 0
        """The shortest window, ms."""
        self.waits: tuple[int, ...] = ()
        """How long after its newest time (ms) a "not since" begins to hold."""
        self.always = False
        """Any newer time may turn what depends on it."""
        self.judged: tuple[Judged, ...] = ()
        """What depends on it."""

    def ask(self, count: int, window: int) -> None:
        self.count = max(self.count, count)
        self.leaves = (*self.leaves, (count, window))
        self.shortest = min(window for _, window in self.leaves)

    def truth(self, times: list[int], start: int, at: int) -> int:
        """Which windows hold at an instant, as bits; ``start``: of the watching."""
        bits = 0
        for count, window in self.leaves:
            if count:
                holds = len(times) >= count and times[-count] > at - window
            else:
                holds = at - max(times[-1] if times else start, start) >= window
            bits = bits << 1 | holds
        return bits

    def edge(self, times: list[int], start: int, after: int) -> int:
        """The first instant after ``after`` at which time alone turns a leaf; 0 for none."""
        first = 0
        if times:
            for wait in self.waits:
                edge = times[-1] + wait
                if edge > after and (not first or edge < first):
                    first = edge
        for count, window in self.leaves:
            if not count:
                edge = max(times[-1] if times else start, start) + window
            elif len(times) >= count:
                edge = times[-count] + window
            else:
                continue
            if edge > after and (not first or edge < first):
                first = edge
        return first


class Judged:
    """A condition on the lead whose truth is part of its state."""

    __slots__ = ("entered", "item", "left", "move", "order", "slot", "standing_group", "when")

    def __init__(self, item: Any, slot_: Slot, order: int, when: LeadPredicate) -> None:
        self.item = item
        self.slot = slot_
        self.order = order
        self.when = when
        self.standing_group = -1
        """Of standing points: index into ``Lead.sums``."""
        self.entered: str = ""
        self.left: str = ""
        self.move: Move | None = None
        """The stage rule whose condition this is."""


class Move:
    """A rule that takes a lead to another stage."""

    __slots__ = ("item", "slot", "sources", "to", "where")

    def __init__(self, item: model.Move) -> None:
        self.item = item
        self.slot: Slot = slot("move", item.id)
        self.to = -1 if item.to is None else NUMBERS[item.to]
        """Index into ``lifecycle.STAGES``; -1: what a property says."""
        self.sources = frozenset(NUMBERS[name] for name in item.sources)
        """Empty: any."""
        self.where = None if item.on is None or item.on.where is None else on_properties(item.on.where)

    def target(self, properties: Properties) -> int:
        """Where an activity takes a lead; -1: nowhere."""
        if self.where is not None and not self.where.holds(properties):
            return -1
        if self.item.field is None:
            return self.to
        value = properties.get(self.item.field)
        return NUMBERS.get(value.strip().capitalize(), -1) if type(value) is str else -1
