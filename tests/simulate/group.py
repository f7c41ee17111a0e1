"""A consumer group: who owns which partitions, and who only thinks so."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Partition = TypeVar("Partition", bound=Hashable)
Assignment = tuple[int, tuple[Partition, ...]]
"""Generation, and what it gives to a member."""

SESSION = 4.0
"""Seconds without a heartbeat after which a member is out."""


@dataclass
class Seat(Generic[Partition]):
    heard: float
    waiting: asyncio.Future[Assignment[Partition]] | None = None
    """Of a member that has joined the generation to come."""


class Group(Generic[Partition]):
    def __init__(
        self,
        partitions: tuple[Partition, ...],
        rng: random.Random,
        clock: Callable[[], float],
        note: Callable[[str], None],
    ) -> None:
        self.generation = 0
        self.assignment: dict[str, tuple[Partition, ...]] = {}
        self._partitions = partitions
        self._rng = rng
        self._clock = clock
        self._note = note
        self._seats: dict[str, Seat[Partition]] = {}
        self._preparing = False

    async def join(self, member: str) -> Assignment[Partition]:
        """Returns when everybody else has joined as well, or is out."""
        seat = self._seats.setdefault(member, Seat(self._clock()))
        seat.heard = self._clock()
        joined: asyncio.Future[Assignment[Partition]] = asyncio.get_running_loop().create_future()
        seat.waiting = joined
        self._preparing = True
        self._complete()
        return await joined

    def beat(self, member: str) -> Literal["fine", "rejoin", "out"]:
        """A heartbeat, and the group's answer."""
        seat = self._seats.get(member)
        if seat is None:
            return "out"
        seat.heard = self._clock()
        return "rejoin" if self._preparing and seat.waiting is None else "fine"

    def leave(self, member: str) -> None:
        if self._seats.pop(member, None) is not None:
            self._preparing = True
            self._complete()

    def rebalance(self) -> None:
        """As when topics or members change."""
        self._preparing = True

    def expire(self, alive: Callable[[str], bool]) -> None:
        """Call it often. ``alive``: whether the connection of a member that waits still stands."""
        late = self._clock() - SESSION
        for member, seat in list(self._seats.items()):
            if seat.heard < late and not (seat.waiting is not None and alive(member)):
                self._note(f"{member} is out")
                del self._seats[member]
                self._preparing = True
        self._complete()

    def counts(self, member: str, generation: int) -> bool:
        """Whether a commit of that generation is taken."""
        return member in self._seats and generation == self.generation

    def _complete(self) -> None:
        if not self._preparing or any(seat.waiting is None for seat in self._seats.values()):
            return
        self._preparing = False
        self.generation += 1
        members = list(self._seats)
        given: dict[str, list[Partition]] = {member: [] for member in members}
        for number, partition in enumerate(self._partitions):
            if members:
                spread = self._rng.random() < 0.8
                place = (number + self.generation // 3) if spread else self._rng.randrange(len(members))
                given[members[place % len(members)]].append(partition)
        self.assignment = {member: tuple(parts) for member, parts in given.items()}
        self._note(f"generation {self.generation}: {self.assignment}")
        for member, seat in self._seats.items():
            if seat.waiting is not None and not seat.waiting.done():
                seat.waiting.set_result((self.generation, self.assignment[member]))
            seat.waiting = None
            seat.heard = self._clock()
