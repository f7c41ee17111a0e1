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
from scorer.domain.engine import ATTRIBUTES, adopt, evaluate, fire, step, step_imported
from scorer.domain.lead import SEEN_ENTRY, Lead, decode_lead, encode_lead, new_lead
from scorer.domain.links import Links, Send, answered, decide, hear
from scorer.domain.merging import merge
from scorer.domain.model import Model, encode_model
from scorer.domain.outcomes import Outcome, merged
from scorer.domain.record import (
    HOPS,
    SENT_EACH,
    Answer,
    Ask,
    Bind,
    Clock,
    Doors,
    ImportBegin,
    ImportEnd,
    Linking,
    Merge,
    Posted,
    Posting,
    Rules,
    decode_posted,
    decode_properties,
    encode_record,
)
from scorer.domain.rules import RuleSet, build
from scorer.domain.state import Milestone, PartitionState
from scorer.domain.timers import Timer, Timers

FAULTS_IN_A_ROW = 20
FAULT_WINDOW = 10_000
"""Records; more than 1% of them failing stops the partition."""
FAULT_SHARE = 0.01
REMEMBERED: Final = 86_400
"""Seconds of the doors' clock for which a publisher's event ids are remembered."""

NOTHING: Final[dict[str, Any]] = {}
"""The properties of a fact where no rule wants to see them."""

UNDECODABLE, ENGINE_ERROR = "undecodable", "engine_error"

NO_RULES = build(encode_model(Model(name="none", scores=())), 0)


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


class Sent(NamedTuple):
    """A record for the lead log, for the partition of its key."""

    key: bytes
    value: bytes


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


class Counters:
    """What has happened since the partition was assigned; plain numbers for the owner's metrics."""

    __slots__ = (
        "duplicates",
        "evicted_ids",
        "facts",
        "faults",
        "forwarded",
        "leads_created",
        "machines",
        "merged",
        "records",
        "refused",
        "skipped",
        "timers",
        "undecodable",
    )

    def __init__(self) -> None:
        self.records = 0
        self.facts = 0
        """Applied."""
        self.duplicates = 0
        self.skipped = 0
        """At or below a lead's fence: delivered again."""
        self.timers = 0
        self.leads_created = 0
        self.machines = 0
        """Opens and clicks that were a machine's."""
        self.forwarded = 0
        """Facts passed on to what their lead has become part of."""
        self.merged = 0
        """Leads that have become part of another."""
        self.refused = 0
        """Links that the limits of one person refuse."""
        self.evicted_ids = 0
        self.undecodable = 0
        self.faults = 0


class LogPartition:
    def __init__(
        self,
        state: PartitionState,
        rule_sets: dict[int, bytes],
        load: Callable[[bytes], Lead | None],
        load_timers: Callable[[int], tuple[list[Timer], int]] | None = None,
        number: int = 0,
    ) -> None:
        """``rule_sets``: version -> encoded model, of every version that ``state`` names.

        ``load_timers``: see ``Timers``; without it there are no timers yet. ``number``: the partition's.
        """
        self.state = state
        self.rule_sets = rule_sets
        self.leads: dict[bytes, Lead] = {}
        self.dirty: dict[bytes, Lead] = {}
        self.outcomes: list[Outcome] = []
        self.dead: list[Dead] = []
        self.sends: list[Sent] = []
        """For other partitions of the log, or this one."""
        self.linked: set[bytes] = set()
        """Leads of which something new is known who they are."""
        self.timers = Timers(load_timers)
        self.counters = Counters()
        self._load = load
        self._hop: Final = HOPS + (state.generation << 16) + number
        self._place = 0  # of the next record that is sent
        self._built: dict[int, RuleSet] = {}
        self._suspects: list[Dead] = []
        self._door_numbers = [door.number for door in state.doors]
        self._rules = self._rule_set(state.version)
        self._judged_at = 0
        self._stamp = b""
        self._forget = b""
        self._seen_bytes = 0
        self._clock_moved()

    # -- what the owner asks ------------------------------------------------------------------

    @property
    def rules(self) -> RuleSet:
        """The rule set in force; one without any rule before the first."""
        return self._rules

    @property
    def ready(self) -> bool:
        """Doors and rules are known: the log's first records have been read."""
        return self.state.doors_version > 0 and self.state.version > 0

    @property
    def unswept(self) -> int | None:
        """The newest milestone that idle leads may not have passed; None: all have."""
        return self.state.milestones[-1].number if self.state.milestones else None

    def get(self, key: bytes) -> Lead | None:
        """A lead as it stands, without touching it."""
        return self.leads.get(key) or self.dirty.get(key) or self._load(key)

    def touch(self, key: bytes) -> bool:
        """Take an idle lead past the milestones it has not passed; False where there is no such lead."""
        lead = self._find(key)
        if lead is None:
            return False
        # A lead may be ahead: its state outlived a crash that the partition's did not.
        if lead.milestone < self.state.milestone:
            wake = lead.wake
            self._pass_milestones(lead, key)
            self._requeue(lead, key, wake)
            self.dirty[key] = lead
        return True

    def swept(self, milestone: int) -> None:
        """Every lead has passed this milestone: it and the rule sets before it can go."""
        state = self.state
        for passed in state.milestones:
            if passed.number <= milestone and passed.version:
                state.base_version = passed.version
        state.milestones = [left for left in state.milestones if left.number > milestone]
        needed = {state.base_version, state.version, *(left.version for left in state.milestones)}
        self.rule_sets = {version: model for version, model in self.rule_sets.items() if version in needed}
        self._built = {version: rules for version, rules in self._built.items() if version in needed}

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
        facts, milestone = 0, state.milestone
        decode, types = decode_posted, self._rules.types
        try:
            for message in messages:
                offset = message.offset
                if skip and offset in skip:
                    self._skip(message)
                    continue
                index, properties = None, NOTHING
                try:
                    record: Posted = decode(message.value)  # type: ignore[arg-type]
                    if type(record) is Posting:
                        index = types.get(record.type)
                        if index is not None and index.looks:
                            properties = decode_properties(record.properties)
                except (msgspec.MsgspecError, TypeError, UnicodeDecodeError, RecursionError) as error:
                    self._undecodable(message, error)
                    continue
                if type(record) is not Posting:
                    if isinstance(record, Linking):
                        self._link(message, record)
                    else:
                        self._control(record)
                    milestone, types = state.milestone, self._rules.types
                    continue
                key = message.key
                if not key:
                    self._undecodable(message, ValueError("a fact without a lead id as its key"))
                    continue
                lead = leads.get(key) or self._find(key)
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
                elif lead.links is not None and lead.links.moved:
                    self._forward(lead.links.moved, record, offset)
                    continue
                wake, machines = lead.wake, lead.machines
                if lead.milestone < milestone:
                    self._pass_milestones(lead, key)
                if imports and door in imports:
                    step_imported(self._rules, lead, index, record.time, properties, record.door)
                    facts += 1
                else:
                    digest, seen = record.digest, lead.seen
                    # Not ``in``: bytes first try the argument as an integer, which raises and is caught.
                    if seen and seen.find(digest) >= 0 and self._repeated(seen, digest):
                        counters.duplicates += 1
                    else:
                        if seen and (len(seen) >= self._seen_bytes or seen[8:12] <= self._forget):
                            seen = self._forgotten(seen)
                        lead.seen = seen + (digest + self._stamp)
                        step(
                            self._rules,
                            lead,
                            key,
                            index,
                            record.time,
                            properties,
                            self._judged_at,
                            self.outcomes,
                        )
                        facts += 1
                if lead.machines != machines:
                    counters.machines += lead.machines - machines
                lead.fence = offset
                dirty[key] = lead
                if lead.wake != wake:
                    self._requeue(lead, key, wake)
                if self._suspects:
                    self._clear_suspects()
        except PartitionStopped:
            state.position = offset
            raise
        except Exception as error:
            counters.faults += 1
            raise EngineFault(offset) from error
        state.position = offset + 1 if messages else state.position
        counters.records += len(messages)
        counters.facts += facts

    # -- leads --------------------------------------------------------------------------------

    def _find(self, key: bytes) -> Lead | None:
        lead = self.leads.get(key)
        if lead is None:
            lead = self.dirty.get(key) or self._load(key)
            if lead is not None:
                self.leads[key] = lead
        return lead

    def _create(self, key: bytes) -> Lead:
        lead = self.leads[key] = new_lead(self.state.generation, self.state.milestone)
        self.counters.leads_created += 1
        return lead

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

    def _pass_milestones(self, lead: Lead, key: bytes) -> None:
        """Through every milestone the lead has not seen, in order, each as of its own clock."""
        links = lead.links
        if links is not None and links.moved:
            lead.milestone = self.state.milestone
            return
        previous = self._version_at(lead.milestone)
        for milestone in self.state.milestones:
            if milestone.number <= lead.milestone:
                continue
            before, rules = self._rule_set(previous), self._rule_set(milestone.version or previous)
            # What was due before the milestone is decided by the rules of that time.
            fire(before, lead, key, max(milestone.clock - before.model.grace, 0), self.outcomes)
            as_of = max(milestone.clock - rules.model.grace, 0)
            if milestone.version:
                adopt(before, rules, lead, as_of)
                previous = milestone.version
                if not lead.touched and lead.since:
                    evaluate(rules, lead, key, as_of, "rules", self.outcomes)
            elif lead.touched == milestone.imported:
                evaluate(rules, lead, key, as_of, "import", self.outcomes)
        lead.milestone = self.state.milestone
        fire(self._rules, lead, key, self._judged_at, self.outcomes)
        if links is not None and links.arriving:
            self._let_in(lead, key, links)

    def _version_at(self, number: int) -> int:
        """The rule version in force for a lead that has passed milestone ``number``."""
        version = self.state.base_version
        for milestone in self.state.milestones:
            if milestone.number <= number and milestone.version:
                version = milestone.version
        return version

    def _rule_set(self, version: int) -> RuleSet:
        if not version:
            return NO_RULES
        rules = self._built.get(version)
        if rules is None:
            rules = self._built[version] = build(self.rule_sets[version], version)
        return rules

    # -- leads that are one person ----------------------------------------------------------------

    def _forward(self, target: bytes, record: Posting, offset: int) -> None:
        """Nothing of the signpost changes: what is read again is sent again, and dropped where it arrives."""
        self.counters.forwarded += 1
        onward = Posting(
            record.type,
            record.time,
            record.received,
            self._hop,
            offset * SENT_EACH,
            record.digest,
            record.id,
            record.source,
            record.properties,
            record.sealed,
        )
        self.sends.append(Sent(target, encode_record(onward)))
        if self._suspects:
            self._clear_suspects()

    def _link(self, message: Message, record: Linking) -> None:
        key, offset = message.key, message.offset
        if not key or not _is_lead_id(key):
            self._undecodable(message, ValueError("the key is no lead id"))
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
        wake = lead.wake
        if lead.milestone < self.state.milestone:
            self._pass_milestones(lead, key)
        if lead.links is None:
            lead.links = Links()
        lead.fence = offset
        self._place = offset * SENT_EACH
        lead = self._heard(lead, lead.links, key, record)
        self.dirty[key] = lead
        self.linked.add(key)
        if lead.wake != wake:
            self._requeue(lead, key, wake)
        if self._suspects:
            self._clear_suspects()

    def _heard(self, lead: Lead, links: Links, key: bytes, record: Linking) -> Lead:
        """Do what the record says; returns what the lead is then."""
        limits, version = self._rules.limits, self.state.version
        out: list[Send] = []
        refused = 0
        if isinstance(record, Bind):
            refused = hear(key, links, record.other, limits, version, out)
        elif isinstance(record, Ask):
            refused = decide(key, links, record.lead, record.members, limits, out)
        elif isinstance(record, Answer):
            if links.asked:
                refused = answered(key, links, record, limits, version, out)
                if links.moved:
                    lead = self._move(lead, key, links)
        elif links.moved:
            out.append((links.moved, record))
        else:
            links.arriving.append((record.lead, record.version, record.state))
            self._let_in(lead, key, links)
        self.counters.refused += refused
        for target, one in out:
            self._send(target, one)
        return lead

    def _move(self, lead: Lead, key: bytes, links: Links) -> Lead:
        """Send all that the lead was to what it has become part of; returns the signpost that is left."""
        left = new_lead(lead.generation, lead.milestone)
        left.fence, left.seq, left.links = lead.fence, lead.seq, links
        if lead.since:
            left.clock = lead.clock
            fire(self._rules, lead, key, self._judged_at, self.outcomes)
            self.outcomes.append(merged(self._rules, lead, key.decode(), links.moved.decode()))
            left.seq = lead.seq
            lead.links = None
            self._send(links.moved, Merge(key, self.state.version, encode_lead(lead), 0, 0))
        for one in links.arriving:
            self._send(links.moved, Merge(*one, 0, 0))
        links.arriving = []
        self.leads[key] = left
        self.counters.merged += 1
        return left

    def _let_in(self, lead: Lead, key: bytes, links: Links) -> None:
        """Take in the leads that have come, unless they come from rules that are not in force here yet."""
        version, rules = self.state.version, self._rules
        waiting = [one for one in links.arriving if one[1] > version]
        for _, since, state in links.arriving:
            if since > version:
                continue
            other = decode_lead(state)
            self._catch_up(other, since)
            merge(rules, lead, other, ATTRIBUTES)
            if other.touched in self.state.imports and not lead.touched:
                lead.touched = other.touched
        links.arriving = waiting
        if lead.since and not lead.touched:
            evaluate(rules, lead, key, self._judged_at, "merge", self.outcomes)

    def _catch_up(self, lead: Lead, version: int) -> None:
        """Take a lead that has come from another partition from those rules to the ones in force."""
        if version < self.state.base_version:
            adopt(self._rules, self._rules, lead, lead.judged)
            return
        for milestone in self.state.milestones:
            if milestone.version > version:
                before, rules = self._rule_set(version), self._rule_set(milestone.version)
                adopt(before, rules, lead, max(milestone.clock - rules.model.grace, 0))
                version = milestone.version

    def _send(self, target: bytes, record: Linking) -> None:
        sent = msgspec.structs.replace(record, door=self._hop, offset=self._place)
        self.sends.append(Sent(target, encode_record(sent)))
        self._place += 1

    # -- timers -------------------------------------------------------------------------------

    def _requeue(self, lead: Lead, key: bytes, before: int) -> None:
        if lead.wake and lead.wake != before:
            self.timers.queue(lead.wake, key)

    def _fire_timers(self) -> None:
        timers, judged_at = self.timers, self._judged_at
        while True:
            timer = timers.take_off(judged_at)
            if timer is None:
                return
            due, key = timer
            lead = self._find(key)
            if lead is None or lead.wake != due:
                continue  # an earlier timer has taken this one's place
            if lead.milestone < self.state.milestone:
                self._pass_milestones(lead, key)
            self.dirty[key] = lead
            if lead.touched:
                lead.wake = 0  # the import's end evaluates it
                continue
            machines = lead.machines
            fire(self._rules, lead, key, judged_at, self.outcomes)
            self.counters.timers += 1
            self.counters.machines += lead.machines - machines
            self._requeue(lead, key, 0)

    def _clock_moved(self) -> None:
        self._judged_at = max(self.state.clock - self._rules.model.grace, 0)
        seconds, began = self.state.clock // 1_000, self.state.began // 1_000
        self._stamp = max(seconds, 1).to_bytes(4, "big")
        # What was seen before the clock began counts as seen when it did, the lowest stamp of all: either
        # nothing that old is forgotten yet, or all of it.
        forget = seconds - REMEMBERED
        self._forget = (forget if forget >= began else 0).to_bytes(4, "big")
        self._seen_bytes = self._rules.model.dedupe * SEEN_ENTRY

    # -- control records ----------------------------------------------------------------------

    def _control(self, record: Posted) -> None:
        state = self.state
        if type(record) is Clock:
            self._advance(clock.unpack(record.packed))
        elif type(record) is Doors:
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
        if through > state.clock:
            state.began = state.began or through
            state.clock = through
            self._clock_moved()
            self._fire_timers()

    def _change_rules(self, record: Rules) -> None:
        rules = build(record.model, record.version)
        self.rule_sets[record.version] = record.model
        self._built[record.version] = rules
        self.state.version = record.version
        self._rules = rules
        self._clock_moved()
        self._add_milestone(record.version, 0)

    def _add_milestone(self, version: int, imported: int) -> None:
        state = self.state
        state.milestone += 1
        state.milestones.append(Milestone(state.milestone, version, imported, state.clock))

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
    """Lead ids are UTF-8 and don't start with the byte of the owner's own keys."""
    if key[:1] == b"\0":
        return False
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
