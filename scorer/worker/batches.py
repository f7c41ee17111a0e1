"""Appending to topics in an order that holds: one chain of acknowledged batches per topic partition.

    writer = BatchWriter(settings.kafka, on_error=fatal)
    await writer.start()
    lane = writer.lane("lead.log.v1", 3)
    lane.append(key, value)               # synchronous, a million times a second
    lane.push()                           # sends what has been appended; returns at once
    await lane.flush()                    # everything appended so far is durable
    acks = await lane.send(records)       # all of that in one call, and where the records went

What every caller may rely on:
  - Records reach the partition in the order of their ``append``; a batch is handed to the producer
    only when the one before it has been acknowledged (acks=all, idempotent). So nothing is ever
    written after a record that failed.
  - The first failure of a lane is final: ``on_error`` is called with it, waiting and later calls
    raise it, and nothing more is sent there.
  - Without a broker, records wait: transient errors are retried for ever. Watch ``pending_bytes``.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from scorer import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka.structs import RecordMetadata
    from prometheus_client import Histogram

    from scorer.kafka_access import KafkaAccess
    from scorer.storage.ports import Headers, Outgoing

BATCH_BYTES = 512 * 1024
"""A batch is closed at this size. Below the 1 MiB that brokers accept per batch by default; one record
larger than this travels alone."""
NO_COMPRESSION = 0


class Ack(NamedTuple):
    """One acknowledged batch: its records have the offsets ``base`` to ``base + records - 1``.

    ``base`` is -1 when the broker had the batch already from a try whose answer got lost, and no longer
    knows where: the records are there, once.
    """

    base: int
    records: int


class Written(NamedTuple):
    """When the last acknowledged batch was written."""

    at: int
    """By the broker's clock, ms; by ours where the topic is not message.timestamp.type=LogAppendTime."""
    received: float
    """When the acknowledgement came in, on the monotonic clock."""


class Batch(BatchBuilder):
    """aiokafka's, which takes many records at once: what it does around a record costs as much as the record.

    It reaches into what aiokafka keeps to itself; the version of aiokafka is locked.
    """

    _relative_offset: int

    def extend(self, records: Sequence[Outgoing], start: int, headers: Headers) -> int:
        """Adds records from ``start`` on; returns the first that has no room, or how many there are."""
        if self._closed:
            return start
        add, place = self._builder.append, self._relative_offset - start
        for number in range(start, len(records)):
            key, value = records[number]
            if add(place + number, None, key, value, headers) is None:
                self.close()
                self._relative_offset = place + number
                return number
        self._relative_offset = place + len(records)
        return len(records)


class _Waiting(NamedTuple):
    """Somebody who waits for the records numbered ``first`` to before ``end``."""

    first: int
    end: int
    acks: list[Ack]
    done: asyncio.Future[None]


class _Mark(NamedTuple):
    end: int
    """As ``_Waiting.end``."""
    acknowledged: Callable[[], object]


class Lane:
    """One topic partition. Made by ``BatchWriter.lane``; use it on the event loop's thread only."""

    def __init__(self, writer: BatchWriter, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.appended = 0
        """Records given to ``append`` so far."""
        self.acked = 0
        """How many of them, from the first on without a gap, are acknowledged."""
        self.written: Written | None = None
        self._writer = writer
        self._open: Batch = writer.new_batch()
        self._full: deque[Batch] = deque()
        self._sending: Batch | None = None
        self._waiting: deque[_Waiting] = deque()
        self._marks: deque[_Mark] = deque()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None

    def append(self, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> None:
        """Adds a record. It is sent at the next ``push`` or ``flush``; key and value can't both be None."""
        if self._open.append(timestamp=None, key=key, value=value, headers=headers) is None:
            self._close()  # it is full; an empty one takes a record of any size
            self._open.append(timestamp=None, key=key, value=value, headers=headers)
        self.appended += 1

    def extend(self, records: Sequence[Outgoing], headers: Headers | None = None) -> None:
        """``append`` for many records with the same headers, in half the time."""
        added, shared = 0, headers or []
        while (added := self._open.extend(records, added, shared)) < len(records):
            self._close()
        self.appended += len(records)

    def push(self) -> None:
        """Starts sending what has been appended; returns at once."""
        if self._task is None and self._error is None and self.appended > self.acked:
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def flush(self) -> None:
        """Returns when everything appended before this call is acknowledged; raises what ended the lane."""
        await self._wait(self.appended)

    async def send(self, records: Sequence[Outgoing], headers: Headers | None = None) -> list[Ack]:
        """Appends records and waits; returns where exactly these went, in order."""
        if not records:
            return []
        self._close()
        first = self.appended
        self.extend(records, headers)
        self._close()
        return await self._wait(first)

    def mark(self, acknowledged: Callable[[], object]) -> None:
        """Calls back when what has been appended is acknowledged: at once if it is, never if it fails."""
        if self.acked < self.appended:
            self._marks.append(_Mark(self.appended, acknowledged))
        else:
            acknowledged()

    @property
    def pending_bytes(self) -> int:
        """Size of what is appended and not acknowledged."""
        size: int = self._open.size() if self._open.record_count() else 0
        for batch in self._full:
            size += batch.size()
        return size + (self._sending.size() if self._sending is not None else 0)

    def stop(self) -> None:
        """Gives up what is not acknowledged."""
        if self._task is not None:
            self._task.cancel()

    def _close(self) -> None:
        if self._open.record_count():
            self._full.append(self._open)
            self._open = self._writer.new_batch()

    async def _wait(self, first: int) -> list[Ack]:
        self.push()
        acks: list[Ack] = []
        if self.acked < self.appended and self._error is None:
            done = asyncio.get_running_loop().create_future()
            self._waiting.append(_Waiting(first, self.appended, acks, done))
            await done
        if self._error is not None:
            raise self._error
        return acks

    async def _send(self) -> None:
        try:
            while self._full or self._open.record_count():
                if not self._full:
                    # Whatever came in while the last batch was on its way goes as one: batches grow
                    # with the load and stay small without it.
                    self._close()
                self._sending = batch = self._full.popleft()
                result = await self._writer.send(batch, self.topic, self.partition)
                self._sending = None
                at = result.timestamp if result.timestamp_type else int(time.time() * 1000)
                self.written = Written(at, time.monotonic())
                self._acknowledged(Ack(result.offset, batch.record_count()))
            self._task = None
        except asyncio.CancelledError:
            self._fail(RuntimeError(f"{self.topic}[{self.partition}]: stopped with records unacknowledged"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the lane and is reported
            self._fail(error)
            self._writer.on_error(error)

    def _acknowledged(self, ack: Ack) -> None:
        for waiting in self._waiting:
            if waiting.first <= self.acked < waiting.end:
                waiting.acks.append(ack)
        self.acked += ack.records
        self._writer.acknowledged()
        while self._waiting and self._waiting[0].end <= self.acked:
            _resolve(self._waiting.popleft().done)
        while self._marks and self._marks[0].end <= self.acked:
            self._marks.popleft().acknowledged()

    def _fail(self, error: BaseException) -> None:
        self._error = error
        while self._waiting:
            _resolve(self._waiting.popleft().done)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():  # whoever waited may have been cancelled
        future.set_result(None)


def _registry_name(topic: str) -> str:
    """A topic's name without the deployment's prefix: its last three parts, as in lead.log.v1."""
    return ".".join(topic.split(".")[-3:])


class BatchWriter:
    """A producer and its lanes. ``on_error`` gets the first error of each lane."""

    def __init__(
        self,
        access: KafkaAccess,
        *,
        on_error: Callable[[BaseException], object],
        client_id: str = "scorer",
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self.on_error = on_error
        self._batch_bytes = batch_bytes
        self._access = access
        self._client_id = client_id
        self._producer: Any = None
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._acknowledgement = asyncio.Event()
        self._waits: dict[str, Histogram] = {}

    async def start(self) -> None:
        self._producer = AIOKafkaProducer(
            **self._access.aiokafka(),
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Closes the connection. Flush what matters first: what is not acknowledged is given up."""
        for lane in self._lanes.values():
            lane.stop()
        if self._producer is not None:
            await self._producer.stop()

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has. Waits for a topic that does not exist yet."""
        return len(await self._ready().partitions_for(topic))

    def lane(self, topic: str, partition: int) -> Lane:
        """The one lane of that partition. ``topic`` is the full name, prefix included."""
        key = (topic, partition)
        if key not in self._lanes:
            self._lanes[key] = Lane(self, topic, partition)
        return self._lanes[key]

    async def flush(self) -> None:
        """Returns when everything appended to any lane before this call is acknowledged."""
        await asyncio.gather(*(lane.flush() for lane in self._lanes.values()))

    @property
    def pending_bytes(self) -> int:
        return sum(lane.pending_bytes for lane in self._lanes.values())

    async def room(self, limit: int) -> None:
        """Returns when no more than ``limit`` bytes are appended and not acknowledged: back-pressure."""
        while self.pending_bytes > limit:
            self._acknowledgement.clear()
            await self._acknowledgement.wait()

    def acknowledged(self) -> None:
        """A lane has made progress, or has ended."""
        self._acknowledgement.set()

    def new_batch(self) -> Batch:
        return Batch(self._batch_bytes, NO_COMPRESSION)

    async def send(self, batch: Batch, topic: str, partition: int) -> RecordMetadata:
        """Sends one batch and waits for its acknowledgement; the result is about its first record."""
        began = time.monotonic()
        acknowledgement = await self._ready().send_batch(batch, topic, partition=partition)
        result: RecordMetadata = await acknowledgement
        waits = self._waits.get(topic)
        if waits is None:
            waits = self._waits[topic] = metrics.WORKER_APPEND_SECONDS.labels(_registry_name(topic))
        waits.observe(time.monotonic() - began)
        return result

    def _ready(self) -> Any:
        if self._producer is None:
            raise RuntimeError("the writer has not been started")
        return self._producer
