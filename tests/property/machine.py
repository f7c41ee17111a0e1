"""The engine as its owner drives it: a log partition, a store of encoded leads, restarts and sweeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from scorer.domain.clock import pack
from scorer.domain.lead import Lead, decode_lead, encode_lead
from scorer.domain.ledger import Line, ledger
from scorer.domain.model import encode_model, fingerprint
from scorer.domain.outcomes import score_view
from scorer.domain.partition import LogPartition
from scorer.domain.record import Clock, Rules, encode_record
from scorer.domain.state import PartitionState, decode_state, encode_state
from scorer.domain.timers import Timer, page
from tests.reference.log import About, Entry, InForce, Past, ReadThrough
from tests.reference.told import Told, read


class Message(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None


def messages(log: list[Entry], start: int = 0) -> list[Message]:
    return [message(start + place, entry) for place, entry in enumerate(log)]


def message(offset: int, entry: Entry) -> Message:
    match entry:
        case About(lead, fact):
            return Message(offset, lead.encode(), encode_record(fact))
        case Past(lead, past):
            return Message(offset, lead.encode(), encode_record(past))
        case ReadThrough(times):
            return Message(offset, None, encode_record(Clock(pack(times))))
        case InForce(version, model, announce):
            encoded = encode_model(model)
            rules = Rules(version, fingerprint(encoded), encoded, announce)
            return Message(offset, None, encode_record(rules))
        case control:
            return Message(offset, None, encode_record(control))


@dataclass
class Machine:
    """What survives a restart is bytes: the leads, the partition's state, the rule sets, the timers."""

    store: dict[bytes, bytes] = field(default_factory=dict)
    timers: set[tuple[int, bytes]] = field(default_factory=set)
    outcomes: list[Told] = field(default_factory=list)
    told: list[bytes] = field(default_factory=list)
    """The outcomes' values as they were told."""
    partition: LogPartition = field(init=False)

    def __post_init__(self) -> None:
        self.partition = LogPartition(PartitionState(), {}, self._load)

    def run(
        self, log: list[Entry], cuts: list[int] | None = None, *, restart: bool = False, sweep: bool = False
    ) -> Machine:
        """Apply a log in chunks that end at ``cuts``, with a checkpoint after each.

        ``restart``: from the bytes alone after each chunk; ``sweep``: every other lead, after each chunk.
        """
        records = messages(log, self.partition.state.position)
        for start, end in pairwise([0, *sorted(set(cuts or [])), len(records)]):
            self.partition.apply(records[start:end])
            self.checkpoint()
            if sweep:
                self.touch(sorted(self.store)[::2])
            if restart:
                self.restart()
        assert not self.partition.dead, self.partition.dead
        return self

    def checkpoint(self) -> None:
        partition = self.partition
        for key, lead in partition.dirty.items():
            self.store[key] = encode_lead(lead)
        partition.dirty = {}
        for queued, due, key in partition.timers.changes:
            (self.timers.add if queued else self.timers.discard)((due, key))
        partition.timers.changes = []
        self.told += [outcome.value for outcome in partition.outcomes]
        self.outcomes += [read(outcome.value) for outcome in partition.outcomes]
        partition.outcomes = []

    def restart(self) -> None:
        """From the bytes alone."""
        state = decode_state(encode_state(self.partition.state))
        self.partition = LogPartition(state, dict(self.partition.rule_sets), self._load, self._load_timers)

    def sweep(self) -> Machine:
        """Take every lead past every milestone."""
        while (milestone := self.partition.unswept) is not None:
            self.touch(sorted(self.store))
            self.partition.swept(milestone)
        self.checkpoint()
        return self

    def touch(self, keys: list[bytes]) -> None:
        for key in keys:
            assert self.partition.touch(key)
        self.checkpoint()

    def ledger(self, lead: str, at: int) -> list[Line]:
        found = self.partition.get(lead.encode())
        assert found is not None
        return ledger(self.partition.rules, found, at)

    def view(self, lead: str) -> bytes:
        found = self.partition.get(lead.encode())
        assert found is not None
        return score_view(self.partition.rules, lead, found)

    def _load_timers(self, since: int) -> tuple[list[Timer], int]:
        return page((timer for timer in sorted(self.timers) if timer[0] >= since), most=2)

    def _load(self, key: bytes) -> Lead | None:
        encoded = self.store.get(key)
        return None if encoded is None else decode_lead(encoded)
