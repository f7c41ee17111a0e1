"""Bringing partitions' local stores up to the end of their changelogs: raw bytes, in bulk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from scorer import metrics
from scorer.storage.ports import Bounds, Kafka
from scorer.wire.registry import CHANGELOG
from scorer.worker.store import Store

log = logging.getLogger(__name__)

REPORT_EVERY = 5.0
"""Seconds between two lines of progress."""


async def restore(
    stores: Mapping[int, Store],
    kafka: Kafka,
    clock: Callable[[], float],
    still_ours: Callable[[], bool],
    cleaned_before: int = 0,
) -> bool:
    """Restore the stores of these partitions; False when they were taken away meanwhile.

    A store that does not belong to this changelog is wiped first: local disk is a cache. ``clock``:
    monotonic seconds. ``cleaned_before``: ms; Kafka may have compacted what was written before then.
    """
    identity, bounds = await asyncio.gather(
        kafka.identity(CHANGELOG), kafka.bounds(CHANGELOG, sorted(stores))
    )
    ranges: dict[int, Bounds] = {}
    for number, store in stores.items():
        start, end = bounds[number]
        _wipe_foreign(number, store, identity, start, end)
        store.begin(identity, start, cleaned_before)
        ranges[number] = (store.standing, end)
        store.expect(end - store.standing)
    behind = {number: span for number, span in ranges.items() if span[0] < span[1]}
    total = sum(end - start for start, end in behind.values())
    progress = _Progress(total, clock)
    async for number, records, following in kafka.read(CHANGELOG, behind):
        if not still_ours():
            return False
        before = stores[number].standing
        stores[number].absorb(records, following)
        progress.took(len(records), following - before)
    for store in stores.values():
        store.finish()
    if behind:
        progress.finished(len(behind))
    return True


def _wipe_foreign(number: int, store: Store, identity: bytes, start: int, end: int) -> None:
    meta = store.meta
    if meta is None:
        return
    if meta.changelog != identity:
        why = "belongs to a changelog that was deleted since"
    elif not start <= meta.next <= end:
        why = f"stands at offset {meta.next} of a changelog that holds {start} to {end}"
    else:
        return
    fields = {"partition": number, "reason": why}
    log.warning("partition %d: the local store %s; restoring it anew", number, why, extra=fields)
    store.wipe()


class _Progress:
    """Says how far a restore has come, in log and metrics."""

    def __init__(self, total: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._total = self._left = total
        self._began = self._reported = clock()
        self._records = 0
        metrics.RESTORE_PLANNED.set(total)
        metrics.RESTORE_LEFT.set(total)
        if total:
            log.info("restoring %d records of the changelog", total, extra={"offsets": total})

    def took(self, records: int, offsets: int) -> None:
        self._records += records
        self._left -= offsets
        metrics.RESTORE_LEFT.set(self._left)
        metrics.RESTORED.inc(records)
        now = self._clock()
        if now - self._reported >= REPORT_EVERY:
            self._reported = now
            percent = 100 - 100 * self._left // self._total
            left = {"percent": percent, "records": self._records, "offsets_left": self._left}
            log.info("restoring: %d%%, %d records", percent, self._records, extra=left)

    def finished(self, partitions: int) -> None:
        metrics.RESTORE_LEFT.set(0)
        seconds = self._clock() - self._began
        done = {"records": self._records, "partitions": partitions, "seconds": round(seconds, 3)}
        log.info("restored %d records of %d partitions in %.2f s", *done.values(), extra=done)
