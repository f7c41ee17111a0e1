"""One seed: machines, doors, log and everything that happens to them, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from faust.types import TP

from scorer.domain.model import encode_model, fingerprint
from scorer.domain.record import ANNOUNCE, ANNOUNCE_ALL, Rules, encode_record
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.registry import LOG, Registry
from tests.simulate import faults
from tests.simulate.careful import CarefulPass
from tests.simulate.checks import Told, ViolationError, check_end, check_restored
from tests.simulate.doors import SimulatedDoors
from tests.simulate.group import Group
from tests.simulate.intake_life import IntakeLife
from tests.simulate.life import Life
from tests.simulate.loop import StuckError, VirtualLoop, virtual_time
from tests.simulate.score_life import LOG_PARTITIONS, ScoreLife
from tests.simulate.story import BEGAN, DOOR_TOPICS, MODEL, REPRICED, SECRET, tell
from tests.worker.fake_kafka import Cluster
from tests.worker.score_process import Disks

REGISTRY = Registry.load()
PATIENCE = 600.0
"""Virtual seconds after the last fault in which everything must have been read."""
TAIL = 14.5
"""Seconds of the doors' clock after the story: time alone has its say."""
LEAST_BY_TIME = 2
"""Outcomes by time alone in each seed."""
Step = tuple[float, str, str, str]
"""When (s), who, what."""


class Report(NamedTuple):
    """What a seed came to."""

    seed: int
    violation: ViolationError | None
    crashes: int
    counts: Counter[str]
    trace: list[Step]


class Machine:
    """A place where one process lives after the other."""

    def __init__(self, world: World, kind: str, number: int) -> None:
        self.world = world
        self.name = f"{kind}-{number}"
        self.disks = Disks()
        self.life: Life | None = None
        self.lives = 0
        self.stopped = False
        self._kind = kind
        self._doom: tuple[int, str] | None = None

    def doom(self, calls: int, what: str = "") -> None:
        """Its process, or the next one, dies so many effects from now; ``what``: of those on this topic."""
        if self.life is None:
            self._doom = (calls, what)
        else:
            self.life.fuse.set(calls, what)

    def doom_nobody(self) -> None:
        self._doom = None

    def start(self) -> None:
        if self.stopped:
            return
        self.lives += 1
        world, name = self.world, f"{self.name}.{self.lives}"
        self.life = ScoreLife(world, name, self.disks) if self._kind == "score" else IntakeLife(world, name)
        if self._doom is not None:
            self.life.fuse.set(*self._doom)
            self._doom = None
        world.note(name, "starts")
        self.life.begin()

    def end(self) -> None:
        """Its process is gone."""
        self.life = None
        delay = self.world.rng.uniform(0.1, 2.5)
        self.world.loop.call_later(delay, self.start)


class World:
    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        self.loop = loop
        self.rng = rng = random.Random(seed)
        self.trace: list[Step] = []
        self.count: Counter[str] = Counter()
        self.crashes = 0
        self.skew = 0
        self.leapt = 0
        """By how much the brokers' clock has jumped ahead in all, ms."""
        self.jumped = False
        self.calm = False
        self.cluster = Cluster(time=self.brokers_time)
        self.intake = Intake(Identity(SECRET), REGISTRY.max_log_bytes, REGISTRY)
        self.story = tell(rng)
        self.repriced = False
        self.doors = SimulatedDoors(self.cluster, rng, loop.time)
        self.score_group: Group[int] = Group(
            tuple(range(LOG_PARTITIONS)), rng, loop.time, self._noted("score group")
        )
        self.intake_group: Group[TP] = Group(
            tuple(self.doors.numbers), rng, loop.time, self._noted("intake group")
        )
        self.careful = [CarefulPass(self.cluster, number) for number in range(LOG_PARTITIONS)]
        self.told = Told(self)
        self.machines = [
            Machine(self, kind, number)
            for kind, count in (("score", 2), ("intake", rng.choice((1, 2))))
            for number in range(count)
        ]
        self.plan = faults.draw(rng, self.story.ends, len(self.machines))
        self.verdict: asyncio.Future[None] = loop.create_future()

    # -- what everybody may know ------------------------------------------------------------------

    def brokers_time(self) -> int:
        """By which the brokers stamp records, ms."""
        return BEGAN + int(self.loop.time() * 1000) + self.skew

    def note(self, who: str, what: str) -> None:
        self.trace.append((self.loop.time(), who, what, ""))

    def _noted(self, who: str) -> Callable[[str], None]:
        return lambda what: self.note(who, what)

    def owner_of(self, number: int) -> ScoreLife:
        """Raises ``StopIteration`` when nobody has the partition."""
        return next(
            machine.life
            for machine in self.machines
            if isinstance(machine.life, ScoreLife)
            and machine.life.positioned
            and number in machine.life.agent.partitions
        )

    # -- what happens to processes ----------------------------------------------------------------

    def kill(self, life: Life, where: str) -> None:
        self.crashes += 1
        self.count["kills"] += 1
        if life.frozen:
            self.count["kills of frozen processes"] += 1
        disks = "kept"
        if isinstance(life, ScoreLife):
            self.count["torn changelog sends"] += len(life.torn)
            disks = self._lose_disk(life.disks)
            if not life.positioned:
                self.count["kills while taking over"] += 1
        self.note(life.name, f"is killed {where}, disk {disks}")
        self._gone(life)

    def _lose_disk(self, disks: Disks) -> str:
        chance = self.rng.random()
        if chance < 0.2:
            disks.clear()
            self.count["disks wiped"] += 1
            return "wiped"
        if chance < 0.5:
            lost = self.rng.randrange(1, 5)
            disks.crash(lost)
            self.count["disks without their newest batches"] += 1
            return f"without its newest {lost} batches"
        disks.crash()
        return "kept"

    def died(self, life: Life, error: BaseException, *, expected: bool) -> None:
        self.note(life.name, f"ends: {error!r}")
        if not expected:
            self.fail(ViolationError("unexpected end", f"{life.name}: {error!r}"), error)
        self.count["ended: " + _label(error)] += 1
        if isinstance(life, ScoreLife):
            life.disks.crash()
        self._gone(life)

    def left(self, life: Life) -> None:
        self.count["clean stops"] += 1
        self.note(life.name, "has stopped")
        if isinstance(life, ScoreLife):
            life.disks.crash()
        self._gone(life)

    def _gone(self, life: Life) -> None:
        life.bury()
        for machine in self.machines:
            if machine.life is life:
                machine.end()

    def froze(self, life: Life, where: str) -> None:
        self.count["freezes"] += 1
        self.note(life.name, f"freezes for {life.frozen_for:.1f} s {where}")

    def restored(self, life: ScoreLife) -> None:
        """Called whenever a score process has taken its partitions over and has not gone on yet."""
        self.count["take-overs checked"] += 1
        try:
            check_restored(self, life)
        except ViolationError as violation:
            self.fail(violation, violation)

    def fail(self, violation: ViolationError, cause: BaseException) -> None:
        self.note("checks", str(violation))
        if not self.verdict.done():
            violation.__cause__ = None if cause is violation else cause
            self.verdict.set_exception(violation)

    # -- the course of things ---------------------------------------------------------------------

    async def run(self) -> None:
        """Raises ``ViolationError``."""
        main = self.loop.create_task(self._run())
        main.add_done_callback(self._done)
        await self.verdict
        main.cancel()

    def _done(self, main: asyncio.Task[None]) -> None:
        if self.verdict.done() or main.cancelled():
            return
        error = main.exception()
        if error is None:
            self.verdict.set_result(None)
        else:
            self.verdict.set_exception(error)

    async def _run(self) -> None:
        self._everywhere(encode_record(self.doors.announced()))
        self._everywhere(_rules(1, MODEL))
        coordinator = self.loop.create_task(self._coordinate())
        for machine in self.machines:
            self.loop.call_later(self.rng.uniform(0.0, 1.0), machine.start)
        await asyncio.gather(
            faults.inject(self, self.plan),
            self._administer(),
            *(self.doors.publish(self, topic) for topic in DOOR_TOPICS),
        )
        await self._calm_down()
        coordinator.cancel()
        check_end(self)
        by_time = sum(careful.by_time for careful in self.careful)
        self.count["outcomes"] += sum(len(careful.said) for careful in self.careful)
        self.count["outcomes by time alone"] += by_time
        self.count["records published"] += len(self.story.sent)
        self.count["records in the log"] += sum(len(careful.states) - 1 for careful in self.careful)
        if by_time < LEAST_BY_TIME:
            raise ViolationError("the story", f"only {by_time} outcomes by time alone")

    def _everywhere(self, value: bytes) -> None:
        for number in range(LOG_PARTITIONS):
            self.cluster.append(LOG, number, None, value)

    async def _administer(self) -> None:
        """Sometimes other rules; and what is no record of the log."""
        rng = self.rng
        for _ in range(rng.randrange(1, 5)):
            await asyncio.sleep(rng.uniform(0.0, self.story.ends / 4))
            value = rng.choice((b"\xc1", b"", b"\x93\x00\x01"))
            self.cluster.append(LOG, rng.randrange(LOG_PARTITIONS), rng.choice((None, b"lead-1")), value)
        if rng.random() < 0.2:
            self.repriced = True
            self.count["rules changed"] += 1
            # Without a throw of the dice, so that seeds stay what they were.
            self._everywhere(_rules(2, REPRICED, int(self.story.ends) % len(ANNOUNCE)))

    async def _coordinate(self) -> None:
        def alive(member: str) -> bool:
            return any(machine.life is not None and machine.life.name == member for machine in self.machines)

        while True:
            await asyncio.sleep(1.0)
            self.score_group.expire(alive)
            self.intake_group.expire(alive)

    async def _calm_down(self) -> None:
        """Nothing goes wrong any more: everything is read, and everything becomes durable."""
        self.note("simulation", "no more faults")
        deadline = self.loop.time() + PATIENCE
        target = self.brokers_time() + int(TAIL * 1000) + max(0, -self.skew)
        if self.doors.commits.keys() < self.doors.numbers.keys():
            # Kafka forgets commits of groups without members: whoever comes next finds none, and repeats the
            # door. Who reads it all along never looks, and has nothing to commit once its last record is in.
            self.intake_group.rebalance()
        while True:
            self._spare()
            for careful in self.careful:
                careful.advance()
            if min(careful.clock for careful in self.careful) >= target and self._intake_done():
                break
            await self._wait(deadline, "intake")
        for machine in self.machines:
            if machine.name.startswith("intake"):
                machine.stopped = True
                if machine.life is not None:
                    machine.life.bury()
        while not self._scored():
            self._spare()
            await self._wait(deadline, "scoring")

    async def _wait(self, deadline: float, what: str) -> None:
        if self.loop.time() > deadline:
            raise ViolationError("stuck", f"{what} does not get on")
        await asyncio.sleep(1.0)

    def _spare(self) -> None:
        for machine in self.machines:
            machine.doom_nobody()
            if machine.life is not None:
                machine.life.spare()

    def _intake_done(self) -> bool:
        commits = self.doors.commits
        return all(tp in commits and commits[tp].offset >= end for tp, end in self.doors.readable().items())

    def _scored(self) -> bool:
        """Everything, and it is durable."""
        for number in range(LOG_PARTITIONS):
            try:
                life = self.owner_of(number)
            except StopIteration:
                return False
            partition = life.agent.partitions[number]
            state = partition.machine.state
            if state.position < self.cluster.end(LOG, number) or state.milestones:
                return False
            if partition.changed or partition.unsaved:
                return False
        return True


def _rules(version: int, model: object, announce: int = ANNOUNCE_ALL) -> bytes:
    encoded = encode_model(model)
    return encode_record(Rules(version, fingerprint(encoded), encoded, announce))


def _label(error: BaseException) -> str:
    words = str(error)
    for word in ("another writer", "given to another", "given our door partitions away", "came instead of"):
        if word in words:
            return word
    return type(error).__name__


def simulate(seed: int) -> Report:
    """Deterministic: the same seed gives the same trace."""
    loop = VirtualLoop()
    loop.set_exception_handler(lambda *_: None)
    violation = None
    world = World(seed, loop)
    with virtual_time(loop):
        try:
            loop.run_until_complete(world.run())
        except ViolationError as found:
            violation = found
        except StuckError:
            violation = ViolationError("stuck", "nothing will ever happen again")
        except Exception as error:  # noqa: BLE001 - the seed is to be told, whatever it found
            violation = ViolationError("the simulation itself", repr(error))
            violation.__cause__ = error
        finally:
            for machine in world.machines:
                machine.stopped = True
                if machine.life is not None:
                    machine.life.bury()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.call_soon(loop.stop)
            loop.run_forever()
            loop.close()
    return Report(seed, violation, world.crashes, world.count, world.trace)
