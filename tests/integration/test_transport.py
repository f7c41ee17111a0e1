"""The chunked transport on a real Kafka: answers that get lost on their way are read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.types import TP
from mode import Service

from scorer.broker import Broker, Writer
from scorer.settings import Settings
from scorer.wire.registry import LOG
from scorer.worker.supervise import supervise
from scorer.worker.transport import Chunk, ChunkedApp, Fetching
from tests.integration.score_running import make_topics
from tests.kafka_fixtures import RunningKafka

PARTITIONS = 2


class Reader(Service):
    """Remembers which offsets came, from offset 0 on."""

    abstract = False

    def __init__(self) -> None:
        super().__init__()
        self.read: dict[int, list[int]] = {number: [] for number in range(PARTITIONS)}
        self.ready = asyncio.Event()

    async def assigned(self, assignment: set[TP]) -> None:
        pass

    def start_positions(self, assignment: Iterable[TP]) -> Mapping[TP, int]:
        self.ready.set()
        return {tp: len(self.read[tp.partition]) for tp in assignment}

    def apply(self, chunk: Chunk) -> None:
        self.read[chunk.tp.partition] += [record.offset for record in chunk.records]

    async def drained(self) -> None:
        pass

    async def checkpoint(self, *, final: bool = False) -> bool:
        return False


@asynccontextmanager
async def reading(settings: Settings, reader: Reader, at_most: int = 2_000) -> AsyncIterator[ChunkedApp]:
    failures: list[BaseException] = []

    def failed(error: BaseException) -> NoReturn:
        failures.append(error)
        raise error

    group = settings.topic_prefix + "g"
    fetching = Fetching(group=group, accept_holes=False, max_chunk_records=at_most)
    app = ChunkedApp(settings, fetching, on_fatal=failed)
    app.own(reader)
    app.consume("reader", [settings.topic_prefix + LOG])
    stop = asyncio.Event()
    running = asyncio.create_task(supervise([app], stop))
    try:
        async with asyncio.timeout(60):
            await reader.ready.wait()
        yield app
    finally:
        stop.set()
        await running
    assert not failures


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


def append(writer: Writer, count: int = 1) -> None:
    for number in range(PARTITIONS):
        for _ in range(count):
            writer.append(LOG, number, b"key", b"value")
    writer.flush()


async def everything_read(broker: Broker, reader: Reader) -> None:
    """Returns when it is; each offset once and in order."""
    ends = {number: span.end for number, span in broker.ranges(LOG).items()}
    async with asyncio.timeout(20):
        while {number: len(read) for number, read in reader.read.items()} != ends:  # noqa: ASYNC110 - the reader is plain code
            await asyncio.sleep(0.01)
    assert reader.read == {number: list(range(end)) for number, end in ends.items()}


async def test_a_fetch_under_way_across_a_rebalance_loses_nothing(settings: Settings) -> None:
    """The fetch began under one assignment and brings its records under the next: nobody wants them."""
    broker = make_topics(settings, PARTITIONS)
    reader = Reader()
    with broker.writer() as writer:
        async with reading(settings, reader) as app:
            for _ in range(8):
                await everything_read(broker, reader)
                await asyncio.sleep(0.1)  # a fetch is under way and waits for records
                await app.consumer.perform_seek()
                await asyncio.to_thread(append, writer)
            await everything_read(broker, reader)


async def test_read_again_from_an_earlier_offset_in_other_chunks(settings: Settings) -> None:
    """As after a fault of the engine: the records come again, cut otherwise, and none is taken for old."""
    broker = make_topics(settings, PARTITIONS)
    reader = Reader()
    with broker.writer() as writer:
        append(writer, 30)
    async with reading(settings, reader, at_most=7) as app:
        await everything_read(broker, reader)
        reader.read = {number: list(range(3)) for number in range(PARTITIONS)}
        await app.read_from({TP(settings.topic_prefix + LOG, number): 3 for number in range(PARTITIONS)})
        await everything_read(broker, reader)


async def test_a_partition_that_is_assigned_again_and_not_yet_sought(settings: Settings) -> None:
    """Between aiokafka's assignment and our seek nothing is read, and nothing is wrong."""
    broker = make_topics(settings, PARTITIONS)
    reader = Reader()
    with broker.writer() as writer:
        append(writer)
        async with reading(settings, reader) as app:
            await everything_read(broker, reader)
            thread = app.consumer._thread
            partitions = await thread.call(_without_positions(thread._ensure_consumer()))
            positions = reader.start_positions(TP(*partition) for partition in partitions)
            assert (await thread.call(thread.fetch(positions, 3.0, 10)))[1] == []
            await app.consumer.perform_seek()
            append(writer)
            await everything_read(broker, reader)


async def _without_positions(consumer: AIOKafkaConsumer) -> frozenset[TopicPartition]:
    """What it reads, of which it knows as little now as of partitions that a rebalance has just brought."""
    partitions = consumer.assignment()
    for partition in partitions:
        consumer._subscription.subscription.assignment.state_value(partition).await_reset(None)
    return partitions
