"""A lead as the oracle keeps it: everything that happened to it, and what was last judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from scorer.domain.model import Absent, All, Compare, Condition, InSegment, Matcher, Model, Not, Recent
from scorer.domain.model import Any as AnyOf
from scorer.domain.record import PROFILE_UPDATED
from tests.reference.matching import compare, matches

Status = Literal["open", "qualified", "disqualified"]


@dataclass(frozen=True)
class Happening:
    """An activity, a profile update, or the entering or leaving of a segment."""

    type: str
    time: int
    properties: dict[str, Any]
    caused: bool = False
    """By a segment: earns awards, but is no activity to Recent and Absent."""


@dataclass
class Lead:
    id: str
    since: int
    """Where absence windows start while nothing matches, ms."""
    clock: int = 0
    judged: int = 0
    """The instant as of which conditions were last judged, ms."""
    history: list[Happening] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)
    """Award id -> place in the history before which it counts nothing (its definition changed there)."""
    watched: dict[Matcher, tuple[int, int]] = field(default_factory=dict)
    """Matcher of windows that a later rule set brought -> (place in the history, ms) where it starts."""
    status: Status = "open"
    disqualified_by: str = ""
    segments: set[str] = field(default_factory=set)
    standing: set[str] = field(default_factory=set)
    """Ids of the standing points that the lead has."""
    number: int = 0
    """Of the last outcome."""
    remembered: list[tuple[bytes, int]] = field(default_factory=list)
    """Digests with the clock C at which each was first seen."""
    importing: bool = False
    """Touched by an import that is still open."""

    def attributes(self) -> dict[str, Any]:
        held: dict[str, tuple[int, Any]] = {}
        for one in self.history:
            if one.type == PROFILE_UPDATED:
                for name, value in one.properties.items():
                    if name not in held or one.time >= held[name][0]:
                        held[name] = (one.time, value)
        return {name: value for name, (_, value) in held.items() if value is not None}

    def times(self, condition: Recent | Absent) -> list[int]:
        """Event times of the matching activities, newest first."""
        start, _ = self.watched.get(condition.matcher, (0, 0))
        return sorted(
            (
                one.time
                for one in self.history[start:]
                if not one.caused
                and one.type != PROFILE_UPDATED
                and matches(condition.matcher, one.type, one.properties)
            ),
            reverse=True,
        )

    def absent_from(self, condition: Absent) -> int:
        """The instant from which the absence holds, ms."""
        _, watched = self.watched.get(condition.matcher, (0, 0))
        return max([self.since, watched, *self.times(condition)[:1]]) + condition.window

    def recent_until(self, condition: Recent) -> int | None:
        """The instant from which the condition holds no longer, ms; None: it never did."""
        times = self.times(condition)
        return times[condition.count - 1] + condition.window if len(times) >= condition.count else None

    def holds(self, condition: Condition, at: int) -> bool:
        """Judged as of ``at``, ms; segments are those that the lead is in now."""
        match condition:
            case Compare():
                return compare(condition, self.attributes())
            case All(items):
                return all(self.holds(item, at) for item in items)
            case AnyOf(items):
                return any(self.holds(item, at) for item in items)
            case Not(items):
                return not any(self.holds(item, at) for item in items)
            case InSegment(name):
                return name in self.segments
            case Absent():
                return at >= self.absent_from(condition)
            case Recent():
                until = self.recent_until(condition)
                return until is not None and at < until

    def edges(self, model: Model) -> set[int]:
        """Every instant at which some absence begins or some recency ends, ms."""
        found = set()
        for condition in windows(conditions(model)):
            if isinstance(condition, Absent):
                found.add(self.absent_from(condition))
            elif (until := self.recent_until(condition)) is not None:
                found.add(until)
        return found


def conditions(model: Model) -> list[Condition]:
    """What a lead is evaluated by; a band is read when something else has been judged."""
    return [one.when for one in (*model.segments, *model.standings, *model.disqualifications)]


def watches(model: Model) -> list[Recent | Absent]:
    """All windows of a model, those of the bands included."""
    return windows([*conditions(model), *(band.when for band in model.bands)])


def windows(items: Iterable[Condition]) -> list[Recent | Absent]:
    found: list[Recent | Absent] = []
    for item in items:
        if isinstance(item, Recent | Absent):
            found.append(item)
        elif isinstance(item, All | AnyOf | Not):
            found.extend(windows(item.items))
    return found
