"""Becoming the owner of partitions: restore, make sure that nothing is missing, announce the epoch.

Starting from nothing by mistake would forget every score, so each way in which log, changelog and
commits can disagree stops the worker with what is the matter and what to do about it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from scorer.errors import CannotContinue
from scorer.storage.ports import Bounds, Kafka
from scorer.wire.registry import CHANGELOG, LOG
from scorer.worker.checkpoint import meta_of, write
from scorer.worker.cut import CUT, SHOWN, Cut, decode_cut, encode_cut, epoch_of, next_epoch
from scorer.worker.restore import restore
from scorer.worker.score_partition import ScorePartition, first_cut
from scorer.worker.store import Store
from scorer.worker.views import take_over_views

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """What a partition is judged by, beside its own store."""

    changelog: Bounds
    log: Bounds
    identity: bytes
    """Kafka's id of the lead log."""
    committed: int | None


async def take_over(
    partitions: Mapping[int, ScorePartition],
    kafka: Kafka,
    *,
    generation: int,
    from_log_start: bool,
    clock: Callable[[], float],
    still_ours: Callable[[], bool],
    cleaned_before: int = 0,
) -> bool:
    """Restore partitions and begin an epoch in each; False when they were taken away meanwhile.

    Afterwards each stands at ``machine.state.position`` and may be fed. ``generation``: the consumer
    group's. ``cleaned_before``: ms; Kafka may have compacted changelog records older than that. Raises
    ``CannotContinue`` when going on would score from nothing, or from what may be too old.
    """
    stores = {number: partition.store for number, partition in partitions.items()}
    if not await restore(stores, kafka, clock, still_ours, cleaned_before):
        return False
    numbers = sorted(partitions)
    # All at once: each of them is a question and an answer, and nothing is scored meanwhile.
    identity, changelogs, logs, committed, shown = await asyncio.gather(
        kafka.identity(LOG),
        kafka.bounds(CHANGELOG, numbers),
        kafka.bounds(LOG, numbers),
        kafka.committed(numbers),
        take_over_views(
            {number: stores[number].get(SHOWN) for number in numbers},
            [number for number in numbers if stores[number].get(CUT) is None],
            kafka,
        ),
    )
    if not still_ours():
        return False
    for number, store in stores.items():
        await _refuse_what_is_lost(store, number, kafka)
    cuts = {}
    for number, partition in partitions.items():
        end = changelogs[number][1]
        if end != partition.store.standing:
            raise CannotContinue(
                f"another writer: partition {number} of the changelog was restored to offset"
                f" {partition.store.standing} and ends at {end} by now",
                "it heals by itself: this worker starts again and restores the rest",
            )
        found = Found(changelogs[number], logs[number], identity, committed.get(number))
        cuts[number] = starting_cut(partition, found, from_log_start=from_log_start)
    if not still_ours():
        return False
    for number, partition in partitions.items():
        partition.shown = shown[number]
        # Until then whoever has shown something may know more than we do.
        partition.shown.until = logs[number][1]
    await asyncio.gather(
        *(_announce(partition, cuts[number], kafka, generation) for number, partition in partitions.items())
    )
    return True


async def _refuse_what_is_lost(store: Store, number: int, kafka: Kafka) -> None:
    """Raises where a key's good state is nowhere: neither on the disk that we began with nor behind it."""
    doubtful = set(store.doubtful())
    if not doubtful:
        return
    epoch = 0
    async for _, records, _ in kafka.read(CHANGELOG, {number: (store.began, store.standing)}):
        for record in records:
            written = epoch_of(record.headers)
            if written and written >= epoch:
                epoch = written
                doubtful.discard(record.key or b"")
    if doubtful:
        raise CannotContinue(
            f"partition {number}: a former owner overwrote the state of {len(doubtful)} keys in the"
            " changelog, nobody sent the good state again in time, and compaction has removed it",
            "a worker whose local disk has it takes over and heals it; or score what the lead log has anew:"
            " delete the changelog and the group's commits, then --from-log-start",
        )


def starting_cut(partition: ScorePartition, found: Found, *, from_log_start: bool) -> Cut:
    """The cut to start from; raises ``CannotContinue`` when log, changelog and commit don't fit together."""
    number = partition.number
    stored = partition.store.get(CUT)
    if stored is None:
        return _first_start(number, found, from_log_start=from_log_start)
    cut = decode_cut(stored)
    log_start, log_end = found.log
    if cut.log != found.identity and cut.log and found.identity:
        raise CannotContinue(
            f"partition {number}: the lead log is not the one that the scores were made from:"
            " it was deleted and created again",
            "restore the old log, or delete the changelog and the group's commits to score from the new one",
        )
    if cut.position > log_end:
        raise CannotContinue(
            f"partition {number}: the scores stand at offset {cut.position} of the lead log,"
            f" which ends at {log_end}: the log has lost records",
            "bring the lead log back, or delete the changelog and the group's commits to score what is left",
        )
    fence = meta_of(partition).fence
    if fence >= log_end:
        raise CannotContinue(
            f"partition {number}: a lead has taken in offset {fence} of the lead log,"
            f" which ends at {log_end}: the log has lost records",
            "bring the lead log back, or delete the changelog and the group's commits to score what is left",
        )
    if cut.position < log_start:
        raise CannotContinue(
            f"partition {number}: the scores stand at offset {cut.position} of the lead log, which now starts"
            f" at {log_start}: {log_start - cut.position} records expired before they were scored",
            "to score without them: delete the changelog and the group's commits, then --from-log-start",
        )
    return cut


def _first_start(number: int, found: Found, *, from_log_start: bool) -> Cut:
    log_start, _ = found.log
    start, end = found.changelog
    if end > start:
        raise CannotContinue(
            f"partition {number}: the changelog holds {end - start} records and no cut record",
            "something else wrote to it or removed records: restore it, or delete it to score the log anew",
        )
    if found.committed is not None:
        raise CannotContinue(
            f"partition {number}: the lead log has been scored up to offset {found.committed},"
            " but the changelog is empty: the scores are lost",
            "restore the changelog, or delete the group's commits to score the whole log anew",
        )
    if log_start > 0 and not from_log_start:
        raise CannotContinue(
            f"partition {number}: there are no scores yet and the lead log starts at offset {log_start}:"
            " what came before has expired",
            "--from-log-start begins with what is left",
        )
    return first_cut(log_start, found.identity)


async def _announce(partition: ScorePartition, cut: Cut, kafka: Kafka, generation: int) -> None:
    """Begin an epoch: re-send what another worker overwrote after it had lost the partition, then the cut."""
    meta = meta_of(partition)
    partition.epoch = next_epoch(meta.epoch, generation)
    partition.log = cut.log
    ignored = partition.store.ignored()
    good = [(key, partition.store.get(key)) for key in ignored if key != CUT]
    cut = msgspec.structs.replace(cut, epoch=partition.epoch)
    record = (CUT, encode_cut(cut))
    lane = kafka.lane(CHANGELOG, partition.number)
    meta = await write(lane, partition.number, partition.epoch, meta, [*good, record])
    partition.store.persist([record], (), meta, healed=ignored)
    if good:
        log.warning(
            "partition %d: sent again the good state of %d keys that a former owner had overwritten",
            partition.number,
            len(good),
            extra={"partition": partition.number, "keys": len(good)},
        )
    partition.begin(cut)
