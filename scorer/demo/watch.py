"""Reads what comes out of the road, and the lead log, and puts it on the board. A consumer like any other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from scorer.broker import no_group
from scorer.demo.board import Board, News
from scorer.domain.record import Clock, Fact, decode_record
from scorer.errors import UserError
from scorer.kafka_access import KafkaAccess
from scorer.wire import registry

TIMEOUT = 10.0  # seconds
AT_ONCE = 1_000


class Watcher:
    """From the beginning of its topics on. ``told`` is called with each outcome."""

    def __init__(self, access: KafkaAccess, prefix: str, board: Board, told: Callable[[News], None]) -> None:
        self._board = board
        self._told = told
        self.clock_seen = False
        """Whether intake has been heard of: it appends the clock."""
        self._consumer = Consumer(
            access.librdkafka()
            | {
                "group.id": "scorer-demo-display",  # needed to make one; partitions are assigned by hand
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )
        self._takers: dict[str, Callable[[Any, int], None]] = {
            prefix + registry.LOG: self._log,
            prefix + registry.SCORE: self._score,
            prefix + registry.QUALIFIED: self._outcome,
            prefix + registry.DISQUALIFIED: self._outcome,
        }
        self._consumer.assign([place for topic in self._takers for place in self._partitions(topic)])

    def poll(self, seconds: float) -> None:
        """Takes in what arrives within that time."""
        messages = self._consumer.consume(AT_ONCE, timeout=seconds)
        now = int(time.time() * 1000)
        for message in messages:
            error = message.error()
            if error is None:
                self._takers[message.topic()](message, now)
            elif no_group(message):
                continue
            elif error.fatal() or not error.retriable():
                _complain(error)

    def close(self) -> None:
        self._consumer.close()

    def _partitions(self, topic: str) -> list[TopicPartition]:
        try:
            partitions = self._consumer.list_topics(topic, timeout=TIMEOUT).topics[topic].partitions
        except KafkaException as error:
            raise UserError(f"{topic} cannot be read: {error}", exit_code=1) from error
        return [TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions]

    def _log(self, message: Any, _: int) -> None:
        key = message.key()
        if key is None and self.clock_seen:
            return  # a clock again: there are more of them than of anything else
        try:
            record = decode_record(message.value() or b"")
        except msgspec.MsgspecError:
            return  # the worker sees to it
        if isinstance(record, Fact) and key is not None:
            self._board.fact(key.decode(), record)
        self.clock_seen = self.clock_seen or isinstance(record, Clock)

    def _score(self, message: Any, now: int) -> None:
        if message.value() is not None:
            self._board.score(json.loads(message.value()), now)
        elif message.key() is not None:
            self._board.gone(message.key().decode())

    def _outcome(self, message: Any, now: int) -> None:
        self._told(self._board.outcome(json.loads(message.value()), now))


def _complain(error: KafkaError) -> None:
    raise UserError(f"reading the results: {error.str()}", exit_code=1)
