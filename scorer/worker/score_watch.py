"""What is looked at now and then, for metrics: rules, the doors' clocks, local files."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.errors import KafkaError

from scorer import metrics
from scorer.broker import Broker, Range
from scorer.errors import UserError
from scorer.logs import said
from scorer.wire.registry import RULES, RULES_KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from scorer.domain.partition import LogPartition
    from scorer.settings import Settings
    from scorer.storage.ports import Bounds

PATIENCE: Final = 10.0
"""Seconds for Kafka's answer."""


class Newest(NamedTuple):
    """The newest version in the rules topic."""

    version: int
    written: float
    """Unix seconds."""


class RulesTopic:
    """What the rules topic has; asked for its end, and read only where that has moved."""

    def __init__(self, settings: Settings, end: Callable[[], Awaitable[Bounds]]) -> None:
        """``end``: the topic's first offset and the one after its last."""
        self._broker = Broker(settings)
        self._end = end
        self._newest = Newest(0, 0.0)
        self._read = 0

    async def look(self) -> Newest:
        """Raises ``UserError`` where Kafka does not answer."""
        try:
            async with asyncio.timeout(PATIENCE):
                start, end = await self._end()
        except (KafkaError, TimeoutError) as error:
            raise UserError(f"no answer: {said(error)}") from error
        if end > self._read:
            await asyncio.to_thread(self._read_on, Range(max(start, self._read), end))
        return self._newest

    def _read_on(self, wanted: Range) -> None:
        for message in self._broker.messages(RULES, 0, wanted):
            key = message.key() or b""
            number = key.removeprefix(RULES_KEY)
            if number != key and number.isdigit() and int(number) > self._newest.version:
                self._newest = Newest(int(number), message.timestamp()[1] / 1000)
        self._read = wanted.end


class Whereabouts:
    """Gauges whose labels come and go: which rules are where, and how far the doors have been read."""

    def __init__(self) -> None:
        self._rules: set[tuple[str, str]] = set()
        self._doors: set[tuple[str, str]] = set()

    def tell(self, machines: Iterable[LogPartition]) -> None:
        """``machines``: of the partitions that are ours and restored."""
        rules: Counter[tuple[str, str]] = Counter()
        doors: dict[tuple[str, str], int] = {}
        for machine in machines:
            state = machine.state
            if state.version:
                rules[str(state.version), machine.rules.fingerprint] += 1
            for door in state.doors:
                place = door.topic, str(door.partition)
                at = state.clocks.get(door.number, 0)
                doors[place] = min(at, doors.get(place, at))
        for labels, count in rules.items():
            metrics.SCORE_RULES_PARTITIONS.labels(*labels).set(count)
        for place, at in doors.items():
            metrics.SCORE_DOOR_CLOCK.labels(*place).set(at / 1000)
        for labels in self._rules - rules.keys():
            metrics.SCORE_RULES_PARTITIONS.remove(*labels)
        for place in self._doors - doors.keys():
            metrics.SCORE_DOOR_CLOCK.remove(*place)
        self._rules, self._doors = set(rules), set(doors)


def bytes_in(folder: Path) -> int:
    """Of the files directly in a folder; 0 where there is none."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    total += entry.stat().st_size
                except OSError:  # compacted away meanwhile
                    continue
    except OSError:
        return 0
    return total
