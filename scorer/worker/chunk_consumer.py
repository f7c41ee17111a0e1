"""Faust's consumer, which delivers chunks: see ``scorer.worker.transport`` for what it replaces and why."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from aiokafka.errors import ConsumerStoppedError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from scorer import metrics
from scorer.errors import CannotContinue
from scorer.worker.chunks import Chunk, Fetched
from scorer.worker.consumer_thread import ChunkConsumerThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from scorer.worker.transport import ChunkedApp

POLL_TIMEOUT = 0.5  # seconds that a fetch waits for the first record
NOTHING_TO_READ = 0.05  # seconds between looks while no partition may be read
HELD_UP = 0.001  # seconds from which on it is told; asking takes less
PUT_OFF = 2
"""Checkpoints in a row that are left out while there is a backlog: a lead that changes in several
intervals is then written once, a tenth of the worker's time. Outcomes don't wait for a checkpoint."""


class _NothingRead(dict[TP, None]):
    """In the place of Faust's book of read offsets, by which it drops what it takes for old.

    It compares last offsets, and chunks that are read again may be cut otherwise; ``getmany`` sees to it
    that one begins where the one before it ended.
    """

    def __getitem__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: object) -> None:
        pass


class ChunkConsumer(driver.Consumer):
    app: ChunkedApp
    _thread: ChunkConsumerThread
    mundane_level = "debug"  # "Starting..." is no news

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.number = 0  # of the assignment; counts revocations too
        self._positioned = False  # between the owner's positions and its final checkpoint
        self._deliver_from: dict[TP, int] = {}
        self._sought: set[TP] = set()
        self._last_fetched = 0
        self._read_offset = _NothingRead()
        self._waiting = False  # for something to become durable
        self._put_off = 0
        self._catching_up = False  # from an assignment on, until what had piled up is applied
        self._unread: set[TP] = set()  # since then
        self._ahead: asyncio.Task[tuple[int, list[Fetched]]] | None = None
        self._applied = asyncio.Event()  # what was delivered to the agent last
        self._applied.set()

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- fetching ---------------------------------------------------------------------------------

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ARG002, ASYNC109 - Faust's signature
        await self._ready_for_more()
        number = self.number
        try:
            fetched = await self._fetch()
        except ConsumerStoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - reported with its cause, whatever it is
            if number == self.number:
                self.app.fatal(await self._explain(error))
            return  # positions of an assignment that is gone
        if self.should_stop or not self.flow_active or number != self.number:
            return  # the next assignment sets positions anew
        chunks = []
        for part in fetched:
            if part.tp not in self._deliver_from:
                continue  # no longer to be read
            if not self._follows(part):
                self._drop_ahead()
                break  # the next fetch asks for what is expected
            self._deliver_from[part.tp] = part.end
            self._unread.discard(part.tp)
            chunks.append(Chunk(*part, number))
        if chunks:
            self._applied.clear()
            yield chunks[0].tp, self._message(chunks)

    async def _ready_for_more(self) -> None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        await self._applied.wait()
        self._waiting = True
        began = time.monotonic()
        await self.app.owner.drained()
        self._waiting = False
        if (waited := time.monotonic() - began) > HELD_UP:
            metrics.WORKER_BACKPRESSURE_SECONDS.labels(self.app.part).inc(waited)
        if self._ahead is None and not self._deliver_from:
            await asyncio.sleep(NOTHING_TO_READ)

    async def _fetch(self) -> list[Fetched]:
        if not self._deliver_from:
            return []
        ahead, self._ahead = self._ahead, None
        number, fetched = await (ahead or self._ask())
        if number != self.number:
            return []
        self._last_fetched = sum(len(part.records) for part in fetched)
        if self._last_fetched >= self.app.fetching.small_fetch:
            # Under load the thread gets the next records ready while these are applied.
            self._ahead = self._ask({part.tp: part.end for part in fetched})
        return fetched

    def _ask(self, delivered: Mapping[TP, int] | None = None) -> asyncio.Task[tuple[int, list[Fetched]]]:
        """``delivered``: where partitions will stand when what has been fetched is delivered."""
        positions = dict(self._deliver_from)
        if delivered:
            positions |= {tp: end for tp, end in delivered.items() if tp in positions}
        return asyncio.get_running_loop().create_task(self._ask_thread(positions))

    async def _ask_thread(self, positions: Mapping[TP, int]) -> tuple[int, list[Fetched]]:
        limit = self.app.fetching.max_chunk_records
        work = self._thread.fetch(positions, POLL_TIMEOUT, limit)
        answer: tuple[int, list[Fetched]] = await self._thread.call(work)
        return answer

    def _drop_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._ahead = None

    def _follows(self, part: Fetched) -> bool:
        """Whether a part continues where the last one ended, without a hole that we must not accept."""
        expected = self._deliver_from.get(part.tp)
        if expected != part.start:
            return False  # an answer got lost on its way from the thread
        records = part.records
        whole = records[0].offset == part.start
        if not self.app.fetching.accept_holes:
            whole = whole and part.end - part.start == len(records)
        if whole:
            self._sought.discard(part.tp)
            return True
        if part.tp not in self._sought:
            self._sought.add(part.tp)
            return False
        if not self.app.fetching.accept_holes:
            self.app.fatal(
                CannotContinue(
                    f"{part.tp.topic}[{part.tp.partition}] has no record at some offset from {part.start}"
                    f" to {part.end - 1}, and reading it again does not bring it back",
                    "records of this topic are never written in transactions and never compacted",
                )
            )
        self._sought.discard(part.tp)
        return True

    def _message(self, chunks: list[Chunk]) -> ConsumerMessage:
        """One for all of them, since what Faust does for a message costs as much as 20 records."""
        first = chunks[0]
        last = first.records[-1]
        return ConsumerMessage(
            first.tp.topic,
            first.tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            (),
            b"",
            chunks,
            None,
            0,
            0,
            first.tp,
            generation_id=self.app.consumer_generation_id,
        )

    def applied(self, number: int) -> None:
        """The agent is done with what was delivered under that assignment."""
        if number != self.number:
            return
        self._applied.set()
        caught_up = not self._unread and self._last_fetched < self.app.fetching.small_fetch
        if self._catching_up and caught_up:
            # Told at once what had piled up, and not an interval later: it has waited for long enough.
            self._catching_up = False
            self.add_future(self.commit())

    async def _explain(self, error: Exception) -> Exception:
        """Says what lies behind an offset that the broker does not have."""
        if not isinstance(error, OffsetOutOfRangeError) or not error.args:
            return error
        positions = {TP(*partition): offset for partition, offset in error.args[0].items()}
        ranges = await self._thread.call(self._thread.range_of(positions))
        tp, offset = next(iter(positions.items()))
        begin, end = ranges[tp]
        what = f"{tp.topic}[{tp.partition}] is to be read at offset {offset}, but "
        if offset > end:
            return CannotContinue(what + f"ends at {end}: was the topic deleted and created again?")
        return CannotContinue(what + f"starts at {begin}: the records before expired unread")

    # -- positions --------------------------------------------------------------------------------

    async def perform_seek(self) -> None:
        self._begin(self.app.owner.start_positions(self.assignment()))
        self._positioned = True
        await self._thread.call(self._thread.seek_all(self._deliver_from, self.number))

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._begin({})
        await super().on_partitions_revoked(revoked)

    def _begin(self, positions: Mapping[TP, int]) -> None:
        """A new assignment, or none: whatever is still under way belongs to the past."""
        self.number += 1
        self._deliver_from = dict(positions)
        self._sought.clear()
        self._drop_ahead()
        self._last_fetched = 0
        self._put_off = PUT_OFF  # never the first after a kill or a rebalance: it has waited for long enough
        self._unread = set(positions)
        self._catching_up = bool(positions)
        self._applied.set()

    async def read_from(self, positions: Mapping[TP, int]) -> None:
        # First what is expected: whatever is fetched from the old position then counts as out of turn.
        self._deliver_from.update(positions)
        await self._thread.call(self._thread.seek_all(positions))

    def stop_reading(self, tp: TP) -> None:
        self._deliver_from.pop(tp, None)

    # -- committing -------------------------------------------------------------------------------

    async def commit(
        self,
        topics: Any = None,  # noqa: ARG002 - Faust's signature
        start_new_transaction: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> bool:
        if not self._positioned:
            return False
        backlog = self._last_fetched >= self.app.fetching.max_chunk_records
        if backlog and not self._waiting and self._put_off < PUT_OFF:
            self._put_off += 1
            return False
        self._put_off = 0
        return await self._checkpoint(final=False)

    async def wait_empty(self) -> None:
        """On revoke and on stop, which call it twice: flow has stopped, no chunk is half applied."""
        self._begin({})  # a chunk that the agent has in hand must not be applied any more
        if self._positioned:
            self._positioned = False
            await self._checkpoint(final=True)

    async def _checkpoint(self, *, final: bool) -> bool:
        # aiokafka logs and swallows what a revocation raises, so that a failed last checkpoint has to
        # end the process from here.
        try:
            return bool(await self.app.owner.checkpoint(final=final))
        except Exception as error:  # noqa: BLE001
            self.app.fatal(error)

    def verify_event_path(self, now: float, tp: TP) -> None:
        pass


class ChunkTransport(driver.Transport):
    Consumer = ChunkConsumer
