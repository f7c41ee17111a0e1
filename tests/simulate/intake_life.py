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

from scorer.settings import Settings
from scorer.wire.door_book import DoorBook
from scorer.wire.registry import DEAD_LETTERS, LOG
from scorer.worker.chunks import Chunk
from scorer.worker.door_clock import DoorClock, broker_time
from scorer.worker.intake_agent import IntakeOwner
from tests.simulate.broker import Writer
from tests.simulate.life import Life
from tests.simulate.score_life import DEAD_LETTER_PARTITIONS, LOG_PARTITIONS

if TYPE_CHECKING:
    from tests.simulate.world import World

SLOW_ANSWERS = 0.05
"""Share of the answers about the doors' ends that come late: the slowest of several brokers is waited for."""


class App:
    """What the owner asks of Faust's app."""

    def __init__(self, life: IntakeLife) -> None:
        self._life = life
        self.settings = Settings(session_timeout=4.0)
        self.fetching = SimpleNamespace(group="intake")
        self.fatal = life.fatal

    @property
    def consumer_generation_id(self) -> int:
        return self._life.known

    async def committed(self, tps: Iterable[TP]) -> dict[TP, OffsetAndMetadata]:
        await self._life.gate("asks for", "commits")
        commits = self._life.world.doors.commits
        return {tp: commits[tp] for tp in tps if tp in commits}

    async def commit_offsets(self, offsets: Mapping[TP, OffsetAndMetadata], _: object) -> None:
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
        self.looked: dict[TP, tuple[int, int]] = {}

    async def start(self) -> None:
        await self.owner.on_start()

    def started(self) -> None:
        self.spawn(partial(IntakeOwner._keep_time.fun, self.owner))

    async def take_over(self, given: tuple[Any, ...]) -> None:
        generation = self.known
        await self.owner.assigned(set(given))
        if generation == self.known:
            positions = self.owner.start_positions(sorted(given))
            self.positions, self.positioned = dict(positions), True
            self.looked = {tp: (position, position) for tp, position in positions.items()}

    def give_up(self) -> None:
        super().give_up()
        self.looked = {}

    def feed(self, tp: TP) -> None:
        start = self.positions[tp]
        records, end = self.world.doors.read(tp, start, self.rng.randrange(1, 80))
        self.looked[tp] = (self.looked[tp][0], end)
        if not records:
            return
        # A fetch ends at its last record; markers behind it move the position, and nothing is handed out.
        self.positions[tp] = handed = records[-1].offset + 1
        self.looked[tp] = (handed, end)
        self.owner.apply(Chunk(tp, start, handed, records, 1))
