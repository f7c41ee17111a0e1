"""The input: one lead log per round, the same records each time."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from scorer.broker import Broker
from scorer.domain import clock
from scorer.domain.record import Clock, Door, encode_record
from scorer.wire.registry import LOG
from tests.bench import workload
from tests.bench.engine import small_rules
from tests.bench.peers.oracle import GRACE_MS
from tests.bench.road import PARTITIONS, prepare
from tests.bench.workload import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.workload import Event

CLOSING = workload.END + workload.HOUR_MS
"""ms. A last clock record says that this much time has passed; all states are read as of here."""
CONTROL = 2
"""Records at the beginning of each partition: doors and rules."""
TAILS, TAIL = 2, 500
"""How often the log is continued, after all is measured, for restarts; and by how many facts."""


class Input(NamedTuple):
    main: list[Entry]
    """With their offsets in Kafka; without doors and rules, which come before them."""
    tails: list[list[Entry]]
    facts: int
    """In ``main``, repetitions included."""

    @property
    def records(self) -> int:
        """In the log before the tails, doors and rules included."""
        return len(self.main) + CONTROL * PARTITIONS


def workload_of(facts: int) -> Iterator[Event]:
    """The workload of all benchmarks, with events for the tails."""
    return workload.events(facts + TAILS * TAIL, partitions=PARTITIONS)


def make(stream: Iterator[Event], facts: int, doors: Sequence[Door]) -> Input:
    """The log of a stream: so many facts between two clock records, and the tails."""
    first = next(stream)
    # The worker knows what was seen before the clock began until a day after it did; the peers need not.
    opening, closing = _read_through(first.at, doors), _read_through(CLOSING + GRACE_MS, doors)
    pieces: list[list[Entry]] = [[] for _ in range(1 + TAILS)]
    offsets = [CONTROL] * PARTITIONS
    seen = piece = 0

    def put(partition: int, key: bytes | None, value: bytes | None) -> None:
        pieces[piece].append(Entry(partition, offsets[partition], key, value))
        offsets[partition] += 1

    def everywhere(value: bytes) -> None:
        for partition in range(PARTITIONS):
            put(partition, None, value)

    everywhere(opening)
    for entry in workload.log(chain((first,), stream), partitions=PARTITIONS, doors=doors):
        if piece < TAILS and seen == facts + piece * TAIL:
            if not piece:
                everywhere(closing)
            piece += 1
            everywhere(closing)  # a peer that is started again learns the time from the log
        put(entry.partition, entry.key, entry.value)
        seen += entry.key is not None
    return Input(pieces[0], pieces[1:], facts)


def _read_through(at: int, doors: Sequence[Door]) -> bytes:
    """A clock record: every door has been read through an instant (ms)."""
    return encode_record(Clock(clock.pack({door.number: at for door in doors})))


class Round:
    """A lead log of its own, and the names that its systems use."""

    def __init__(self, bootstrap: str) -> None:
        """The log has its first records, doors and rules, and no more."""
        self.settings, doors = prepare(bootstrap, small_rules(), "peers")
        self.broker = Broker(self.settings)
        self.doors = doors.doors
        if any(found.end != CONTROL for found in self.broker.ranges(LOG).values()):
            raise RuntimeError("the log does not begin as planned")

    @property
    def log(self) -> str:
        return self.broker.name(LOG)

    def append(self, entries: list[Entry]) -> None:
        with self.broker.writer() as writer:
            for entry in entries:
                writer.append(LOG, entry.partition, entry.key, entry.value)
