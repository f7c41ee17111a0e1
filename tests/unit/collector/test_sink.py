"""The sink: acknowledged means acknowledged, and an outage costs neither time nor memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Message

from scorer.collector.sink import RECORD_BYTES, BusyError, Sink
from scorer.wire.partitioner import partition_of
from tests.unit.collector.asking import FakeProducer


@pytest.fixture
async def producer() -> FakeProducer:
    return FakeProducer()


def sink_on(producer: Any, buffer_bytes: int = 10_000, deadline: float = 0.1) -> Sink:
    sink = Sink(producer, "log", buffer_bytes=buffer_bytes, deadline=deadline)
    sink.start()
    sink.partitions = 8
    return sink


async def test_records_go_to_their_leads_partitions(producer: FakeProducer) -> None:
    sink = sink_on(producer)
    leads = [f"lead-{n}".encode() for n in range(20)]
    assert await sink.append([(lead, b"v") for lead in leads])
    assert producer.records == [("log", b"v", lead, partition_of(lead, 8)) for lead in leads]
    assert (sink.pending_bytes, sink.pending_records, sink.acknowledged) == (0, 0, 20)


async def test_one_record_that_fails_makes_the_whole_call_unknown(producer: FakeProducer) -> None:
    sink = sink_on(producer)
    producer.silent = True
    done = sink.append([(b"a", b"1"), (b"b", b"2")])
    first, second = producer._waiting
    first(None, None)
    assert not done.done()
    second("lost", None)
    assert not await done
    assert (sink.pending_bytes, sink.pending_records) == (0, 0)


async def test_a_full_buffer_is_said_at_once_and_takes_nothing(producer: FakeProducer) -> None:
    sink = sink_on(producer, 5 * (RECORD_BYTES + 2), deadline=10)
    producer.silent = True
    for _ in range(5):
        sink.append([(b"a", b"1")])
    assert sink.problem() == "the buffer is full"
    with pytest.raises(BusyError):
        sink.append([(b"a", b"1")])
    assert len(producer.records) == 5
    producer.silent = False
    await asyncio.sleep(0.05)
    assert await sink.append([(b"a", b"1")])


async def test_late_acknowledgements_free_the_buffer_and_tell_nobody(producer: FakeProducer) -> None:
    sink = sink_on(producer)
    producer.silent = True
    assert not await sink.append([(b"a", b"1")])
    assert sink.pending_records == 1
    with pytest.raises(BusyError):
        sink.append([(b"a", b"1")])
    producer.silent = False
    await asyncio.sleep(0.05)
    assert (sink.pending_records, sink.acknowledged) == (0, 1)
    assert await sink.append([(b"a", b"1")])


async def test_a_pause_in_sending_is_no_outage(producer: FakeProducer) -> None:
    sink = sink_on(producer)
    assert await sink.append([(b"a", b"1")])
    await asyncio.sleep(0.2)
    assert sink.problem() is None
    assert await sink.append([(b"a", b"1")])


async def test_a_producer_that_takes_only_some(producer: FakeProducer) -> None:
    sink = sink_on(producer)
    produce, left = producer.produce, [2]

    def some(*args: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise BufferError
        produce(*args)

    producer.produce = some  # type: ignore[method-assign]
    assert not await sink.append([(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"d", b"4")])
    assert (sink.pending_bytes, sink.pending_records) == (0, 0)


async def test_stopping_waits_for_what_is_under_way(producer: FakeProducer) -> None:
    sink = sink_on(producer, deadline=10)
    producer.silent = True
    done = sink.append([(b"a", b"1")])
    stopping = asyncio.create_task(sink.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    producer.silent = False
    await stopping
    assert await done


async def test_stopping_gives_up_in_the_end(producer: FakeProducer) -> None:
    sink = sink_on(producer, deadline=10)
    producer.silent = True
    done = sink.append([(b"a", b"1")])
    await sink.stop(0.05)
    assert not await done


async def test_after_a_failure_for_good_nothing_is_taken(producer: FakeProducer) -> None:
    sink = sink_on(producer)
    sink.fail("fenced")
    with pytest.raises(BusyError):
        sink.append([(b"a", b"1")])


# -- Kafka refuses --------------------------------------------------------------------------------------


async def test_what_kafka_forbids_ends_it_with_the_topic_s_name(producer: FakeProducer) -> None:
    sink = sink_on(producer)
    producer.silent = True
    done = sink.append([(b"a", b"1")])
    (delivered,) = producer._waiting
    delivered(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), Message(topic="log"))
    assert not await done
    assert sink.failure is not None
    assert "does not allow Write on topic log" in sink.failure
    with pytest.raises(BusyError):
        sink.append([(b"a", b"1")])


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_fatal_error_comes_out_of_the_poll_and_ends_it(
    producer: FakeProducer, monkeypatch: pytest.MonkeyPatch, *, wrapped: bool
) -> None:
    sink = sink_on(producer)

    def poll(_: float) -> int:
        fatal = KafkaException(KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "no producer id"))
        if wrapped:
            raise SystemError("returned a result with an exception set") from fatal
        raise fatal

    monkeypatch.setattr(producer, "poll", poll)
    sink.look()
    assert sink.problem() == "the producer has failed for good: no producer id"


async def test_without_a_producer_nothing_is_taken_yet(producer: FakeProducer) -> None:
    sink = sink_on(None)
    sink.look()
    with pytest.raises(BusyError):
        sink.append([(b"a", b"1")])
    sink.producer = producer
    assert await sink.append([(b"a", b"1")])
