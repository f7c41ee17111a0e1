"""The Kafka of one simulated process: real lanes over the fake cluster, each call a place to die."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.errors import KafkaError

from scorer.storage.ports import Headers, Outgoing
from scorer.wire.registry import CHANGELOG
from scorer.worker.batches import BatchWriter, Lane
from tests.worker.fake_kafka import Cluster, FakeKafka

if TYPE_CHECKING:
    from tests.simulate.life import Life


class SendFailedError(KafkaError):
    """A broker refused a batch for good."""


class Stored(NamedTuple):
    """What the producer is told about a batch; aiokafka's ``RecordMetadata`` has these."""

    offset: int
    timestamp: int
    timestamp_type: int = 1


class Batch:
    """In the place of aiokafka's ``BatchBuilder``."""

    def __init__(self, limit: int) -> None:
        self.records: list[tuple[bytes | None, bytes | None, Headers | None]] = []
        self._limit = limit

    def append(
        self, *, timestamp: None, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> object:
        """None when the batch is full."""
        if len(self.records) >= self._limit:
            return None
        self.records.append((key, value, headers))
        return self

    def extend(self, records: Sequence[Outgoing], start: int, headers: Headers) -> int:
        fitting = records[start : start + self._limit - len(self.records)]
        self.records += [(key, value, headers) for key, value in fitting]
        return start + len(fitting)

    def record_count(self) -> int:
        return len(self.records)

    def size(self) -> int:
        return sum(len(key or b"") + len(value or b"") for key, value, _ in self.records)


class SimulatedLane(Lane):
    """Lanes pushed at the same moment begin in the order of their names: whoever pushes may use a set."""

    _writer: Writer

    def push(self) -> None:
        if self._task is None and self._error is None and self.appended > self.acked:
            self._writer.push_soon(self)

    def push_now(self) -> None:
        super().push()


class Writer(BatchWriter):
    """The real chain of batches. ``piece``: the most records in a batch."""

    def __init__(self, life: Life, cluster: Cluster, piece: int, counts: dict[str, int]) -> None:
        super().__init__("", on_error=life.fatal)
        self._life = life
        self._cluster = cluster
        self._piece = piece
        self._counts = counts
        self._pushed: dict[tuple[str, int], SimulatedLane] = {}

    async def start(self) -> None:
        pass

    async def partitions(self, topic: str) -> int:
        return self._counts.get(topic, 1)

    def lane(self, topic: str, partition: int) -> Lane:
        key = (topic, partition)
        if key not in self._lanes:
            self._lanes[key] = SimulatedLane(self, topic, partition)
        return self._lanes[key]

    def push_soon(self, lane: SimulatedLane) -> None:
        if not self._pushed:
            self._life.loop.call_soon(self._push_all)
        self._pushed[lane.topic, lane.partition] = lane

    def _push_all(self) -> None:
        pushed, self._pushed = self._pushed, {}
        if not self._life.dead:
            for key in sorted(pushed):
                pushed[key].push_now()

    def new_batch(self) -> Any:
        return Batch(self._piece)

    async def send(self, batch: Any, topic: str, partition: int) -> Any:
        life, cluster = self._life, self._cluster
        where = f"{topic}[{partition}]"
        await life.gate("before", where)
        if life.refusals.take(topic):
            raise SendFailedError(where)
        if topic == CHANGELOG:
            life.wrote_changelog()
        base = cluster.end(topic, partition)
        for key, value, headers in batch.records:
            cluster.append(topic, partition, key, value, headers or ())
        await life.gate("after", where)
        # A try whose answer got lost: the broker has the batch and no longer knows where.
        return Stored(-1 if life.lost_answers.take(topic) else base, cluster.time())


class SimulatedKafka(FakeKafka):
    """The score side's port, over real lanes."""

    def __init__(
        self, cluster: Cluster, life: Life, writer: Writer, member: Callable[[], bool], chunk: int
    ) -> None:
        super().__init__(cluster, life.call, chunk=chunk)
        self.member = member
        self._writer = writer

    def lane(self, topic: str, partition: int) -> Any:
        return self._writer.lane(topic, partition)

    async def bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        await self.gate(f"bounds {topic}")
        return await super().bounds(topic, partitions)

    async def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        await self.gate("committed")
        return await super().committed(partitions)
