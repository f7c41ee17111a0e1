"""What a partition says to the world, handed to Kafka at once and awaited by the next checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from scorer.domain.joining import Sent
from scorer.domain.outcomes import Outcome
from scorer.domain.partition import Dead
from scorer.storage.ports import Kafka, Lane
from scorer.wire.dead_letters import Reason, dead_letter
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import DEAD_LETTERS, LOG
from scorer.worker.told import Told


class Outbox:
    """Outcomes go to the partition of the same number, so those of a lead keep their order."""

    def __init__(self, kafka: Kafka, number: int, log_partitions: int, dead_letter_partitions: int) -> None:
        self._kafka = kafka
        self._number = number
        self._dead = kafka.lane(DEAD_LETTERS, number % dead_letter_partitions)
        self._lanes: dict[str, Lane] = {}
        self._log: dict[int, Lane] = {}
        self._log_partitions = log_partitions
        self.told = Told()
        self.used: set[str] = set()
        """Topics of the outcomes that were sent last."""

    def send(self, outcomes: Sequence[Outcome], dead: Sequence[Dead], sends: Sequence[Sent]) -> None:
        """Returns at once; what is sent may be sent again after a crash, the same to the byte."""
        if sends:
            self._send_on(sends)
        self.used = used = set()
        if outcomes:
            self.told.outcomes(outcomes)
        for outcome in outcomes:
            lane = self._lanes.get(outcome.topic)
            if lane is None:
                lane = self._lanes[outcome.topic] = self._kafka.lane(outcome.topic, self._number)
            lane.append(outcome.key, outcome.value, outcome.trace)
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
            self.told.dead(dead)
            self._dead.push()

    def _send_on(self, sends: Sequence[Sent]) -> None:
        """To the log, in the order in which they were made: each target counts what it has applied."""
        count = self._log_partitions
        parts: dict[int, list[Sent]] = {}
        for sent in sends:
            target = partition_of(sent[0], count)
            if target in parts:
                parts[target].append(sent)
            else:
                parts[target] = [sent]
        for target, part in parts.items():
            lane = self._log.get(target)
            if lane is None:
                lane = self._log[target] = self._kafka.lane(LOG, target)
            lane.extend(part)
            lane.push()

    async def flush(self) -> None:
        """Returns when everything sent before is acknowledged; raises what prevents it."""
        lanes = [self._dead, *self._lanes.values(), *self._log.values()]
        await asyncio.gather(*(lane.flush() for lane in lanes))
