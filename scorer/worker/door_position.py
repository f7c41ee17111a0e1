"""How far one door partition has been read, and how far everything read is safe in the lead log."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from scorer.errors import CannotContinue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faust.types import TP

    from scorer.worker.batches import Lane
    from scorer.worker.door_clock import DoorEnds
    from scorer.worker.transport import ChunkedApp


class _Unsettled(NamedTuple):
    """A chunk whose records are not all acknowledged."""

    end: int
    at: int
    owing: list[tuple[Lane, int]]
    """Lanes, and how many records each must have acknowledged."""


class DoorPosition:
    """One door partition that this worker reads.

    Its records go out in source order and count as safe in source order, whatever lanes they took.
    """

    def __init__(self, tp: TP, door: str, number: int, start: int) -> None:
        self.tp = tp
        self.door = door
        """The topic without the deployment's prefix."""
        self.number = number
        """The coordinate that its records carry; another life of the partition has another."""
        self.acked = start
        """Everything before this offset is in the log or the dead letters, acknowledged."""
        self.acked_at: int | None = None
        """Append time (ms) of the last record before ``acked``, of those read since the start."""
        self.committed = start
        self._unsettled: deque[_Unsettled] = deque()

    def applied(self, end: int, at: int, lanes: Sequence[Lane]) -> None:
        """A chunk up to offset ``end``, its last record of the time ``at`` (ms), went into these lanes."""
        owing = [(lane, lane.appended) for lane in lanes if lane.acked < lane.appended]
        self._unsettled.append(_Unsettled(end, at, owing))

    def settle(self) -> None:
        """Brings ``acked`` up to date."""
        unsettled = self._unsettled
        while unsettled and all(lane.acked >= count for lane, count in unsettled[0].owing):
            chunk = unsettled.popleft()
            self.acked = chunk.end
            self.acked_at = chunk.at

    @property
    def settled(self) -> bool:
        """Whether everything read is safe (as of the last ``settle``)."""
        return not self._unsettled

    def pass_by(self, handed: int, position: int) -> None:
        """Nothing readable lies between ``handed``, the end of what was handed out, and ``position``."""
        if self.settled and self.acked == handed:
            self.acked = max(self.acked, position)


async def starting_offsets(app: ChunkedApp, ends: DoorEnds, numbers: Mapping[TP, int]) -> dict[TP, int]:
    """Where to go on: at the group's commits, and at the beginning where there is none.

    ``numbers``: of the doors' present lives. Raises ``CannotContinue`` where a commit lies outside its
    door: nothing may be left out silently.
    """
    if not numbers:
        return {}
    committed = await app.committed(numbers)
    first, end = await asyncio.gather(ends.starts(numbers), ends.ends(numbers))
    offsets = {}
    for tp, number in numbers.items():
        offsets[tp] = first[tp]
        # A commit names the number it was made under, since the group outlives a door that is deleted
        # and created again. An operator's reset names none, and is obeyed.
        commit = committed.get(tp)
        if commit is None or (commit.metadata or "") not in {"", str(number)}:
            continue
        where = f"{tp.topic}[{tp.partition}] has been read to offset {commit.offset}, but "
        if commit.offset > end[tp]:
            raise CannotContinue(
                where + f"ends at {end[tp]}: it was deleted and created again, or brokers lost records",
                "if it was created again on purpose, see `scorer topics apply --new-generation`",
            )
        if commit.offset < first[tp]:
            raise CannotContinue(
                where + f"now starts at {first[tp]}: the records between have expired unread",
                f"to go on without them, reset the offsets of group {app.fetching.group} to the earliest",
            )
        offsets[tp] = commit.offset
    return offsets
