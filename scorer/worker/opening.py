"""Outcomes that carry what is sealed, readable: opened as they are sent, and never before."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from scorer import metrics
from scorer.wire.registry import OPENED
from scorer.wire.sealing import unseal
from scorer.worker.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorer.domain.joining import Sent
    from scorer.domain.outcomes import Outcome
    from scorer.domain.partition import Dead
    from scorer.storage.key_table import KeyTable
    from scorer.storage.ports import Kafka

_END: Final = b"}}"
"""Of an outcome: ``data`` is its last member."""

_encode = msgspec.json.Encoder().encode


class Opener:
    def __init__(self, fields: Sequence[str], table: KeyTable) -> None:
        """``fields``: those that outcomes carry, in this order."""
        self.table = table
        self._fields = fields

    def __call__(self, outcome: Outcome) -> tuple[Outcome, int]:
        """The outcome with what could be opened, and how many of its fields could not."""
        sealed = outcome.sealed
        if sealed is None or outcome.topic not in OPENED:
            return outcome, 0
        person: dict[str, str] = {}
        missing = 0
        for field in self._fields:
            if field in sealed:
                text = unseal(sealed[field][1], field, self.table.find)
                if text is None:
                    missing += 1
                else:
                    person[field] = text
        if not person:
            return outcome, missing
        # Spliced into the bytes that the engine has made, which hold nothing of it.
        value = outcome.value.removesuffix(_END) + b',"person":' + _encode(person) + _END
        return outcome._replace(value=value), missing


class OpeningOutbox(Outbox):
    """Where a key is missing it may only not have been read yet: then what is said waits, in its order."""

    def __init__(
        self, kafka: Kafka, number: int, log_partitions: int, dead_letter_partitions: int, opener: Opener
    ) -> None:
        super().__init__(kafka, number, log_partitions, dead_letter_partitions)
        self._opener = opener
        self._waiting: deque[Outcome] = deque()
        self._task: asyncio.Task[None] | None = None

    def send(self, outcomes: Sequence[Outcome], dead: Sequence[Dead], sends: Sequence[Sent]) -> None:
        ready: list[Outcome] = []
        for outcome in outcomes:
            if not self._waiting:
                opened, missing = self._opener(outcome)
                if not missing:
                    ready.append(opened)
                    continue
            self._waiting.append(outcome)
        super().send(ready, dead, sends)
        if self._waiting and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._wait_for_keys())

    async def flush(self) -> None:
        while self._task is not None:
            await asyncio.shield(self._task)
        await super().flush()

    async def _wait_for_keys(self) -> None:
        while self._waiting:
            count = len(self._waiting)
            await self._opener.table.caught_up()
            ready = []
            for _ in range(count):
                opened, missing = self._opener(self._waiting.popleft())
                metrics.SCORE_UNOPENED.inc(missing)
                ready.append(opened)
            super().send(ready, (), ())
        self._task = None
