"""Lanes over a producer that answers when it is told to."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from scorer.kafka_access import KafkaAccess
from scorer.worker.batches import Ack, Batch, BatchWriter, Lane


class Result(NamedTuple):
    offset: int
    timestamp: int = 1_234
    timestamp_type: int = 1


class Producer:
    """Keeps what it is sent; a batch is acknowledged by ``answer``."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, BatchBuilder]] = []
        self.waiting: list[asyncio.Future[Result]] = []
        self.end: dict[int, int] = {}

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[Result]:
        self.sent.append((topic, partition, batch))
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    async def answer(self, error: Exception | None = None) -> None:
        """Answers the oldest batch that waits, and lets the lanes get on."""
        index = len(self.sent) - len(self.waiting)
        _, partition, batch = self.sent[index]
        future = self.waiting.pop(0)
        if error is not None:
            future.set_exception(error)
        else:
            base = self.end.get(partition, 0)
            self.end[partition] = base + batch.record_count()
            future.set_result(Result(base))
        for _ in range(5):
            await asyncio.sleep(0)

    def values(self) -> list[list[bytes]]:
        return [[value for _, value, _ in records(batch)] for _, _, batch in self.sent]


def records(batch: BatchBuilder) -> list[tuple[Any, Any, Any]]:
    found = MemoryRecords(bytes(batch._build())).next_batch()
    return [(record.key, record.value, list(record.headers)) for record in found]


def writer(batch_bytes: int = 1 << 20) -> tuple[BatchWriter, Producer, list[BaseException]]:
    errors: list[BaseException] = []
    made = BatchWriter(KafkaAccess(bootstrap="nowhere"), on_error=errors.append, batch_bytes=batch_bytes)
    made._producer = producer = Producer()
    return made, producer, errors


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("batch_bytes", [100, 300, 1 << 20])
def test_many_records_at_once_are_the_same_batches(batch_bytes: int) -> None:
    many: list[tuple[bytes | None, bytes | None]] = [
        (b"k%d" % number if number % 3 else None, b"v" * (7 * number % 150)) for number in range(100)
    ]
    headers = [("h", b"1")]
    builders = [BatchBuilder(batch_bytes, 0)]
    for key, value in many:
        if builders[-1].append(timestamp=None, key=key, value=value, headers=headers) is None:
            builders.append(BatchBuilder(batch_bytes, 0))
            builders[-1].append(timestamp=None, key=key, value=value, headers=headers)
    added, batches = 0, [Batch(batch_bytes, 0)]
    while (added := batches[-1].extend(many, added, headers)) < len(many):
        batches.append(Batch(batch_bytes, 0))
    assert [batch.record_count() for batch in batches] == [batch.record_count() for batch in builders]
    assert [records(batch) for batch in batches] == [records(batch) for batch in builders]


async def test_what_comes_in_while_a_batch_is_under_way_goes_as_one_after_it() -> None:
    made, producer, _ = writer()
    lane = made.lane("log", 3)
    for value in (b"a", b"b", b"c", b"d"):
        lane.append(b"k", value)
        lane.push()
        await settled()
    assert producer.values() == [[b"a"]]
    await producer.answer()
    assert producer.values() == [[b"a"], [b"b", b"c", b"d"]]
    assert (lane.appended, lane.acked) == (4, 1)
    await producer.answer()
    assert lane.acked == 4
    assert [(topic, partition) for topic, partition, _ in producer.sent] == [("log", 3), ("log", 3)]


async def test_flush_waits_for_what_was_appended_before_it() -> None:
    made, producer, _ = writer()
    lane = made.lane("log", 0)
    await lane.flush()
    lane.append(None, b"a")
    flushing = asyncio.create_task(lane.flush())
    await settled()
    lane.append(None, b"later")
    lane.push()
    assert not flushing.done()
    await producer.answer()
    await asyncio.wait_for(flushing, 5)
    assert lane.acked == 1


async def test_send_says_where_exactly_these_records_went() -> None:
    made, producer, _ = writer(batch_bytes=200)
    lane = made.lane("log", 0)
    lane.append(b"k", b"before")
    three = [(b"k", b"x" * 80)] * 3
    sending = asyncio.create_task(lane.send(three, [("h", b"1")]))
    await settled()
    lane.append(b"k", b"after")
    for _ in range(4):
        await producer.answer()
    assert await asyncio.wait_for(sending, 5) == [Ack(1, 1), Ack(2, 1), Ack(3, 1)]
    assert records(producer.sent[1][2])[0][2] == [("h", b"1")]
    assert await lane.send([]) == []


async def test_a_record_larger_than_a_batch_travels_alone_and_in_order() -> None:
    made, producer, _ = writer(batch_bytes=200)
    lane = made.lane("log", 0)
    lane.append(b"k", b"a")
    lane.extend([(b"k", b"B" * 1000), (b"k", b"c")])
    lane.push()
    for _ in range(3):
        await settled()
        await producer.answer()
    assert producer.values() == [[b"a"], [b"B" * 1000], [b"c"]]
    assert lane.acked == 3


async def test_nothing_is_sent_after_a_record_that_failed() -> None:
    made, producer, errors = writer(batch_bytes=100)
    lane, other = made.lane("log", 0), made.lane("log", 1)
    lane.extend([(b"k", b"x" * 80), (b"k", b"y" * 80)])
    other.append(b"k", b"z")
    flushing = asyncio.create_task(lane.flush())
    await settled()
    refused = RuntimeError("refused")
    await producer.answer(refused)
    with pytest.raises(RuntimeError, match="refused"):
        await flushing
    lane.append(b"k", b"more")
    lane.push()
    await settled()
    assert len(producer.sent) == 1
    with pytest.raises(RuntimeError, match="refused"):
        await lane.flush()
    assert errors == [refused]
    other.push()  # other partitions are not concerned
    await settled()
    assert len(producer.sent) == 2


async def test_pending_bytes_hold_back_until_acknowledged() -> None:
    made, producer, _ = writer()
    lane = made.lane("log", 0)
    assert made.pending_bytes == 0
    await made.room(0)
    lane.append(b"k", b"x" * 1000)
    lane.push()
    assert 1000 < made.pending_bytes < 1200
    waiting = asyncio.create_task(made.room(500))
    await settled()
    assert not waiting.done()
    await producer.answer()
    await asyncio.wait_for(waiting, 5)
    assert made.pending_bytes == 0


async def test_the_brokers_time_comes_with_the_acknowledgement() -> None:
    made, producer, _ = writer()
    lane = made.lane("log", 0)
    assert lane.written is None
    lane.append(b"k", b"v")
    lane.push()
    await settled()
    await producer.answer()
    assert lane.written is not None
    assert lane.written.at == 1_234


async def test_stopping_gives_up_what_is_not_acknowledged() -> None:
    made, _, errors = writer()
    lane: Lane = made.lane("log", 0)
    lane.append(b"k", b"v")
    flushing = asyncio.create_task(lane.flush())
    await settled()
    lane.stop()
    with pytest.raises(RuntimeError, match="unacknowledged"):
        await asyncio.wait_for(flushing, 5)
    assert errors == []
