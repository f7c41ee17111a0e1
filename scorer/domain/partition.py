"""One partition of the lead log: its records in order, its clock, its timers and its leads.

Synchronous and without I/O: the worker, the simulation and replay drive it alike. Whoever owns it loads
leads for it, takes what has changed (``dirty``, ``timers.changes``), what is to be sent (``outcomes``,
``dead``) and the state of the partition at a moment of its choosing between two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from scorer.domain import clock
from scorer.domain.account import Account
from scorer.domain.accounting import Accounting
from scorer.domain.conditions import Properties
from scorer.domain.encoded import is_fact
from scorer.domain.engine import step, step_imported
from scorer.domain.lead import SEEN_ENTRY, Lead, NewerFormat, copy_of, decode_lead
from scorer.domain.links import Arriving
from scorer.domain.person import take_in
from scorer.domain.preparing import Slots, slots_of, take_over
from scorer.domain.record import (
    ACCOUNT,
    Clock,
    Doors,
    Fact,
    ImportBegin,
    ImportEnd,
    Linking,
    Member,
    Posted,
    Posting,
    Rebuilt,
    Record,
    Rules,
    decode_heading,
    decode_posted,
    decode_properties,
    ids_in,
)
from scorer.domain.rules import RuleSet, build
from scorer.domain.shadowing import note_live
from scorer.domain.shadowing import take_in as take_in_beside
from scorer.domain.state import PartitionState
from scorer.domain.timers import Timer, Timers

FAULTS_IN_A_ROW = 20
FAULT_WINDOW = 10_000
"""Records; more than 1% of them failing stops the partition."""
FAULT_SHARE = 0.01
REMEMBERED: Final = 86_400
"""Seconds of the doors' clock for which a publisher's event ids are remembered."""

NOTHING: Final[dict[str, Any]] = {}
"""The properties of a fact where no rule wants to see them."""

NO_RECORD: Final = (msgspec.MsgspecError, TypeError, UnicodeDecodeError, RecursionError)
"""What decoding raises on bytes that are none."""
UNDECODABLE, ENGINE_ERROR = "undecodable", "engine_error"


class Message(Protocol):
    """A record as Kafka's clients give it."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Dead(NamedTuple):
    """A log record for the dead letters."""

    reason: str
    detail: str
    offset: int
    key: bytes | None
    value: bytes | None


class EngineFault(Exception):  # noqa: N818 - a fault of ours, told from users' errors
    """Our own code failed at a record. Memory is undefined: drop it, restore, and skip that offset."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the engine failed at offset {offset}")
        self.offset = offset


class PartitionStopped(Exception):  # noqa: N818 - a state, not an error in a call
    """Too many records failed: the partition goes no further than ``offset``."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


class LogPartition(Accounting):
    def __init__(
        self,
        state: PartitionState,
        rule_sets: dict[int, bytes],
        load: Callable[[bytes], Lead | None],
        load_timers: Callable[[int], tuple[list[Timer], int]] | None = None,
        number: int = 0,
        load_account: Callable[[bytes], Account | None] | None = None,
    ) -> None:
        """``rule_sets``: version -> encoded model, of every version that ``state`` names.

        ``load_timers``: see ``Timers``; without it there are no timers yet. ``number``: the partition's.
        ``load_account``: as ``load``, of accounts; without it there are none yet.
        """
        super().__init__(state, rule_sets, load, load_timers, number, load_account)
        self.dead: list[Dead] = []
        self._suspects: list[Dead] = []
        self._door_numbers = [door.number for door in state.doors]
        self._stamp = b""
        self._forget = b""
        self._seen_bytes = 0
        self._slots: Slots | None = None
        """What is prepared, of the rules in force; None: nobody has asked yet."""
        self._clock_moved()

    @property
    def ready(self) -> bool:
        """Doors and rules are known: the log's first records have been read."""
        return self.state.doors_version > 0 and self.state.version > 0

    def standing(self, key: bytes) -> Lead | None:
        """A copy of a lead, taken past the milestones that it has not passed; nothing of it is told."""
        lead = self.get(key)
        if lead is None:
            return None
        copy = copy_of(lead)
        if copy.milestone < self.state.milestone:
            apart = LogPartition(self.state, self.rule_sets, lambda _: copy)
            apart.touch(key)
            return apart.get(key)
        return copy

    # -- without a log --------------------------------------------------------------------------

    def begin_anew(self) -> None:
        """As before the first record about a lead; doors and rules stay, and offsets go on."""
        state = self.state
        state.clock = state.began = 0
        state.clocks, state.highest = {}, {}
        self.leads, self.dirty, self.linked = {}, {}, set()
        self.outcomes, self.sends, self.dead, self._suspects = [], [], [], []
        self.timers = Timers()
        self._clock_moved()

    def pass_time(self, through: int) -> None:
        """Move the clock to an instant (ms), if it is later: all doors have been read through it."""
        state = self.state
        if through > state.clock:
            if not state.began:
                state.began = through
            state.clock = through
            self._clock_moved()
            self._fire_timers()

    def post(self, key: bytes, fact: Fact) -> None:
        """``apply``, of a fact that comes once and in its place: no door brings it again.

        ``key``: of a lead that has not become part of another. For rules that never change, of no accounts
        and without a shadow, and outside imports. Raises ``EngineFault``.
        """
        state = self.state
        offset = state.position
        try:
            lead = self.leads.get(key)
            if lead is None:
                lead = self._create(key)
            due = lead.due
            if fact.sealed is not None or fact.account is not None:
                take_in(lead, fact)
            if self._is_new(lead, fact.digest):
                index = self._rules.types.get(fact.type)
                # fmt: off
                step(
                    self._rules, lead, key, index, fact.time, fact.properties, self._judged_at, self.outcomes,
                )
                # fmt: on
            lead.fence = offset
            if lead.due != due:
                self._requeue(lead, key, due)
        except Exception as error:
            self.counters.faults += 1
            raise EngineFault(offset) from error
        state.position = offset + 1

    # -- the log ------------------------------------------------------------------------------

    def apply(self, messages: Sequence[Message]) -> None:  # noqa: C901, PLR0912, PLR0915 - one hot loop
        """Apply records in offset order, none of them missing.

        Raises ``EngineFault`` where our own code fails and ``PartitionStopped`` where it has failed too
        often; a record that is no log record is a dead letter.
        """
        state = self.state
        counters = self.counters
        leads, dirty, highest = self.leads, self.dirty, state.highest
        imports = state.imports
        skip = set(state.skip)
        offset = state.position
        facts, late, milestone = 0, 0, state.milestone
        decode, types, beside = decode_posted, self._rules.types, self._rules.shadow
        accounts = self._rules.model.accounts is not None
        try:
            for message in messages:
                offset = message.offset
                if skip and offset in skip:
                    self._skip(message)
                    continue
                key = message.key
                lead = (leads.get(key) or self._find(key)) if key else None
                links = None if lead is None else lead.links
                if lead and links is not None and links.moved and self._passed_on(message, lead, links.moved):
                    continue
                try:
                    record: Posted = decode(message.value)  # type: ignore[arg-type]
                except NO_RECORD as error:
                    self._undecodable(message, error)
                    continue
                if type(record) is Clock:
                    self._advance(clock.unpack(record.packed))
                    continue
                if type(record) is not Posting:
                    if isinstance(record, Linking):
                        self._link(message, record)
                    elif isinstance(record, Member):
                        self._member(message, record)
                    elif isinstance(record, Rebuilt):
                        self._rebuilt(message, record)
                    else:
                        self._control(record)
                    milestone, types, beside = state.milestone, self._rules.types, self._rules.shadow
                    accounts = self._rules.model.accounts is not None
                    continue
                if not key:
                    self._undecodable(message, ValueError("a fact without a lead id as its key"))
                    continue
                index, properties = types.get(record.type), NOTHING
                if index is not None and index.looks:
                    try:
                        properties = decode_properties(record.properties)
                    except NO_RECORD as error:
                        self._undecodable(message, error)
                        continue
                if lead is None and not _is_lead_id(key):
                    self._undecodable(message, ValueError("the key is no lead id"))
                    continue
                # Both as the objects that they are: compiled, declared ints would be made anew for the dict.
                door: Any = record.door
                if door:
                    place: Any = record.offset
                    last: Any = highest.get(door)
                    if last is not None and place <= last:
                        counters.duplicates += 1
                        continue
                    highest[door] = place
                if lead is None:
                    lead = self._create(key)
                elif offset <= lead.fence:
                    counters.skipped += 1
                    continue
                elif links is not None and links.erased and self._shuns(links, record):
                    if self._suspects:
                        self._clear_suspects()
                    continue
                due, machines = lead.due, lead.machines
                if lead.milestone < milestone:
                    self._pass_milestones(lead, key)
                if record.sealed is not None or record.account is not None:
                    take_in(lead, record)  # before what it makes true is told
                if imports and door in imports:
                    step_imported(self._rules, lead, index, record.time, properties, record.door)
                    if beside is not None:
                        # fmt: off
                        take_in_beside(
                            beside, lead, key, record, properties, self._judged_at, record.door, counters
                        )
                        # fmt: on
                    facts += 1
                elif self._is_new(lead, record.digest):
                    told = len(self.outcomes)
                    time: int = record.time
                    if time < self._judged_at:
                        late += 1
                    step(
                        self._rules,
                        lead,
                        key,
                        index,
                        time,
                        properties,
                        self._judged_at,
                        self.outcomes,
                    )
                    if beside is not None:
                        self._step_beside(beside, lead, key, record, properties, told)
                    facts += 1
                if accounts:
                    self._report(self._rules, lead, key)
                if lead.machines != machines:
                    counters.machines += lead.machines - machines
                lead.fence = offset
                dirty[key] = lead
                if lead.due != due:
                    self._requeue(lead, key, due)
                if self._suspects:
                    self._clear_suspects()
        except NewerFormat as error:
            state.position = offset
            raise PartitionStopped(
                offset, f"a later version of scorer has written this record ({error})"
            ) from error
        except PartitionStopped:
            state.position = offset
            raise
        except Exception as error:
            counters.faults += 1
            raise EngineFault(offset) from error
        state.position = offset + 1 if messages else state.position
        counters.records += len(messages)
        counters.facts += facts
        counters.late += late

    def _step_beside(
        self, rules: RuleSet, lead: Lead, key: bytes, record: Posting, properties: Properties, told: int
    ) -> None:
        """The lead's shadow takes in what the lead has, which may have told something since ``told``."""
        take_in_beside(rules, lead, key, record, properties, self._judged_at, 0, self.counters)
        if lead.shadow is not None and len(self.outcomes) > told:
            note_live(lead.shadow, self.outcomes, told, lead.clock, self.counters)

    def _passed_on(self, message: Message, lead: Lead, target: bytes) -> bool:
        """A fact about a lead that has become part of another; False: it is something else.

        Only its heading is decoded: whatever is forwarded is looked at where it arrives.
        """
        fact = message.value
        if fact is None or not is_fact(fact):
            return False
        try:
            record = decode_heading(fact)
        except NO_RECORD:
            return False
        door, highest = record.door, self.state.highest
        if door and record.offset <= highest.get(door, -1):
            self.counters.duplicates += 1
            return True
        if door:
            highest[door] = record.offset
        if message.offset <= lead.fence:
            self.counters.skipped += 1
            return True
        self._forward(target, fact, message.offset)
        if self._suspects:
            self._clear_suspects()
        return True

    # -- event ids ------------------------------------------------------------------------------

    def _is_new(self, lead: Lead, digest: bytes) -> bool:
        """Whether the lead has not seen this event of late; now it has."""
        seen = lead.seen
        # Not ``in``: bytes first try the argument as an integer, which raises and is caught.
        links = lead.links
        if (seen and seen.find(digest) >= 0 and self._repeated(seen, digest)) or (
            links is not None and links.arriving and self._arrives(links.arriving, digest)
        ):
            self.counters.duplicates += 1
            return False
        if seen and (len(seen) >= self._seen_bytes or seen[8:12] <= self._forget):
            seen = self._forgotten(seen)
        lead.seen = seen + (digest + self._stamp)
        return True

    def _arrives(self, arriving: list[Arriving], digest: bytes) -> bool:
        """Whether a lead that waits to be let in brings the event along."""
        return any(self._repeated(decode_lead(state).seen, digest) for _, _, state in arriving)

    def _repeated(self, seen: bytes, digest: bytes) -> bool:
        """Whether the digest, which occurs in these bytes, is an entry of the last 24 h of the clock."""
        found = seen.find(digest)
        while found >= 0:
            if found % SEEN_ENTRY == 0 and seen[found + 8 : found + 12] > self._forget:
                return True
            found = seen.find(digest, found + 1)
        return False

    def _forgotten(self, seen: bytes) -> bytes:
        """Remembered event ids less those older than 24 h, and less the oldest where they are too many."""
        forget, start = self._forget, 0
        if seen[-4:] <= forget:
            return b""  # the newest is forgotten, and so all are
        while seen[start + 8 : start + 12] <= forget:
            start += SEEN_ENTRY
        if len(seen) - start >= self._seen_bytes:
            start += SEEN_ENTRY
            self.counters.evicted_ids += 1
        return seen[start:]

    def _clock_moved(self) -> None:
        state, model = self.state, self._rules.model
        through = state.clock
        self._judged_at = max(through - model.grace, 0)
        seconds, began = through // 1_000, state.began // 1_000
        self._stamp = max(seconds, 1).to_bytes(4, "big")
        # What was seen before the clock began counts as seen when it did, the lowest stamp of all: either
        # nothing that old is forgotten yet, or all of it.
        forget = seconds - REMEMBERED
        self._forget = (forget if forget >= began else 0).to_bytes(4, "big")
        self._seen_bytes = model.dedupe * SEEN_ENTRY

    # -- control records ----------------------------------------------------------------------

    def _control(self, record: Posted) -> None:
        state = self.state
        if type(record) is Doors:
            if record.version > state.doors_version:
                state.doors_version, state.doors = record.version, record.doors
                self._door_numbers = [door.number for door in record.doors]
                self._advance({})
        elif type(record) is Rules:
            if record.version > state.version:
                self._change_rules(record)
        elif type(record) is ImportBegin:
            if record.number not in state.imports:
                state.imports.append(record.number)
        elif type(record) is ImportEnd and record.number in state.imports:
            state.imports.remove(record.number)
            self._add_milestone(0, record.number)

    def _advance(self, times: dict[int, int]) -> None:
        state = self.state
        clocks = state.clocks
        for number, time in times.items():
            if time > clocks.get(number, 0):
                clocks[number] = time
        if not self._door_numbers:
            return
        through = clocks.get(self._door_numbers[0], 0)
        for number in self._door_numbers:
            time = clocks.get(number, 0)
            if time < through:  # noqa: PLR1730 - a call per door, every record of the clock
                through = time
        self.pass_time(through)

    def clock_after(self, record: Record) -> int:
        """The clock (ms) that applying a record would lead to."""
        state = self.state
        times: dict[int, int] = {}
        numbers = self._door_numbers
        if isinstance(record, Clock):
            times = clock.unpack(record.packed)
        elif isinstance(record, Doors) and record.version > state.doors_version:
            numbers = [door.number for door in record.doors]
        through = [max(state.clocks.get(number, 0), times.get(number, 0)) for number in numbers]
        return max(state.clock, min(through, default=0))

    def _change_rules(self, record: Rules) -> None:
        rules, state = build(record.model, record.version), self.state
        if state.version:
            known, begun = self._rules.slots(), state.begun
            now = record.version, max(state.clock - rules.model.grace, 0)
            state.begun = {
                slot: begun[slot] if slot in known else now
                for slot in sorted(rules.slots())
                if slot in begun or slot not in known
            }
        self.rule_sets[record.version] = record.model
        self._built[record.version] = rules
        state.version = record.version
        self._rules, self._slots = rules, None
        self._clock_moved()
        self._add_milestone(record.version, 0, record.announce)

    # -- who is who -----------------------------------------------------------------------------

    def _link(self, message: Message, record: Linking) -> None:
        key, offset = message.key, message.offset
        if not key or not all(map(_is_lead_id, [key, *ids_in(record)])):
            self._undecodable(message, ValueError("the key, or an id that it is linked with, is no lead id"))
            return
        lead = self._find(key)
        if record.door:
            highest = self.state.highest
            if record.offset <= highest.get(record.door, -1):
                self.counters.duplicates += 1
                return
            highest[record.door] = record.offset
        if lead is None:
            lead = self._create(key)
        elif offset <= lead.fence:
            self.counters.skipped += 1
            return
        self._hear(lead, key, record, offset)
        if self._suspects:
            self._clear_suspects()

    def _member(self, message: Message, record: Member) -> None:
        key = message.key or b""
        leads = [record.lead, *(lead for lead, _ in record.instead_of)]
        good = all(map(_is_lead_id, leads)) and _is_text(key)
        if not good or not self._take_report(key, record, message.offset):
            self._undecodable(message, ValueError("a report that is no lead's, or to no account"))
        elif self._suspects:
            self._clear_suspects()

    def _rebuilt(self, message: Message, past: Rebuilt) -> None:
        key, offset, state = message.key or b"", message.offset, self.state
        lead = self._find(key)
        if lead is None or past.version != state.version or lead.fence > past.as_of or offset <= lead.fence:
            return  # whoever rebuilds sees that, too, and says it once more
        if lead.links is not None and lead.links.moved:
            return
        due = lead.due
        if lead.milestone < state.milestone:
            self._pass_milestones(lead, key)
        if self._slots is None:
            self._slots = slots_of(self._rules)
        take_over(self._rules, lead, past, self._slots)
        lead.fence = offset
        self.dirty[key] = lead
        self._requeue(lead, key, due)
        if self._suspects:
            self._clear_suspects()

    # -- failures -----------------------------------------------------------------------------

    def _undecodable(self, message: Message, error: Exception) -> None:
        self.counters.undecodable += 1
        self.dead.append(Dead(UNDECODABLE, str(error), message.offset, message.key, message.value))

    def _skip(self, message: Message) -> None:
        """Pass over a record at which our own code failed, within bounds."""
        state, offset = self.state, message.offset
        if offset not in state.faults:
            state.faults = [fault for fault in state.faults if fault > offset - FAULT_WINDOW] + [offset]
            state.failing += 1
        if state.failing >= FAULTS_IN_A_ROW:
            raise PartitionStopped(offset, f"{state.failing} records in a row failed")
        if len(state.faults) > FAULT_WINDOW * FAULT_SHARE:
            raise PartitionStopped(offset, f"{len(state.faults)} of the last {FAULT_WINDOW} records failed")
        detail = "the engine failed on this record"
        self._suspects.append(Dead(ENGINE_ERROR, detail, offset, message.key, message.value))

    def _clear_suspects(self) -> None:
        """A later record has succeeded, so it was the records' fault: dead letters they are."""
        self.dead += self._suspects
        passed = {suspect.offset for suspect in self._suspects}
        self._suspects = []
        self.state.failing = 0
        self.state.skip = [offset for offset in self.state.skip if offset not in passed]


def _is_lead_id(key: bytes) -> bool:
    """Lead ids are UTF-8, not empty, and don't start with the bytes of the owner's own keys and accounts'."""
    return len(key) > 0 and key[0] > ACCOUNT[0] and _is_text(key)


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
