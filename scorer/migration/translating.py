"""Partitions' states as they are in a log of another partition count, whose doors are others. Pure.

A lead's score depends on its own records and on its partition's clock, rules and imports. Where every
partition has read its log to the end, and none is in the middle of anything, all partitions agree on those;
what is left of a partition's state is where records came from, so that each counts once. Old doors and the
old log send nothing any more. An import may be run again, and is passed over up to its highest line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from scorer.domain.account import Account, decode_account, encode_account
from scorer.domain.lead import Lead, decode_lead, encode_lead
from scorer.domain.record import ACCOUNT, Doors
from scorer.domain.state import PartitionState
from scorer.history import FIRST_NUMBER
from scorer.wire.partitioner import partition_of
from scorer.worker.cut import STAMP_BYTES, read_stamp, stamp

BEFORE_ANYTHING: Final = -1


class TimerWaitsError(Exception):
    """A timer of a partition is due by the others' clock, and tells something when that comes."""


class Moved(NamedTuple):
    """A lead or an account in the new generation."""

    partition: int
    stored: bytes
    """With its stamp, as the changelog has it."""
    what: Lead | Account


class Translation:
    def __init__(self, old: Mapping[int, PartitionState], doors: Doors, starts: Sequence[int]) -> None:
        """``old``: of partitions that have read their log to its end, with the same rules in force.

        ``doors``: those of the new log. ``starts``: of each of its partitions, the offset where it begins.
        """
        self._old = old
        self._doors = doors
        self._starts = starts
        states = list(old.values())
        self.version: Final = states[0].version
        self.clock: Final = max(state.clock for state in states)
        self._milestone = max(state.milestone for state in states)
        self._began = max(state.began for state in states)
        self._highest: dict[int, int] = {}
        self._begun: dict[int, tuple[int, int]] = {}
        for state in states:
            for source, offset in state.highest.items():
                if source >= FIRST_NUMBER:
                    self._highest[source] = max(offset, self._highest.get(source, BEFORE_ANYTHING))
            for slot, brought in state.begun.items():
                self._begun[slot] = max(brought, self._begun.get(slot, brought))

    def state(self, partition: int) -> PartitionState:
        """Of a new partition, before its first record."""
        return PartitionState(
            position=self._starts[partition],
            clock=self.clock,
            doors_version=self._doors.version,
            doors=self._doors.doors,
            highest=dict(sorted(self._highest.items())),
            version=self.version,
            milestone=self._milestone,
            base_version=self.version,
            began=self._began,
            begun=dict(sorted(self._begun.items())),
        )

    def moved(self, number: int, key: bytes, stored: bytes, judged_at: int) -> Moved:
        """A lead or account of the old partition ``number``, with its stamp.

        ``judged_at``: the instant (ms) up to which timers fire by ``clock``. Raises ``TimerWaitsError``.
        """
        wake = int(read_stamp(stored)[0])
        if 0 < wake <= judged_at and self._old[number].clock < self.clock:
            raise TimerWaitsError
        partition = partition_of(key, len(self._starts))
        fence = self._starts[partition] - 1
        encoded = memoryview(stored)[STAMP_BYTES:]
        if key[:1] == ACCOUNT:
            account = decode_account(encoded)
            account.fence, account.milestone = fence, self._milestone
            return Moved(partition, stamp(wake, fence) + encode_account(account), account)
        lead = decode_lead(encoded)
        lead.fence, lead.milestone = fence, self._milestone
        return Moved(partition, stamp(wake, fence) + encode_lead(lead), lead)
