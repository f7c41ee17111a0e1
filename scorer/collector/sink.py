"""Where facts go: the lead log, and word of it only when all in-sync replicas have them.

    sink = Sink(producer, "lead.log.v1", buffer_bytes=64 << 20)
    sink.start()                           # on the event loop that uses it
    sink.partitions = 8                    # from now on it takes records
    if await sink.append(records): ...     # True: every one of them is in Kafka
    await sink.stop()                      # what was taken is in Kafka, or was answered with False

What every caller may rely on:
  - True means acknowledged with acks=all, each record of the call.
  - False comes after ``deadline`` seconds at the latest, and means only that nothing is known: records may
    be in Kafka or still get there. Whoever sends them again repeats (source, id), which counts once.
  - ``append`` raises ``BusyError`` at once, having taken nothing, where the buffer is full or Kafka has
    acknowledged nothing for longer than the deadline. So an outage costs a caller no time, and no memory.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException

from scorer import logs
from scorer.kafka_errors import FORBIDDEN, fatal_in
from scorer.wire.partitioner import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorer.kafka_access import KafkaAccess
    from scorer.wire.intake import Accepted
    from scorer.wire.tracing import Trace

log = logging.getLogger(__name__)

DEADLINE: Final = 0.8
"""Seconds until whoever waits is told that nothing is known."""
POLL: Final = 0.003
"""Seconds between two looks at what was acknowledged, while anything is under way."""
EXPIRES: Final = 5.0
"""Seconds until a record is given up: how soon an outage's memory is free again."""
LINGER_MS: Final = 10
"""How long librdkafka waits for more records for a batch of one partition. Each batch is a request to
the broker: at thousands of single requests a second that is half of what they cost, in the broker too."""
SAMPLES: Final = 1_000
RECORD_BYTES: Final = 128
"""What a record takes in memory besides its key and value, about."""


class BusyError(Exception):
    """Nothing was taken: come back in a second."""


class Delivery(Protocol):
    def __call__(self, error: Any, message: Any, /) -> object: ...


class Producer(Protocol):
    """librdkafka's; callbacks run inside of ``poll`` and ``flush``."""

    def produce(
        self, topic: str, value: bytes, key: bytes, partition: int, on_delivery: Delivery, /
    ) -> None: ...

    def poll(self, timeout: float, /) -> int: ...
    def flush(self, timeout: float, /) -> int: ...


def producer_config(access: KafkaAccess) -> dict[str, Any]:
    return access.librdkafka() | {
        "client.id": "scorer-collector",
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": LINGER_MS,
        "message.timeout.ms": int(EXPIRES * 1000),
        "batch.num.messages": 10_000,
        "compression.type": "none",
        # Ours is the bound that counts; these are only not to be in its way.
        "queue.buffering.max.messages": 2_000_000,
        "queue.buffering.max.kbytes": 1_048_576,
        # More than the registry gives any topic.
        "message.max.bytes": 8 * 1024 * 1024,
        # An outage is over when the broker answers, not when a long pause between two tries is.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,
        "retry.backoff.ms": 50,
        "retry.backoff.max.ms": 500,
        # What it says is said as we say things; errors are the least of it.
        "logger": logs.librdkafka(),
        "log_level": 3,
    }


class _Ticket:
    """The records of one call."""

    __slots__ = ("_count", "_good", "_left", "_sink", "began", "done", "size")

    def __init__(self, sink: Sink, done: asyncio.Future[bool], count: int, size: int, began: float) -> None:
        self.done = done
        self.size = size
        self.began = began
        self._sink = sink
        self._count = count
        self._left = count
        self._good = True

    def delivered(self, error: Any, record: Any) -> None:
        """Librdkafka's word of one of the records."""
        self._left -= 1
        if error is not None:
            self._good = False
            self._sink.undelivered(error, record)
        if not self._left:
            self._sink.settled(self, self._count, good=self._good)

    def not_taken(self, error: Exception, count: int) -> None:
        """The last so many of them, by librdkafka."""
        kind = type(error).__name__
        log.warning("a record was not taken: %s", kind, extra={"reason": kind})
        for _ in range(count):
            self.delivered(error, None)

    def answer(self, good: bool) -> None:  # noqa: FBT001 - what set_result takes
        if not self.done.done():  # whoever waited may have left, or have been told that nothing is known
            self.done.set_result(good)


class Sink:
    """Use it on the event loop's thread only."""

    def __init__(
        self,
        producer: Producer | None,
        topic: str,
        *,
        buffer_bytes: int,
        deadline: float = DEADLINE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``producer``: None where it comes later. ``topic``: the lead log's full name.

        ``buffer_bytes``: taken and not acknowledged, at most.
        """
        self.buffer_bytes = buffer_bytes
        self.pending_bytes = 0
        self.pending_records = 0
        self.acknowledged = 0
        """Records, so far."""
        self.failed = 0
        """Records that librdkafka gave up, so far."""
        self.partitions = 0
        """Of the topic. Nothing is taken before it is set."""
        self.waited: list[float] = []
        """Seconds that some calls have waited for their acknowledgement: a sample, for whoever empties it."""
        self.failure: str | None = None
        """Why nothing will be taken any more."""
        self._topic = topic
        self._deadline = deadline
        self._clock = clock
        self.producer = producer
        self._tickets: deque[_Ticket] = deque()
        self._progress = clock()
        self._begun = 0.0
        self._sample = True
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def stop(self, patience: float = EXPIRES) -> None:
        """Returns when nothing is under way, after ``patience`` seconds at the latest."""
        until = self._clock() + patience
        while self.pending_records and self._clock() < until:  # noqa: ASYNC110 - nobody is in a hurry
            await asyncio.sleep(POLL)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._expire(float("inf"))

    def fail(self, error: str) -> None:
        """Takes nothing any more: the producer is of no use."""
        self.failure = error

    def undelivered(self, error: Any, record: Any) -> None:
        """A record was given up. What is forbidden stays so: another start says what is missing."""
        if isinstance(error, KafkaError) and error.code() in FORBIDDEN and self.failure is None:
            self.fail(f"Kafka does not allow Write on topic {record.topic()} any more: {error.str()}")

    def problem(self) -> str | None:
        """Why nothing more is taken right now; None: it is."""
        if self.failure is not None:
            return self.failure
        if self.producer is None or not self.partitions:
            return "the lead log is not known yet"
        if self.pending_bytes >= self.buffer_bytes:
            return "the buffer is full"
        if self.pending_records and self._clock() - max(self._progress, self._begun) > self._deadline:
            return "Kafka acknowledges nothing"
        return None

    def append(
        self,
        records: Sequence[Accepted],
        trace: Trace | None = None,
        after: Sequence[asyncio.Future[bool]] = (),
    ) -> asyncio.Future[bool]:
        """Takes all of the records, at least one; see above for what is answered when.

        ``trace``: headers for each of them. ``after``: word of what has to be in Kafka before they are sent.
        Where one of them says False they are not, and the answer is False. Waiting counts as being under way.
        Raises ``BusyError``.
        """
        size = 0
        for key, value in records:
            size += len(key) + len(value) + RECORD_BYTES
        ticket = self._ticket(len(records), size)
        if after:
            asyncio.gather(*after).add_done_callback(partial(self._follow, ticket, records, trace))
        else:
            self._send(ticket, records, trace)
        return ticket.done

    def put(self, topic: str, records: Sequence[tuple[int, bytes, bytes]]) -> asyncio.Future[bool]:
        """As ``append``, to another topic: (partition, key, value) of at least one record."""
        ticket = self._ticket(
            len(records), sum(len(key) + len(value) + RECORD_BYTES for _, key, value in records)
        )
        produce, delivered = self._produce(), ticket.delivered
        for number, (partition, key, value) in enumerate(records):
            try:
                produce(topic, value, key, partition, delivered)
            except Exception as error:  # noqa: BLE001 - as in _send
                ticket.not_taken(error, len(records) - number)
                break
        return ticket.done

    def _ticket(self, count: int, size: int) -> _Ticket:
        if self.problem() is not None:
            raise BusyError
        now = self._clock()
        done: asyncio.Future[bool] = self._loop.create_future()
        ticket = _Ticket(self, done, count, size, now)
        if not self.pending_records:
            self._begun = now  # what stood still before had nothing to do
        self.pending_bytes += size
        self.pending_records += count
        self._tickets.append(ticket)
        if self._timer is None:
            self._timer = self._loop.call_later(POLL, self._look)
        return ticket

    def _follow(
        self,
        ticket: _Ticket,
        records: Sequence[Accepted],
        trace: Trace | None,
        heard: asyncio.Future[list[bool]],
    ) -> None:
        """Of what comes first there is word."""
        if all(heard.result()):
            self._send(ticket, records, trace)
        else:
            self.settled(ticket, len(records), good=False)

    def _produce(self) -> Callable[..., None]:
        assert self.producer is not None  # noqa: S101 - ``problem`` has seen to it
        return self.producer.produce

    def _send(self, ticket: _Ticket, records: Sequence[Accepted], trace: Trace | None) -> None:
        produce = self._produce()
        topic, partitions, delivered = self._topic, self.partitions, ticket.delivered
        if trace is not None:
            produce = partial(produce, headers=trace)
        for number, (key, value) in enumerate(records):
            try:
                produce(topic, value, key, partition_of(key, partitions), delivered)
            except Exception as error:  # noqa: BLE001 - a full queue, or a producer that is no more
                ticket.not_taken(error, len(records) - number)
                break

    def settled(self, ticket: _Ticket, count: int, *, good: bool) -> None:
        """All that there is to know of a ticket's records."""
        self.pending_bytes -= ticket.size
        self.pending_records -= count
        if good:
            self.acknowledged += count
            self._progress = now = self._clock()
            if self._sample:
                self._sample = False
                self.waited.append(now - ticket.began)
        else:
            self.failed += count
        ticket.answer(good)

    def look(self) -> None:
        """Hears what the producer has to say while nothing is under way, too: to be called now and then."""
        if self._timer is None:
            self._hear()

    def _hear(self) -> None:
        if self.producer is None:
            return
        try:
            self.producer.poll(0)
        except (KafkaException, SystemError) as error:
            fault = fatal_in(error)
            why = "it does not say why" if fault is None else fault.args[0].str()
            self.fail(f"the producer has failed for good: {why}")

    def _look(self) -> None:
        self._hear()
        now = self._clock()
        self._expire(now)
        self._sample = len(self.waited) < SAMPLES
        self._timer = self._loop.call_later(POLL, self._look) if self.pending_records else None

    def _expire(self, now: float) -> None:
        """Whoever has waited for too long is told that nothing is known."""
        tickets, oldest = self._tickets, now - self._deadline
        while tickets:
            ticket = tickets[0]
            if not ticket.done.done():
                if ticket.began > oldest:
                    return
                ticket.answer(good=False)
            tickets.popleft()
