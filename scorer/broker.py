"""The little that commands ask of Kafka: read a range to its end, append and wait.

Blocking, on librdkafka. The worker has its own way of reading and writing; this is for commands that
run once and end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from scorer.errors import UserError
from scorer.kafka_errors import (
    ACLS_HINT,
    FORBIDDEN,
    Heard,
    ask_metadata,
    fatal_in,
    not_allowed,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from confluent_kafka import Message

    from scorer.kafka_access import KafkaAccess
    from scorer.settings import Settings

TIMEOUT = 20.0
"""Seconds without any answer after which a broker counts as gone."""
BATCH = 2_000
"""Records handed over by librdkafka at once."""
AHEAD_KB = 64 * 1024
"""What librdkafka fetches ahead of them, about; its own default."""


class Range(NamedTuple):
    """Offsets of a partition: the first one kept and the one after the last."""

    start: int
    end: int


class Stored(NamedTuple):
    """One record as Kafka keeps it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Broker:
    """One Kafka and one topic prefix. Topics are named as in the registry, without the prefix.

    Everything raises ``UserError`` where Kafka does not answer or a topic is missing.
    """

    def __init__(self, settings: Settings) -> None:
        self.access = settings.kafka
        self.prefix = settings.topic_prefix

    def name(self, topic: str) -> str:
        return self.prefix + topic

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; raises ``UserError`` if there is no such topic."""
        with _Reader(self.access) as reader:
            return reader.partitions(self.name(topic))

    def ranges(self, topic: str) -> dict[int, Range]:
        """Partition -> its offsets now."""
        with _Reader(self.access) as reader:
            count = reader.partitions(self.name(topic))
            return {number: reader.range(self.name(topic), number) for number in range(count)}

    def range(self, topic: str, partition: int) -> Range:
        """Of one partition, which must exist."""
        with _Reader(self.access) as reader:
            return reader.range(self.name(topic), partition)

    def read(self, topic: str, partition: int, wanted: Range, *, headers: bool = False) -> Iterator[Stored]:
        """The records of a range in order; fewer where compaction or transactions left holes."""
        for message in self.messages(topic, partition, wanted):
            pairs = (message.headers() or ()) if headers else ()
            yield Stored(message.offset(), message.key(), message.value(), dict(pairs))

    def whole(self, topic: str, partition: int) -> Iterator[Stored]:
        """``read`` of all that a partition holds now; raises ``UserError`` if there is no such topic."""
        name = self.name(topic)
        with _Reader(self.access) as reader:
            reader.partitions(name)
            wanted = reader.range(name, partition)
            if wanted.start < wanted.end:
                for message in reader.read(name, partition, wanted):
                    yield Stored(message.offset(), message.key(), message.value(), {})

    def messages(
        self, topic: str, partition: int, wanted: Range, *, batch: int = BATCH, ahead_kb: int = AHEAD_KB
    ) -> Iterator[Message]:
        """Like ``read``, as librdkafka has them. ``batch`` and ``ahead_kb`` bound what is in memory."""
        if wanted.start >= wanted.end:
            return
        with _Reader(self.access, batch, ahead_kb) as reader:
            yield from reader.read(self.name(topic), partition, wanted)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> what a consumer group has committed there; -1 where nothing. ``group``: unprefixed."""
        name = self.name(topic)
        with _Reader(self.access, group=self.prefix + group) as reader:
            return reader.committed(name, reader.partitions(name))

    def tail(self, topic: str, starts: Mapping[int, int]) -> Tail:
        """Follows a topic from these offsets on; to be closed."""
        return Tail(self, topic, starts)

    def writer(self, acknowledged: Callable[[Message], None] = lambda _: None) -> Writer:
        """``acknowledged`` is called with each record that Kafka has, in the order of its partition."""
        return Writer(self, acknowledged)


class _Reader:
    def __init__(
        self,
        access: KafkaAccess,
        batch: int = BATCH,
        ahead_kb: int = AHEAD_KB,
        group: str = "scorer-command",
    ) -> None:
        self._access = access
        self._heard = Heard()
        self._batch = batch
        self._group = group
        self._consumer = Consumer(
            access.librdkafka()
            | {
                "error_cb": self._heard,
                # Assigned by hand and never committed: the name shows up nowhere.
                "group.id": group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                # Retention that overtakes a reader must not look like the end.
                "auto.offset.reset": "error",
                "isolation.level": "read_uncommitted",
                "fetch.wait.max.ms": 50,
                "queued.max.messages.kbytes": ahead_kb,
                "log_level": 2,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._consumer.close()

    def partitions(self, topic: str) -> int:
        found = ask_metadata(self._consumer, self._access, self._heard, TIMEOUT, topic).topics[topic]
        if found.error is not None and found.error.code() in FORBIDDEN:
            raise not_allowed(self._access, "Describe", f"topic {topic}")
        if found.error is not None or not found.partitions:
            raise UserError(f"there is no topic {topic}", hint="`scorer topics apply` creates the topics")
        return len(found.partitions)

    def range(self, topic: str, partition: int) -> Range:
        try:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=TIMEOUT
            )
        except KafkaException as error:
            raise self._failed(error, f"topic {topic}") from error
        return Range(low, high)

    def committed(self, topic: str, count: int) -> dict[int, int]:
        asked = [TopicPartition(topic, number) for number in range(count)]
        try:
            found = self._consumer.committed(asked, timeout=TIMEOUT)
        except KafkaException as error:
            raise self._failed(error, f"group {self._group}") from error
        return {one.partition: max(one.offset, -1) for one in found}

    def _failed(self, error: KafkaException, resource: str) -> UserError:
        if error.args[0].code() in FORBIDDEN:
            return not_allowed(self._access, "Describe", resource)
        return unreachable(self._access, error, self._heard)

    def follow(self, topic: str, starts: Mapping[int, int]) -> None:
        self._consumer.assign([TopicPartition(topic, number, start) for number, start in starts.items()])

    def read(self, topic: str, partition: int, wanted: Range) -> Iterator[Message]:
        self._consumer.assign([TopicPartition(topic, partition, wanted.start)])
        where = f"{topic} partition {partition}"
        while True:
            for message in self.some(where):
                error = message.error()
                offset = message.offset()
                if error is not None:
                    if no_group(message):
                        continue
                    at_end = error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - its only name
                    if at_end and offset >= wanted.end:
                        return
                    if error.code() in FORBIDDEN:
                        raise not_allowed(self._access, "Read", f"topic {topic}")
                    detail = f"ends at {offset} instead of {wanted.end}" if at_end else error.str()
                    raise UserError(f"{where}: {detail}", exit_code=1)
                if offset >= wanted.end:
                    return
                yield message
                if offset == wanted.end - 1:
                    return

    def some(self, where: str) -> list[Message]:
        """At least one message, ends of partitions among them."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            # It waits until it has as many as it is asked for.
            messages: list[Message] = self._consumer.consume(1, timeout=0.1)
            if messages:
                messages += self._consumer.consume(self._batch, timeout=0)
            if any(not no_group(one) for one in messages):  # the first, nearly always
                return messages
        raise UserError(f"{where}: no answer for {TIMEOUT:.0f} s", exit_code=1)


def no_group(message: Message) -> bool:
    """Whether it is only word that we may not see a consumer group, which nobody here joins."""
    error = message.error()
    return error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED


class Tail:
    """Partitions of a topic, read from given offsets on, again and again up to where they end."""

    def __init__(self, broker: Broker, topic: str, starts: Mapping[int, int]) -> None:
        self._access = broker.access
        self._name = broker.name(topic)
        self._reader = _Reader(broker.access)
        self.positions = dict(starts)
        """Partition -> the next offset."""
        self._reader.follow(self._name, starts)

    def close(self) -> None:
        self._reader.close()

    def read(self) -> Iterator[Message]:
        """Everything up to where the partitions end now, and perhaps a little more."""
        positions = self.positions
        ends = {number: self._reader.range(self._name, number).end for number in positions}
        while any(positions[number] < end for number, end in ends.items()):
            for message in self._reader.some(self._name):
                number, error = message.partition(), message.error()
                if error is None:
                    positions[number] = message.offset() + 1
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                    positions[number] = max(positions[number], message.offset())
                elif no_group(message):
                    continue
                elif error.code() in FORBIDDEN:
                    raise not_allowed(self._access, "Read", f"topic {self._name}")
                else:
                    raise UserError(f"{self._name} partition {number}: {error.str()}", exit_code=1)


class Writer:
    """Appends in order, idempotently, to partitions named explicitly; acks=all.

    A record that could not be appended is never followed by a later one of its partition: readers
    take a higher coordinate as proof that they have seen the lower ones. The first failure is raised
    by the next call, as ``UserError``.
    """

    def __init__(self, broker: Broker, acknowledged: Callable[[Message], None] = lambda _: None) -> None:
        self._broker = broker
        self._acknowledged = acknowledged
        self._failure: tuple[KafkaError, str] | None = None
        self._topics: dict[str, str] = {}  # that were written to, in their order
        self._producer = Producer(
            broker.access.librdkafka()
            | {
                "error_cb": Heard(),
                "enable.idempotence": True,
                "enable.gapless.guarantee": True,
                "acks": "all",
                "linger.ms": 20,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 100_000,
                "compression.type": "none",
                # More than the registry gives any topic.
                "message.max.bytes": 8 * 1024 * 1024,
                "log_level": 2,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self.flush()
        else:
            self._producer.purge()

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Queues a record; waits while the queue is full."""
        options: dict[str, Any] = {"partition": partition, "on_delivery": self._delivered}
        if headers:
            options["headers"] = list(headers)
        name = self._broker.name(topic)
        self._topics[name] = name
        while True:
            self._check()
            try:
                self._producer.produce(name, value, key, **options)
            except BufferError:
                self._serve(self._producer.poll, 0.5)
            except KafkaException as error:
                raise unreachable(self._broker.access, error) from error
            else:
                self._serve(self._producer.poll, 0)
                return

    def flush(self) -> None:
        """Returns when everything queued is acknowledged."""
        while self._serve(self._producer.flush, 1.0):
            self._check()
        self._check()

    def _serve(self, call: Callable[[float], int], seconds: float) -> int:
        try:
            return call(seconds)
        except (KafkaException, SystemError) as error:
            fault = fatal_in(error)
            if fault is None:
                # The library loses the error where other callbacks follow it in the same call.
                self._check()
                raise UserError(
                    "not appended: the producer has failed for good",
                    hint=f"is writing to {', '.join(self._topics)} allowed? {ACLS_HINT}",
                    exit_code=1,
                ) from error
            # Under the guarantee of no gaps only the words tell that it is a permission. They name the topic,
            # but not where we may write to no topic at all.
            said = fault.args[0].str()
            if "authorization failed" in said:
                topic = next((name for name in self._topics if f" {name} " in said), next(iter(self._topics)))
                raise not_allowed(self._broker.access, "Write", f"topic {topic}") from error
            raise unreachable(self._broker.access, fault) from error

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._acknowledged(message)
        elif self._failure is None:
            self._failure = error, message.topic()

    def _check(self) -> None:
        if self._failure is not None:
            error, topic = self._failure
            if error.code() in FORBIDDEN:
                raise not_allowed(self._broker.access, "Write", f"topic {topic}")
            raise UserError(f"not appended: {error.str()}", hint="run the command again", exit_code=1)
