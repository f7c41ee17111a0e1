"""Faust's aiokafka driver, delivering one message per fetch: a chunk for each partition.

    app = ChunkedApp(settings, Fetching(group="scorer-score", accept_holes=False))
    app.own(MyOwner(app))                  # a mode.Service that is also a ChunkOwner
    app.consume("score", ["lead.log.v1"])  # makes the Faust agent, which hands chunks to the owner

What is taken over from Faust's consumer, and why:
  _create_worker_consumer  Faust fixes a 1.5 s fetch wait, which starves busy partitions while idle ones
                           are polled, and the isolation level; and lets auto.offset.reset jump silently
  getmany                  one message per fetch; a chunk begins where the one before it ended
  perform_seek             the owner's positions; Faust skips the seek where nothing is committed
  on_partitions_revoked    nothing fetched before is delivered after
  commit, wait_empty       the owner's checkpoint; Faust's own bookkeeping of acks is unused (acks=False),
                           since it commits past messages in flight
  verify_event_path        Faust's watchdog compares clocks of different kinds; we have metrics
  TableManager             Faust gives tables that are declared late a second before it joins the group

Anything an owner raises, and anything that goes wrong while fetching, ends the process with its cause
(``app.fatal``): a kill is safe at any point, a half-working consumer is not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

import faust
from faust.agents.agent import Agent
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from yarl import URL

from scorer import metrics
from scorer.worker.chunk_consumer import ChunkTransport
from scorer.worker.chunks import Chunk, ChunkOwner, Fetching
from scorer.worker.owners import OwnersAssignor
from scorer.worker.supervise import fatal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from aiokafka.structs import OffsetAndMetadata
    from faust.types import TP

    from scorer.settings import Settings

__all__ = ["Chunk", "ChunkOwner", "ChunkedApp", "Fetching"]


TURN = 250
"""Records applied before other tasks have their turn, at least."""


NO_ANSWER = 1.0
"""Seconds that a commit is waited for before it is asked whether its topics are still there."""


class OwnerFirst(BootStrategy):
    """The owner starts before the consumer, whose first assignment needs it, and stops after it."""

    enable_web = False

    def kafka_producer(self) -> Iterable[Any]:
        # In place of Faust's producer, which nobody uses: owners send batches of their own.
        return [self.app.owner]


class NoTables(TableManager):
    """Joins the group at once: while a worker starts, its partitions stand still."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class Untouched(faust.Codec):
    """A chunk's records stay as fetched."""

    def _dumps(self, obj: Any) -> Any:
        return obj

    def _loads(self, s: Any) -> Any:
        return s


class ChunkedApp(faust.App):
    """A Faust app whose agent gets chunks. No global: call it once per app that you want."""

    BootStrategy = OwnerFirst
    mundane_level = "debug"  # "Starting..." is no news

    def __init__(
        self,
        settings: Settings,
        fetching: Fetching,
        *,
        on_fatal: Callable[[BaseException], NoReturn] = fatal,
    ) -> None:
        self.settings = settings
        self.fetching = fetching
        self.fatal = on_fatal
        url = f"kafka://{settings.bootstrap.split(',')[0]}"
        super().__init__(
            fetching.group,
            broker=url,
            broker_commit_interval=settings.checkpoint_interval,
            datadir=str(settings.data_dir),
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            PartitionAssignor=OwnersAssignor,
            TableManager=NoTables,
        )
        self.part = ""
        """``score`` or ``intake``: the name of its agent."""
        self.address = ""
        """Where other workers can ask this one; told to them by the consumer group."""
        self.transport = ChunkTransport([URL(url)], self)
        self.on_rebalance_complete.connect(self._rebalanced)

    def own(self, owner: Any) -> None:
        """``owner`` is a ChunkOwner and a mode.Service."""
        self.owner: Any = owner

    def consume(self, name: str, topics: Sequence[str]) -> None:
        """The agent: hands every chunk of these topics to the owner."""
        self.part = name

        async def agent(fetches: AsyncIterator[Sequence[Chunk]]) -> None:
            async for chunks in fetches:
                await self._apply(chunks)

        raw = Untouched()
        channel = self.topic(*topics, key_serializer=raw, value_serializer=raw, value_type=None, acks=False)
        # As app.agent does it, less the note for those who look for agents in modules: for that it looks at
        # the source files of all modules there are.
        made = Agent(agent, app=self, name=name, channel=channel, on_error=self._on_agent_error)
        self.agents[name] = made
        self.topics.beacon.add(made)

    async def _apply(self, chunks: Sequence[Chunk]) -> None:
        since = 0  # records since others had their turn
        for chunk in chunks:
            if chunk.assignment != self.consumer.number:
                return  # left over from before a rebalance; its records come again, to whoever owns them now
            try:
                self.owner.apply(chunk)
            except Exception as error:  # noqa: BLE001 - Faust would acknowledge the chunk and go on
                self.fatal(error)
            since += len(chunk.records)
            if since >= TURN:
                since = 0
                await asyncio.sleep(0)  # what was sent goes out before the next partition's turn
        self.consumer.applied(chunks[0].assignment)

    async def _rebalanced(self, *_: Any, **__: Any) -> None:
        """Awaited by Faust's recovery service, in a task of its own, before it seeks and fetches."""
        assignment = self.consumer.assignment()
        metrics.WORKER_REBALANCES.labels(self.part).inc()
        metrics.WORKER_PARTITIONS.labels(self.part).set(len(assignment))
        try:
            await self.owner.assigned(assignment)
        except Exception as error:  # noqa: BLE001
            self.fatal(error)

    # -- for owners ---------------------------------------------------------------------------------

    async def committed(self, tps: Iterable[TP]) -> dict[TP, OffsetAndMetadata]:
        """The group's commits, of those partitions that have one."""
        found: dict[TP, OffsetAndMetadata] = await self._in_thread("committed", tps)
        return found

    async def commit_offsets(
        self, offsets: Mapping[TP, OffsetAndMetadata], look: Callable[[], Awaitable[None]]
    ) -> None:
        """Raises when the group has moved on without us, or the broker refuses.

        To a topic that is gone the client would commit again and again, and a rebalance waits for it: while
        there is no answer, ``look`` is awaited from time to time, and what it raises is raised.
        """
        committing = asyncio.ensure_future(self._in_thread("commit_offsets", offsets))
        try:
            while not (await asyncio.wait([committing], timeout=NO_ANSWER))[0]:
                await look()
            await committing
        finally:
            committing.cancel()

    async def range_of(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """Partition -> (first offset, end), as far as the isolation level lets us read."""
        found: dict[TP, tuple[int, int]] = await self._in_thread("range_of", tps)
        return found

    async def look(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """See ``ChunkConsumerThread.look``."""
        found: dict[TP, tuple[int, int]] = await self._in_thread("look", tps)
        return found

    async def ends(self, tps: Iterable[TP]) -> dict[TP, int]:
        """See ``ChunkConsumerThread.ends``."""
        found: dict[TP, int] = await self._in_thread("ends", tps)
        return found

    @property
    def spent(self) -> Mapping[str, float]:
        """Seconds that the owner has used so far, by stage: see ``metrics.WORKER_LOOP_SECONDS``."""
        spent: Mapping[str, float] = self.owner.spent
        return spent

    @property
    def fetching_seconds(self) -> float:
        """Processor time that the consumer's thread has used so far."""
        consumer = self._consumer
        thread = None if consumer is None else consumer._thread  # noqa: SLF001 - one mechanism, three classes
        return 0.0 if thread is None else float(thread.processor_seconds)

    async def read_from(self, positions: Mapping[TP, int]) -> None:
        """Reads assigned partitions from these offsets on, whether they were being read or not."""
        await self.consumer.read_from(positions)

    def stop_reading(self, tp: TP) -> None:
        """Leaves an assigned partition alone until ``read_from`` names it or it is assigned anew."""
        self.consumer.stop_reading(tp)

    async def _in_thread(self, method: str, *args: Any) -> Any:
        thread = self.consumer._thread  # noqa: SLF001 - one mechanism, three classes
        return await thread.call(getattr(thread, method)(*args))

    def _create_directories(self) -> None:
        """Faust's tables are not used, and its empty folders would only puzzle."""
