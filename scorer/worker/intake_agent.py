"""Intake: takes chunks from the doors, appends facts to the lead log, and commits what is safe there.

No state of its own: what it knows is how far each door partition has been read and acknowledged. A
record may be taken in twice (a crash between append and commit) and then carries the same coordinates,
by which the score side knows it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from aiokafka.errors import CommitFailedError, IllegalGenerationError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata
from mode import Service

from scorer import metrics
from scorer.errors import CannotContinue, UserError
from scorer.wire.dead_letters import TOPIC as DEAD_LETTERS
from scorer.wire.dead_letters import Rejected
from scorer.wire.door_book import complete_book, new_life
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LEAD_KEYS, LOG
from scorer.worker.batches import BatchWriter, Lane
from scorer.worker.door_clock import INTERVAL, DoorClock, DoorEnds, broker_time, our_time
from scorer.worker.door_position import DoorPosition, starting_offsets
from scorer.worker.intake_dead import IntakeDeadLetters
from scorer.worker.tracing import PlainDoors, TracedDoors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from faust.types import TP

    from scorer.wire.door_book import BookReader, DoorBook
    from scorer.wire.intake import Accepted, Intake
    from scorer.worker.intake_dead import Refused
    from scorer.worker.lead_keys import LeadKeys
    from scorer.worker.transport import Chunk, ChunkedApp

log = logging.getLogger(__name__)

PENDING_BYTES = 16 << 20
"""Appended and not acknowledged, at most (and a chunk): what a slow log may hold up in memory."""
EMBEDDED = "embedded"


@contextmanager
def _doors_unseen() -> Iterator[None]:
    """Without an answer from Kafka the doors are looked at another time."""
    try:
        yield
    except UserError as error:
        log.warning("the doors could not be looked at: %s", error.message, extra={"reason": error.message})


class IntakeOwner(Service):
    """The ``ChunkOwner`` of the intake app."""

    abstract = False
    mundane_level = "debug"  # "Starting..." is no news

    def __init__(
        self,
        app: ChunkedApp,
        intake: Intake,
        books: BookReader,
        topics: Sequence[str],
        *,
        max_dead_bytes: int,
        interval: float = INTERVAL,
        keys: LeadKeys | None = None,
        traced: bool = False,
    ) -> None:
        """``topics``: the doors' names in Kafka. ``interval``: seconds between clock records.

        ``max_dead_bytes``: the most that a dead letter's key and value may hold together. ``keys``: what
        ``intake`` seals with, if it does. ``traced``: doors' trace contexts go on to the log.
        """
        super().__init__()
        self.app = app
        self._problem: str | None = "starting"
        self._reading = TracedDoors(intake) if traced else PlainDoors(intake)
        self._books = books
        self._topics = topics
        self._max_dead_bytes = max_dead_bytes
        self._interval = interval
        self._keys = keys
        self._prefix = app.settings.topic_prefix
        self._embedded = app.settings.broker_profile == EMBEDDED
        self._writer = BatchWriter(app.settings.kafka, on_error=app.fatal, client_id=app.fetching.group)
        self._ends = DoorEnds(app.settings.kafka)
        now = our_time if self._embedded else broker_time
        self._clock = DoorClock(self._ends.ends, app.look, now)
        self._log: list[Lane] = []
        self._letters = IntakeDeadLetters([], 0)
        self._lanes: list[Lane] = []
        self._doors: dict[TP, DoorPosition] = {}
        self._unnumbered: set[TP] = set()
        self._book: DoorBook | None = None
        self._committing = asyncio.Lock()
        self._records = {name: metrics.INTAKE_RECORDS.labels(name) for name in map(self._door_name, topics)}
        self._newest: dict[str, int] = {}
        self.spent = {"intake": 0.0}
        """Seconds so far, by stage: see ``metrics.WORKER_LOOP_SECONDS``."""

    # -- life -------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Returns when doors and rules are complete: until then nothing may be appended."""
        await complete_book(self._books, self._wait_for)
        await asyncio.gather(self._writer.start(), self._ends.start(self._topics))
        if self._keys is not None:
            self._problem = "reading the leads' keys"
            await self._keys.start()
            self._keys.write_to(await self._lanes_of(LEAD_KEYS))
        self._log = await self._lanes_of(LOG)
        dead = await self._lanes_of(DEAD_LETTERS)
        self._letters = IntakeDeadLetters(dead, self._max_dead_bytes)
        self._lanes = [*self._log, *dead]
        self._problem = "waiting for an assignment"

    async def on_stop(self) -> None:
        if self._keys is not None:
            await self._keys.stop()
        await self._writer.stop()
        await self._ends.stop()

    def problems(self) -> list[str]:
        """Why intake is not ready; empty when it is."""
        if self._problem is not None:
            return [f"intake: {self._problem}"]
        return [
            f"intake: {tp.topic}[{tp.partition}] has no number: run `scorer topics apply`"
            for tp in sorted(self._unnumbered)
        ]

    async def _lanes_of(self, topic: str) -> list[Lane]:
        name = self._prefix + topic
        return [self._writer.lane(name, number) for number in range(await self._writer.partitions(name))]

    def _wait_for(self, problem: str) -> None:
        self._problem = problem
        log.warning("intake waits: %s", problem, extra={"reason": problem})

    # -- records ----------------------------------------------------------------------------------

    async def drained(self) -> None:
        if self._keys is not None:
            await self._keys.settled()
        await self._writer.room(PENDING_BYTES)

    def apply(self, chunk: Chunk) -> None:
        began = time.monotonic()
        self._take_in(chunk)
        self.spent["intake"] += time.monotonic() - began

    def _take_in(self, chunk: Chunk) -> None:
        door = self._doors[chunk.tp]
        records = chunk.records
        topic, number = door.door, door.number
        last = records[-1]
        if last.timestamp_type != 1 and not self._embedded:
            raise CannotContinue(
                f"{chunk.tp.topic} does not carry append times (message.timestamp.type=LogAppendTime)",
                "`scorer topics diff` shows what else differs, `scorer topics apply` mends it",
            )
        # An embedded broker has no append times; the record's own is held back to now instead.
        latest = int(time.time() * 1000) if self._embedded else sys.maxsize
        intake, letters = self._reading.reading(records), self._letters
        partitions = len(self._log)
        accepted: list[list[Accepted]] = [[] for _ in self._log]
        refused: list[Refused] = []
        for record in records:
            received = record.timestamp
            if received > latest:  # noqa: PLR1730 - min() is a call
                received = latest
            try:
                taken = intake(topic, record.value, received, number, record.offset)
            except Rejected as rejected:
                refused.append((record, *rejected.args))
            except Exception as error:  # noqa: BLE001 - one record must not stop a door
                refused.append(letters.fault(door, record, error))
            else:
                for one in taken:
                    accepted[partition_of(one[0], partitions)].append(one)
        at = min(last.timestamp, latest)
        if self._keys is None:
            self._append(door, chunk.end, at, accepted, refused)
        else:
            self._keys.then(partial(self._append, door, chunk.end, at, accepted, refused))
        self._records[topic].inc(len(records))
        if at > self._newest.get(topic, 0):
            self._newest[topic] = at

    def _append(
        self, door: DoorPosition, end: int, at: int, accepted: list[list[Accepted]], refused: list[Refused]
    ) -> None:
        """What came of a chunk up to offset ``end``, its last record of the time ``at`` (ms)."""
        give = self._reading.give
        for lane, made in zip(self._log, accepted, strict=True):
            give(lane, made)
        if refused:
            self._letters.send(door, refused)
        for lane in self._lanes:
            lane.push()
        door.applied(end, at, self._lanes)

    # -- assignment -------------------------------------------------------------------------------

    async def assigned(self, assignment: set[TP]) -> None:
        generation = self.app.consumer_generation_id

        def still() -> bool:
            return bool(self.app.consumer_generation_id == generation)

        book = await complete_book(self._books, self._wait_for, wanted=still)
        if book is None:
            return
        await self._refuse_recreated(book)
        numbered = {tp: number for tp in assignment if (number := self._number(book, tp)) is not None}
        positions = await self._begin(numbered)
        if still():
            self._book = book
            self._doors = positions
            self._unnumbered = assignment - numbered.keys()
            metrics.INTAKE_UNNUMBERED.set(len(self._unnumbered))
            doors: dict[str, list[int]] = {}
            for tp in sorted(positions):
                doors.setdefault(tp.topic, []).append(tp.partition)
            log.info("intake reads %d door partitions", len(positions), extra={"doors": doors})
            if self._unnumbered:
                names = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in sorted(self._unnumbered))
                text = "not read, and time stands still: %s; run `scorer topics apply`"
                log.warning(text, names, extra={"door_partitions": names})

    async def _refuse_recreated(self, book: DoorBook | None) -> None:
        """Offsets of a door that was created again mean other records: coordinates would repeat."""
        if book is not None and (changed := await self._books.recreated(book)):
            names = ", ".join(self._prefix + door for door in changed)
            raise CannotContinue(f"deleted, or deleted and created again: {names}", new_life(changed))

    def start_positions(self, assignment: Iterable[TP]) -> Mapping[TP, int]:
        self._problem = None
        return {tp: self._doors[tp].acked for tp in assignment if tp in self._doors}

    def _door_name(self, topic: str) -> str:
        return topic.removeprefix(self._prefix)

    def _number(self, book: DoorBook, tp: TP) -> int | None:
        return book.numbers.get((self._door_name(tp.topic), tp.partition))

    async def _begin(self, numbers: Mapping[TP, int]) -> dict[TP, DoorPosition]:
        starts = await starting_offsets(self.app, self._ends, numbers)
        return {
            tp: DoorPosition(tp, self._door_name(tp.topic), numbers[tp], start)
            for tp, start in starts.items()
        }

    # -- acknowledgements, commits, the clock -----------------------------------------------------

    async def checkpoint(self, *, final: bool = False) -> bool:
        async with self._committing:
            if final:
                if self._keys is not None:
                    await self._keys.settled()
                await self._writer.flush()
            offsets = {}
            for tp, door in self._doors.items():
                door.settle()
                if door.acked > door.committed:
                    offsets[tp] = OffsetAndMetadata(door.acked, str(door.number))
            doors = self._doors
            if final:
                self._doors = {}
            if offsets:
                await self._commit(offsets)
                for tp, commit in offsets.items():
                    doors[tp].committed = commit.offset
            return bool(offsets)

    async def _commit(self, offsets: Mapping[TP, OffsetAndMetadata]) -> None:
        try:
            await self.app.commit_offsets(offsets, self._look_at_doors)
        except (CommitFailedError, IllegalGenerationError, UnknownMemberIdError) as error:
            # A process that was frozen, say. Whoever has the doors now repeats what is not committed.
            raise CannotContinue(
                "the group has given our door partitions away: nothing was heard of this worker for longer"
                f" than the session timeout ({self.app.settings.session_timeout:g} s)"
            ) from error

    async def _look_at_doors(self) -> None:
        with _doors_unseen():
            await self._refuse_recreated(self._book)

    @Service.task
    async def _keep_time(self) -> None:
        due = time.monotonic()
        while not self.should_stop:
            due = max(due + self._interval, time.monotonic())
            await self.sleep(due - time.monotonic())
            try:
                await self._watch_doors()
                if self._doors:
                    # A partition that is not announced holds nobody's clock back, so we have to.
                    hold = bool(self._unnumbered)
                    await self._clock.tick(list(self._doors.values()), self._log, hold=hold)
                metrics.INTAKE_PENDING_BYTES.set(self._writer.pending_bytes)
                for topic, at in self._newest.items():
                    metrics.INTAKE_NEWEST.labels(topic).set(at / 1000)
            except Exception as error:  # noqa: BLE001
                self.app.fatal(error)

    async def _watch_doors(self) -> None:
        if not (self._doors or self._unnumbered):
            return
        with _doors_unseen():
            await self._refuse_recreated(self._book)
            if self._unnumbered:
                await self._look_for_numbers()

    async def _look_for_numbers(self) -> None:
        """Starts on partitions that have got their number since: without one, records have no coordinates."""
        unnumbered = self._unnumbered
        book = await self._books.read()
        found = {tp: number for tp in unnumbered if (number := self._number(book, tp)) is not None}
        positions = await self._begin(found)
        if not positions or self._unnumbered is not unnumbered:
            return  # or a new assignment has come in between
        self._book = book
        self._unnumbered = unnumbered - found.keys()
        metrics.INTAKE_UNNUMBERED.set(len(self._unnumbered))
        self._doors.update(positions)
        await self.app.read_from({tp: door.acked for tp, door in positions.items()})
