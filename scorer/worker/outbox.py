"""What a partition says to the world, handed to Kafka at once and awaited by the next checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from scorer.domain.outcomes import Outcome
from scorer.domain.partition import Dead
from scorer.wire.dead_letters import Reason, dead_letter
from scorer.wire.registry import DEAD_LETTERS, LOG
from scorer.worker.ports import Kafka, Lane


class Outbox:
    """Outcomes go to the partition of the same number, so those of a lead keep their order."""

    def __init__(self, kafka: Kafka, number: int, dead_letter_partitions: int) -> None:
        self._kafka = kafka
        self._number = number
        self._dead = kafka.lane(DEAD_LETTERS, number % dead_letter_partitions)
        self._lanes: dict[str, Lane] = {}

    def send(self, outcomes: Sequence[Outcome], dead: Sequence[Dead]) -> None:
        """Returns at once; what is sent may be sent again after a crash, the same to the byte."""
        used = set()
        for outcome in outcomes:
            lane = self._lanes.get(outcome.topic)
            if lane is None:
                lane = self._lanes[outcome.topic] = self._kafka.lane(outcome.topic, self._number)
            lane.append(outcome.key, outcome.value)
            used.add(outcome.topic)
        for topic in used:
            self._lanes[topic].push()
        for record in dead:
            letter = dead_letter(
                Reason(record.reason),
                record.detail,
                LOG,
                self._number,
                record.offset,
                record.key,
                record.value,
            )
            self._dead.append(letter.key, letter.value, [*letter.headers])
        if dead:
            self._dead.push()

    async def flush(self) -> None:
        """Returns when everything sent before is acknowledged; raises what prevents it."""
        await asyncio.gather(self._dead.flush(), *(lane.flush() for lane in self._lanes.values()))
