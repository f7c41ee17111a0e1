"""The ``Kafka`` port of the score side on aiokafka."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from scorer.wire.cluster import Cluster
from scorer.wire.registry import LOG
from scorer.worker.batches import BatchWriter
from scorer.worker.ports import Bounds, Incoming

if TYPE_CHECKING:
    from scorer.settings import Settings
    from scorer.wire.cluster import Found
    from scorer.worker.batches import Lane
    from scorer.worker.transport import ChunkedApp

log = logging.getLogger(__name__)

READ_RECORDS = 5_000
"""Restored at a time; the event loop waits for them."""
READ_PARTITION_BYTES = 4 << 20
READ_BYTES = 16 << 20
READ_WAIT_MS = 200

_GROUP_MOVED_ON = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


class ScoreKafka:
    def __init__(self, app: ChunkedApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._writer = BatchWriter(
            settings.bootstrap, on_error=app.fatal, client_id=f"{settings.app_id}-score"
        )
        self._reader: AIOKafkaConsumer | None = None
        self._cluster: Cluster | None = None
        self._embedded = settings.broker_profile == "embedded"

    async def start(self) -> None:
        await self._writer.start()
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap,
            client_id=f"{self._settings.app_id}-restore",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=READ_PARTITION_BYTES,
            fetch_max_bytes=READ_BYTES,
            fetch_max_wait_ms=READ_WAIT_MS,
        )
        await self._reader.start()

    async def stop(self) -> None:
        await self._writer.stop()
        if self._reader is not None:
            await self._reader.stop()

    def full_name(self, topic: str) -> str:
        return self._settings.topic_prefix + topic

    async def partitions(self, topic: str) -> int:
        """How many there are. An embedded broker creates a topic that somebody asks for."""
        return await self._writer.partitions(self.full_name(topic))

    async def find(self, topics: Sequence[str]) -> dict[str, Found]:
        """Those of the topics that exist, with their settings. Not for an embedded broker."""
        if self._cluster is None:
            self._cluster = Cluster(self._settings.bootstrap)
        names = {self.full_name(topic): topic for topic in topics}
        found = await asyncio.to_thread(self._cluster.find, list(names))
        return {names[name]: topic for name, topic in found.items()}

    async def room(self, limit: int) -> None:
        """Returns when no more than ``limit`` bytes are appended and not acknowledged."""
        await self._writer.room(limit)

    # -- the port ---------------------------------------------------------------------------------

    def lane(self, topic: str, partition: int) -> Lane:
        return self._writer.lane(self.full_name(topic), partition)

    async def bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, Bounds]:
        tps = self._tps(topic, partitions)
        reader = self._started()
        starts, ends = await reader.beginning_offsets(tps), await reader.end_offsets(tps)
        return {tp.partition: (starts[tp], ends[tp]) for tp in tps}

    async def read(
        self, topic: str, ranges: Mapping[int, Bounds]
    ) -> AsyncIterator[tuple[int, Sequence[Incoming], int]]:
        if not ranges:
            return
        reader = self._started()
        tps = {TopicPartition(self.full_name(topic), number): span for number, span in ranges.items()}
        reader.assign(list(tps))
        try:
            for tp, (start, _) in tps.items():
                reader.seek(tp, start)
            left = set(tps)
            while left:
                found = await reader.getmany(*left, timeout_ms=READ_WAIT_MS, max_records=READ_RECORDS)
                for tp in list(left):
                    # Not the last record's offset: compaction may have removed those that follow.
                    following = await reader.position(tp)
                    records = found.get(tp, ())
                    done = following >= tps[tp][1]
                    if done:
                        left.discard(tp)
                    if done or records:
                        yield tp.partition, records, following
        finally:
            reader.unsubscribe()

    async def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        log_name = self.full_name(LOG)
        found = await self._app.committed([TP(log_name, number) for number in partitions])
        return {tp.partition: value.offset for tp, value in found.items() if value.offset >= 0}

    async def commit(self, positions: Mapping[int, int]) -> bool:
        """For lag tools, and to hear from the group whether we are still a member: nothing starts from it."""
        log_name = self.full_name(LOG)
        offsets = {TP(log_name, number): OffsetAndMetadata(at, "") for number, at in positions.items()}
        try:
            await self._app.commit_offsets(offsets)
        except _GROUP_MOVED_ON as error:
            log.info("the group has moved on, its commit stays behind: %r", error)
            return False
        return True

    async def identity(self, topic: str) -> bytes:
        if self._embedded:
            return b""
        found = await self.find([topic])
        return found[topic].id.encode()

    # -- helpers ----------------------------------------------------------------------------------

    def _tps(self, topic: str, partitions: Iterable[int]) -> list[TopicPartition]:
        name = self.full_name(topic)
        return [TopicPartition(name, number) for number in partitions]

    def _started(self) -> AIOKafkaConsumer:
        if self._reader is None:
            raise RuntimeError("start() comes first")
        return self._reader
