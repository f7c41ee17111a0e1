"""The keys that intake seals with: those of the topic, and those that it makes.

A new key is in the topic, acknowledged, before the first fact sealed with it is appended to the log. A crash
between the two leaves a key that nothing was sealed with; the other way round it would leave what nobody can
read. Meanwhile chunks wait, in their order; with the keys that are known from before none does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from scorer import metrics
from scorer.storage.known_keys import KnownKeys
from scorer.wire.partitioner import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorer.storage.key_table import KeyTable
    from scorer.storage.ports import Lane
    from scorer.wire.sealing import LeadKey


class LeadKeys(KnownKeys):
    """``scorer.wire.sealing.Keys`` of an intake worker. Use it on the event loop's thread only."""

    def __init__(self, table: KeyTable, on_error: Callable[[BaseException], object]) -> None:
        super().__init__(table)
        self._on_error = on_error
        self._lanes: Sequence[Lane] = ()
        self._unsafe: set[int] = set()  # partitions with a key that may not be acknowledged
        self._waiting: deque[Callable[[], None]] = deque()
        self._task: asyncio.Task[None] | None = None

    def write_to(self, lanes: Sequence[Lane]) -> None:
        """``lanes``: of the topic's partitions. Before the first ``key_of``."""
        self._lanes = lanes

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await super().stop()

    def key_of(self, lead: bytes) -> LeadKey:
        key = self.known(lead)
        if key is None:
            key, wrapped = self.make(lead)
            number = partition_of(lead, len(self._lanes))
            self._lanes[number].append(key.name, wrapped)
            self._lanes[number].push()
            self._unsafe.add(number)
            metrics.INTAKE_LEAD_KEYS.inc()
        return key

    # -- what waits for keys ------------------------------------------------------------------------

    def then(self, append: Callable[[], None]) -> None:
        """Runs ``append`` when every key handed out is acknowledged: at once, mostly, and always in order."""
        if not self._unsafe and not self._waiting:
            append()
            return
        self._waiting.append(append)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go_on())

    async def _go_on(self) -> None:
        try:
            while self._waiting:
                count = len(self._waiting)
                unsafe, self._unsafe = self._unsafe, set()
                await asyncio.gather(*(self._lanes[number].flush() for number in unsafe))
                for _ in range(count):
                    self._waiting.popleft()()
            self._task = None
        except Exception as error:
            self._on_error(error)
            raise

    async def settled(self) -> None:
        """Returns when nothing waits; raises what prevents it."""
        while self._task is not None:
            await asyncio.shield(self._task)
