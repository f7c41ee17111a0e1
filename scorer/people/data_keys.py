"""The keys of sealed fields. Whoever deletes one has deleted what it seals, wherever copies of that are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LEAD_KEYS
from scorer.wire.sealing import Wrap, parse_key_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scorer.broker import Broker


class DataKey(NamedTuple):
    """Where the newest record of a key stands."""

    partition: int
    offset: int
    at: int
    """Its append time, ms."""
    deleted: bool
    readable: bool
    """The topic still holds the key itself: it is in force, or its deletion waits for compaction."""
    wrapped: bytes | None = None
    """The record's value."""


def lead_of(record_key: bytes) -> bytes | None:
    """The lead whose data key a record of the topic is about; None: it is none."""
    found = parse_key_name(record_key)
    return found[0] if found else None


def in_clear(found: Mapping[bytes, DataKey], secret: str) -> dict[tuple[bytes, bytes], bytes]:
    """(lead id, key id) -> key, of those that are in force and were made under this secret."""
    wrap = Wrap(secret)
    keys: dict[tuple[bytes, bytes], bytes] = {}
    for record_key, one in found.items():
        name = parse_key_name(record_key)
        key = None if one.wrapped is None else wrap.open(record_key, one.wrapped)
        if name is not None and key is not None:
            keys[name] = key
    return keys


def data_keys(broker: Broker, ids: Collection[bytes]) -> dict[bytes, DataKey]:
    """Record key -> its newest record, of all data keys that these leads have or have had."""
    ranges = broker.ranges(LEAD_KEYS)
    found: dict[bytes, DataKey] = {}
    for number in {partition_of(one, len(ranges)) for one in ids}:
        for message in broker.messages(LEAD_KEYS, number, ranges[number]):
            key = message.key()
            if key is not None and lead_of(key) in ids:
                value, at = message.value(), message.timestamp()[1]
                deleted = value is None
                readable = not deleted or (key in found and found[key].readable)
                found[key] = DataKey(number, message.offset(), at, deleted, readable, value)
    return found


def delete(broker: Broker, ids: Collection[bytes]) -> int:
    """Delete all data keys of these leads; returns how many there were, once Kafka has it."""
    there = {key: one for key, one in data_keys(broker, ids).items() if not one.deleted}
    with broker.writer() as writer:
        for key, one in there.items():
            writer.append(LEAD_KEYS, one.partition, key, None)
    return len(there)
