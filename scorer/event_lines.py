"""Door messages in a file: CloudEvents JSON, one per line. Replay and import read them.

In a file the type alone says which door a message belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.wire.cloudevents import decode, head_of, shown
from scorer.wire.dead_letters import Reason, Rejected
from scorer.wire.intake import Accepted, Intake
from scorer.wire.registry import Registry
from scorer.wire.times import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.wire.identity import Identity

_REMEMBERED = 4096


Dated = tuple[int, tuple[Accepted, ...]]
"""A line that was accepted: the event's own time, and the log records that it makes, the fact first."""


class EventLines:
    """Takes in lines as intake takes in door records."""

    def __init__(self, identity: Identity, registry: Registry | None = None) -> None:
        registry = registry or Registry.load()
        self._intake = Intake(identity, registry.max_log_bytes, registry)
        self._doors = [(topic.name, topic.type_matcher()) for topic in registry.doors]
        self._door_of: dict[str, str] = {}

    def at(self, line: bytes, received: int, door: int, offset: int) -> tuple[Accepted, ...]:
        """As received at ``received`` (ms); raises ``Rejected``."""
        try:
            event = decode(line)
        except Rejected:
            kind = head_of(line).type
            if isinstance(kind, str):
                self._topic(kind)
            raise
        return self._intake.accept(self._topic(event.type), event, None, received, door, offset)

    def at_own_time(self, line: bytes, default: int, door: int, offset: int) -> Dated:
        """As received at the event's own time, or at ``default`` where it has none; raises ``Rejected``."""
        try:
            event = decode(line)
        except Rejected:
            head = head_of(line)
            if isinstance(head.time, str):
                milliseconds(head.time)
            if isinstance(head.type, str):
                self._dated(head.type, head.time, default)
            raise
        time = default if event.time is None else milliseconds(event.time)
        topic = self._dated(event.type, event.time, default)
        return time, self._intake.accept(topic, event, time, time, door, offset)

    def _dated(self, kind: str, time: object, default: int) -> str:
        """The topic of a line that has a time."""
        topic = self._topic(kind)
        if time is None and default <= 0:
            raise Rejected(Reason.BAD_TIME, "time: missing, and no event before it has one")
        return topic

    def _topic(self, kind: str) -> str:
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
