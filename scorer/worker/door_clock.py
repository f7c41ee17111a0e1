"""Writes the doors' time into the lead log (invariant 7 in the design).

Once a second every partition of the lead log gets a clock record: for each door partition read here,
the time through which it has been read *and* everything read is acknowledged. That is the append time
of the last acknowledged record or, when there is nothing left to read, the time at which that was asked.

How "nothing left" is found out, and why it is exactly right:
  1. Note the time T, then ask the door's leader for its end offset, E (ListOffsets, read uncommitted:
     the high watermark). A leader answers only while it is the leader, so no lagging follower and no
     former leader can name a smaller E; and the question goes out after T, so a record appended before
     T and visible to any reader has an offset below E.
  2. If everything below E is acknowledged, the door has been read through T. Nothing else needs to hold:
     with read committed, records of open transactions lie between the last stable offset and E, can't be
     read, and so keep the position below E. An idle door and an empty one (E = 0) satisfy it at once; a
     door that is not being fetched, or is behind, never does.
  3. A door may end in transaction markers and aborted records, which are never handed out. Then the
     position is below E with nothing left to read; the consumer's own position, which passes them, is
     asked. It is compared with what was handed out on the consumer's thread, where both belong together.
  The consumer's fetches carry the same numbers, but only inside aiokafka; here all calls are public.
  What is left: a record is stamped with its append time some moments before anybody can see it (the broker
  writes it, its followers fetch it), so one stamped just before T may lie beyond E. Therefore the door
  counts as read through T less UNSEEN_MS; slower brokers have the grace of the timers (2 s) besides.

T is taken from the brokers' clock, not from ours: the log is message.timestamp.type=LogAppendTime, so
each acknowledgement says when it was written; T is that plus the time passed since by the monotonic
clock, which is never later than the broker's own time. Append times and T then come from clocks of the
same kind, and a worker with a wrong clock disturbs nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from scorer import metrics
from scorer.domain import clock
from scorer.domain.record import Clock, encode_record
from scorer.errors import CannotContinue
from scorer.wire.door_book import new_life

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from scorer.kafka_access import KafkaAccess
    from scorer.worker.batches import Lane
    from scorer.worker.door_position import DoorPosition

    Ends = Callable[[Iterable[TP]], Awaitable[Mapping[TP, int]]]
    Now = Callable[[Sequence[Lane]], int | None]
    Look = Callable[[Iterable[TP]], Awaitable[Mapping[TP, tuple[int, int]]]]

log = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds between clock records
UNSEEN_MS = 500
"""How long a record may take from its append time until readers see it. A busy single broker took 16 ms."""
ASK_TIMEOUT = 5.0  # seconds; without an answer the clock goes by acknowledged records alone


class DoorEnds:
    """Asks brokers where door partitions begin and end, beside the consumer and its isolation level.

    Transient errors are tried again for 40 s; then ``KafkaError`` is raised.
    """

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self, topics: Iterable[str]) -> None:
        self._consumer = AIOKafkaConsumer(
            **self._access.aiokafka(),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_uncommitted",
        )
        await self._consumer.start()
        # All at once. Left to itself it learns of one topic per failed question.
        await self._consumer._client.set_topics(topics)  # noqa: SLF001

    async def stop(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()

    async def starts(self, tps: Iterable[TP]) -> dict[TP, int]:
        """First offsets kept."""
        return _by_tp(await self._started().beginning_offsets([TopicPartition(*tp) for tp in tps]))

    async def ends(self, tps: Iterable[TP]) -> dict[TP, int]:
        """High watermarks."""
        return _by_tp(await self._started().end_offsets([TopicPartition(*tp) for tp in tps]))

    def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("start() comes first")
        return self._consumer


def _by_tp(offsets: Mapping[TopicPartition, int]) -> dict[TP, int]:
    return {TP(*partition): offset for partition, offset in offsets.items()}


class DoorClock:
    """Knows what the last clock records said; ``tick`` writes the next ones."""

    def __init__(self, ends: Ends, look: Look, now: Now) -> None:
        """``ends``: where door partitions end. ``look``: what was handed out, and the consumer's position.

        ``now``: ``broker_time``, or ``our_time`` for a broker that has none.
        """
        self._ends = ends
        self._look = look
        self._now = now
        self._told: dict[int, int] = {}  # door number -> ms

    async def tick(self, doors: Sequence[DoorPosition], lanes: Sequence[Lane], *, hold: bool = False) -> None:
        """Appends one clock record to each lane (those of all partitions of the log).

        ``hold``: there are doors that nobody can wait for yet, so time must not go on; tell nothing.
        Raises ``CannotContinue`` when a door ends before the offset it has been read to.
        """
        asked = self._now(lanes)
        for door in doors:
            door.settle()
        caught_up = await self._caught_up(doors) if asked is not None else []
        times: dict[int, int] = {}
        for door in doors:
            at = door.acked_at
            if asked is not None and door in caught_up:
                through = asked - UNSEEN_MS
                at = through if at is None else max(at, through)
            told = self._told.get(door.number)
            if at is not None and not hold and (told is None or at > told):
                self._told[door.number] = times[door.number] = at
                metrics.INTAKE_READ_THROUGH.labels(door.door, door.tp.partition).set(at / 1000)
        # Appended even when it says nothing: its acknowledgement tells the brokers' time.
        record = encode_record(Clock(clock.pack(times)))
        for lane in lanes:
            lane.append(None, record)
            lane.push()

    async def _caught_up(self, doors: Sequence[DoorPosition]) -> set[DoorPosition]:
        safe = {door.tp: door.acked for door in doors}  # as we ask; more is read until the answer is here
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                ends = await self._ends([door.tp for door in doors])
        except (KafkaError, TimeoutError) as error:
            log.warning("where the doors end is not known: %r", error)
            return set()
        for door in doors:
            if ends[door.tp] < safe[door.tp]:
                raise CannotContinue(
                    f"{door.tp.topic}[{door.tp.partition}] ends at offset {ends[door.tp]}, but has been read"
                    f" to {safe[door.tp]}: the topic was deleted and created again, or brokers lost records",
                    new_life([door.door]),
                )
            door.settle()
        behind = [door for door in doors if door.settled and door.acked < ends[door.tp]]
        if behind:
            looked = await self._look([door.tp for door in behind])
            for door in behind:
                if door.tp in looked:
                    door.pass_by(*looked[door.tp])
        for door in doors:
            metrics.INTAKE_BACKLOG.labels(door.door, door.tp.partition).set(
                max(0, ends[door.tp] - door.acked)
            )
        return {door for door in doors if door.acked >= ends[door.tp]}


def our_time(lanes: Sequence[Lane]) -> int:  # noqa: ARG001 - takes what broker_time takes
    """Our own clock, ms."""
    return int(time.time() * 1000)


def broker_time(lanes: Sequence[Lane]) -> int | None:
    """A time (ms) that all brokers of the log have reached by their own clocks; None before they answered."""
    now = time.monotonic()
    times = []
    for lane in lanes:
        if lane.written is None:
            return None
        at, received = lane.written
        times.append(at + int((now - received) * 1000))
    return min(times, default=None)
