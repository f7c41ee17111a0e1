"""What the score agent keeps beside each of its partitions, and what it asks of those around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from scorer.worker.outbox import Outbox
from scorer.worker.score_metrics import PartitionMetrics
from scorer.worker.score_partition import ScorePartition


class Reading(Protocol):
    """The side that fetches records and calls ``ScoreAgent.apply``."""

    async def read_from(self, partition: int, position: int) -> None: ...

    def stop_reading(self, partition: int) -> None: ...

    def generation(self) -> int:
        """The consumer group's generation that our assignment belongs to; negative: we are no member."""
        ...


@dataclass(frozen=True, kw_only=True)
class Limits:
    cache_leads: int = 100_000
    """Decoded leads kept per partition and generation of the cache."""
    near_timers: int = 16_000
    """Timers kept in memory per partition, up to twice as many; the others are on disk."""
    unsaved_leads: int = 100_000
    """Changed leads in memory, over all partitions, beyond which nothing more is fetched."""
    overlap: int = 4
    """Partitions that are made durable at the same time."""
    spread: float = 0.0
    """Seconds over which a checkpoint's partitions are spread where nobody waits for it: one partition's
    holds records up for some milliseconds, all of them together for a tenth of a second."""
    silence: float = 3.0
    """Seconds without a ``tick`` after which it is uncertain whether the group still counts us in."""


class Owned:
    """A partition and what the agent keeps beside it."""

    def __init__(self, partition: ScorePartition, outbox: Outbox) -> None:
        self.partition = partition
        self.outbox = outbox
        self.lock = asyncio.Lock()  # checkpoints, recovery from a fault, closing
        self.metrics = PartitionMetrics(partition.number)
        self.seeking = False  # chunks fetched before the seek are still to be dropped
        self.durable = 0  # position of the newest cut


class Background:
    """Tasks that nobody waits for. What one of them raises goes to ``on_error``."""

    def __init__(self, on_error: Callable[[BaseException], object]) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._on_error = on_error

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(self._run(work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self._on_error(error)
