"""A Kafka in memory for the score side, and a disk: crashes happen where a test says."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from scorer.storage.ports import Bounds, Headers, Outgoing


class Crash(BaseException):
    """The process dies here. Not an Exception, so that nobody handles it."""


class Kept(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = 0
    """When it was appended, by the cluster's clock, ms."""

    timestamp_type = 1  # LogAppendTime


class Ran(NamedTuple):
    base: int
    records: int


@dataclass
class Cluster:
    """Topics, and the score group's commits. Outlives every client."""

    topics: dict[tuple[str, int], list[Kept]] = field(default_factory=dict)
    starts: dict[tuple[str, int], int] = field(default_factory=dict)
    commits: dict[int, int] = field(default_factory=dict)
    identities: dict[str, bytes] = field(default_factory=dict)
    time: Callable[[], int] = lambda: 0
    """The brokers' clock, ms."""

    def records(self, topic: str, partition: int) -> list[Kept]:
        return self.topics.setdefault((topic, partition), [])

    def append(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> int:
        records = self.records(topic, partition)
        offset = self.end(topic, partition)
        records.append(Kept(offset, key, value, tuple(headers or ()), self.time()))
        return offset

    def end(self, topic: str, partition: int) -> int:
        records = self.records(topic, partition)
        return records[-1].offset + 1 if records else self.starts.get((topic, partition), 0)

    def expire(self, topic: str, partition: int, before: int) -> None:
        self.topics[topic, partition] = [r for r in self.records(topic, partition) if r.offset >= before]
        self.starts[topic, partition] = before

    def compact(self, topic: str, partition: int, until: float = inf) -> int:
        """Keep the last record of each key, as the broker may at any time; returns how many went.

        ``until``: min.compaction.lag, as the time (ms) at which a record must not be touched yet.
        """
        records = self.records(topic, partition)
        first = next((n for n, record in enumerate(records) if record.timestamp >= until), len(records))
        last = {record.key: record for record in records[:first]}
        self.topics[topic, partition] = [*sorted(last.values()), *records[first:]]
        return first - len(last)

    def recreate(self, topic: str, identity: bytes = b"another") -> None:
        for name, partition in list(self.topics):
            if name == topic:
                self.topics[name, partition] = []
        self.identities[topic] = identity


async def _nothing(_: str) -> None:
    pass


class FakeKafka:
    """One process's client. ``gate`` is awaited around every effect: it may raise ``Crash``, or wait."""

    def __init__(
        self,
        cluster: Cluster,
        gate: Callable[[str], Awaitable[None]] = _nothing,
        piece: Callable[[], int] = lambda: 1_000_000,
        chunk: int = 7,
    ) -> None:
        """``piece``: how many records go at once; between two pieces a process can die."""
        self.cluster = cluster
        self.gate = gate
        self.piece = piece
        self.member: Callable[[], bool] = lambda: True
        self.chunk = chunk
        self.lanes: dict[tuple[str, int], FakeLane] = {}

    def lane(self, topic: str, partition: int) -> FakeLane:
        return self.lanes.setdefault((topic, partition), FakeLane(self, topic, partition))

    async def bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, Bounds]:
        cluster = self.cluster
        return {n: (cluster.starts.get((topic, n), 0), cluster.end(topic, n)) for n in partitions}

    async def read(
        self, topic: str, ranges: Mapping[int, Bounds]
    ) -> AsyncIterator[tuple[int, Sequence[Kept], int]]:
        for number, (start, end) in ranges.items():
            at = start
            while at < end:
                records = self.cluster.records(topic, number)
                first = bisect_left(records, (at,))
                batch = [record for record in records[first : first + self.chunk] if record.offset < end]
                at = batch[-1].offset + 1 if batch else end
                await self.gate(f"read {topic}")
                yield number, batch, at

    async def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        return {n: self.cluster.commits[n] for n in partitions if n in self.cluster.commits}

    async def commit(self, positions: Mapping[int, int]) -> bool:
        await self.gate("before commit")
        if self.member():
            self.cluster.commits.update(positions)
        await self.gate("after commit")
        return self.member()

    async def identity(self, topic: str) -> bytes:
        return self.cluster.identities.get(topic, topic.encode())


class FakeLane:
    def __init__(self, kafka: FakeKafka, topic: str, partition: int) -> None:
        self.kafka, self.topic, self.partition = kafka, topic, partition
        self.waiting: list[tuple[bytes | None, bytes | None, Headers | None]] = []

    def append(self, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> None:
        self.waiting.append((key, value, headers))

    def extend(self, records: Sequence[Outgoing], headers: Headers | None = None) -> None:
        self.waiting += [(key, value, headers) for key, value in records]

    def push(self) -> None:
        """The network is slow here: nothing leaves before somebody waits for it."""

    async def flush(self) -> None:
        await self._write()

    async def send(self, records: Sequence[Outgoing], headers: Headers | None = None) -> list[Ran]:
        await self._write()
        self.extend(records, headers)
        return await self._write()

    async def _write(self) -> list[Ran]:
        runs = []
        while self.waiting:
            await self.kafka.gate(f"before {self.topic}")
            size = self.kafka.piece()
            piece, self.waiting = self.waiting[:size], self.waiting[size:]
            offsets = [self.kafka.cluster.append(self.topic, self.partition, *record) for record in piece]
            runs.append(Ran(offsets[0], len(offsets)))
            await self.kafka.gate(f"after {self.topic}")
        return runs


class FakeBatch:
    def __init__(self) -> None:
        self.changes: list[tuple[bytes, bytes | None]] = []

    def put(self, key: bytes, value: bytes, /) -> None:
        self.changes.append((key, value))

    def delete(self, key: bytes, /) -> None:
        self.changes.append((key, None))


class FakeDisk:
    """An ordered key-value store. ``crash`` takes back what was written without the log since ``flush``."""

    def __init__(self) -> None:
        self.content: dict[bytes, bytes] = {}
        self.flushed: dict[bytes, bytes] = {}
        self.logged: list[FakeBatch] = []
        self.closed = False

    def get(self, key: bytes, /) -> bytes | None:
        return self.content.get(key)

    def batch(self) -> FakeBatch:
        return FakeBatch()

    def write(self, batch: FakeBatch, *, log: bool = True) -> None:
        assert not self.closed
        self._apply(self.content, batch)
        if log:
            # What a write ahead log brings back does not include what went past it.
            self.logged.append(batch)

    def flush(self) -> None:
        self.flushed = dict(self.content)
        self.logged = []

    def bulk(self, *, on: bool) -> None:
        self.flush()

    def crash(self, lost: int = 0) -> None:
        """``lost``: newest batches of the write ahead log that a power failure takes along."""
        for batch in self.logged[: max(0, len(self.logged) - lost)]:
            self._apply(self.flushed, batch)
        self.content, self.logged = dict(self.flushed), []
        self.closed = False

    def keys(self, start: bytes) -> Iterator[bytes]:
        return iter([key for key in sorted(self.content) if key >= start])

    def items(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter([(key, self.content[key]) for key in sorted(self.content) if key >= start])

    def wipe(self) -> None:
        self.content, self.flushed, self.logged = {}, {}, []

    def close(self) -> None:
        self.flush()
        self.closed = True

    @staticmethod
    def _apply(content: dict[bytes, bytes], batch: FakeBatch) -> None:
        for key, value in batch.changes:
            if value is None:
                content.pop(key, None)
            else:
                content[key] = value
