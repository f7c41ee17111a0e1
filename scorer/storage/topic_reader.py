"""Reads stretches of topics outside any consumer group: what a restore and the leads' keys need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

from scorer.storage.ports import Bounds, Incoming

if TYPE_CHECKING:
    from scorer.settings import Settings

READ_RECORDS = 5_000
"""At a time; the event loop waits for them."""
READ_PARTITION_BYTES = 4 << 20
READ_BYTES = 16 << 20
READ_WAIT_MS = 200


class TopicReader:
    """Topics go by their registry names. One ``read`` at a time."""

    def __init__(self, settings: Settings, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self._reader: AIOKafkaConsumer | None = None
        self._known: set[str] = set()

    async def start(self) -> None:
        self._reader = AIOKafkaConsumer(
            **self._settings.kafka.aiokafka(),
            client_id=self._client_id,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=READ_PARTITION_BYTES,
            fetch_max_bytes=READ_BYTES,
            fetch_max_wait_ms=READ_WAIT_MS,
        )
        await self._reader.start()

    async def stop(self) -> None:
        if self._reader is not None:
            await self._reader.stop()

    async def partitions(self, topic: str) -> int:
        """How many there are. An embedded broker creates a topic that somebody asks for."""
        client = self._started()._client  # noqa: SLF001 - a consumer is told of topics that it reads only
        return len(await client._wait_on_metadata(self.full_name(topic)))  # noqa: SLF001

    async def know(self, topics: Iterable[str]) -> None:
        """Asks where these are led, all at once, so that ``bounds`` need not.

        Left to itself the client fails at a topic that is new to it, and tries again a tenth of a second
        later.
        """
        self._known |= {self.full_name(topic) for topic in topics}
        await self._started()._client.set_topics(self._known)  # noqa: SLF001 - no public way

    async def bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, Bounds]:
        tps = self._tps(topic, partitions)
        if self.full_name(topic) not in self._known:
            await self.know([topic])
        reader = self._started()
        starts, ends = await asyncio.gather(reader.beginning_offsets(tps), reader.end_offsets(tps))
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
            # And with it everything that it knew.
            reader._client.set_topics(self._known)  # noqa: SLF001

    def full_name(self, topic: str) -> str:
        return self._settings.topic_prefix + topic

    def _tps(self, topic: str, partitions: Iterable[int]) -> list[TopicPartition]:
        name = self.full_name(topic)
        return [TopicPartition(name, number) for number in partitions]

    def _started(self) -> AIOKafkaConsumer:
        if self._reader is None:
            raise RuntimeError("start() comes first")
        return self._reader
