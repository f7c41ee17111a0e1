"""A lead as the oracle keeps it: everything that happened to it, and what was last judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from scorer.domain.model import (
    Absent,
    All,
    Compare,
    Condition,
    Dated,
    InSegment,
    Matcher,
    Model,
    Not,
    NotSince,
    Recent,
)
from scorer.domain.model import Any as AnyOf
from scorer.domain.record import PROFILE_UPDATED
from tests.reference.calendar import instant
from tests.reference.matching import compare, matches

Status = Literal["open", "qualified", "disqualified", "resting", "spent"]
"""What a lead waits for: README.md, *Stages*."""
Leaf = Compare | Recent | Absent | NotSince | Dated | InSegment


@dataclass(frozen=True)
class Happening:
    """An activity, a profile update, or the entering or leaving of a segment."""

    type: str
    time: int
    properties: dict[str, Any]
    caused: bool = False
    """By a segment: earns awards, but is no activity to conditions."""
    given: frozenset[str] = frozenset()
    """Ids of the awards whose ``given`` held when it was applied."""
    shares: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Award id -> (share of the grant that a limit in points left room for, the points it was worth)."""


@dataclass
class Click:
    mail: Any
    link: Any
    time: int
    held: dict[str, Any] | None
    """Its properties while it is held back."""


LONGEST = 1_024
"""Of an attribute: characters, and elements of a list."""


def written(value: Any) -> int:
    if isinstance(value, list):
        return len(value) + sum(len(one) for one in value if isinstance(one, str))
    return len(value) if isinstance(value, str) else 0


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
    zone: str = "UTC"
    status: Status = "open"
    stage: str = "Open"
    told: str = "Open"
    """The stage that was last told."""
    silent: bool = False
    """It has changed since, and that is not to be told."""
    disqualified_by: tuple[str, str] = ("", "")
    """("rule" or "move", its id)."""
    required: bool = True
    """The threshold's requirement, as last judged."""
    ready_since: int | None = None
    quiet_until: int = 0
    moving: set[str] = field(default_factory=set)
    """Ids of the moves whose condition holds."""
    segments: set[str] = field(default_factory=set)
    standing: set[str] = field(default_factory=set)
    """Ids of the standing points that the lead has."""
    number: int = 0
    """Of the last outcome."""
    remembered: list[tuple[bytes, int]] = field(default_factory=list)
    """Digests with the clock C at which each was first seen."""
    machines: int = 0
    """Opens and clicks that were a machine's."""
    delivered: list[tuple[Any, int]] = field(default_factory=list)
    """(mail, when) of the newest deliveries."""
    clicks: list[Click] = field(default_factory=list)
    """The newest clicks, in the order of their arrival."""
    importing: bool = False
    """Touched by an import that is still open."""

    def attributes(self) -> dict[str, Any]:
        held: dict[str, tuple[int, Any]] = {}
        for one in self.history:
            if one.type == PROFILE_UPDATED:
                for name, value in one.properties.items():
                    newest = name not in held or one.time >= held[name][0]
                    if newest and written(value) <= LONGEST:
                        held[name] = (one.time, value)
        return {name: value for name, (_, value) in held.items() if value is not None}

    def times(self, matcher: Matcher) -> list[int]:
        """Event times of the matching activities, newest first."""
        start, _ = self.watched.get(matcher, (0, 0))
        return sorted(
            (
                one.time
                for one in self.history[start:]
                if not one.caused
                and one.type != PROFILE_UPDATED
                and matches(matcher, one.type, one.properties)
            ),
            reverse=True,
        )

    def absent_from(self, condition: Absent) -> int:
        """The instant from which the absence holds, ms."""
        _, watched = self.watched.get(condition.matcher, (0, 0))
        return max([self.since, watched, *self.times(condition.matcher)[:1]]) + condition.window

    def recent_until(self, condition: Recent) -> int | None:
        """The instant from which the condition holds no longer, ms; None: it never did."""
        times = self.times(condition.matcher)
        return times[condition.count - 1] + condition.window if len(times) >= condition.count else None

    def waiting_until(self, condition: NotSince) -> int | None:
        """The instant from which it holds if nothing has happened since; None: there is no "since" yet."""
        since = self.times(condition.since)
        return since[0] + condition.wait if since else None

    def date(self, name: str) -> int | None:
        return instant(self.zone, self.attributes().get(name))

    def holds(self, condition: Condition, at: int) -> bool:  # noqa: PLR0911 - one for each kind
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
            case NotSince():
                start = self.waiting_until(condition)
                if start is None or at < start:
                    return False
                return not any(time > start - condition.wait for time in self.times(condition.matcher))
            case Dated(name, low, high):
                date = self.date(name)
                if date is None:
                    return False
                return (low is None or date - at >= low) and (high is None or date - at < high)

    def edges(self, model: Model) -> set[int]:
        """Every instant at which time alone may turn a condition, ms."""
        found: set[int | None] = set()
        for condition in leaves(conditions(model)):
            match condition:
                case Absent():
                    found.add(self.absent_from(condition))
                case Recent():
                    found.add(self.recent_until(condition))
                case NotSince():
                    found.add(self.waiting_until(condition))
                case Dated(name, low, high):
                    date = self.date(name)
                    if date is not None:
                        found |= {date - bound + 1 for bound in (low, high) if bound is not None}
        return {edge for edge in found if edge is not None}


def conditions(model: Model) -> list[Condition]:
    """What a lead is evaluated by; a band is read when something else has been judged."""
    judged: list[Any] = [*model.segments, *model.standings, *model.disqualifications]
    judged += [*model.moves, model.threshold]
    return [one.when for one in judged if one.when is not None]


def watched(model: Model) -> set[Matcher]:
    """The activities that some condition looks back at."""
    others: list[Condition | None] = [band.when for band in model.bands]
    others += [rule.when for rule in model.follow_ups]
    others += [award.given for award in model.awards]
    return windows_of([*conditions(model), *(one for one in others if one is not None)])


def windows_of(items: Iterable[Condition]) -> set[Matcher]:
    """The activities that these conditions look back at."""
    found: set[Matcher] = set()
    for leaf in leaves(items):
        match leaf:
            case Recent() | Absent():
                found.add(leaf.matcher)
            case NotSince():
                found |= {leaf.matcher, leaf.since}
    return found


def leaves(items: Iterable[Condition]) -> list[Leaf]:
    found: list[Leaf] = []
    for item in items:
        if isinstance(item, All | AnyOf | Not):
            found.extend(leaves(item.items))
        else:
            found.append(item)
    return found


def windows(items: Iterable[Condition]) -> list[Leaf]:
    """Those that time alone can turn."""
    return [leaf for leaf in leaves(items) if isinstance(leaf, Recent | Absent | NotSince | Dated)]
