"""Making a partition durable.

Each step is awaited and checked before the next begins:

1. the cut, synchronous
2. what is said acknowledged: outcomes, dead letters, records for the log, views of scores and of who is who
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

from scorer.wire.registry import ACCOUNT_SCORE, CHANGELOG, IDENTITY, SCORE
from scorer.worker.cut import epoch_headers
from scorer.worker.outbox import Outbox
from scorer.worker.ports import Kafka, Lane, Offload
from scorer.worker.score_partition import ScorePartition
from scorer.worker.store_meta import Meta
from scorer.worker.supervise import CannotContinue


class Done(NamedTuple):
    """A checkpoint that is durable."""

    position: int
    """Next offset of the lead log."""
    leads: int
    changelog_bytes: int
    """Keys and values."""
    cut_seconds: float
    """How long nothing else could run."""


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
    ``confirm`` is awaited before the changelog is written to; it raises if we are not to.
    """
    if not partition.changed:
        return None
    meta = meta_of(partition)
    number = partition.number
    outbox.send(*partition.drain())  # the cut must not be ahead of what is said
    began = clock()
    taken = partition.take()
    cut_seconds = clock() - began
    views = [kafka.lane(SCORE, number)]
    views[0].extend(taken.views)
    for topic, records in ((IDENTITY, taken.identities), (ACCOUNT_SCORE, taken.accounts)):
        if records:
            views.append(kafka.lane(topic, number))
            views[-1].extend(records)
    for view in views:
        view.push()
    await asyncio.gather(outbox.flush(), *(view.flush() for view in views))
    await confirm()
    changes = [*taken.leads.items(), *taken.system]
    meta = await write(kafka.lane(CHANGELOG, number), number, partition.epoch, meta, changes)
    await offload(partial(partition.store.persist, changes, taken.timers, meta))
    partition.settle(taken)
    size = sum(len(key) + len(value or b"") for key, value in changes)
    return Done(taken.position, len(taken.leads), size, cut_seconds)


async def write(
    changelog: Lane, number: int, epoch: int, meta: Meta, records: Sequence[tuple[bytes, bytes | None]]
) -> Meta:
    """Append to a partition's changelog; returns where the store stands once it has them too.

    Raises ``CannotContinue`` when the records don't follow what we know to be there: somebody else
    writes as well. Each of the two finds out, and what the wrong one wrote is ignored by its epoch.
    """
    headers = epoch_headers(epoch)
    expected = meta.next
    for run in await changelog.send(records, headers):
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
