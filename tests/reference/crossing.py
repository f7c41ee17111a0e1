"""When a total crosses a threshold by time alone: bisection on the oracle's own totals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from scorer.domain.model import Model
from tests.reference.lead import Lead, Status
from tests.reference.points import Grant, Sum, at_instant, between

TOLERANCE = 1e-9
"""A total is above or below a threshold when it is so by more than this: sums of doubles are no exacter."""
MARGIN = 3e-11
"""Totals nearer than this to that point are a tie: which side a double falls on is rounding."""
PATIENCE = 40_000


class NearTieError(Exception):
    """The story can't be judged with doubles: a total comes nearer to a threshold than ``MARGIN``."""


Goal = Literal["ready", "unready", "below"]
Level = Literal["short", "waiting", "there"]


@dataclass
class Totals:
    """A lead's totals, and what it waits for, as far as grants and conditions of now decide them."""

    model: Model
    made: list[Grant]
    standing: frozenset[str]
    status: Status
    required: bool
    ready_since: int | None
    quiet_until: int
    steps: int = field(default=0, compare=False)

    @classmethod
    def of(cls, model: Model, made: list[Grant], lead: Lead) -> Totals:
        return cls(
            model,
            made,
            frozenset(lead.standing),
            lead.status,
            lead.required,
            lead.ready_since,
            lead.quiet_until,
        )

    def at(self, instant: int) -> Sum:
        return at_instant(self.model, self.made, set(self.standing), instant)

    def level(self, instant: int) -> Level:
        """How near the lead is to what its status waits for; raises ``NearTieError``."""
        if self.status in ("qualified", "spent"):
            return "there" if self._holds("below", instant) else "short"
        if self.status != "open" or not self.required or not self._holds("ready", instant):
            return "short"
        dwell = self.model.threshold.dwell
        if dwell and (self.ready_since is None or instant < self.ready_since + dwell):
            return "waiting"
        return "there" if instant >= self.quiet_until else "waiting"

    def next(self, start: int, end: int) -> int | None:
        """The first instant from ``start`` through ``end`` (ms) at which time alone changes what is so."""
        if self.status in ("qualified", "spent"):
            return self._first("below", start, end)
        if self.status != "open" or not self.required:
            return None
        dwell = self.model.threshold.dwell
        if not dwell:
            return self._first("ready", max(start, self.quiet_until), end)
        if self.ready_since is None:
            return self._first("ready", start, end)
        due = max(self.ready_since + dwell, self.quiet_until, start)
        found = [self._first("unready", start, min(end, due)), due if due <= end else None]
        return min((instant for instant in found if instant is not None), default=None)

    def _first(self, goal: Goal, start: int, end: int) -> int | None:
        if start > end or not self._possible(goal, start, end):
            return None
        if start == end:
            return start if self._holds(goal, start) else None
        self.steps += 1
        if self.steps > PATIENCE:
            raise NearTieError
        middle = (start + end) // 2
        found = self._first(goal, start, middle)
        return self._first(goal, middle + 1, end) if found is None else found

    def _holds(self, goal: Goal, instant: int) -> bool:
        total = self.at(instant)
        if goal == "below":
            return _less(total.total[0], self.model.threshold.exit - TOLERANCE)
        ready = _less(self.model.threshold.enter + TOLERANCE, total.total[0])
        for name, least in self.model.threshold.minimum:
            ready = not _less(total.scores[name][0], least - TOLERANCE) and ready
        return ready == (goal == "ready")

    def _possible(self, goal: Goal, start: int, end: int) -> bool:
        span = between(self.model, self.made, set(self.standing), start, end)
        threshold = self.model.threshold
        if goal == "below":
            return _may_be_less(span.total, threshold.exit - TOLERANCE)
        enter = threshold.enter + TOLERANCE
        minimum = [(span.scores[name], least - TOLERANCE) for name, least in threshold.minimum]
        if goal == "ready":
            return _may_be_more(span.total, enter) and all(_may_be_more(*one) for one in minimum)
        return _may_be_less(span.total, enter) or any(_may_be_less(*one) for one in minimum)


def _less(one: float, other: float) -> bool:
    if abs(one - other) < MARGIN:
        raise NearTieError
    return one < other


def _may_be_less(span: tuple[float, float], edge: float) -> bool:
    _refuse_tie(span, edge)
    return span[0] - MARGIN < edge


def _may_be_more(span: tuple[float, float], edge: float) -> bool:
    _refuse_tie(span, edge)
    return span[1] + MARGIN > edge


def _refuse_tie(span: tuple[float, float], edge: float) -> None:
    if max(abs(span[0] - edge), abs(span[1] - edge)) < MARGIN:
        raise NearTieError
