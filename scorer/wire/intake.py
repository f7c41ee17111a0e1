"""From a door record to a record of the lead log: validate, find the lead, encode.

Shared by the intake worker and by everything else that writes facts. A pure function of the record,
its append time, its coordinates and the secret; no clock, no I/O.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from scorer.domain.record import NO_DOOR, PROFILE_UPDATED, Fact, encode_record
from scorer.wire.cloudevents import decode, shown
from scorer.wire.dead_letters import Reason, Rejected
from scorer.wire.identity import Identity
from scorer.wire.properties import Flattener
from scorer.wire.registry import Registry
from scorer.wire.times import milliseconds

if TYPE_CHECKING:
    from scorer.wire.registry import Topic

MAX_AHEAD_MS: Final = 5 * 60 * 1000
"""How far an event's time may be after the time its record was received."""
MAX_AGE_MS: Final = 400 * 24 * 3600 * 1000
"""How far before."""


Accepted = tuple[bytes, bytes]
"""A record of the lead log: lead id, the Kafka key, and value. The partition is ``partition_of(lead, n)``."""


class Intake:
    """The doors' rules under one secret.

    ``max_log_bytes``: the most that key and value may hold together, normally ``Registry.max_log_bytes``.
    """

    def __init__(self, secret: str, max_log_bytes: int, registry: Registry | None = None) -> None:
        registry = registry or Registry.load()
        self._max_log_bytes = max_log_bytes
        self._lead_id = Identity(secret).lead_id
        self._flatten = Flattener()
        self._types = {topic.name: TypesOfDoor(topic) for topic in registry.doors}

    def __call__(
        self, topic: str, value: bytes | None, received: int, door: int = NO_DOOR, offset: int = -1
    ) -> Accepted:
        """The log record of one door record; raises ``Rejected`` and nothing else.

        ``topic``: a door's name without prefix (another name is a ``KeyError``: the caller's mistake).
        ``received``: the record's append time, ms. ``door``, ``offset``: its coordinates.
        """
        types = self._types[topic]
        if value is None:
            raise Rejected(Reason.NULL_VALUE, "a door record needs a value")
        event = decode(value)
        kind = event.type
        if kind not in types.known:
            types.learn(kind)
        time = received if event.time is None else milliseconds(event.time)
        lead = self._lead_id(event)
        properties = self._flatten(event.data, nulls=kind == PROFILE_UPDATED)
        if time > received + MAX_AHEAD_MS:
            raise Rejected(Reason.FUTURE, f"time: {time - received} ms after it was received")
        if time < received - MAX_AGE_MS:
            raise Rejected(Reason.TOO_OLD, f"time: {received - time} ms before it was received")
        id_ = event.id
        source = event.source
        encoded = encode_record(
            Fact(
                kind,
                time,
                received,
                door,
                offset,
                blake2b(f"{source}\0{id_}".encode(), digest_size=8).digest(),
                id_,
                source,
                properties,
            )
        )
        if len(lead) + len(encoded) > self._max_log_bytes:
            raise Rejected(Reason.TOO_LARGE, f"{len(encoded)} bytes as a log record")
        return lead, encoded


class TypesOfDoor:
    """The event types of one door: listed, or, for an app's own events, matched once and remembered."""

    _REMEMBERED = 4096

    def __init__(self, topic: Topic) -> None:
        self._name = topic.name
        self._listed = frozenset(topic.types)
        self._matches = topic.type_matcher()
        self.known = set(self._listed)

    def learn(self, kind: str) -> None:
        """Adds a type to ``known``, or raises ``Rejected``."""
        if not self._matches(kind):
            raise Rejected(Reason.UNKNOWN_TYPE, f"type: {shown(kind)} is no event of {self._name}")
        if len(self.known) >= self._REMEMBERED:
            self.known = set(self._listed)
        self.known.add(kind)
