"""The aiokafka consumer of an app, on the thread that Faust gives it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import NoOffsetForPartitionError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

import scorer.worker.bare_records  # noqa: F401 - for its effect on aiokafka's consumers
from scorer.worker.chunks import Fetched

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from aiokafka.structs import OffsetAndMetadata

    from scorer.worker.transport import ChunkedApp


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):
    """Owns the aiokafka consumer, which lives on a thread and event loop of its own.

    The coroutines below run there; call them with ``call``.
    """

    app: ChunkedApp
    mundane_level = "debug"  # "Starting..." is no news

    def __post_init__(self) -> None:
        super().__post_init__()
        self.processor_seconds = 0.0
        """That this thread has used so far."""
        self._number = 0  # of the assignment that the positions belong to
        self._handed: dict[TP, int] = {}  # partition -> end of what was handed out last

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:  # noqa: ARG002 - Faust's signature
        settings, fetching, conf = self.app.settings, self.app.fetching, self.app.conf
        session_ms = int(settings.session_timeout * 1000)
        assignor = self.app.assignor if fetching.sticky else RoundRobinPartitionAssignor
        return AIOKafkaConsumer(
            **settings.kafka.aiokafka(),
            client_id=fetching.group,
            group_id=fetching.group,
            group_instance_id=settings.instance,
            partition_assignment_strategy=[assignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level=fetching.isolation_level,
            fetch_min_bytes=fetching.fetch_min_bytes,
            fetch_max_wait_ms=fetching.fetch_max_wait_ms,
            max_partition_fetch_bytes=fetching.max_partition_bytes,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(1000, session_ms // 6),
            metadata_max_age_ms=fetching.metadata_max_age_ms,
        )

    async def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine on the consumer's loop. Not Faust's queue: that one is two calls wide."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.thread_loop))

    async def fetch(self, positions: Mapping[TP, int], wait: float, limit: int) -> tuple[int, list[Fetched]]:
        """The number of the assignment and, per partition with records, what comes next.

        ``positions``: partition -> where the caller expects to go on. An answer of ours may have got lost
        on its way, with a rebalance meanwhile; what was in it is then read again. ``wait``: seconds for the
        first record. ``limit``: records over all partitions.
        """
        consumer = self._ensure_consumer()
        for tp, offset in positions.items():
            if self._handed.get(tp, offset) != offset:
                consumer.seek(TopicPartition(*tp), offset)
                self._handed[tp] = offset
        failed = consumer._fetcher.error_future  # noqa: SLF001 - aiokafka logs its end and waits for ever
        if failed.done() and not failed.cancelled() and (error := failed.exception()) is not None:
            raise error
        partitions = [TopicPartition(*tp) for tp in positions]
        try:
            found = await consumer.getmany(*partitions, timeout_ms=int(wait * 1000), max_records=limit)
        except NoOffsetForPartitionError:
            # A rebalance has brought the partition again, and aiokafka looked for a commit before
            # ``seek_all`` has said where to go on.
            found = {}
        # Nothing from here on yields to the loop, so records, positions and number belong together:
        # after records have been handed out, their partition is assigned and has a position.
        fetched = []
        for partition, records in found.items():
            tp = TP(*partition)
            start = self._handed.get(tp)
            if start is not None:
                self._handed[tp] = end = await consumer.position(partition)
                fetched.append(Fetched(tp, start, end, records))
        self.processor_seconds = time.thread_time()
        return self._number, fetched

    async def seek_all(self, positions: Mapping[TP, int], number: int | None = None) -> None:
        """Sets positions; with ``number`` a new assignment begins and all former positions are forgotten."""
        consumer = self._ensure_consumer()
        if number is not None:
            self._number = number
            self._handed.clear()
        for tp, offset in positions.items():
            consumer.seek(TopicPartition(*tp), offset)
            self._handed[tp] = offset

    async def look(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """Partition -> (end of what was handed out, aiokafka's position), of those that are being read.

        The second is ahead where nothing but transaction markers and aborted records has been passed.
        """
        consumer = self._ensure_consumer()
        assignment = consumer.assignment()
        seen = {}
        for tp in tps:
            partition = TopicPartition(*tp)
            if tp in self._handed and partition in assignment:
                position = await consumer.position(partition)
                seen[tp] = (self._handed[tp], position)
        return seen

    async def ends(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Partition -> where it ended at its last fetch, of those that are being read. Asks no broker."""
        consumer = self._ensure_consumer()
        assignment = consumer.assignment()
        found = {}
        for tp in tps:
            partition = TopicPartition(*tp)
            if partition in assignment and (end := consumer.highwater(partition)) is not None:
                found[tp] = end
        return found

    async def committed(self, tps: Iterable[TP]) -> dict[TP, OffsetAndMetadata]:
        # The public method drops the metadata; this one leaves partitions without a commit out.
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001
        found = await coordinator.fetch_committed_offsets([TopicPartition(*tp) for tp in tps])
        return {TP(*partition): value for partition, value in found.items()}

    async def commit_offsets(self, offsets: Mapping[TP, OffsetAndMetadata]) -> None:
        # Unlike Faust's commit it raises, and never leaves a partition out silently.
        await self._ensure_consumer().commit({TopicPartition(*tp): value for tp, value in offsets.items()})

    async def range_of(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        consumer = self._ensure_consumer()
        partitions = [TopicPartition(*tp) for tp in tps]
        begin, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        return {TP(*partition): (begin[partition], end[partition]) for partition in partitions}
