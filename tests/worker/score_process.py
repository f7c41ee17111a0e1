"""A score worker in one process over a fake Kafka: the real agent, fed by hand."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from scorer.domain.lead import Lead, encode_lead
from scorer.domain.outcomes import Outcome
from scorer.domain.partition import Dead
from scorer.wire.dead_letters import origin
from scorer.wire.registry import CHANGELOG, DEAD_LETTERS, LOG, OUTCOMES
from scorer.worker.cut import STAMP_BYTES, SYSTEM
from scorer.worker.owned import Limits
from scorer.worker.score_agent import ScoreAgent
from tests.worker.fake_kafka import Cluster, FakeDisk, FakeKafka
from tests.worker.score_world import LogRecord, Message


class Disks(dict[int, FakeDisk]):
    """The local disk of one machine."""

    def open(self, number: int) -> FakeDisk:
        disk = self.setdefault(number, FakeDisk())
        disk.closed = False
        return disk

    def crash(self, lost: int = 0) -> None:
        for disk in self.values():
            disk.crash(lost)


async def in_place(work: Callable[[], Any]) -> Any:
    return work()


def reraise(error: BaseException) -> None:
    raise error


class Process:
    """One life of a worker: what it holds in memory goes with it."""

    def __init__(
        self,
        cluster: Cluster,
        disks: Disks,
        *,
        gate: Callable[[str], Awaitable[None]] | None = None,
        piece: Callable[[], int] = lambda: 1_000_000,
        limits: Limits | None = None,
        from_log_start: bool = False,
        cleaned_before: Callable[[], int] = lambda: 0,
        traced: bool = False,
    ) -> None:
        self.cluster = cluster
        self._traced = traced
        self.kafka = FakeKafka(cluster, piece=piece) if gate is None else FakeKafka(cluster, gate, piece)
        self.group = 1
        self.now = 0.0
        self.positions: dict[int, int] = {}
        self.failures: list[BaseException] = []
        self.agent = ScoreAgent(
            self.kafka,
            disks.open,
            self,
            clock=lambda: self.now,
            offload=in_place,
            on_error=self.failures.append,
            log_partitions=4,
            dead_letter_partitions=4,
            from_log_start=from_log_start,
            limits=limits or Limits(cache_leads=5),
            cleaned_before=cleaned_before,
            traced=traced,
        )

    # -- Reading ----------------------------------------------------------------------------------

    async def read_from(self, partition: int, position: int) -> None:
        self.positions[partition] = position

    def stop_reading(self, partition: int) -> None:
        self.positions.pop(partition, None)

    def generation(self) -> int:
        return self.group

    # -- driving it -------------------------------------------------------------------------------

    async def start(self, numbers: Iterable[int] = (0,), generation: int = 1) -> None:
        self.group = generation
        await self.agent.assigned(numbers, generation)
        self.positions = self.agent.start_positions()

    def feed(self, number: int = 0, count: int = 1_000_000_000) -> int:
        """Deliver the next records of a partition as one chunk; returns how many there were."""
        start = self.positions.get(number)
        if start is None:
            return 0
        base = self.cluster.starts.get((LOG, number), 0)
        kept = self.cluster.records(LOG, number)[start - base : start - base + count]
        if kept:
            self.positions[number] = start + len(kept)
            bare = [Message(r.offset, r.key, r.value) for r in kept]
            self.agent.apply(number, start, kept if self._traced else bare)
        return len(kept)

    def feed_all(self, rng: random.Random | None = None) -> int:
        """A chunk of each partition; returns how many records there were."""
        return sum(self.feed(n, rng.randrange(1, 200) if rng else 500) for n in list(self.positions))

    async def settle(self) -> None:
        """Let recoveries from faults run to their end."""
        for task in list(self.agent._background.tasks):
            await task
        if self.failures:
            raise self.failures[0]

    async def finish(self, rng: random.Random | None = None) -> None:
        """Read everything, sweep, and make it durable."""
        while self.feed_all(rng):
            await self.settle()
            if rng and rng.random() < 0.2:
                await self.agent.checkpoint()
        await self.agent.checkpoint()
        while self.agent.sweeping:
            self.sweep()
            await self.agent.checkpoint()

    def sweep(self) -> int:
        """One slice."""
        return self.agent.sweep(0.05)


def publish(cluster: Cluster, log: list[list[LogRecord]]) -> None:
    for number, records in enumerate(log):
        for key, value in records:
            cluster.append(LOG, number, key, value)


def said(cluster: Cluster, partitions: int = 1) -> list[Outcome]:
    """Every outcome that reached Kafka, by partition and topic; a lead's are in order per topic."""
    return [
        Outcome(topic, record.key or b"", record.value or b"")
        for number in range(partitions)
        for topic in OUTCOMES
        for record in cluster.records(topic, number)
    ]


def dead(cluster: Cluster) -> set[tuple[int, int, str, bytes | None, bytes | None]]:
    """(partition, offset, reason, key, value) of all dead letters."""
    found = set()
    for number in range(4):
        for record in cluster.records(DEAD_LETTERS, number):
            of = origin(record.headers)
            found.add((of.partition, of.offset, str(of.reason), record.key, record.value))
    return found


def dead_of(
    letters: Iterable[Dead], partition: int = 0
) -> set[tuple[int, int, str, bytes | None, bytes | None]]:
    return {(partition, one.offset, one.reason, one.key, one.value) for one in letters}


def leads(agent: ScoreAgent) -> dict[bytes, bytes]:
    """Every lead of every owned partition, as it stands."""
    found: dict[bytes, bytes] = {}
    for partition in agent.partitions.values():
        keys = {key for key, _ in partition.store.leads()} | set(partition.machine.dirty)
        for key in keys:
            lead: Lead | None = partition.get(key)
            assert lead is not None
            found[key] = encode_lead(lead)
    return found


def in_changelog(cluster: Cluster, partitions: int = 1) -> dict[bytes, bytes]:
    """The newest value of every lead in the changelog, whoever wrote it."""
    newest: dict[bytes, bytes | None] = {}
    for number in range(partitions):
        for record in cluster.records(CHANGELOG, number):
            if record.key is not None and record.key[:1] != SYSTEM:
                newest[record.key] = record.value
    return {key: value[STAMP_BYTES:] for key, value in newest.items() if value is not None}
