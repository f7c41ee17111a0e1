"""Chunks without a broker: the consumer's thread is played by a fake."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from faust.types import TP

from scorer.errors import CannotContinue
from scorer.settings import Settings
from scorer.worker.chunks import Fetched
from scorer.worker.transport import Chunk, ChunkedApp, Fetching

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

A, B = TP("log", 0), TP("log", 1)


class Record(NamedTuple):
    offset: int
    timestamp: int = 1_000
    timestamp_type: int = 1


def part(tp: TP, start: int, *offsets: int, end: int | None = None) -> Fetched:
    """What the thread hands out: records at these offsets, in answer to a fetch from ``start``."""
    return Fetched(tp, start, offsets[-1] + 1 if end is None else end, [Record(n) for n in offsets])


class FakeThread:
    """Answers fetches from a script; remembers seeks."""

    def __init__(self) -> None:
        self.script: list[tuple[int, list[Fetched]] | BaseException] = []
        self.asked: list[dict[TP, int]] = []
        self.seeks: list[tuple[dict[TP, int], int | None]] = []
        self.ranges: dict[TP, tuple[int, int]] = {}

    async def call(self, work: Any) -> Any:
        return await work

    async def fetch(self, positions: Mapping[TP, int], wait: float, limit: int) -> tuple[int, list[Fetched]]:
        self.asked.append(dict(positions))
        if not self.script:
            await asyncio.Event().wait()  # nothing comes any more
        answer = self.script.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def seek_all(self, positions: Mapping[TP, int], number: int | None = None) -> None:
        self.seeks.append((dict(positions), number))

    async def range_of(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        return self.ranges


class Owner:
    def __init__(self, positions: Mapping[TP, int]) -> None:
        self.positions = positions
        self.chunks: list[Chunk] = []
        self.checkpoints: list[bool] = []
        self.full = asyncio.Event()
        self.full.set()

    def start_positions(self, assignment: Iterable[TP]) -> Mapping[TP, int]:
        return self.positions

    async def drained(self) -> None:
        await self.full.wait()

    def apply(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)

    async def checkpoint(self, *, final: bool = False) -> bool:
        self.checkpoints.append(final)
        return True


class FatalError(Exception):
    pass


class World:
    """A consumer between a fake thread and a fake owner."""

    def __init__(
        self,
        *,
        accept_holes: bool = False,
        at_most: int = 2_000,
        small_fetch: int = 1 << 30,
        **positions: int,
    ) -> None:
        """``small_fetch``: never "under load" unless given, so that nothing is asked for ahead."""
        self.fatal: list[BaseException] = []
        fetching = Fetching(
            group="test",
            accept_holes=accept_holes,
            small_fetch=small_fetch,
            max_chunk_records=at_most,
        )
        self.app = ChunkedApp(Settings(), fetching, on_fatal=self._fatal)  # type: ignore[arg-type]
        self.owner = Owner({TP("log", int(name[1:])): at for name, at in positions.items()})
        self.app.own(self.owner)
        self.consumer = self.app.consumer
        self.thread = FakeThread()
        self.consumer._thread = self.thread
        self.consumer.assignment = lambda: set(self.owner.positions)

    def _fatal(self, error: BaseException) -> None:
        self.fatal.append(error)
        raise FatalError

    async def assign(self) -> int:
        await self.consumer.perform_seek()
        return int(self.consumer.number)

    async def revoke(self) -> None:
        await self.consumer.on_partitions_revoked(set(self.owner.positions))
        self.consumer.resume_flow()  # as Faust does after the next assignment

    async def turn(self, *parts: Fetched, number: int | None = None, apply: bool = True) -> list[Chunk]:
        """One round of Faust's fetch loop with this answer; returns the chunks that it delivers."""
        self.thread.script = [(self.consumer.number if number is None else number, list(parts))]
        delivered = []
        async with asyncio.timeout(5):
            with suppress(FatalError):
                async for _, message in self.consumer.getmany(timeout=1.0):
                    delivered += message.value
                    if apply:
                        await self.app._apply(message.value)
        return delivered


async def test_chunks_follow_each_other() -> None:
    world = World(p0=5, p1=0)
    await world.assign()
    first = await world.turn(part(A, 5, 5, 6, 7), part(B, 0, 0))
    second = await world.turn(part(A, 8, 8, 9))
    assert [(c.tp, c.start, c.end) for c in first + second] == [(A, 5, 8), (B, 0, 1), (A, 8, 10)]
    assert [r.offset for r in world.owner.chunks[0].records] == [5, 6, 7]
    assert not world.fatal


async def test_positions_are_the_owners() -> None:
    world = World(p0=5, p1=0)
    number = await world.assign()
    assert world.thread.seeks == [({A: 5, B: 0}, number)]


@pytest.mark.parametrize("hole", [part(A, 5, 6, 7), part(A, 5, 5, 7), part(A, 5, 5, 6, end=8)])
async def test_a_hole_in_the_log_is_read_again_and_then_stops_us(hole: Fetched) -> None:
    world = World(p0=5)
    await world.assign()
    assert await world.turn(hole) == []
    assert not world.fatal
    assert await world.turn(hole) == []
    assert world.thread.asked[-1] == {A: 5}
    assert isinstance(world.fatal[0], CannotContinue)
    assert "log[0]" in str(world.fatal[0])


async def test_a_hole_that_a_second_look_fills_is_none() -> None:
    world = World(p0=5)
    await world.assign()
    assert await world.turn(part(A, 5, 6)) == []
    assert len(await world.turn(part(A, 5, 5, 6))) == 1
    # and the next one gets its second look too
    assert await world.turn(part(A, 7, 8)) == []
    assert not world.fatal


async def test_a_door_may_have_holes_that_persist() -> None:
    world = World(accept_holes=True, p0=5)
    await world.assign()
    assert await world.turn(part(A, 5, 7, 8)) == []
    assert [(c.start, c.end) for c in await world.turn(part(A, 5, 7, 8))] == [(5, 9)]
    # markers within what was fetched, or behind it, are the publishers' transactions
    assert [(c.start, c.end) for c in await world.turn(part(A, 9, 9, 12, end=14))] == [(9, 14)]
    assert not world.fatal


async def test_an_answer_that_got_lost_is_fetched_again() -> None:
    world = World(p0=5, p1=0)
    await world.assign()
    assert await world.turn(part(A, 8, 8, 9)) == []
    assert await world.turn(part(A, 5, 5, 6)) != []
    assert world.thread.asked[-1] == {A: 5, B: 0}


async def test_what_was_fetched_for_an_earlier_assignment_is_dropped() -> None:
    world = World(p0=5)
    number = await world.assign()
    await world.revoke()
    await world.assign()
    assert await world.turn(part(A, 5, 5), number=number) == []
    assert await world.turn(part(A, 5, 5)) != []


async def test_a_chunk_in_the_agents_hands_is_dropped_after_a_revocation() -> None:
    world = World(p0=5)
    await world.assign()
    (chunk,) = await world.turn(part(A, 5, 5), apply=False)
    await world.revoke()
    await world.assign()
    await world.app._apply([chunk])
    assert world.owner.chunks == []


async def test_nothing_is_fetched_before_the_last_chunk_is_applied_and_the_owner_has_room() -> None:
    world = World(p0=0)
    await world.assign()
    (chunk,) = await world.turn(part(A, 0, 0), apply=False)
    world.owner.full.clear()
    world.thread.script = [(world.consumer.number, [part(A, 1, 1)])]
    asked = len(world.thread.asked)
    following = asyncio.create_task(anext(world.consumer.getmany(timeout=1.0)))
    await asyncio.sleep(0.05)
    assert len(world.thread.asked) == asked
    await world.app._apply([chunk])
    await asyncio.sleep(0.05)
    assert len(world.thread.asked) == asked
    world.owner.full.set()
    async with asyncio.timeout(5):
        _, message = await following
    assert [chunk.start for chunk in message.value] == [1]


async def test_under_load_the_next_records_are_asked_for_while_these_are_applied() -> None:
    world = World(p0=0)
    world.app.fetching = Fetching(group="test", accept_holes=False, small_fetch=1)
    number = await world.assign()
    world.thread.script = [(number, [part(A, 0, 0)]), (number, [part(A, 1, 1)]), (number, [part(A, 2, 2)])]
    first = [chunk async for _, message in world.consumer.getmany(timeout=1.0) for chunk in message.value]
    await asyncio.sleep(0)
    assert len(world.thread.asked) == 2
    await world.app._apply(first)
    # Out of turn: what was handed out ahead is forgotten as well, and everything is read again.
    world.consumer._deliver_from[A] = 0
    assert [m async for _, m in world.consumer.getmany(timeout=1.0)] == []
    world.thread.script = [(number, [part(A, 0, 0)])]
    again = [chunk async for _, message in world.consumer.getmany(timeout=1.0) for chunk in message.value]
    assert [chunk.start for chunk in again] == [0]
    assert [asked[A] for asked in world.thread.asked] == [0, 1, 0]
    ahead = world.consumer._ahead
    await world.revoke()
    await asyncio.wait({ahead}, timeout=5)
    assert ahead.cancelled()


async def test_a_partition_left_out_is_read_when_it_is_named() -> None:
    world = World(p0=5)
    await world.assign()
    await world.turn(part(A, 5, 5))
    assert world.thread.asked[-1] == {A: 5}
    await world.app.read_from({B: 3})
    assert world.thread.seeks[-1] == ({B: 3}, None)
    assert [c.tp for c in await world.turn(part(B, 3, 3))] == [B]
    world.app.stop_reading(B)
    assert await world.turn(part(B, 4, 4)) == []
    assert world.thread.asked[-1] == {A: 6}


@pytest.mark.parametrize(
    ("kept", "words"), [((0, 7), "deleted and created again"), ((20, 30), "expired unread")]
)
async def test_an_offset_that_does_not_exist_stops_us_with_the_reason(
    kept: tuple[int, int], words: str
) -> None:
    world = World(p0=12)
    await world.assign()
    world.thread.ranges = {A: kept}
    world.thread.script = [OffsetOutOfRangeError({TopicPartition(*A): 12})]
    with pytest.raises(FatalError):
        await anext(world.consumer.getmany(timeout=1.0))
    assert isinstance(world.fatal[0], CannotContinue)
    assert words in str(world.fatal[0])
    assert "log[0] is to be read at offset 12" in str(world.fatal[0])


async def test_what_goes_wrong_while_applying_or_saving_ends_the_process() -> None:
    world = World(p0=0)
    await world.assign()
    failure = ValueError("no")

    def broken(chunk: Chunk) -> None:
        raise failure

    async def broken_checkpoint(*, final: bool = False) -> bool:
        raise failure

    world.owner.apply = broken  # type: ignore[method-assign]
    await world.turn(part(A, 0, 0))
    assert world.fatal == [failure]
    world.owner.checkpoint = broken_checkpoint  # type: ignore[method-assign]
    with pytest.raises(FatalError):
        await world.consumer.commit()
    assert world.fatal == [failure, failure]


async def test_checkpoints_lie_between_the_positions_and_one_last_checkpoint() -> None:
    world = World(p0=0)
    assert await world.consumer.commit() is False
    await world.consumer.wait_empty()
    assert world.owner.checkpoints == []
    await world.assign()
    await world.consumer.commit()
    await world.consumer.wait_empty()
    await world.consumer.wait_empty()
    assert await world.consumer.commit() is False
    assert world.owner.checkpoints == [False, True]


async def test_what_had_piled_up_is_made_durable_as_soon_as_it_is_applied() -> None:
    world = World(small_fetch=3, p0=5, p1=0)

    async def checkpoints(*parts: Fetched) -> int:
        await world.turn(*parts)
        world.consumer._drop_ahead()
        await asyncio.sleep(0)  # the checkpoint is a task of its own
        return len(world.owner.checkpoints)

    await world.assign()
    assert await checkpoints(part(A, 5, 5)) == 0  # nothing of the other one yet
    assert await checkpoints(part(B, 0, 0, 1, 2)) == 0  # there is more
    assert await checkpoints(part(A, 6, 6)) == 1
    assert await checkpoints(part(B, 3, 3)) == 1  # from now on it is a matter of time
    await world.revoke()
    assert world.owner.checkpoints == [False, True]
    await world.assign()
    assert await checkpoints(part(A, 5, 5), part(B, 0, 0)) == 3
    assert world.owner.checkpoints == [False, True, False]


async def test_a_backlog_makes_checkpoints_rarer_until_somebody_waits_for_one() -> None:
    world = World(at_most=2, p0=0)
    await world.assign()
    await world.turn(part(A, 0, 0, 1))
    await asyncio.sleep(0)
    assert len(world.owner.checkpoints) == 1  # the first after an assignment waits for nothing
    for _ in range(6):
        await world.consumer.commit()
    assert len(world.owner.checkpoints) == 3
    world.owner.full.clear()
    waiting = asyncio.create_task(world.turn(part(A, 2, 2)))
    await asyncio.sleep(0)
    for _ in range(3):
        await world.consumer.commit()
    assert len(world.owner.checkpoints) == 6
    world.owner.full.set()
    await waiting
    for _ in range(3):
        await world.consumer.commit()
    assert len(world.owner.checkpoints) == 9
