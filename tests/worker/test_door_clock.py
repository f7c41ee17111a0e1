"""What clock records say: never more than has been read and acknowledged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from scorer.domain import clock
from scorer.domain.record import Clock, decode_record
from scorer.errors import CannotContinue
from scorer.worker.batches import Written
from scorer.worker.door_clock import UNSEEN_MS, DoorClock, broker_time
from scorer.worker.door_position import DoorPosition

if TYPE_CHECKING:
    from collections.abc import Iterable

EMAIL, PAGE = TP("p.activity.email.v1", 0), TP("p.activity.page.v1", 2)
BROKER_TIME = 50_000_000


class Lane:
    def __init__(self) -> None:
        self.appended = 0
        self.acked = 0
        self.written: Written | None = Written(BROKER_TIME, time.monotonic())
        self.records: list[bytes] = []

    def append(self, key: bytes | None, value: bytes) -> None:
        assert key is None
        self.records.append(value)

    def push(self) -> None:
        pass


class World:
    """Two doors, two log partitions."""

    def __init__(self) -> None:
        self.lanes: list[Any] = [Lane(), Lane()]
        self.email = DoorPosition(EMAIL, "activity.email.v1", 1, 10)
        self.page = DoorPosition(PAGE, "activity.page.v1", 7, 0)
        self.end: dict[TP, int] | Exception = {EMAIL: 10, PAGE: 0}
        self.looked: dict[TP, tuple[int, int]] = {}
        self.clock = DoorClock(self._ends, self._look, broker_time)

    async def _ends(self, tps: Iterable[TP]) -> dict[TP, int]:
        if isinstance(self.end, Exception):
            raise self.end
        return self.end

    async def _look(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        return {tp: self.looked[tp] for tp in tps if tp in self.looked}

    async def tick(self, *, hold: bool = False) -> dict[int, int]:
        """One tick; returns what it told every partition."""
        await self.clock.tick([self.email, self.page], self.lanes, hold=hold)
        told = [decode_record(lane.records[-1]) for lane in self.lanes]
        assert told[0] == told[1]
        assert isinstance(told[0], Clock)
        return clock.unpack(told[0].packed)

    def append(self, count: int) -> None:
        for lane in self.lanes:
            lane.appended += count


async def test_idle_and_empty_doors_are_read_through_shortly_before_the_question() -> None:
    """Not through its very instant: a record may be stamped already that nobody can see yet."""
    began = time.monotonic()
    told = await World().tick()
    took = int((time.monotonic() - began) * 1000) + 1
    assert told.keys() == {1, 7}
    assert all(BROKER_TIME - UNSEEN_MS <= at <= BROKER_TIME - UNSEEN_MS + took for at in told.values())


async def test_a_backlog_holds_its_door_back_and_no_other() -> None:
    world = World()
    world.end = {EMAIL: 11, PAGE: 0}
    assert (await world.tick()).keys() == {7}


async def test_what_is_read_while_the_question_is_under_way_is_no_loss() -> None:
    """The answer is old by then: it names an end that has been passed since."""
    world = World()

    async def slow(tps: Iterable[TP]) -> dict[TP, int]:
        world.append(5)
        world.email.applied(15, 777, world.lanes)
        for lane in world.lanes:
            lane.acked = lane.appended
        world.email.settle()
        return {EMAIL: 10, PAGE: 0}

    world.clock = DoorClock(slow, world._look, broker_time)
    assert (await world.tick()).keys() == {1, 7}


async def test_time_stands_still_while_there_are_doors_that_nobody_waits_for() -> None:
    world = World()
    assert await world.tick(hold=True) == {}
    assert (await world.tick()).keys() == {1, 7}


async def test_a_door_with_a_backlog_is_at_its_last_acknowledged_record() -> None:
    world = World()
    world.end = {EMAIL: 30, PAGE: 0}
    world.append(5)
    world.email.applied(15, 777, world.lanes)
    assert 1 not in await world.tick()  # applied, not acknowledged
    for lane in world.lanes:
        lane.acked = 5
    world.append(5)
    world.email.applied(20, 888, world.lanes)
    assert (await world.tick())[1] == 777
    assert 1 not in await world.tick()  # nothing new to tell


async def test_read_to_the_end_but_not_acknowledged_is_not_read_through() -> None:
    world = World()
    world.end = {EMAIL: 15, PAGE: 0}
    world.append(5)
    world.email.applied(15, 777, world.lanes)
    world.lanes[0].acked = 5
    assert 1 not in await world.tick()
    world.lanes[1].acked = 5
    assert (await world.tick())[1] >= BROKER_TIME - UNSEEN_MS


async def test_transaction_markers_at_the_end_are_passed() -> None:
    world = World()
    world.end = {EMAIL: 12, PAGE: 0}
    assert 1 not in await world.tick()  # not being fetched: a paused partition is no idle one
    world.looked = {EMAIL: (10, 10)}
    assert 1 not in await world.tick()  # fetched, and there is something left to read
    world.looked = {EMAIL: (11, 12)}
    assert 1 not in await world.tick()  # handed out, on its way to us
    world.looked = {EMAIL: (10, 12)}
    assert 1 in await world.tick()
    assert world.email.acked == 12


async def test_time_never_goes_back() -> None:
    world = World()
    first = (await world.tick())[1]
    world.end = {EMAIL: 11, PAGE: 0}
    world.email.applied(11, first - 5_000, [])  # appended by a leader whose clock is behind
    world.end = {EMAIL: 20, PAGE: 0}
    assert 1 not in await world.tick()


async def test_before_the_brokers_time_is_known_only_records_tell_the_time() -> None:
    world = World()
    world.lanes[1].written = None
    world.email.applied(12, 777, [])
    assert await world.tick() == {1: 777}


async def test_the_slowest_brokers_clock_counts() -> None:
    world = World()
    world.lanes[1].written = Written(BROKER_TIME - 60_000, time.monotonic())
    assert (await world.tick())[7] < BROKER_TIME - 50_000


async def test_without_an_answer_the_clock_goes_by_records() -> None:
    world = World()
    world.end = KafkaConnectionError()
    world.email.applied(12, 777, [])
    assert await world.tick() == {1: 777}


async def test_a_door_that_ends_before_what_was_read_stops_us() -> None:
    world = World()
    world.end = {EMAIL: 3, PAGE: 0}
    with pytest.raises(
        CannotContinue, match=r"activity\.email\.v1\[0\] ends at offset 3.*deleted and created"
    ) as stop:
        await world.tick()
    assert "--new-generation activity.email.v1" in str(stop.value.hint)


def test_what_is_safe_is_a_prefix_of_what_was_read() -> None:
    slow, fast = Lane(), Lane()
    door = DoorPosition(EMAIL, "activity.email.v1", 1, 0)
    slow.appended = 1
    door.applied(5, 100, [slow])  # type: ignore[list-item]
    fast.appended = fast.acked = 1
    door.applied(9, 200, [slow, fast])  # type: ignore[list-item]
    door.settle()
    assert (door.acked, door.acked_at, door.settled) == (0, None, False)
    slow.acked = 1
    door.settle()
    assert (door.acked, door.acked_at, door.settled) == (9, 200, True)
