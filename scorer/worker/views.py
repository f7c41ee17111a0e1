"""The topics that show how things stand: their newest record of each key is to be the owner's.

A worker that is frozen and wakes after it has lost its partitions may still send what it was about to.
For outcomes that is harmless, since they are the same bytes; a view that is late would stay, wrong, until
its lead changes. So the owner knows where its views end, as it does for the changelog, and shows once more
whatever somebody else has shown since: at a take-over, behind the ends of the last checkpoint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import nsmallest
from struct import Struct
from typing import Final

from scorer.domain.record import ACCOUNT
from scorer.storage.ports import Incoming, Kafka, Outgoing
from scorer.wire.registry import ACCOUNT_SCORE, IDENTITY, SCORE

log = logging.getLogger(__name__)

AT_ONCE: Final = 5_000
"""Keys of a topic that one checkpoint shows once more: nothing else runs while their leads are loaded."""
LOST: Final = "%s ends at offset %d instead of %d: views are lost, and come when their leads change"
VIEWS: Final = (SCORE, IDENTITY, ACCOUNT_SCORE)

_ends = Struct(">QQQ")


class Shown:
    """Where the views of one partition stand. All lists have an entry for each of ``VIEWS``."""

    def __init__(
        self, ends: Sequence[int] = (0, 0, 0), again: Sequence[Iterable[bytes]] = ((), (), ()), until: int = 0
    ) -> None:
        self.ends = list(ends)
        """Next offsets, as far as we know."""
        self.again = [set(keys) for keys in again]
        """Keys of which somebody else may have written the newest record: to be shown once more."""
        self.until = until
        """Not before the partition has read to this offset of the log: until then it knows less than they."""
        self.stored = b""
        """``encode`` as of the last checkpoint."""
        self.looked = 0.0
        """When it was last made sure that nobody else writes, on the monotonic clock."""

    def left(self, told: Sequence[set[bytes]]) -> list[set[bytes]]:
        """What is to be shown once more when these have been; some may have come in meanwhile."""
        return [keys - done for keys, done in zip(self.again, told, strict=True)]

    def encode(self, told: Sequence[set[bytes]]) -> bytes:
        """What the next owner must know when these have been shown: the ends, or the ends before."""
        return self.stored if any(self.left(told)) else _ends.pack(*self.ends)

    def is_due(self, position: int) -> bool:
        """Whether ``due`` has something."""
        return position >= self.until and any(self.again)

    def due(self, position: int) -> list[set[bytes]]:
        """What is to be shown once more now, at most ``AT_ONCE`` of each; ``position``: next log offset."""
        if not self.is_due(position):
            return [set() for _ in self.again]
        return [set(nsmallest(AT_ONCE, keys)) for keys in self.again]


async def take_over_views(
    stored: Mapping[int, bytes | None], fresh: Collection[int], kafka: Kafka
) -> dict[int, Shown]:
    """Partition -> where its views stand now, and what to show once more; ``until`` is left to the caller.

    ``stored``: what the last checkpoint of each partition knew; None where it knew nothing yet. ``fresh``:
    partitions without a checkpoint, of which everything there is is somebody else's.
    """
    ends: dict[int, list[int]] = {number: [] for number in stored}
    again: dict[int, list[set[bytes]]] = {number: [] for number in stored}
    bounds = await asyncio.gather(*(kafka.bounds(topic, sorted(stored)) for topic in VIEWS))
    for place, topic in enumerate(VIEWS):
        ranges = {}
        for number, (start, end) in bounds[place].items():
            known = stored[number]
            stood = start if number in fresh else end
            if known is not None:
                stood = max(start, _ends.unpack(known)[place])
                if stood > end:
                    fields = {"topic": topic, "partition": number, "end": end, "stood": stood}
                    log.warning(LOST, _name(number, place), end, stood, extra=fields)
            if stood < end:
                ranges[number] = stood, end
            ends[number].append(end)
            again[number].append(set())
        async for number, records, _ in kafka.read(topic, ranges):
            again[number][place] |= _keys(place, records)
    found = {}
    for number, known in stored.items():
        found[number] = Shown(ends[number], again[number])
        found[number].stored = known or b""
    return found


async def show(kafka: Kafka, number: int, shown: Shown, views: Sequence[Sequence[Outgoing]]) -> None:
    """Append views, those of each of ``VIEWS``; they are acknowledged when this returns.

    What somebody else has appended since the last call is noted in ``shown.again``.
    """

    async def one(place: int) -> None:
        for run in await kafka.lane(VIEWS[place], number).send(views[place]):
            if run.base > shown.ends[place]:
                await _look_between(kafka, number, shown, place, run.base)
            shown.ends[place] = run.base + run.records
            if run.base < 0:  # the broker had the batch, and no longer knows where
                shown.ends[place] = (await kafka.bounds(VIEWS[place], [number]))[number][1]

    await asyncio.gather(*(one(place) for place, records in enumerate(views) if records))


async def look(kafka: Kafka, number: int, shown: Shown) -> None:
    """Note what somebody else has appended, also where we had nothing to append for long.

    Not to be called while ``show`` is under way.
    """
    for place, topic in enumerate(VIEWS):
        _, end = (await kafka.bounds(topic, [number]))[number]
        if end > shown.ends[place]:
            await _look_between(kafka, number, shown, place, end)
        shown.ends[place] = end


async def _look_between(kafka: Kafka, number: int, shown: Shown, place: int, end: int) -> None:
    start = shown.ends[place]
    log.warning(
        "%s: somebody else has written offsets %d to %d; what they are about is shown once more",
        _name(number, place),
        start,
        end - 1,
        extra={"topic": VIEWS[place], "partition": number, "from": start, "to": end - 1},
    )
    async for _, records, _ in kafka.read(VIEWS[place], {number: (start, end)}):
        shown.again[place] |= _keys(place, records)


def _keys(place: int, records: Sequence[Incoming]) -> set[bytes]:
    """Of leads, or of accounts; a record with another key is nobody's view."""
    keys = {record.key for record in records if record.key}
    return keys if VIEWS[place] == ACCOUNT_SCORE else {key for key in keys if key[:1] > ACCOUNT}


def _name(number: int, place: int) -> str:
    return f"partition {number} of {VIEWS[place]}"
