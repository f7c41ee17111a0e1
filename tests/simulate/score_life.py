"""A score worker's process: the real agent, fed from the fake log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scorer.wire.registry import CHANGELOG, LOG
from scorer.worker import store
from scorer.worker.owned import Limits
from scorer.worker.score_agent import ScoreAgent
from tests.simulate.broker import SimulatedKafka, Writer
from tests.simulate.life import Life
from tests.worker.score_process import Disks

if TYPE_CHECKING:
    from tests.simulate.world import World

LOG_PARTITIONS = 2
DEAD_LETTER_PARTITIONS = 2

store.BULK = 20  # type: ignore[misc] - restores are short here, and some are to be long ones


class ScoreLife(Life):
    def __init__(self, world: World, name: str, disks: Disks) -> None:
        super().__init__(world, name, world.score_group)
        rng = self.rng
        self.again = False
        """The next chunk is delivered twice."""
        self.interval = rng.uniform(1.0, 4.0)
        self.disks = disks
        writer = Writer(self, world.cluster, rng.choice((1_000, 1_000, 1_000, 5, 3, 2)), {})
        self.kafka = SimulatedKafka(
            world.cluster,
            self,
            writer,
            member=lambda: self.group.counts(self.name, self.known),
            chunk=rng.choice((5, 40, 1_000)),
        )
        self.owner = self.agent = ScoreAgent(
            self.kafka,
            disks.open,
            self,
            clock=lambda: self.loop.time() + self.born,
            offload=self._offload,
            on_error=self.fatal,
            log_partitions=LOG_PARTITIONS,
            dead_letter_partitions=DEAD_LETTER_PARTITIONS,
            limits=Limits(
                cache_leads=rng.choice((1, 4, 1_000)),
                near_timers=rng.choice((1, 3, 1_000)),
                overlap=rng.choice((1, 2)),
                spread=rng.choice((0.0, 0.5)),
                unsaved_leads=rng.choice((6, 1_000)),
                silence=2.0,
            ),
        )

    # -- Reading ----------------------------------------------------------------------------------

    async def read_from(self, partition: int, position: int) -> None:
        await self.gate("seeks in", LOG)
        self.positions[partition] = position

    def stop_reading(self, partition: int) -> None:
        self.positions.pop(partition, None)

    def generation(self) -> int:
        return self.known

    # -- living -----------------------------------------------------------------------------------

    async def take_over(self, given: tuple[Any, ...]) -> None:
        await self.agent.assigned(given, self.known)
        positions = self.agent.start_positions()
        if positions.keys() == set(given):
            self.world.restored(self)
            self.positions, self.positioned = dict(positions), True

    async def close(self) -> None:
        await self.agent.close()

    def feed(self, number: int) -> None:
        start = self.positions[number]
        records = self.world.cluster.records(LOG, number)[start : start + self.rng.randrange(1, 80)]
        if not records:
            return
        self.positions[number] = start + len(records)
        self.agent.apply(number, start, records)
        if self.again:
            self.again = False
            self.world.count["chunks delivered twice"] += 1
            self.agent.apply(number, start, records)

    def tick(self) -> None:
        self.agent.membership.tick()
        if self.agent.sweeping:
            self.agent.sweep(0.05)

    async def _offload(self, work: Callable[[], Any]) -> Any:
        await self.gate("before", "the local store")
        result = work()
        await self.gate("after", "the local store")
        return result

    # -- for those who count ----------------------------------------------------------------------

    def wrote_changelog(self) -> None:
        if not self.group.counts(self.name, self.known):
            self.world.count["changelog batches of zombies"] += 1

    @property
    def torn(self) -> list[int]:
        """Partitions whose changelog ends in leads without a cut behind them."""
        return [
            number
            for number in self.agent.partitions
            if (records := self.world.cluster.records(CHANGELOG, number)) and records[-1].key != b"\0cut"
        ]
