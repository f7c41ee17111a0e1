"""The door partitions that the clock waits for: their numbers, and where those are kept.

``lead.rules.v1`` holds the truth under one key; every partition of the lead log gets a copy (a
``Doors`` record) before a door partition comes into being, so that no clock can pass it unread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scorer.broker import Broker
from scorer.domain.record import Door, Doors, encode_record
from scorer.errors import UserError
from scorer.wire.registry import LOG, RULES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scorer.broker import Writer

KEY = b"doors"


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """The value under ``KEY``."""

    version: int
    doors: list[Door]
    next_number: int
    """Numbers below it are taken, or were once."""
    log: str
    """Kafka's id of the log whose partitions all have this version; empty until they have."""
    topic_ids: dict[str, str]
    """Door -> Kafka's id of the topic that the numbers stand for; missing until it is created."""

    @property
    def record(self) -> Doors:
        """What the log's partitions get."""
        return Doors(self.version, self.doors)

    def counts(self) -> dict[str, int]:
        """Partitions per door."""
        counts: dict[str, int] = {}
        for door in self.doors:
            counts[door.topic] = max(counts.get(door.topic, 0), door.partition + 1)
        return counts


NOTHING = Entry(0, [], 1, "", {})
"""Before the first run."""

encode_entry = msgspec.msgpack.Encoder().encode
decode_entry = msgspec.msgpack.Decoder(Entry).decode


def plan(entry: Entry, counts: Mapping[str, int], new_generation: Collection[str] = ()) -> Entry:
    """The entry that covers at least ``counts`` partitions of each door.

    Doors in ``new_generation`` have their old partitions taken out and get new numbers. The result
    is ``entry`` itself when nothing is new.
    """
    kept = [door for door in entry.doors if door.topic not in new_generation]
    generations = {door.topic: door.generation + (door.topic in new_generation) for door in entry.doors}
    known = {(door.topic, door.partition) for door in kept}
    number = entry.next_number
    added: list[Door] = []
    for topic, count in counts.items():
        for partition in range(count):
            if (topic, partition) not in known:
                added.append(Door(number, generations.get(topic, 1), topic, partition))
                number += 1
    if not added and len(kept) == len(entry.doors):
        return entry
    ids = {topic: name for topic, name in entry.topic_ids.items() if topic not in new_generation}
    return Entry(entry.version + 1, kept + added, number, "", ids)


def door_numbers(doors: Doors) -> dict[tuple[str, int], int]:
    """(door's registry name, partition) -> the number that facts and clock records use."""
    return {(door.topic, door.partition): door.number for door in doors.doors}


def load_entry(broker: Broker) -> Entry | None:
    """The newest entry; None before the first. Raises ``UserError`` without the topic or without Kafka."""
    value = None
    for record in broker.read(RULES, 0, broker.ranges(RULES)[0]):
        if record.key == KEY:
            value = record.value
    return None if value is None else decode_entry(value)


def load_doors(broker: Broker) -> Doors | None:
    """The doors as `scorer topics apply` has announced them to every log partition; None until then.

    Blocking. Raises ``UserError`` when Kafka does not answer or there is no rules topic.
    """
    entry = load_entry(broker)
    return entry.record if entry is not None and entry.log else None


def save_entry(broker: Broker, writer: Writer, entry: Entry) -> None:
    """Append an entry; raises ``UserError`` if somebody else did so at the same time."""
    before = broker.ranges(RULES)[0].end
    value = encode_entry(entry)
    writer.append(RULES, 0, KEY, value)
    writer.flush()
    for record in broker.read(RULES, 0, broker.ranges(RULES)[0]._replace(start=before)):
        if record.key == KEY:
            if record.value == value:
                return
            # Theirs came first and may be in the log by now. Ours is newer to compaction: put theirs back.
            writer.append(RULES, 0, KEY, record.value)
            writer.flush()
            break
    raise UserError(
        "somebody else changes the topics at the same moment", hint="run the command again", exit_code=1
    )


def announce(broker: Broker, writer: Writer, entry: Entry, log_id: str) -> Entry:
    """Append the doors to every partition of the log; returns the entry that says so, not yet saved."""
    value = encode_record(entry.record)
    for partition in range(broker.partitions(LOG)):
        writer.append(LOG, partition, None, value)
    writer.flush()
    return msgspec.structs.replace(entry, log=log_id)
