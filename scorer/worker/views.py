"""The topics that show how things stand: their newest record of each key is to be the owner's.

A worker that is frozen and wakes after it has lost its partitions may still send what it was about to.
For outcomes that is harmless, since they are the same bytes; a view that is late would stay, wrong, until
its lead changes. So the owner knows where its views stand, as it does for the changelog, and whoever
takes over shows once more what has been shown by anybody since the last checkpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from typing import Final

from scorer.wire.registry import ACCOUNT_SCORE, IDENTITY, SCORE
from scorer.worker.ports import Kafka, Outgoing
from scorer.worker.sole_writer import append
from scorer.worker.supervise import CannotContinue

VIEWS: Final = (SCORE, IDENTITY, ACCOUNT_SCORE)

_ends = Struct(">QQQ")


class Shown:
    """Where the views of one partition stand. All lists have an entry for each of ``VIEWS``."""

    def __init__(
        self, ends: Sequence[int] = (0, 0, 0), again: Sequence[Iterable[bytes]] = ((), (), ())
    ) -> None:
        self.ends = list(ends)
        """Next offsets, as far as we know."""
        self.again = [set(keys) for keys in again]
        """Keys of which somebody else may have written the newest record: to be shown once more."""
        self.durable = b""
        """``encode`` as of the last checkpoint."""
        self.looked = 0.0
        """When it was last made sure that nobody else writes, on the monotonic clock."""

    def encode(self) -> bytes:
        """What the next owner must know: the ends."""
        return _ends.pack(*self.ends)


async def take_over_views(stored: Mapping[int, bytes | None], kafka: Kafka) -> dict[int, Shown]:
    """Partition -> where its views stand now, and what to show once more.

    ``stored``: what the last checkpoint of each partition knew; None where it knew nothing yet.
    """
    ends: dict[int, list[int]] = {number: [] for number in stored}
    again: dict[int, list[set[bytes]]] = {number: [] for number in stored}
    for place, topic in enumerate(VIEWS):
        ranges = {}
        for number, (start, end) in (await kafka.bounds(topic, sorted(stored))).items():
            known = stored[number]
            stood = end if known is None else max(start, _ends.unpack(known)[place])
            if stood < end:
                ranges[number] = stood, end
            ends[number].append(end)
            again[number].append(set())
        async for number, records, _ in kafka.read(topic, ranges):
            again[number][place].update(record.key for record in records if record.key is not None)
    return {number: Shown(ends[number], again[number]) for number in stored}


async def show(kafka: Kafka, number: int, shown: Shown, views: Sequence[Sequence[Outgoing]]) -> None:
    """Append views, those of each of ``VIEWS``; they are acknowledged when this returns.

    Raises ``CannotContinue`` when somebody else has appended some since the last call.
    """

    async def one(place: int) -> None:
        where, lane = _name(number, place), kafka.lane(VIEWS[place], number)
        shown.ends[place] = await append(lane, where, shown.ends[place], views[place])

    await asyncio.gather(*(one(place) for place, records in enumerate(views) if records))


async def look(kafka: Kafka, number: int, shown: Shown) -> None:
    """Make sure that nobody else has appended views, also where we had none to append for long.

    Raises ``CannotContinue`` when somebody has. Not to be called while ``show`` is under way.
    """
    for place, topic in enumerate(VIEWS):
        _, end = (await kafka.bounds(topic, [number]))[number]
        if end != shown.ends[place]:
            raise CannotContinue(
                f"another writer: {_name(number, place)} ends at offset {end} instead of {shown.ends[place]}",
                "it heals by itself: this worker starts again and shows the good states again",
            )


def _name(number: int, place: int) -> str:
    return f"partition {number} of {VIEWS[place]}"
