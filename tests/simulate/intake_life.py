"""An intake worker's process: the real owner, with a transport of its own in the place of Faust's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from scorer.wire.registry import DEAD_LETTERS, LOG
from scorer.worker.chunks import Chunk
from scorer.worker.door_book import DoorBook
from scorer.worker.door_clock import DoorClock, broker_time
from scorer.worker.intake_agent import IntakeOwner
from tests.simulate.broker import Writer
from tests.simulate.life import Life
from tests.simulate.score_life import DEAD_LETTER_PARTITIONS

if TYPE_CHECKING:
    from tests.simulate.world import World

LOG_PARTITIONS = 2
SLOW_ANSWERS = 0.05
"""Share of the answers about the doors' ends that come late: the slowest of several brokers is waited for."""


class App:
    """What the owner asks of Faust's app."""

    def __init__(self, life: IntakeLife) -> None:
        self._life = life
        self.settings = SimpleNamespace(
            bootstrap="", topic_prefix="", broker_profile="kafka", session_timeout=4.0
        )
        self.fetching = SimpleNamespace(group="intake")
        self.fatal = life.fatal

    @property
    def consumer_generation_id(self) -> int:
        return self._life.known

    async def committed(self, tps: Iterable[TP]) -> dict[TP, OffsetAndMetadata]:
        await self._life.gate("asks for", "commits")
        commits = self._life.world.doors.commits
        return {tp: commits[tp] for tp in tps if tp in commits}

    async def commit_offsets(self, offsets: Mapping[TP, OffsetAndMetadata]) -> None:
        life = self._life
        await life.gate("before", "door commit")
        if not life.group.counts(life.name, life.known):
            raise CommitFailedError
        life.world.doors.commits.update(offsets)
        await life.gate("after", "door commit")

    async def look(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        await self._life.gate("looks at", "positions")
        return {tp: self._life.looked[tp] for tp in tps if tp in self._life.looked}


class Ends:
    """In the place of ``DoorEnds``."""

    def __init__(self, life: IntakeLife) -> None:
        self._life = life

    async def start(self, topics: Iterable[str]) -> None:
        pass

    async def starts(self, tps: Iterable[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, 0)

    async def ends(self, tps: Iterable[TP]) -> dict[TP, int]:
        await self._life.gate("asks for", "ends")
        ends = {tp: self._life.world.doors.high_watermark(tp) for tp in tps}
        if self._life.rng.random() < SLOW_ANSWERS:
            await asyncio.sleep(self._life.rng.uniform(0.0, 3.0))
        await self._life.gate("hears of", "ends")
        return ends


class Books:
    """The doors' numbers are known from the start."""

    def __init__(self, numbers: Mapping[TP, int]) -> None:
        self._book = DoorBook({(tp.topic, tp.partition): number for tp, number in numbers.items()}, {})

    async def read(self) -> DoorBook:
        return self._book

    async def recreated(self, book: DoorBook) -> list[str]:
        return []


class IntakeLife(Life):
    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name, world.intake_group)
        rng = self.rng
        app: Any = App(self)
        self.owner = IntakeOwner(
            app,
            world.intake,
            Books(world.doors.numbers),
            [tp.topic for tp in world.doors.numbers],
            max_dead_bytes=1 << 20,
            interval=rng.uniform(0.8, 2.5),
        )
        counts = {LOG: LOG_PARTITIONS, DEAD_LETTERS: DEAD_LETTER_PARTITIONS}
        ends: Any = Ends(self)
        self.owner._writer = Writer(self, world.cluster, rng.choice((1_000, 1_000, 4, 1)), counts)
        self.owner._ends = ends
        self.owner.sleep = asyncio.sleep  # mode's waits for a stop as well, with a task of its own
        self.owner._clock = DoorClock(ends.ends, app.look, broker_time)
        self.interval = rng.uniform(0.4, 4.0)
        self.positions: dict[TP, int] = {}
        self.looked: dict[TP, tuple[int, int]] = {}
        self.positioned = False

    async def live(self) -> None:
        await self.owner.on_start()
        self.spawn(self.heartbeats)
        self.spawn(self._checkpoints)
        self.spawn(self._reading)
        self.spawn(partial(IntakeOwner._keep_time.fun, self.owner))
        while True:
            tps = await self.join()
            generation = self.known
            await self.owner.assigned(set(tps))
            if generation == self.known:
                positions = self.owner.start_positions(sorted(tps))
                self.positions, self.positioned = dict(positions), True
                self.looked = {tp: (position, position) for tp, position in positions.items()}
            await self.rejoin.wait()
            await self.awake()
            self.positions, self.looked = {}, {}
            if self.positioned:
                self.positioned = False
                await self.owner.checkpoint(final=True)
            if self.leaving:
                self.group.leave(self.name)
                self.world.left(self)
                return

    async def _checkpoints(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(0.5, 1.5) * self.interval)
            await self.awake()
            if self.positioned:
                await self.owner.checkpoint()

    async def _reading(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(0.1, 1.5))
            await self.awake()
            for tp in list(self.positions):
                self._feed(tp)
            await self.owner.drained()

    def _feed(self, tp: TP) -> None:
        start = self.positions[tp]
        records, end = self.world.doors.read(tp, start, self.rng.randrange(1, 80))
        self.looked[tp] = (self.looked[tp][0], end)
        if not records:
            return
        # A fetch ends at its last record; markers behind it move the position, and nothing is handed out.
        self.positions[tp] = handed = records[-1].offset + 1
        self.looked[tp] = (handed, end)
        self.owner.apply(Chunk(tp, start, handed, records, 1))
