"""One log partition under replay: the engine's machine and its leads, kept encoded."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from scorer.domain.account import Account, decode_account, encode_account
from scorer.domain.clock import unpack
from scorer.domain.encoded import is_fact, is_linking, is_time
from scorer.domain.joining import Sent
from scorer.domain.lead import Lead, decode_lead, encode_lead
from scorer.domain.partition import NO_RECORD, EngineFault, LogPartition
from scorer.domain.record import Clock, decode_heading, decode_record
from scorer.domain.state import PartitionState, decode_state, encode_state
from scorer.domain.timers import FOREVER, Timer
from scorer.log_lines import Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scorer.domain.outcomes import Outcome
    from scorer.domain.partition import Dead
    from scorer.domain.rules import RuleSet


Message = tuple[bytes | None, bytes | None]
"""Key and value."""


class _Numbered:
    """As ``Recorded``; compiled, a plain class is made in a third of the time."""

    __slots__ = ("key", "offset", "value")

    def __init__(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        self.offset = offset
        self.key = key
        self.value = value


class Machine:
    """Does what the worker does with a partition: cuts, restores after a fault, sweeps, evicts."""

    def __init__(
        self,
        cache: int,
        number: int = 0,
        *,
        alone: bool = False,
        until: int = FOREVER,
        stops: Sequence[int] = (),
        on_stop: Callable[[Machine, int], None] | None = None,
    ) -> None:
        """``cache``: leads kept decoded between two batches. ``number``: the partition's.

        ``alone``: there is no log, so what the partition sends to it is applied at once. ``until``: ms;
        what has been made after it is not applied. ``on_stop`` is told each of ``stops`` (ms, rising) when
        all that had been made by then has been applied, and nothing else.
        """
        self.number = number
        self._stops = deque(stops)
        self._on_stop = on_stop
        self._until = until
        self.complete_since = -1
        """C when both doors and rules had been read, ms; -1: they have not."""
        self.over = False
        """What comes next is from after the end."""
        self._cache = cache
        self._alone = alone
        self._moved: set[bytes] = set()
        self._store: dict[bytes, bytes] = {}
        self._accounts: dict[bytes, bytes] = {}
        self._cut_state = encode_state(PartitionState())
        self._cut_rules: dict[int, bytes] = {}
        self._partition = LogPartition(PartitionState(), {}, self._load, None, number, self._load_account)
        self.sends: list[Sent] = []
        """What the partition has sent to the log when it was last fed."""
        self.faults: list[int] = []
        """Offsets at which our own code failed."""

    @property
    def clock(self) -> int:
        """C, ms."""
        return self._partition.state.clock

    @property
    def rules(self) -> RuleSet:
        return self._partition.rules

    @property
    def ready(self) -> bool:
        return self._partition.ready

    @property
    def leads(self) -> int:
        """Those that stand for themselves."""
        return sum(1 for _ in self.scores())

    def feed(self, records: Sequence[Recorded], skip: Sequence[int]) -> tuple[list[Outcome], list[Dead]]:
        """Apply records; what they have brought about, in order.

        Raises ``scorer.domain.partition.PartitionStopped``.
        """
        outcomes: list[Outcome] = []
        dead: list[Dead] = []
        self.sends = []
        for piece in self._pieces(records):
            offsets = {record.offset for record in piece} if skip else set()
            more, dying = self._feed(piece, [offset for offset in skip if offset in offsets])
            outcomes += more
            dead += dying
        return outcomes, dead

    def _pieces(self, records: Sequence[Recorded]) -> Iterator[Sequence[Recorded]]:
        """What is to be applied; each piece has been when the next is asked for."""
        if self._until == FOREVER and not self._stops:
            yield records
            return
        piece: list[Recorded] = []
        for record in records:
            while self._stops and self._may_be_later(record.value, self._stops[0]):
                if piece:
                    yield piece
                    piece = []
                if not self._is_later(record.value, self._stops[0]):
                    break
                at = self._stops.popleft()
                if self._on_stop is not None:
                    self._on_stop(self, at)
            if self._may_be_later(record.value, self._until):
                if piece:
                    yield piece
                    piece = []
                self.over = self.over or self._is_later(record.value, self._until)
            if self.over:
                return
            piece.append(record)
        if piece:
            yield piece

    def _may_be_later(self, value: bytes | None, than: int) -> bool:
        """Whether a record may have been made after an instant (ms), as far as it tells by itself."""
        if than == FOREVER:
            return False
        try:
            if is_fact(value):
                return decode_heading(value or b"").received > than
            record = decode_record(value or b"") if is_time(value) else None
        except NO_RECORD:
            return False
        if isinstance(record, Clock):
            return max(unpack(record.packed).values(), default=0) > than
        return record is not None

    def _is_later(self, value: bytes | None, than: int) -> bool:
        """Whether it has; everything before it has been applied.

        The clock alone does not tell: it stands still while a door is not read.
        """
        return is_fact(value) or self._partition.clock_after(decode_record(value or b"")) > than

    def _feed(self, records: Sequence[Recorded], skip: Sequence[int]) -> tuple[list[Outcome], list[Dead]]:
        skips = list(skip)
        while True:
            self._partition.state.skip += skips
            try:
                if self._alone:
                    self._apply_alone(records)
                else:
                    self._partition.apply(records)
                break
            except EngineFault as fault:
                self.faults.append(fault.offset)
                skips.append(fault.offset)
                self._restore()
        self.sends += self._partition.sends
        self._partition.sends = []
        outcomes, dead = self._partition.outcomes, self._partition.dead
        self._partition.outcomes, self._partition.dead = [], []
        if self.complete_since < 0 and self.ready:
            self.complete_since = self.clock
        self._sweep()
        if self._alone:
            self._follow()
        outcomes += self._partition.outcomes
        self._partition.outcomes = []
        self._cut()
        return outcomes, dead

    def _apply_alone(self, records: Sequence[Recorded]) -> None:
        """Up to each record that may make others, and then those, as if the log had taken them at once."""
        waiting: list[Message] = []
        for record in records:
            waiting.append((record.key, record.value))
            # Where there are accounts, any fact may tell one of them something.
            accounts = self._partition.rules.model.accounts is not None
            if accounts or record.key in self._moved or is_linking(record.value):
                self._apply_next(waiting)
                waiting = []
                self._follow()
        self._apply_next(waiting)
        self._follow()

    def _follow(self) -> None:
        partition = self._partition
        while partition.sends:
            sends, partition.sends = partition.sends, []
            self._apply_next(sends)
        self._moved |= {key for key in partition.linked if _has_moved(partition.get(key))}
        partition.linked.clear()

    def _apply_next(self, messages: Sequence[Message]) -> None:
        """Offsets are counted here: what comes back is counted with the rest."""
        place = self._partition.state.position
        numbered = []
        for key, value in messages:
            numbered.append(_Numbered(place, key, value))
            place += 1
        self._partition.apply(numbered)

    def known(self) -> Iterator[bytes]:
        """Ids of all leads, those that are part of another among them, in the order in which they came."""
        return iter(self._store)

    def standing(self, key: bytes) -> Lead | None:
        """A copy of a lead, as it stands after what was fed last."""
        return self._load(key)

    def scores(self) -> Iterator[tuple[str, Lead]]:
        """Every lead by its id, in byte order of the ids; not those that are part of another by now."""
        for key in sorted(self._store):
            lead = decode_lead(self._store[key])
            if lead.since:
                yield key.decode(), lead

    def _load_timers(self, since: int) -> tuple[list[Timer], int]:
        wakes = [(decode_lead(encoded).due, key) for key, encoded in self._store.items()]
        wakes += [(decode_account(encoded).due, key) for key, encoded in self._accounts.items()]
        return [(wake, key) for wake, key in wakes if wake >= max(since, 1)], FOREVER

    def _load(self, key: bytes) -> Lead | None:
        encoded = self._store.get(key)
        return None if encoded is None else decode_lead(encoded)

    def _load_account(self, key: bytes) -> Account | None:
        encoded = self._accounts.get(key)
        return None if encoded is None else decode_account(encoded)

    def _cut(self) -> None:
        partition = self._partition
        self._keep()
        partition.linked.clear()
        partition.timers.changes.clear()
        if len(partition.leads) > self._cache:
            partition.leads.clear()
            partition.accounts.clear()
        self._cut_state = encode_state(partition.state)
        self._cut_rules = dict(partition.rule_sets)

    def _restore(self) -> None:
        """Back to the last cut: after a fault the memory is undefined."""
        state, rules = decode_state(self._cut_state), dict(self._cut_rules)
        self._partition = LogPartition(
            state, rules, self._load, self._load_timers, self.number, self._load_account
        )

    def _sweep(self) -> None:
        """Take every lead past rule changes and imports at once; the worker does it bit by bit."""
        milestone = self._partition.unswept
        if milestone is None:
            return
        dirty = self._partition.dirty.keys() | self._partition.dirty_accounts.keys()
        keys = sorted(self._store.keys() | self._accounts.keys() | dirty)
        for count, key in enumerate(keys, 1):
            self._partition.touch(key)
            if count % self._cache == 0:
                self._evict()
        self._partition.swept(milestone)

    def _evict(self) -> None:
        # Leads and accounts only: the state is not to be cut in the middle of a sweep.
        self._keep()
        self._partition.leads.clear()
        self._partition.accounts.clear()

    def _keep(self) -> None:
        partition = self._partition
        for key, lead in partition.dirty.items():
            self._store[key] = encode_lead(lead)
        for key, account in partition.dirty_accounts.items():
            self._accounts[key] = encode_account(account)
        partition.dirty, partition.dirty_accounts = {}, {}


def _has_moved(lead: Lead | None) -> bool:
    return lead is not None and lead.links is not None and bool(lead.links.moved)
