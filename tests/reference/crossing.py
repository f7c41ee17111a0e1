"""When a total crosses a threshold by time alone: bisection on the oracle's own totals."""

from __future__ import annotations

from dataclasses import dataclass, field

from scorer.domain.model import Model
from tests.reference.lead import Lead
from tests.reference.points import Grant, Sum, at_instant, between

TOLERANCE = 1e-9
"""A total is above or below a threshold when it is so by more than this: sums of doubles are no exacter."""
MARGIN = 3e-11
"""Totals nearer than this to that point are a tie: which side a double falls on is rounding."""
PATIENCE = 40_000


class NearTieError(Exception):
    """The story can't be judged with doubles: a total comes nearer to a threshold than ``MARGIN``."""


@dataclass
class Totals:
    """A lead's totals as far as grants and standing points of now decide them."""

    model: Model
    made: list[Grant]
    standing: frozenset[str]
    steps: int = field(default=0, compare=False)

    @classmethod
    def of(cls, model: Model, made: list[Grant], lead: Lead) -> Totals:
        return cls(model, made, frozenset(lead.standing))

    def at(self, instant: int) -> Sum:
        return at_instant(self.model, self.made, set(self.standing), instant)

    def crosses(self, status: str, instant: int) -> bool:
        """Whether a lead of this status is to be qualified, or no longer so; raises ``NearTieError``."""
        total = self.at(instant).total[0]
        edge = self._edge(status)
        if edge is None:
            return False
        if abs(total - edge) < MARGIN:
            raise NearTieError
        return total < edge if status == "qualified" else total > edge

    def first(self, status: str, start: int, end: int) -> int | None:
        """The first instant from ``start`` through ``end`` (ms) at which ``crosses``."""
        if start > end or not self._possible(status, start, end):
            return None
        if start == end:
            return start if self.crosses(status, start) else None
        self.steps += 1
        if self.steps > PATIENCE:
            raise NearTieError
        middle = (start + end) // 2
        found = self.first(status, start, middle)
        return self.first(status, middle + 1, end) if found is None else found

    def _possible(self, status: str, start: int, end: int) -> bool:
        edge = self._edge(status)
        if edge is None:
            return False
        low, high = between(self.model, self.made, set(self.standing), start, end).total
        if max(abs(low - edge), abs(high - edge)) < MARGIN:
            raise NearTieError
        return low - MARGIN < edge if status == "qualified" else high + MARGIN > edge

    def _edge(self, status: str) -> float | None:
        threshold = self.model.threshold
        return {"qualified": threshold.exit - TOLERANCE, "open": threshold.enter + TOLERANCE}.get(status)
