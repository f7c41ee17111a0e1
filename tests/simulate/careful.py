"""One careful pass over a log partition, record by record, that remembers every state it went through."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from scorer.domain.account import encode_account
from scorer.domain.joining import Sent
from scorer.domain.lead import encode_lead
from scorer.domain.partition import Dead, LogPartition
from scorer.domain.record import ACCOUNT
from scorer.domain.state import PartitionState, encode_state
from scorer.wire.registry import LOG
from scorer.worker.cut import stamp
from tests.simulate.loop import LIFE
from tests.worker.fake_kafka import Cluster
from tests.worker.score_world import sweep


@dataclass
class Past:
    """A lead's states, oldest first."""

    positions: list[int] = field(default_factory=list)
    """Where the log stood right after each."""
    places: dict[bytes, int] = field(default_factory=dict)
    """State as it is stored -> its place, the last where it recurs."""
    told: list[int] = field(default_factory=list)
    """Outcomes told by then."""

    def place_at(self, position: int) -> int:
        """Of the state in which the lead was when the log stood there; -1: it was not there yet."""
        return bisect_right(self.positions, position) - 1


class CarefulPass:
    def __init__(self, cluster: Cluster, number: int) -> None:
        self._cluster = cluster
        self._number = number
        self._machine = LogPartition(PartitionState(), {}, lambda _: None, number=number)
        self.states = [encode_state(self._machine.state)]
        """Position -> the partition's state."""
        self.past: dict[bytes, Past] = {}
        self.told: dict[bytes, list[tuple[str, bytes]]] = {}
        """Lead -> its outcomes (topic, value) in their order."""
        self.said: set[tuple[str, bytes]] = set()
        self.sent: set[Sent] = set()
        """Records for the lead log."""
        self.dead: dict[int, Dead] = {}
        self.by_time = 0
        """Outcomes that time alone brought about."""

    @property
    def clock(self) -> int:
        """C, ms."""
        return self._machine.state.clock

    def advance(self) -> None:
        """To the log's end."""
        records = self._cluster.records(LOG, self._number)
        if len(self.states) > len(records):
            return
        token = LIFE.set(None)  # no process's code, and so without its bugs
        try:
            machine = self._machine
            for record in records[len(self.states) - 1 :]:
                machine.apply((record,))
                # At once: workers' idle leads pass a change of the rules at any time from now on.
                sweep(machine)
                self._take(len(self.states))
                self.states.append(encode_state(machine.state))
        finally:
            LIFE.reset(token)

    def finish(self) -> tuple[LogPartition, dict[bytes, bytes]]:
        """At the log's end: the machine, and every lead."""
        self.advance()
        machine = self._machine
        leads = {key: encode_lead(lead) for key, lead in machine.leads.items()}
        return machine, leads | {key: encode_account(one) for key, one in machine.accounts.items()}

    def _take(self, position: int) -> None:
        machine = self._machine
        for outcome in machine.outcomes:
            self.told.setdefault(outcome.key, []).append((outcome.topic, outcome.value))
            self.said.add((outcome.topic, outcome.value))
            self.by_time += b'"cause":"time"' in outcome.value
        for letter in machine.dead:
            self.dead[letter.offset] = letter
        for key, lead in machine.dirty.items():
            past = self.past.setdefault(key, Past())
            past.places[stamp(lead.due, lead.fence) + encode_lead(lead)] = len(past.positions)
            past.positions.append(position)
            past.told.append(len(self.told.get(key, ())))
        for key, account in machine.dirty_accounts.items():
            past = self.past.setdefault(key, Past())
            past.places[stamp(account.due, account.fence) + encode_account(account)] = len(past.positions)
            past.positions.append(position)
            past.told.append(len(self.told.get(key[len(ACCOUNT) :], ())))
        self.sent.update(machine.sends)
        machine.dirty, machine.outcomes, machine.dead, machine.sends = {}, [], [], []
        machine.dirty_accounts = {}
        machine.timers.changes = []
