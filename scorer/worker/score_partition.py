"""One partition of the lead log as its owner holds it: the machine, and what is not yet durable of it.

Synchronous. A lead is looked for in this order: decoded by the machine, decoded a generation ago, in the
cut that is being made durable, on disk. So processing goes on during a checkpoint and never sees an
older state than its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import NamedTuple

from scorer.domain.account import Account, decode_account, encode_account
from scorer.domain.account_outcomes import account_view
from scorer.domain.joining import Sent
from scorer.domain.lead import Lead, copy_of, decode_lead, encode_lead
from scorer.domain.outcomes import Outcome, identity_view, score_view
from scorer.domain.partition import Dead, LogPartition, Message
from scorer.domain.record import ACCOUNT
from scorer.domain.state import PartitionState, decode_state, encode_state
from scorer.domain.timers import Timer, page, queued_between
from scorer.worker.cut import CUT, STAMP_BYTES, Cut, encode_cut, rules_key, stamp
from scorer.worker.store import Store
from scorer.worker.views import Shown

_cursor = Struct(">Q")  # the milestone that a sweep's cursor belongs to, in front of it


View = tuple[bytes, bytes | None]
"""Id, and what is shown of it; None: nothing any more."""


class Taken(NamedTuple):
    """A cut: the partition between two records, as bytes."""

    position: int
    milestone: int
    leads: dict[bytes, bytes]
    """Those changed since the cut before, with their stamps; accounts among them."""
    views: tuple[list[View], list[View], list[View]]
    """Of leads (None for one that has become part of another), of who is who (None for one of whom nothing
    is known any more), of accounts (None for one in which nobody counts): those of ``views.VIEWS``."""
    again: list[set[bytes]]
    """Whose views are among them although they have not changed: see ``views.Shown``."""
    system: list[tuple[bytes, bytes | None]]
    """System keys in the order in which they must be written: the cut record last."""
    timers: list[tuple[bool, int, bytes]]


class ScorePartition:
    def __init__(self, number: int, store: Store, cache_leads: int, near_timers: int) -> None:
        self.number = number
        self.store = store
        self.cache_leads = cache_leads
        """Decoded leads kept per generation of the cache; there are two."""
        self.near_timers = near_timers
        """Timers kept in memory: up to twice as many."""
        self.shown = Shown()
        self.epoch = 0
        self.log = b""
        """Kafka's id of the lead log."""
        self.running = False
        """Between an assignment's restore and its revocation, and not being restored after a fault."""
        self.stopped = ""
        """Why the partition goes no further; empty: it does."""
        self.machine = self._machine(PartitionState(), {}, None)
        self.found_older = 0
        """Leads found in the older half of the cache, so far,"""
        self.found_stored = 0
        """in a cut that is being made durable or on disk,"""
        self.found_none = 0
        """and nowhere."""
        self._older: dict[bytes, Lead] = {}
        self._pending: dict[bytes, bytes] = {}
        self._pending_timers: list[tuple[bool, int, bytes]] = []
        self._rules_stored: set[int] = set()
        self._rules_dropped: set[int] = set()
        self._faults: set[int] = set()
        self._milestone_stored = 0
        self._position_stored = -1
        self._swept = False  # since the last cut

    # -- lifetime ---------------------------------------------------------------------------------

    def begin(self, cut: Cut) -> None:
        """Start from a cut whose leads are in the store; whatever memory held is forgotten."""
        state = decode_state(cut.state)
        self._faults = {offset for offset in self._faults if offset >= cut.position}
        state.skip = sorted({*state.skip, *self._faults})
        rule_sets = self.store.rule_sets()
        self._older, self._pending, self._pending_timers = {}, {}, []
        self._rules_stored, self._rules_dropped = set(rule_sets), set()
        self._milestone_stored, self._position_stored = state.milestone, -1
        self.machine = self._machine(state, rule_sets, self._load_timers)
        self.stopped = ""

    def drop(self) -> None:
        """Forget what memory holds; the store stands at the last cut."""
        self.running = False
        self._older, self._pending, self._pending_timers = {}, {}, []
        self.machine = self._machine(PartitionState(), {}, None)

    def _machine(
        self,
        state: PartitionState,
        rule_sets: dict[int, bytes],
        load_timers: Callable[[int], tuple[list[Timer], int]] | None,
    ) -> LogPartition:
        return LogPartition(state, rule_sets, self._load, load_timers, self.number, self._load_account)

    def fault(self, offset: int) -> None:
        """Our own code failed at that record: ``begin`` again, and it will be passed over."""
        self.running = False
        self._faults.add(offset)

    # -- leads ------------------------------------------------------------------------------------

    def get(self, key: bytes) -> Lead | None:
        """A copy of a lead as it stands."""
        lead = self.machine.get(key)
        return None if lead is None else copy_of(lead)

    def _load(self, key: bytes) -> Lead | None:
        lead = self._older.get(key)
        if lead is not None:
            self.found_older += 1
            return lead
        raw = self._pending.get(key) or self.store.get(key)
        if raw is None:
            self.found_none += 1
            return None
        self.found_stored += 1
        return decode_lead(memoryview(raw)[STAMP_BYTES:])

    def _load_account(self, key: bytes) -> Account | None:
        raw = self._pending.get(key) or self.store.get(key)
        return None if raw is None else decode_account(memoryview(raw)[STAMP_BYTES:])

    def _load_timers(self, since: int) -> tuple[list[Timer], int]:
        near, horizon = page(self.store.timers(since), self.near_timers)
        # Some of these may be on disk by now. Whoever comes twice does nothing the second time.
        return near + queued_between(self._pending_timers, since, horizon), horizon

    def trim(self) -> None:
        """Between two calls of the machine: keep the cache within its bound.

        Two generations come close to least-recently-used, without a write on every hit. What is dirty
        stays in the machine's ``dirty`` whatever happens here.
        """
        machine = self.machine
        if len(machine.leads) > self.cache_leads:
            self._older, machine.leads = machine.leads, {}
        if len(machine.accounts) > self.cache_leads:
            machine.accounts = {}

    @property
    def unsaved(self) -> int:
        """Leads in memory that are not durable."""
        machine = self.machine
        return len(machine.dirty) + len(machine.dirty_accounts) + len(self._pending)

    @property
    def cached(self) -> int:
        return len(self.machine.leads) + len(self._older)

    # -- applying ---------------------------------------------------------------------------------

    def apply(self, records: Sequence[Message]) -> None:
        """Raises ``EngineFault`` and ``PartitionStopped``."""
        self.machine.apply(records)

    @property
    def past_faults(self) -> bool:
        """Records were passed over as faulty since the last cut, and a later one has succeeded."""
        state = self.machine.state
        return bool(self._faults) and not state.failing and state.position > max(self._faults)

    def drain(self) -> tuple[list[Outcome], list[Dead], list[Sent]]:
        """What there is to send since the last call."""
        machine = self.machine
        outcomes, dead, sends = machine.outcomes, machine.dead, machine.sends
        if outcomes:
            machine.outcomes = []
        if dead:
            machine.dead = []
        if sends:
            machine.sends = []
        return outcomes, dead, sends

    # -- sweeping ---------------------------------------------------------------------------------

    @property
    def sweepable(self) -> bool:
        """Idle leads are to be taken past a milestone, and every lead older than it is in the store."""
        milestone = self.machine.unswept
        return self.running and milestone is not None and self._milestone_stored >= milestone

    def sweep(self, count: int) -> int:
        """Touch the next ``count`` leads in the order of their ids; returns how many there were.

        Raises whatever the engine raises.
        """
        machine = self.machine
        milestone = machine.unswept
        if milestone is None:
            return 0
        state = machine.state
        cursor = b""
        if state.sweep and _cursor.unpack_from(state.sweep)[0] == milestone:
            cursor = state.sweep[_cursor.size :]
        self._swept = True
        keys = self.store.leads_after(cursor, count)
        for key in keys:
            machine.touch(key)
        if len(keys) < count:
            machine.swept(milestone)
            state.sweep = b""
        else:
            state.sweep = _cursor.pack(milestone) + keys[-1]
        return len(keys)

    # -- cutting ----------------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """Whether a cut now would say anything that the last one does not.

        No cut is taken while records are being passed over as faulty: a restart, perhaps with mended
        code, is to meet them again. They are dead letters once a later record has succeeded.
        """
        machine = self.machine
        if not self.running or machine.state.failing:
            return False
        dirty = bool(machine.dirty) or bool(machine.dirty_accounts)
        position = machine.state.position
        return position != self._position_stored or self._swept or dirty or self.shown.is_due(position)

    def take(self) -> Taken:
        """The cut: one consistent moment. ``settle`` must follow before the next."""
        if self._pending:
            raise RuntimeError("one cut at a time")
        machine = self.machine
        self._swept = False
        dirty, machine.dirty = machine.dirty, {}
        accounts, machine.dirty_accounts = machine.dirty_accounts, {}
        changes, machine.timers.changes = machine.timers.changes, []
        timers = [
            (queued, due, key)
            for queued, due, key in changes
            # Else overtaken already.
            if not queued or (owner := dirty.get(key) or accounts.get(key)) is None or owner.due == due
        ]
        linked, machine.linked = machine.linked, set()
        again = self.shown.due(machine.state.position)
        gone = self._show_again(again, dirty, linked, accounts)
        state, rules = machine.state, machine.rules
        leads: dict[bytes, bytes] = {}
        views: list[View] = gone[0]
        milestone = state.milestone if state.version else -1
        # One walk for both: what a lead's bytes cost is bringing its state into the processor's cache.
        for key, lead in dirty.items():
            leads[key] = stamp(lead.due, lead.fence) + encode_lead(lead)
            if lead.milestone == milestone:  # else its sums are the old rules'; it will be swept
                if lead.since:
                    views.append((key, score_view(rules, key.decode(), lead)))
                elif lead.clock:  # it has become part of another, and was shown
                    views.append((key, None))
        identities = gone[1]
        for key in sorted(linked):
            links = dirty[key].links  # None: somebody else has said that it is linked
            view = None if links is None else identity_view(key.decode(), dirty[key], links, state.clock)
            identities.append((key, view))
        accounts_shown = gone[2]
        for key, account in accounts.items():
            leads[key] = stamp(account.due, account.fence) + encode_account(account)
            if account.milestone == milestone:
                accounts_shown.append(account_view(rules, key, account))
        self._pending, self._pending_timers = leads, timers
        # What is still to be passed over is this process's experience: another, perhaps mended, has its own.
        skip, state.skip = state.skip, []
        cut = Cut(self.epoch, state.position, self.log, encode_state(state))
        state.skip = skip
        system = [*self._rule_changes(), (CUT, encode_cut(cut))]
        shown = views, identities, accounts_shown
        return Taken(state.position, state.milestone, self._pending, shown, again, system, timers)

    def _show_again(
        self,
        again: list[set[bytes]],
        dirty: dict[bytes, Lead],
        linked: set[bytes],
        accounts: dict[bytes, Account],
    ) -> tuple[list[View], list[View], list[View]]:
        """Puts what is to be shown once more among what has changed; returns the views of what is gone."""
        machine = self.machine
        gone: tuple[list[View], list[View], list[View]] = [], [], []
        scores, identities, names = again
        for keys, place in (scores, 0), (identities, 1):
            for key in sorted(keys):
                lead = dirty.get(key) or machine.get(key)
                if lead is None:
                    gone[place].append((key, None))
                else:
                    dirty[key] = lead
        linked.update(identities & dirty.keys())
        for name in sorted(names):
            key = ACCOUNT + name
            account = accounts.get(key) or machine.account(key)
            if account is None:
                gone[2].append((name, None))
            else:
                accounts[key] = account
        return gone

    def _rule_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Rule sets that the cut is the first to name, and those that even the cut before did not."""
        rule_sets = self.machine.rule_sets
        gone, self._rules_dropped = self._rules_dropped, self._rules_stored - set(rule_sets)
        changes: list[tuple[bytes, bytes | None]] = [
            (rules_key(version), None) for version in sorted(gone - set(rule_sets))
        ]
        new = sorted(set(rule_sets) - self._rules_stored)
        self._rules_stored = set(rule_sets)
        return changes + [(rules_key(version), rule_sets[version]) for version in new]

    def settle(self, taken: Taken) -> None:
        """The cut is durable: in the changelog and in the store."""
        self._pending, self._pending_timers = {}, []
        self.machine.timers.trim(self.near_timers)
        self._milestone_stored, self._position_stored = taken.milestone, taken.position
        self.shown.again = self.shown.left(taken.again)
        self._faults = {offset for offset in self._faults if offset >= taken.position}


def first_cut(position: int, log: bytes) -> Cut:
    """A partition before its first record."""
    return Cut(0, position, log, encode_state(PartitionState(position=position)))
