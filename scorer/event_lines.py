"""Door messages in a file: CloudEvents JSON, one per line. Replay and import read them.

In a file the type alone says which door a message belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scorer.wire.cloudevents import Head, head_of, shown
from scorer.wire.dead_letters import Reason, Rejected
from scorer.wire.intake import Intake
from scorer.wire.registry import Registry
from scorer.wire.times import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.wire.identity import Identity
    from scorer.wire.intake import Accepted

_REMEMBERED = 4096


class Dated(NamedTuple):
    """A line that was accepted, and the event's own time."""

    time: int
    accepted: tuple[Accepted, ...]
    """The log records that it makes, the fact first."""


class EventLines:
    """Takes in lines as intake takes in door records."""

    def __init__(self, identity: Identity, registry: Registry | None = None) -> None:
        registry = registry or Registry.load()
        self._intake = Intake(identity, registry.max_log_bytes, registry)
        self._doors = [(topic.name, topic.type_matcher()) for topic in registry.doors]
        self._door_of: dict[str, str] = {}

    def at(self, line: bytes, received: int, door: int, offset: int) -> tuple[Accepted, ...]:
        """As received at ``received`` (ms); raises ``Rejected``."""
        head = head_of(line)
        return self._intake(self._topic(head, line), line, received, door, offset)

    def at_own_time(self, line: bytes, default: int, door: int, offset: int) -> Dated:
        """As received at the event's own time, or at ``default`` where it has none; raises ``Rejected``."""
        head = head_of(line)
        time = milliseconds(head.time) if isinstance(head.time, str) else default
        topic = self._topic(head, line)
        if head.time is None and default <= 0:
            raise Rejected(Reason.BAD_TIME, "time: missing, and no event before it has one")
        return Dated(time, self._intake(topic, line, time, door, offset))

    def _topic(self, head: Head, line: bytes) -> str:
        kind = head.type
        if not isinstance(kind, str):
            # Any door finds out what is wrong with it.
            self._intake(self._doors[0][0], line, 0)
            raise Rejected(Reason.NOT_CLOUDEVENT, "type: missing")
        topic = self._door_of.get(kind)
        if topic is None:
            topic = self._find(kind)
            if len(self._door_of) < _REMEMBERED:
                self._door_of[kind] = topic
        return topic

    def _find(self, kind: str) -> str:
        matching: list[tuple[str, Callable[[str], bool]]] = self._doors
        for name, matches in matching:
            if matches(kind):
                return name
        raise Rejected(Reason.UNKNOWN_TYPE, f"type: {shown(kind)} is no event of any door")
