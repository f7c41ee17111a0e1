"""The leads' keys: all of ``lead.key.v1`` on local disk, never far behind the topic.

    table = key_table(settings, "intake", on_error=fatal)
    await table.open()                  # and close() as often
    await table.caught_up()             # what stood in the topic before is here, and what was deleted is not
    table.get(lead); table.find(lead, key_id)

Read whole by every process that seals or opens: a lead's key is needed wherever the lead has moved. No
consumer group: the store knows how far it has been read, and a wiped one is read anew. So is one that was
not read for as long as the topic keeps word of deletions.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from aiokafka.errors import KafkaError

from scorer.errors import CannotContinue
from scorer.storage.places import key_stores
from scorer.storage.ports import Bounds, Incoming, KeyValue, Offload
from scorer.storage.rocks import RocksFolder
from scorer.storage.topic_reader import TopicReader
from scorer.wire.cluster import Cluster
from scorer.wire.registry import LEAD_KEYS
from scorer.wire.sealing import SEPARATOR, LeadKey, Wrap, parse_key_name

if TYPE_CHECKING:
    from scorer.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at the topic: how long a deleted key may still be used."""
STALE_AFTER = 6 * 24 * 3600.0
"""Seconds unread after which a store is no longer trusted: the topic forgets deletions after 7 days."""
TELL_EVERY = 60.0
"""Seconds between two notes on disk of how fresh it is, while nothing happens."""
PURGE_EVERY = 60.0
"""Seconds between two times that files are rewritten without what was deleted."""
COMPLAIN_EVERY = 10.0

_KEY: Final = b"k"
_META: Final = b"m"
_OFFSET_BYTES: Final = 8


class _Meta(msgspec.Struct, array_like=True):
    topic: bytes
    """Kafka's id of this life of the topic."""
    following: dict[int, int]
    """Partition -> next offset."""
    fresh: float
    """When, in seconds since 1970, the topic had been read to its end."""
    unpurged: bool
    """Files may hold keys that were deleted."""


_encode_meta = msgspec.msgpack.Encoder().encode
_decode_meta = msgspec.msgpack.Decoder(_Meta).decode


class Source(Protocol):
    """The topic; ``KeyTopic`` fits."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def partitions(self, topic: str) -> int: ...
    async def identity(self, topic: str) -> bytes:
        """Kafka's id of this life of the topic; empty where the broker does not say."""
        ...

    async def bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, Bounds]: ...
    def read(
        self, topic: str, ranges: Mapping[int, Bounds]
    ) -> AsyncIterator[tuple[int, Sequence[Incoming], int]]: ...


class Disk(KeyValue, Protocol):
    def purge(self) -> None:
        """What was deleted is in no file when this returns."""


class KeyTable:
    """Use it on the event loop's thread only."""

    def __init__(
        self,
        source: Source,
        open_disk: Callable[[], Disk],
        wrap: Wrap,
        *,
        on_error: Callable[[BaseException], object],
        offload: Offload = asyncio.to_thread,
        clock: Callable[[], float] = time.time,
        purge_every: float = PURGE_EVERY,
    ) -> None:
        """``on_error`` ends the process. ``clock``: seconds since 1970."""
        self.wrap = wrap
        self.changed: Callable[[bytes, bytes, bool], object] = lambda *_: None
        """Called with lead id, key id and whether it was deleted, for each record read."""
        self._source = source
        self._open_disk = open_disk
        self._on_error = on_error
        self._offload = offload
        self._clock = clock
        self._purge_every = purge_every
        self._purged = -purge_every
        self._disk: Disk | None = None
        self._meta = _Meta(b"", {}, 0.0, unpurged=False)
        self._told = 0.0
        self._deleted = 0
        self._purging: asyncio.Task[None] | None = None
        self._users = 0
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._warned = False

    # -- life -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin to read. To be closed as often as it was opened: two apps of a process share one.

        Raises what prevents it (``KafkaError``, ``CannotContinue``); it may be tried again then.
        """
        self._users += 1
        async with self._reading:
            if self._disk is None:
                try:
                    await self._begin()
                except BaseException:
                    self._users -= 1
                    await self._source.stop()
                    raise
                self._task = asyncio.get_running_loop().create_task(self._keep_up())

    async def _begin(self) -> None:
        await self._source.start()
        identity = await self._source.identity(LEAD_KEYS)
        numbers = range(await self._source.partitions(LEAD_KEYS))
        bounds = await self._source.bounds(LEAD_KEYS, numbers)
        disk = self._open_disk()
        stored = disk.get(_META)
        meta = None if stored is None else _decode_meta(stored)
        if meta is None or not self._trusted(meta, identity, bounds):
            disk.wipe()
            following = {number: start for number, (start, _) in bounds.items()}
            meta = _Meta(identity, following, self._clock(), unpurged=False)
        self._disk, self._meta = disk, meta

    async def close(self) -> None:
        self._users -= 1
        if self._users or self._disk is None:
            return
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._purging is not None:
            await self._purging  # a thread's work, which can't be stopped
        await self._source.stop()
        self._disk.close()
        self._disk = None

    def _trusted(self, meta: _Meta, identity: bytes, bounds: Mapping[int, Bounds]) -> bool:
        """Whether what a store says still follows from the topic."""
        if meta.topic != identity:
            why = "the topic was deleted since"
        elif self._clock() - meta.fresh > STALE_AFTER:
            why = "it was not read for so long that deletions may have been missed"
        elif meta.following.keys() != bounds.keys() or any(
            not start <= meta.following[number] <= end for number, (start, end) in bounds.items()
        ):
            why = "it stands where the topic does not"
        else:
            return True
        log.warning("the leads' keys on disk are read anew: %s", why, extra={"reason": why})
        return False

    # -- keys -------------------------------------------------------------------------------------

    def get(self, lead: bytes) -> LeadKey | None:
        """The newest key of a lead that can be read."""
        disk = self._opened()
        first = _KEY + lead + SEPARATOR
        found = []
        for stored, value in disk.items(first):
            if not stored.startswith(first):
                break
            found.append((value[:_OFFSET_BYTES], stored[1:], value[_OFFSET_BYTES:]))
        for _, name, wrapped in sorted(found, reverse=True):
            parsed, key = parse_key_name(name), self._open(name, wrapped)
            if parsed is not None and key is not None:
                return LeadKey(*parsed, key)
        return None

    def find(self, lead: bytes, key_id: bytes) -> bytes | None:
        """That key of a lead; None: it was deleted, or has not been read yet: ``caught_up`` tells which."""
        name = lead + SEPARATOR + key_id.hex().encode()
        value = self._opened().get(_KEY + name)
        return None if value is None else self._open(name, value[_OFFSET_BYTES:])

    def _open(self, name: bytes, wrapped: bytes) -> bytes | None:
        key = self.wrap.open(name, wrapped)
        if key is None and not self._warned:
            self._warned = True
            log.warning("%s has keys made under another SCORER_LEAD_SECRET: they open nothing", LEAD_KEYS)
        return key

    def _opened(self) -> Disk:
        if self._disk is None:
            raise RuntimeError("open() comes first")
        return self._disk

    # -- reading ----------------------------------------------------------------------------------

    async def caught_up(self) -> None:
        """Returns when all that stood in the topic when this was called has been read.

        Without a broker it waits. Raises ``CannotContinue`` when it has waited for too long to know what
        was deleted.
        """
        while True:
            try:
                async with self._reading:
                    await self._read_to_the_end()
            except KafkaError as error:
                log.warning("the leads' keys can't be read: %r", error)
                await asyncio.sleep(LOOK_EVERY)
            else:
                return

    async def _read_to_the_end(self) -> None:
        disk, meta = self._opened(), self._meta
        began = self._clock()
        if began - meta.fresh > STALE_AFTER:
            raise CannotContinue(
                f"{LEAD_KEYS} was out of reach for so long that deletions may have been missed"
            )
        bounds = await self._source.bounds(LEAD_KEYS, sorted(meta.following))
        behind = {
            number: (meta.following[number], end)
            for number, (_, end) in bounds.items()
            if meta.following[number] < end
        }
        async for number, records, following in self._source.read(LEAD_KEYS, behind):
            self._absorb(disk, number, records, following)
        meta.fresh = began
        if behind or began - self._told >= TELL_EVERY:
            self._told = began
            self._write_meta(disk)

    def _absorb(self, disk: Disk, number: int, records: Sequence[Incoming], following: int) -> None:
        batch, told = disk.batch(), []
        for record in records:
            parsed = None if record.key is None else parse_key_name(record.key)
            if record.key is None or parsed is None:
                continue  # nobody of ours writes such a record
            told.append((*parsed, record.value is None))
            if record.value is None:
                batch.delete(_KEY + record.key)
                self._meta.unpurged = True
                self._deleted += 1
            else:
                batch.put(_KEY + record.key, record.offset.to_bytes(_OFFSET_BYTES, "big") + record.value)
        self._meta.following[number] = following
        batch.put(_META, _encode_meta(self._meta))
        disk.write(batch)
        for change in told:
            self.changed(*change)

    def _write_meta(self, disk: Disk) -> None:
        batch = disk.batch()
        batch.put(_META, _encode_meta(self._meta))
        disk.write(batch)

    async def _keep_up(self) -> None:
        try:
            while True:
                await self.caught_up()
                if self._purging is None or self._purging.done():
                    self._purging = asyncio.create_task(self._purge())  # minutes, where there are many keys
                await asyncio.sleep(LOOK_EVERY)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self._on_error(error)

    async def _purge(self) -> None:
        """Deleted keys leave the disk, too. What is deleted meanwhile waits for the next time."""
        if not self._meta.unpurged or self._clock() - self._purged < self._purge_every:
            return
        self._purged, deleted = self._clock(), self._deleted
        disk = self._opened()
        try:
            await self._offload(disk.purge)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self._on_error(error)
            return
        if self._deleted == deleted:
            self._meta.unpurged = False
            self._write_meta(disk)


class KeyTopic(TopicReader):
    """``lead.key.v1`` of a deployment."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, f"{settings.app_id}-keys")
        self._embedded = settings.broker_profile == "embedded"
        self._access = settings.kafka

    async def identity(self, topic: str) -> bytes:
        """Waits for a topic that does not exist yet."""
        if self._embedded:
            return b""
        cluster, name = Cluster(self._access), self.full_name(topic)
        complained = -COMPLAIN_EVERY
        while not (ids := await asyncio.to_thread(cluster.ids, [name])):
            if time.monotonic() - complained >= COMPLAIN_EVERY:
                complained = time.monotonic()
                log.warning("no topic %s: run `scorer topics apply`", name, extra={"topic": name})
            await asyncio.sleep(LOOK_EVERY)
        return ids[name].encode()


def key_table(settings: Settings, role: str, on_error: Callable[[BaseException], object]) -> KeyTable:
    """Of one process; ``role`` names its store, so that workers and collectors may share a folder."""
    return KeyTable(
        KeyTopic(settings),
        partial(RocksFolder(key_stores(settings)).open, role),
        Wrap(settings.lead_secret),
        on_error=on_error,
    )
