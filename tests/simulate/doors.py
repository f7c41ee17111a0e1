"""The doors' topics: records are seen a while after they are stamped, and transactions leave markers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from scorer.domain.record import Door, Doors
from tests.simulate.story import DOOR_TOPICS, Sent
from tests.worker.fake_kafka import Cluster, Kept

if TYPE_CHECKING:
    from tests.simulate.world import World

MARKER = (("marker", b""),)
"""The headers of an offset that no reader gets."""
UNSEEN = 0.4
"""Seconds, at most, from a record's append time until readers see it."""


class SimulatedDoors:
    def __init__(self, cluster: Cluster, rng: random.Random, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._clock = clock
        self._rng = rng
        self.numbers = {TP(topic, rng.randrange(4)): number for number, topic in enumerate(DOOR_TOPICS, 1)}
        self._seen = dict.fromkeys(self.numbers, 0)
        self._unseen: dict[TP, list[tuple[float, int]]] = {tp: [] for tp in self.numbers}
        """(when readers see it, end offset then) of what is stamped already, newest first."""
        self.commits: dict[TP, OffsetAndMetadata] = {}
        self.published: dict[tuple[str, int], Sent] = {}
        """(door, offset) -> what was sent."""

    def announced(self) -> Doors:
        return Doors(1, [Door(number, 1, tp.topic, tp.partition) for tp, number in self.numbers.items()])

    def partition(self, topic: str) -> TP:
        return next(tp for tp in self.numbers if tp.topic == topic)

    def high_watermark(self, tp: TP) -> int:
        unseen, now = self._unseen[tp], self._clock()
        while unseen and unseen[-1][0] <= now:
            self._seen[tp] = max(self._seen[tp], unseen.pop()[1])
        return self._seen[tp]

    def readable(self) -> dict[TP, int]:
        """Where the last record of each ends, markers behind it aside."""
        return {
            tp: max((r.offset + 1 for r in self._cluster.records(*tp) if r.headers != MARKER), default=0)
            for tp in self.numbers
        }

    def read(self, tp: TP, start: int, count: int) -> tuple[Sequence[Kept], int]:
        """At most so many records from an offset on, and where the position is then."""
        end = min(self.high_watermark(tp), start + count)
        kept = self._cluster.records(*tp)[start:end]
        return [record for record in kept if record.headers != MARKER], end

    async def publish(self, world: World, topic: str) -> None:
        """The story's records for one door, each at its time."""
        tp, rng, loop = self.partition(topic), self._rng, world.loop
        delay = rng.uniform(0.0, UNSEEN)
        for sent in world.story.sent:
            if sent.door != topic:
                continue
            if sent.at > loop.time():
                await asyncio.sleep(sent.at - loop.time())
            if rng.random() < 0.03:
                self._cluster.append(*tp, None, None, MARKER)
            offset = self._cluster.append(*tp, b"any key", sent.value)
            self.published[topic, offset] = sent
            if rng.random() < 0.03:
                self._cluster.append(*tp, None, None, MARKER)
            self._unseen[tp].insert(0, (loop.time() + delay, self._cluster.end(*tp)))
