"""From a door record to a record of the lead log: validate, find the lead, encode.

Shared by the intake worker and by everything else that writes facts. A pure function of the record,
its append time, its coordinates and the secret; no clock, no I/O. What is sealed, if anything is, depends
on random keys besides.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from scorer.domain.record import (
    BINDS,
    BINDS_EACH,
    NO_DOOR,
    PROFILE_LINKED,
    PROFILE_UPDATED,
    Bind,
    Fact,
    encode_record,
)
from scorer.wire.cloudevents import MAX_ID, MAX_SOURCE, MAX_SUBJECT, decode, shown
from scorer.wire.dead_letters import Reason, Rejected
from scorer.wire.identity import Identity
from scorer.wire.properties import Flattener
from scorer.wire.registry import Registry
from scorer.wire.times import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scorer.wire.cloudevents import Event
    from scorer.wire.registry import Topic
    from scorer.wire.sealing import Sealer

MAX_AHEAD_MS: Final = 5 * 60 * 1000
"""How far an event's time may be after the time its record was received."""
MAX_AGE_MS: Final = 400 * 24 * 3600 * 1000
"""How far before."""
_SOURCES: Final = 1_000
"""How many are remembered."""

Accepted = tuple[bytes, bytes]
"""A record of the lead log: lead id, the Kafka key, and value. The partition is ``partition_of(lead, n)``."""
LINKING: Final = frozenset({PROFILE_UPDATED, PROFILE_LINKED})
"""Types of which every identifier counts: they say that all of them are one person's."""


class Intake:
    """The doors' rules, for one way of finding leads.

    ``max_log_bytes``: the most that key and value may hold together, normally ``Registry.max_log_bytes``.
    ``sealer``: keeps fields that identify a person; without it all of them are dropped.
    """

    def __init__(
        self,
        identity: Identity,
        max_log_bytes: int,
        registry: Registry | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        registry = registry or Registry.load()
        self._max_log_bytes = max_log_bytes
        self._identity = identity
        self._digests: dict[str, blake2b] = {}
        """Of sources that were seen lately: what the digests of their events begin with."""
        self._flatten = Flattener()
        self._sealer = sealer
        self._types = {topic.name: TypesOfDoor(topic) for topic in registry.doors}

    def __call__(
        self, topic: str, value: bytes | None, received: int, door: int = NO_DOOR, offset: int = -1
    ) -> tuple[Accepted, ...]:
        """The log records of one door record, the fact first; raises ``Rejected`` and nothing else.

        ``topic``: a door's name without prefix (another name is a ``KeyError``: the caller's mistake).
        ``received``: the record's append time, ms. ``door``, ``offset``: its coordinates.
        """
        if value is None:
            raise Rejected(Reason.NULL_VALUE, "a door record needs a value")
        return self.accept(topic, decode(value), None, received, door, offset)

    def take(self, topic: str, event: Event, received: int) -> tuple[Accepted, ...]:
        """The log records of an event that came through no door: those of its message in ``topic``.

        ``received``: by the clock of whoever received it, ms. The event's data is used up.
        """
        _check(event)
        return self.accept(topic, event, None, received, NO_DOOR, -1)

    def accept(
        self, topic: str, event: Event, time: int | None, received: int, door: int, offset: int
    ) -> tuple[Accepted, ...]:
        """As of its value, of a door record that has been decoded; ``event`` is used up.

        ``time``: the event's in ms, where it is known already.
        """
        types = self._types[topic]
        kind, data = event.type, event.data
        if kind not in types.known:
            types.learn(kind)
        if time is None:
            time = received if event.time is None else milliseconds(event.time)
        identity = self._identity
        lead = identity.lead_id(event)
        others = identity.others(event, lead) if kind in LINKING else ()
        account = identity.account(event)
        picked = None if self._sealer is None else self._sealer.pick(data)
        properties = self._flatten.flat(data, kind == PROFILE_UPDATED)
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
                self._digest(source, id_),
                id_,
                source,
                properties,
                self._sealer.seal(lead, picked, received, anew=kind in LINKING)
                if self._sealer is not None and picked
                else None,
                account,
            )
        )
        if len(lead) + len(encoded) > self._max_log_bytes:
            if self._sealer is not None:
                self._sealer.forget(lead)
            raise Rejected(Reason.TOO_LARGE, f"{len(encoded)} bytes as a log record")
        if not others:
            return ((lead, encoded),)
        return ((lead, encoded), *_binds(lead, others, received, door, offset))

    def _digest(self, source: str, id_: str) -> bytes:
        """As in ``Fact.digest``: of both, with a zero byte between them."""
        begun = self._digests.get(source)
        if begun is None:
            begun = blake2b(f"{source}\0".encode(), digest_size=8)
            if len(self._digests) >= _SOURCES:
                self._digests.clear()
            self._digests[source] = begun
        # To copy one is half of what it costs to begin one.
        digest = begun.copy()
        digest.update(id_.encode())
        return digest.digest()


def _check(event: Event) -> None:
    """What ``decode`` would have refused of an event that was made and not decoded; raises ``Rejected``."""
    if not 0 < len(event.id) <= MAX_ID:
        raise Rejected(Reason.NOT_CLOUDEVENT, f"id: has 1 to {MAX_ID} characters")
    if not 0 < len(event.source) <= MAX_SOURCE:
        raise Rejected(Reason.NOT_CLOUDEVENT, f"source: has 1 to {MAX_SOURCE} characters")
    subject = event.subject
    if subject is not None and not 0 < len(subject) <= MAX_SUBJECT:
        raise Rejected(Reason.NO_LEAD, f"subject: has 1 to {MAX_SUBJECT} characters")


def _binds(lead: bytes, others: Iterable[bytes], received: int, door: int, offset: int) -> Iterator[Accepted]:
    """For each of the other ids, on the partition that is its own: it is the same person as ``lead``."""
    for number, other in enumerate(others):
        source, place = (BINDS + door, offset * BINDS_EACH + number) if door else (NO_DOOR, -1)
        yield other, encode_record(Bind(lead, received, source, place))


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
