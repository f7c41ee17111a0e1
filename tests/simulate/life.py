"""One life of a simulated process: its tasks, its effects, and its end at any of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NoReturn

from aiokafka.errors import CommitFailedError

from scorer.errors import CannotContinue
from tests.simulate.broker import SendFailedError
from tests.simulate.group import Group
from tests.simulate.loop import LIFE, VirtualLoop
from tests.worker.fake_kafka import Crash

if TYPE_CHECKING:
    from tests.simulate.world import World

BEAT = 1.2
"""Seconds between heartbeats, and between ticks of the membership."""
EXPECTED = ("another writer", "given to another", "given our door partitions away", "came instead of")
"""Why a worker may end by itself, in its words: what is planned brings it about."""


class Countdown:
    """Goes off once, so many calls after it was set."""

    def __init__(self) -> None:
        self.left: int | None = None
        self._what = ""

    def set(self, calls: int, what: str = "") -> None:
        """``what``: only calls with something whose name begins so count."""
        self.left = calls
        self._what = what

    def take(self, what: str) -> bool:
        """Counts a call; True for the one at which it goes off."""
        if self.left is None or not what.startswith(self._what):
            return False
        self.left -= 1
        if self.left >= 0:
            return False
        self.left = None
        return True


class Life:
    """A member of a consumer group that reads partitions and makes durable what it has read.

    Subclasses set ``owner``, which is fed, and ``interval``, and say how partitions are taken over and read.
    """

    owner: Any
    """Has ``checkpoint(final=...)`` and ``drained()``, as a ``ChunkOwner`` does."""
    interval: float
    """Seconds between checkpoints, about."""

    def __init__(self, world: World, name: str, group: Group[Any]) -> None:
        self.world = world
        self.name = name
        self.loop: VirtualLoop = world.loop
        self.rng: random.Random = world.rng
        self.group = group
        self.known = -1
        """The generation that we think we are in."""
        self.born = self.rng.uniform(0.0, 1e6)
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.dead = False
        self.ended = False
        """By itself; otherwise it was killed."""
        self.fuse = Countdown()
        self.freezer = Countdown()
        self.frozen_for = 0.0
        self.refusals = Countdown()
        self.lost_answers = Countdown()
        self.slow_until = 0.0
        self.slow_at = ""
        """Of which calls that is true: with something whose name begins so."""
        self.positions: dict[Any, int] = {}
        """Partition -> where to read on."""
        self.positioned = False
        """Between the owner's positions and its final checkpoint."""
        self.leaving = False
        self.rejoin = asyncio.Event()
        self._thawed: asyncio.Event | None = None
        self._pace = self.rng.choice((0.0, 0.1, 0.4))

    # -- effects ----------------------------------------------------------------------------------

    async def gate(self, when: str, what: str) -> None:
        """Around every effect: dies here, freezes here, or takes its time."""
        await self.awake()
        self.world.trace.append((self.loop.time(), self.name, when, what))
        if self.fuse.take(what):
            self.world.kill(self, f"{when} {what}")
            raise Crash(self.name)
        if self.freezer.take(what):
            self._freeze(f"{when} {what}")
        await self.awake()
        if self.loop.time() < self.slow_until and what.startswith(self.slow_at):
            await asyncio.sleep(self.rng.uniform(0.0, 0.8))
        elif self.rng.random() < self._pace:
            await asyncio.sleep(self.rng.uniform(0.0, 0.04))

    async def call(self, name: str) -> None:
        """The gate of ``FakeKafka``."""
        when, _, what = name.partition(" ")
        await self.gate(when, what)

    async def awake(self) -> None:
        """Before doing anything of one's own accord: a frozen process does nothing, nor does a dead one."""
        if self._thawed is not None:
            await self._thawed.wait()
        if self.dead:
            raise Crash(self.name)

    def _freeze(self, where: str) -> None:
        self._thawed = asyncio.Event()
        self.world.froze(self, where)
        self.loop.call_later(self.frozen_for, self.thaw)

    def thaw(self) -> None:
        if self._thawed is not None:
            self.world.note(self.name, "thaws")
            thawed, self._thawed = self._thawed, None
            thawed.set()

    @property
    def frozen(self) -> bool:
        return self._thawed is not None

    def slow_down(self, seconds: float, what: str = "") -> None:
        self.slow_until = self.loop.time() + seconds
        self.slow_at = what
        self.world.count["spells of slow calls"] += 1

    def spare(self) -> None:
        """Nothing of what was planned happens to it any more."""
        for planned in (self.fuse, self.freezer, self.refusals, self.lost_answers):
            planned.left = None
        self.slow_until = 0.0
        self.thaw()

    def wrote_changelog(self) -> None:
        """For those who count zombies."""

    # -- its end ----------------------------------------------------------------------------------

    def fatal(self, error: BaseException) -> NoReturn:
        """The process ends by itself, as ``supervise.fatal`` does it."""
        if not self.dead:
            self.ended = True
            expected = isinstance(error, SendFailedError | CommitFailedError) or (
                isinstance(error, CannotContinue | RuntimeError)
                and any(word in str(error) for word in EXPECTED)
            )
            self.world.died(self, error, expected=expected)
        raise Crash(self.name)

    def bury(self) -> None:
        """Nothing of it runs any more."""
        self.dead = True
        self.thaw()
        for task in list(self.tasks):
            task.cancel()

    # -- its life ---------------------------------------------------------------------------------

    def begin(self) -> None:
        context = copy_context()
        context.run(LIFE.set, self)
        self.loop.create_task(self._guarded(self.live), context=context)

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A task of the process; what it raises ends the process."""
        self.loop.create_task(self._guarded(work))

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Crash:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the process ends with it
            with suppress(Crash):
                self.fatal(error)

    async def live(self) -> None:
        await self.start()
        self.spawn(self.heartbeats)
        self.spawn(self._checkpoints)
        self.spawn(self._reading)
        self.started()
        while True:
            await self.take_over(await self.join())
            await self.rejoin.wait()
            await self.awake()
            self.give_up()
            if self.positioned:
                self.positioned = False
                await self.owner.checkpoint(final=True)
            if self.leaving:
                await self.close()
                self.group.leave(self.name)
                self.world.left(self)
                return

    async def start(self) -> None:
        """Before it joins the group."""

    def started(self) -> None:
        """Spawns what it does besides."""

    async def take_over(self, given: tuple[Any, ...]) -> None:
        """Makes the partitions its own; sets ``positions`` and ``positioned`` when it has."""
        raise NotImplementedError

    def give_up(self) -> None:
        """They are being revoked."""
        self.positions = {}

    def feed(self, partition: Any) -> None:
        """Hands the owner what comes next in a partition, if anything does."""
        raise NotImplementedError

    async def close(self) -> None:
        """After the final checkpoint, when it leaves for good."""

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
            for partition in list(self.positions):
                self.feed(partition)
            await self.owner.drained()

    async def heartbeats(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            await self.awake()
            self.tick()
            answer = self.group.beat(self.name)
            if answer == "out":
                self.known = -1
            if answer != "fine":
                self.rejoin.set()

    def tick(self) -> None:
        """With every heartbeat."""

    async def join(self) -> tuple[Any, ...]:
        """The partitions that the group gives us."""
        await self.gate("joins", "the group")
        self.known, numbers = await self.group.join(self.name)
        await self.awake()
        self.rejoin.clear()
        return numbers
