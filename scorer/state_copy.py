"""Copies of what the score workers have made durable, one partition after the other, for commands to look at.

Each is made as a worker makes it that takes a partition over, from the changelog, in a temporary folder.
Nothing is written to Kafka.
"""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from scorer.storage.rocks import RocksFolder
from scorer.wire.registry import CHANGELOG
from scorer.worker.cut import CUT, decode_cut
from scorer.worker.score_partition import ScorePartition
from scorer.worker.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scorer.broker import Broker

T = TypeVar("T")

STEP: Final = 1_000
"""Leads, or records of the changelog, between two looks around."""
CACHE_LEADS: Final = 2 * STEP


class Changed(NamedTuple):
    """A changelog record as a store absorbs it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int


class Copy(NamedTuple):
    """One partition as it stood at its last checkpoint. To be looked at before the next one is asked for."""

    number: int
    partition: ScorePartition | None
    """May be changed at will; None: no worker has ever scored it."""
    store: Store

    def leads(self) -> Iterator[list[bytes]]:
        """The keys of all leads, some at a time."""
        return _steps(key for key, _ in self.store.leads())

    def forget(self) -> None:
        """What has been changed so far; the leads stand at the checkpoint again."""
        if self.partition is not None:
            machine = self.partition.machine
            machine.outcomes, machine.dirty, machine.timers.changes, machine.sends = [], {}, [], []
            self.partition.trim()


def copies(broker: Broker, moved: Callable[[int], None]) -> Iterator[Copy]:
    """All partitions; ``moved`` gets how many records were read.

    Raises ``UserError`` where Kafka does not answer or a topic is missing.
    """
    for number in broker.ranges(CHANGELOG):
        with tempfile.TemporaryDirectory(prefix="scorer-copy-") as folder:
            store = Store(RocksFolder(Path(folder)).open(str(number)))
            try:
                _restore(store, broker, number, moved)
                yield Copy(number, _partition(store, number), store)
            finally:
                store.close()


def _partition(store: Store, number: int) -> ScorePartition | None:
    stored = store.get(CUT)
    if stored is None:
        return None
    partition = ScorePartition(number, store, CACHE_LEADS, near_timers=0)
    partition.begin(decode_cut(stored))
    return partition


def _restore(store: Store, broker: Broker, number: int, moved: Callable[[int], None]) -> None:
    wanted = broker.range(CHANGELOG, number)
    store.begin(b"", wanted.start)
    store.expect(wanted.end - wanted.start)
    for messages in _steps(broker.messages(CHANGELOG, number, wanted)):
        records = [
            Changed(one.offset(), one.key(), one.value(), one.headers() or (), one.timestamp()[1])
            for one in messages
        ]
        store.absorb(records, records[-1].offset + 1)
        moved(len(records))
    store.finish()


def _steps(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while step := list(islice(left, STEP)):
        yield step
