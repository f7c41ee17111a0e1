"""A broker in memory, and score workers beside it that read when they are told to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from scorer.broker import Range, Stored
from scorer.domain.partition import LogPartition
from scorer.domain.reading import total
from scorer.domain.record import decode_record
from scorer.domain.state import PartitionState
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import DEAD_LETTERS, LOG, RULES
from tests.property.machine import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Key = bytes | None


class Fetched(NamedTuple):
    """As librdkafka gives a message: its fields are methods."""

    at: int
    place: int
    named: Key
    content: Key

    def partition(self) -> int:
        return self.at

    def offset(self) -> int:
        return self.place

    def key(self) -> Key:
        return self.named

    def value(self) -> Key:
        return self.content


class MemoryBroker:
    """``on_append`` is called in front of each append, and may raise."""

    prefix = ""

    def __init__(self, partitions: int) -> None:
        self.topics: dict[str, list[list[tuple[Key, Key]]]] = {
            LOG: [[] for _ in range(partitions)],
            RULES: [[]],
            DEAD_LETTERS: [[]],
        }
        self.on_append: Callable[[str, Key], None] = lambda *_: None

    def append(self, topic: str, partition: int, key: Key, value: Key) -> None:
        self.on_append(topic, value)
        self.topics[topic][partition].append((key, value))

    def flush(self) -> None:
        """Everything has been written when it is appended."""

    # -- what commands ask of ``scorer.broker.Broker`` --------------------------------------------

    def partitions(self, topic: str) -> int:
        return len(self.topics[topic])

    def ranges(self, topic: str) -> dict[int, Range]:
        return {number: Range(0, len(records)) for number, records in enumerate(self.topics[topic])}

    def read(self, topic: str, partition: int, wanted: Range, *, headers: bool = False) -> Iterator[Stored]:
        for offset in range(wanted.start, wanted.end):
            yield Stored(offset, *self.topics[topic][partition][offset], {})

    @contextmanager
    def writer(self) -> Iterator[MemoryBroker]:
        yield self

    def tail(self, topic: str, starts: Mapping[int, int]) -> MemoryTail:
        return MemoryTail(self, topic, starts)


class MemoryTail:
    def __init__(self, broker: MemoryBroker, topic: str, starts: Mapping[int, int]) -> None:
        self._logs = broker.topics[topic]
        self.positions = dict(starts)

    def close(self) -> None:
        pass

    def read(self) -> Iterator[Fetched]:
        for number, records in enumerate(self._logs):
            for offset in range(self.positions[number], len(records)):
                self.positions[number] = offset + 1
                yield Fetched(number, offset, *records[offset])


class Workers:
    """The owners of the log's partitions."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._count = broker.partitions(LOG)
        self._owners = [
            LogPartition(PartitionState(), {}, lambda _: None, number=number) for number in range(self._count)
        ]

    def work(self, only: int | None = None) -> None:
        """Read what there is, and what comes of it; ``only``: of one partition, once."""
        busy = True
        while busy:
            busy = False
            for number, owner in enumerate(self._owners):
                if only not in (None, number):
                    continue
                start = owner.state.position
                records = self._broker.topics[LOG][number][start:]
                owner.apply([Message(start + place, *one) for place, one in enumerate(records)])
                sends, owner.sends = owner.sends, []
                for key, value in sends:
                    self._broker.topics[LOG][partition_of(key, self._count)].append((key, value))
                busy = busy or bool(records or sends)
            if only is not None:
                return

    def unread(self, kind: type) -> bool:
        """Whether there is a record of that kind that its owner has not read."""
        return any(
            isinstance(decode_record(value or b""), kind)
            for owner, log in zip(self._owners, self._broker.topics[LOG], strict=True)
            for _, value in log[owner.state.position :]
        )

    def totals(self) -> dict[bytes, float]:
        """Of leads that stand for themselves, at their own clocks."""
        found = {}
        for owner in self._owners:
            for key in sorted(owner.leads):
                owner.touch(key)
                lead = owner.leads[key]
                if lead.since:
                    found[key] = total(owner.rules, lead, lead.clock)
        return found
