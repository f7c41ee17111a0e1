"""What the transport replaces and uses inside Faust and aiokafka has to be there.

An upgrade that moves one of these must fail here, not lose records.
"""

from __future__ import annotations

import inspect
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher, group_coordinator
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import ConsumerRecord, RecordMetadata
from faust.app.base import BootStrategy
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver

from scorer.worker import chunk_consumer, consumer_thread, transport

REPLACED = [
    (chunk_consumer.ChunkConsumer, driver.Consumer, "_new_consumer_thread"),
    (chunk_consumer.ChunkConsumer, driver.Consumer, "getmany"),
    (chunk_consumer.ChunkConsumer, driver.Consumer, "perform_seek"),
    (chunk_consumer.ChunkConsumer, driver.Consumer, "on_partitions_revoked"),
    (chunk_consumer.ChunkConsumer, driver.Consumer, "commit"),
    (chunk_consumer.ChunkConsumer, driver.Consumer, "wait_empty"),
    (chunk_consumer.ChunkConsumer, driver.Consumer, "verify_event_path"),
    (consumer_thread.ChunkConsumerThread, driver.AIOKafkaConsumerThread, "_create_worker_consumer"),
    (transport.OwnerFirst, BootStrategy, "kafka_producer"),
    (transport.ChunkedApp, faust.App, "_create_directories"),
]


@pytest.mark.parametrize(("ours", "theirs", "name"), REPLACED)
def test_what_is_replaced_still_has_its_shape(ours: Any, theirs: Any, name: str) -> None:
    original, replacement = getattr(theirs, name), getattr(ours, name)
    assert replacement is not original
    assert list(inspect.signature(replacement).parameters) == list(inspect.signature(original).parameters)
    assert inspect.iscoroutinefunction(replacement) == inspect.iscoroutinefunction(original)


def test_faust_calls_what_is_replaced() -> None:
    calls = {
        "perform_seek": Recovery._resume_streams,
        "on_rebalance_complete.send": Recovery._resume_streams,
        "getmany": driver.Consumer._drain_messages,
        "wait_empty": faust.App._consumer_wait_empty,
        "self.commit": driver.Consumer._commit_handler.fun,
        "_create_worker_consumer": driver.AIOKafkaConsumerThread._create_consumer,
        "kafka_producer": BootStrategy.server,
    }
    for name, caller in calls.items():
        assert name in inspect.getsource(caller), name


def test_aiokafka_has_what_is_used() -> None:
    assert inspect.iscoroutinefunction(group_coordinator.GroupCoordinator.fetch_committed_offsets)
    assert isinstance(fetcher.Fetcher.error_future, property)
    for name in ("getmany", "position", "commit", "beginning_offsets", "end_offsets"):
        assert inspect.iscoroutinefunction(getattr(AIOKafkaConsumer, name)), name
    assert "_coordinator" in inspect.getsource(AIOKafkaConsumer)
    assert "self._client.set_topics(" in inspect.getsource(AIOKafkaConsumer)
    assert {"offset", "timestamp", "timestamp_type"} <= set(RecordMetadata._fields)
    fields = set(ConsumerRecord.__dataclass_fields__)
    assert {"offset", "timestamp", "timestamp_type", "key", "value"} <= fields
    for name in ("append", "size", "record_count"):
        assert callable(getattr(BatchBuilder, name)), name


def test_handing_out_records_and_reading_positions_is_one_step() -> None:
    """``ChunkConsumerThread.fetch`` relies on it: no await between the records and the position."""
    for method in (fetcher.FetchResult.getall, fetcher.FetchResult._update_position):
        assert not inspect.iscoroutinefunction(method)
    source = inspect.getsource(fetcher.Fetcher.fetched_records)
    assert source.index("getall(max_records)") < source.index("return drained\n")
    first, last = source.index("getall(max_records)"), source.index("if drained or not timeout")
    assert "await" not in source[first:last]
