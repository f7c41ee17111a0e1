"""Making a partition durable.

Each step is awaited and checked before the next begins:

1. the cut, synchronous
2. what is said acknowledged: outcomes, dead letters, records for the log, views
3. changed leads and system keys in the changelog, the cut record last, acknowledged
4. the local store

A crash between any two leaves leads at or ahead of the newest cut record, never behind it, and each
lead's fence then skips what it has applied already. Records are applied meanwhile. Whatever fails is
raised: the caller ends the process with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from scorer.errors import CannotContinue
from scorer.storage.ports import Kafka, Lane, Offload
from scorer.wire.registry import CHANGELOG
from scorer.worker.cut import SHOWN, epoch_headers
from scorer.worker.outbox import Outbox
from scorer.worker.score_partition import ScorePartition, Taken
from scorer.worker.store_meta import Meta
from scorer.worker.views import look, show

LOOK_EVERY = 60.0
"""Seconds after which it is made sure that nobody else writes views, although we have none to write."""


Change = tuple[bytes, bytes | None]


class Done(NamedTuple):
    """A checkpoint that is durable."""

    position: int
    """Next offset of the lead log."""
    leads: int
    changelog_bytes: int
    """Keys and values."""
    cut_seconds: float
    """How long nothing else could run."""
    stored_seconds: float
    """How long writing to the local store took, beside the event loop."""
    views: Sequence[tuple[bytes, bytes | None]]
    """Of the leads that have changed: their ids, and what is shown of them; None: nothing any more."""


async def checkpoint(
    partition: ScorePartition,
    outbox: Outbox,
    kafka: Kafka,
    *,
    offload: Offload,
    clock: Callable[[], float],
    confirm: Callable[[], Awaitable[None]],
) -> Done | None:
    """One checkpoint of one partition; None when nothing has changed since the last.

    Not to be called again for the partition before it has returned. ``clock``: monotonic seconds.
    ``confirm`` is awaited before views or the changelog are written to; it raises if we are not to.
    """
    if not partition.changed:
        return None
    meta = meta_of(partition)
    number = partition.number
    outbox.send(*partition.drain())  # the cut must not be ahead of what is said
    began = clock()
    taken = partition.take()
    cut_seconds = clock() - began
    await confirm()
    shown = partition.shown
    if began - shown.looked > LOOK_EVERY:
        await look(kafka, number, shown)
        shown.looked = began
    await asyncio.gather(outbox.flush(), show(kafka, number, shown, taken.views))
    await confirm()
    changes: list[Change] = [*taken.leads.items()]
    ends = shown.encode(taken.again)
    if ends != shown.stored:
        changes.append((SHOWN, ends))
    changes += taken.system  # the cut record last
    meta = await write(kafka.lane(CHANGELOG, number), number, partition.epoch, meta, changes)
    stored_seconds = await offload(partial(_store, partition, changes, taken, meta, clock))
    shown.stored = ends
    partition.settle(taken)
    size = sum(len(key) + len(value or b"") for key, value in changes)
    return Done(taken.position, len(taken.leads), size, cut_seconds, stored_seconds, taken.views[0])


def _store(
    partition: ScorePartition,
    changes: Sequence[Change],
    taken: Taken,
    meta: Meta,
    clock: Callable[[], float],
) -> float:
    """Returns how many seconds it took."""
    began = clock()
    partition.store.persist(changes, taken.timers, meta)
    return clock() - began


async def write(changelog: Lane, number: int, epoch: int, meta: Meta, records: Sequence[Change]) -> Meta:
    """Append to a partition's changelog; returns where the store stands once it has them too.

    Raises ``CannotContinue`` when somebody else writes as well; what the wrong one of the two wrote is
    ignored by its epoch.
    """
    expected = meta.next
    for run in await changelog.send(records, epoch_headers(epoch)):
        if run.base != expected:
            raise CannotContinue(
                f"another writer: partition {number} of the changelog took our records at offset"
                f" {run.base} instead of {expected}",
                "it heals by itself: who owns the partition now sends the good states again",
            )
        expected += run.records
    return Meta(expected, epoch, meta.fence, meta.changelog)


def meta_of(partition: ScorePartition) -> Meta:
    """Where the partition's store stands; raises ``RuntimeError`` before it has been restored."""
    if partition.store.meta is None:
        raise RuntimeError(f"partition {partition.number} has not been restored")
    return partition.store.meta
