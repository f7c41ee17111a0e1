"""The embedded broker, and the demonstration's reader upon it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from scorer.demo.board import Board, News
from scorer.demo.embedded import EmbeddedBroker
from scorer.demo.watch import Watcher
from scorer.domain.record import Clock, Fact, encode_record
from scorer.kafka_access import KafkaAccess
from scorer.wire import registry

NOW = 1_795_000_000_000


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create(registry.Registry.load().topics)
        yield broker


def test_it_serves_while_it_is_open_and_not_after() -> None:
    with EmbeddedBroker() as broker:
        host, port = broker.bootstrap.split(":")
        broker.create(["some.topic"])
        Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0}).list_topics(timeout=5)
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


def test_topics_exist_with_four_partitions(broker: EmbeddedBroker) -> None:
    client = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    topics = client.list_topics(timeout=5).topics
    for name in registry.Registry.load().topics:
        assert len(topics[name].partitions) == 4


def test_the_reader_puts_everything_on_the_board(
    broker: EmbeddedBroker, score_event: Any, outcome_event: Any
) -> None:
    told: list[News] = []
    board = Board(str.upper)
    watcher = Watcher(KafkaAccess(bootstrap=broker.bootstrap), "", board, told.append)
    watcher.poll(0.05)
    assert not watcher.clock_seen
    fact = Fact("booking.created", NOW, NOW, 1, 0, bytes(8), "i", "/s", {"kind": "call"})
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    producer.produce(registry.LOG, encode_record(fact), b"ada", partition=1)
    producer.produce(registry.LOG, encode_record(Clock(b"")), partition=2)
    producer.produce(registry.LOG, b"no record", b"x", partition=2)
    producer.produce(registry.SCORE, json.dumps(score_event("ada", 22.0)), b"ada", partition=1)
    producer.produce(registry.QUALIFIED, json.dumps(outcome_event("ada", 22.0)), b"ada", partition=1)
    producer.produce(registry.SCORE, None, b"ben", partition=1)
    assert producer.flush(10) == 0
    deadline = time.monotonic() + 20
    while not (told and "ben" in board.rows and watcher.clock_seen and board.ranking()):
        watcher.poll(0.05)
        assert time.monotonic() < deadline
    watcher.close()
    row = board.ranking()[0]
    assert (row.name, row.total, row.did) == ("ADA", 22.0, "booked a call")
    assert told[0].name == "ADA"
    assert board.counters.log == 1
    assert not board.rows["ben"].scored, "it has become part of another"
