"""Which records of doors and dead letters are a person's, by the rules that intake finds leads by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer.domain.outcomes import instant
from scorer.domain.record import Member, decode_record
from scorer.people.reading import every
from scorer.wire.cloudevents import decode
from scorer.wire.dead_letters import Rejected, origin
from scorer.wire.registry import DEAD_LETTERS, LOG

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from confluent_kafka import Message

    from scorer.broker import Broker
    from scorer.people.kept import Topic
    from scorer.people.reading import Bar
    from scorer.people.texts import Texts
    from scorer.wire.identity import Identity


class Held(NamedTuple):
    """What one partition still holds of a person."""

    topic: str
    partition: int
    records: int
    newest: int
    """Append time of the newest of them, ms."""
    gone_by: int | None
    """When all of them are gone at the latest, ms; None: the topic keeps them for ever."""

    def shown(self) -> dict[str, object]:
        """For a receipt."""
        until = None if self.gone_by is None else instant(self.gone_by)
        return {
            "topic": self.topic,
            "partition": self.partition,
            "records": self.records,
            "newest": instant(self.newest),
            "gone_by": until,
        }


class Theirs:
    """Of one person, known by these lead ids; and by these texts, where nobody can tell whose a record is."""

    def __init__(self, identity: Identity, ids: Collection[bytes], texts: Texts) -> None:
        self._identity = identity
        self._ids = ids
        self._texts = texts

    def event(self, value: bytes | None) -> bool | None:
        """Whether a door's record is about the person, or names them beside somebody else.

        None: nobody can tell whose it is.
        """
        if value is None:
            return None
        try:
            event = decode(value)
        except Rejected:
            return None
        try:
            lead = self._identity.lead_id(event)
        except Rejected:
            lead = b""
        if any(one in self._ids for one in (lead, *self._identity.others(event, lead))):
            return True
        return False if lead else None

    def record(self, topic: str, message: Message) -> bool:
        """Whether a record of a door or of the dead letters is the person's."""
        told = self._of_log(message) if topic == DEAD_LETTERS else None
        if told is None:
            told = self.event(message.value())
        if told is None:
            # Whole texts only: joann@firm.com is not ann@firm.com, and would read Ann's answer.
            told = bool(self._texts.whole(message.key(), message.value()))
        return told

    def _of_log(self, letter: Message) -> bool | None:
        """Likewise of a dead letter of the lead log; None for another, and where nobody can tell."""
        try:
            came_from = origin(letter.headers() or ()).topic
        except ValueError:
            return None  # a note, or somebody else's
        if came_from != LOG:
            return None
        if letter.key() in self._ids:
            return True
        try:
            record = decode_record(letter.value() or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        return isinstance(record, Member) and record.lead in self._ids


def raw_topics(topics: Iterable[Topic]) -> list[Topic]:
    """Those that hold what publishers have sent, as they have sent it."""
    return [topic for topic in topics if topic.role in {"door", "dead_letters"}]


def theirs_in(
    broker: Broker, topics: Iterable[Topic], theirs: Theirs, bar: Bar
) -> Iterator[tuple[Topic, Message]]:
    """Every such record of these topics."""
    for topic in topics:
        for message in every(broker, topic.name, bar):
            if theirs.record(topic.name, message):
                yield topic, message


def held(broker: Broker, topics: Iterable[Topic], theirs: Theirs, bar: Bar) -> list[Held]:
    """What doors and dead letters still hold of the person, by partition."""
    counts: dict[tuple[str, int], tuple[int, int, Topic]] = {}
    for topic, message in theirs_in(broker, raw_topics(topics), theirs, bar):
        place = topic.name, message.partition()
        count, newest, _ = counts.get(place, (0, 0, topic))
        counts[place] = count + 1, max(newest, message.timestamp()[1]), topic
    return [
        Held(name, partition, count, newest, topic.gone_by(newest))
        for (name, partition), (count, newest, topic) in counts.items()
    ]
