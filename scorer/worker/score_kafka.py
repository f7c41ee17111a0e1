"""The ``Kafka`` port of the score side on aiokafka."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from scorer.errors import CannotContinue, UserError
from scorer.storage.ports import Bounds, Incoming
from scorer.storage.topic_reader import TopicReader
from scorer.wire.cluster import Cluster
from scorer.wire.registry import LOG
from scorer.worker.batches import BatchWriter

if TYPE_CHECKING:
    from scorer.settings import Settings
    from scorer.worker.batches import Lane
    from scorer.worker.transport import ChunkedApp

log = logging.getLogger(__name__)

_GROUP_MOVED_ON = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


class ScoreKafka:
    def __init__(self, app: ChunkedApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._writer = BatchWriter(settings.kafka, on_error=app.fatal, client_id=f"{settings.app_id}-score")
        self._reader = TopicReader(settings, f"{settings.app_id}-restore")
        self._cluster: Cluster | None = None
        self._embedded = settings.broker_profile == "embedded"

    async def start(self) -> None:
        await asyncio.gather(self._writer.start(), self._reader.start())

    async def know(self, topics: Iterable[str]) -> None:
        """Asks where these topics are led. An embedded broker creates those that don't exist."""
        await self._reader.know(topics)

    async def stop(self) -> None:
        await self._writer.stop()
        await self._reader.stop()

    def full_name(self, topic: str) -> str:
        return self._settings.topic_prefix + topic

    async def partitions(self, topic: str) -> int:
        """How many there are. An embedded broker creates a topic that somebody asks for."""
        return await self._writer.partitions(self.full_name(topic))

    async def counts(self, topics: Sequence[str]) -> dict[str, int]:
        """Partitions of those of the topics that exist. Not for an embedded broker."""
        names = {self.full_name(topic): topic for topic in topics}
        found = await asyncio.to_thread(self._administration().counts, list(names))
        return {names[name]: count for name, count in found.items()}

    async def configuration(self, topic: str) -> dict[str, str]:
        """Kafka's settings of a topic that exists. Not for an embedded broker."""
        name = self.full_name(topic)
        found = await asyncio.to_thread(self._administration().configs, [name])
        return found[name]

    async def room(self, limit: int) -> None:
        """Returns when no more than ``limit`` bytes are appended and not acknowledged."""
        await self._writer.room(limit)

    @property
    def pending_bytes(self) -> int:
        """Appended and not acknowledged."""
        return self._writer.pending_bytes

    # -- the port ---------------------------------------------------------------------------------

    def lane(self, topic: str, partition: int) -> Lane:
        return self._writer.lane(self.full_name(topic), partition)

    async def bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, Bounds]:
        return await self._reader.bounds(topic, partitions)

    def read(
        self, topic: str, ranges: Mapping[int, Bounds]
    ) -> AsyncIterator[tuple[int, Sequence[Incoming], int]]:
        return self._reader.read(topic, ranges)

    async def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        log_name = self.full_name(LOG)
        found = await self._app.committed([TP(log_name, number) for number in partitions])
        return {tp.partition: value.offset for tp, value in found.items() if value.offset >= 0}

    async def commit(self, positions: Mapping[int, int]) -> bool:
        """For lag tools, and to hear from the group whether we are still a member: nothing starts from it."""
        log_name = self.full_name(LOG)
        offsets = {TP(log_name, number): OffsetAndMetadata(at, "") for number, at in positions.items()}
        try:
            await self._app.commit_offsets(offsets, self._look_at_log)
        except _GROUP_MOVED_ON as error:
            reason = type(error).__name__
            log.info("the group has moved on, its commit stays behind: %s", reason, extra={"reason": reason})
            return False
        return True

    async def identity(self, topic: str) -> bytes:
        if self._embedded:
            return b""
        name = self.full_name(topic)
        found = await asyncio.to_thread(self._administration().ids, [name])
        if name not in found:
            raise CannotContinue(
                f"{name} is not there: it was deleted while this worker ran",
                "restore it; without it, delete the changelog and the group's commits to score a new log",
            )
        return found[name].encode()

    async def _look_at_log(self) -> None:
        with suppress(UserError):  # Kafka does not answer that either: it is looked another time
            await self.identity(LOG)

    def _administration(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(self._settings.kafka)
        return self._cluster
