"""One partition's copy on local disk: a prefix of its changelog, and an index of timers.

Nothing in it is decoded but the stamp in front of a lead's bytes. What a batch holds is on disk wholly
or not at all, so after a crash the store stands at ``meta.next`` of the changelog exactly, or is older.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Final

from scorer.domain.record import ACCOUNT
from scorer.domain.timers import Timer
from scorer.storage.ports import Batch, Header, Incoming, KeyValue
from scorer.worker.cut import RULES, SHOWN, SYSTEM, epoch_of, read_stamp, rules_version
from scorer.worker.store_meta import Meta, decode_meta, encode_meta

# Key spaces. System keys begin with a zero byte and lead ids don't, so both can stand under one letter.
_STATE: Final = b"k"
_TIMER: Final = b"t"
_IGNORED: Final = b"x"
_DOUBT: Final = b"?"
_META: Final = b"m"

_due = Struct(">Q")  # big-endian: the order of bytes is the order of times
_DUE_BYTES: Final = _due.size

KNOWN_WAKES: Final = 100_000
"""Leads whose timer a restore remembers, so that it need not look on disk for an older one."""
BULK: Final = 20_000
"""Records from which on it is worth it to open the disk for nothing but writing."""


class Store:
    def __init__(self, disk: KeyValue) -> None:
        self._disk = disk
        self._get = disk.get
        self.meta: Meta | None = None
        """None: nothing here yet."""
        stored = disk.get(_META)
        if stored is not None:
            self.meta = decode_meta(stored)
        self._wakes: dict[bytes, int] = {}
        self._complete = False  # _wakes has every lead of the store
        self._ignored: set[bytes] = set()
        self._loose = False  # something was written that a crash may still take back
        self._bulk = False
        self._cleaned_before = 0
        self._gapless = True  # no record was missing since begin()
        self.began = 0
        """Where ``absorb`` began to read the changelog."""

    @property
    def standing(self) -> int:
        """Next changelog offset; 0 for a store with nothing in it."""
        return 0 if self.meta is None else self.meta.next

    # -- reading ----------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """A lead with its stamp, or the value of a system key."""
        return self._get(_STATE + key)

    def rule_sets(self) -> dict[int, bytes]:
        """Rule version -> encoded model."""
        return {rules_version(key): value for key, value in self._under(_STATE, RULES)}

    def leads_after(self, cursor: bytes, count: int) -> list[bytes]:
        """The next keys of accounts and leads, in the order of bytes."""
        keys: list[bytes] = []
        first = _STATE + max(cursor, SYSTEM + b"\xff")
        for stored in self._disk.keys(first):
            if stored[:1] != _STATE or len(keys) == count:
                break
            if stored != first:
                keys.append(stored[1:])
        return keys

    def leads(self) -> Iterator[tuple[bytes, bytes]]:
        """All leads with their stamps."""
        return ((key, value) for key, value in self._under(_STATE, b"") if key[:1] > ACCOUNT)

    def accounts(self) -> Iterator[tuple[bytes, bytes]]:
        """All accounts by their keys, with their stamps."""
        return self._under(_STATE, ACCOUNT)

    def timers(self, since: int = 0) -> Iterator[Timer]:
        """Those due at ``since`` (ms) or later, earliest first."""
        size = 1 + _DUE_BYTES
        for key in self._disk.keys(_TIMER + _due.pack(since)):
            if key[:1] != _TIMER:
                return
            yield _due.unpack_from(key, 1)[0], key[size:]

    def ignored(self) -> list[bytes]:
        """Keys that a worker overwrote in the changelog after it had lost the partition."""
        return [key for key, _ in self._under(_IGNORED, b"")]

    def doubtful(self) -> list[bytes]:
        """Those of ``ignored`` whose good state compaction may have taken away before it was read.

        Not where a good state was read since ``began``: compaction takes the older ones first.
        """
        return [key for key, doubt in self._under(_IGNORED, b"") if doubt]

    def _under(self, space: bytes, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        first = space + prefix
        for key, value in self._disk.items(first):
            if not key.startswith(first):
                return
            yield key[1:], value

    # -- writing ----------------------------------------------------------------------------------

    def persist(
        self,
        values: Iterable[tuple[bytes, bytes | None]],
        timers: Sequence[tuple[bool, int, bytes]],
        meta: Meta,
        healed: Iterable[bytes] = (),
    ) -> None:
        """What has just been acknowledged by the changelog, in one batch. May run on another thread."""
        batch = self._disk.batch()
        put, delete, pack = batch.put, batch.delete, _due.pack
        for key, value in values:
            if value is None:
                delete(_STATE + key)
            else:
                put(_STATE + key, value)
        for queued, due, key in timers:
            if queued:
                put(_TIMER + pack(due) + key, b"")
            else:
                delete(_TIMER + pack(due) + key)
        for key in healed:
            delete(_IGNORED + key)
        put(_META, encode_meta(meta))
        self._disk.write(batch)
        self.meta = meta

    # -- restoring --------------------------------------------------------------------------------

    def begin(self, changelog: bytes, start: int, cleaned_before: int = 0) -> None:
        """Before ``absorb``: where the store stands, or an empty one at the changelog's start.

        ``cleaned_before``: ms; Kafka may have compacted what was written before then.
        """
        self._leave_bulk()
        self._wakes = {}
        self._complete = self.meta is None
        self._ignored = set(self.ignored())
        self._cleaned_before = cleaned_before
        self._gapless = True
        if self.meta is None:
            self.meta = Meta(next=start, changelog=changelog)
        self.began = self.meta.next

    def expect(self, records: int) -> None:
        """Between ``begin`` and ``absorb``: how many will come, at most."""
        if self._complete and records >= BULK:
            self._disk.bulk(on=True)
            self._bulk = True
            self._get = self._disk.get

    def absorb(self, records: Sequence[Incoming], following: int) -> None:
        """Changelog records, up to before offset ``following``. Durable once ``finish`` has returned.

        A record whose epoch is below one already seen was written by a worker that had lost the
        partition: its key keeps its value and is remembered in ``ignored``. Compaction does not know that
        such a record counts for nothing and would keep it instead of the good one: so where it is that old,
        and records are missing before it, the key is remembered in ``doubtful``, too.
        """
        meta = self._begun()
        epoch = written = meta.epoch
        headers: Sequence[Header] | None = None
        batch = self._disk.batch()
        newest: dict[bytes, bytes | None] = {}
        ignored = self._ignored
        if following - meta.next != len(records):
            self._gapless = False
        for record in records:
            key = record.key
            if key is None:
                continue  # no worker writes such a record
            if record.headers != headers:
                headers = record.headers
                written = epoch_of(headers)
            if written < epoch or not written:
                doubt = not self._gapless and record.timestamp < self._cleaned_before and key != SHOWN
                if doubt or key not in ignored:
                    batch.put(_IGNORED + key, _DOUBT if doubt else b"")
                ignored.add(key)
                continue
            epoch = written
            newest[key] = record.value
            if key in ignored:
                ignored.remove(key)
                batch.delete(_IGNORED + key)
        fence = max(meta.fence, self._take_in(batch, newest))
        self.meta = Meta(following, epoch, fence, meta.changelog)
        batch.put(_META, encode_meta(self.meta))
        self._loose = True
        self._disk.write(batch, log=False)

    def _take_in(self, batch: Batch, values: Mapping[bytes, bytes | None]) -> int:
        """Leads, system keys, and a timer in place of the one before; returns the highest fence."""
        put, delete, pack = batch.put, batch.delete, _due.pack
        known, full = self._wakes, KNOWN_WAKES
        fence = -1
        for key, value in values.items():
            if value is None:
                delete(_STATE + key)
            else:
                put(_STATE + key, value)
            if key[:1] == SYSTEM:
                continue
            wake, applied = (0, -1) if value is None else read_stamp(value)
            fence = max(fence, applied)
            before = known.get(key)
            if before is None:
                # A timer that stays although a newer one has taken its place is dropped when it is due:
                # cheaper than to look for it on a disk that is made for writing just now.
                before = 0 if self._complete or self._bulk else self._stored_wake(key)
            if before != wake:
                if before:
                    delete(_TIMER + pack(before) + key)
                if wake:
                    put(_TIMER + pack(wake) + key, b"")
            if len(known) < full or key in known:
                known[key] = wake
            else:
                self._complete = False
        return fence

    def _stored_wake(self, key: bytes) -> int:
        stored = self.get(key)
        return 0 if stored is None else int(read_stamp(stored)[0])

    def finish(self) -> None:
        """Everything absorbed is on disk when this returns: must come before the next ``persist``."""
        self._wakes = {}
        if self._loose and not self._bulk:
            self._disk.flush()
        self._leave_bulk()
        self._loose = False

    def _leave_bulk(self) -> None:
        if self._bulk:
            self._disk.bulk(on=False)
            self._bulk = False
            self._get = self._disk.get

    def _begun(self) -> Meta:
        if self.meta is None:
            raise RuntimeError("the store has nothing yet: begin() comes first")
        return self.meta

    # -- lifetime ---------------------------------------------------------------------------------

    def wipe(self) -> None:
        """Forget everything; the changelog has it."""
        self._bulk = False
        self._disk.wipe()
        self._get = self._disk.get
        self.meta = None

    def close(self) -> None:
        self._disk.close()
