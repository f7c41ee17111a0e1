"""After the storm: what Kafka holds, beside what was published, one careful pass and the slow reference.

Two processes share the partitions of the lead log; each reads the doors once and one careful pass through
its partitions, so a million and a half events take a minute or two. Then they share the people: who is one
lead, and whether it counts what the reference does.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from math import fsum, isclose
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer import rulefile
from scorer.broker import Broker
from scorer.domain.account import encode_account
from scorer.domain.lead import Lead, decode_lead, encode_lead
from scorer.domain.ledger import ledger
from scorer.domain.outcomes import Outcome
from scorer.domain.partition import LogPartition
from scorer.domain.record import HOPS, Doors, Fact, Linking, Member, decode_record
from scorer.domain.state import PartitionState
from scorer.wire.cloudevents import decode
from scorer.wire.dead_letters import origin
from scorer.wire.identity import Identity
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import CHANGELOG, DEAD_LETTERS, LOG, OUTCOMES
from scorer.wire.times import milliseconds
from scorer.worker.cut import STAMP_BYTES, SYSTEM
from tests.reference import lead as reference
from tests.reference.points import at_instant, grants
from tests.storm.story import AGAIN, BAD, DOORS, LINKED, SECRET
from tests.support.intake import Written, examine
from tests.worker.score_world import Message, by_lead, sweep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scorer.domain.model import Model
    from scorer.settings import Settings

CHUNK = 2_000
SHOWN = 5
ORDER_MATTERS = "Page viewed"
"""The award whose first grant is another than its later ones."""
AFTER_MS = 5_000
"""How long after a lead's own clock its total is compared."""

Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass
class Findings:
    records: int = 0
    """In the doors."""
    facts: int = 0
    """In the lead log, repeated ones included."""
    repeated: int = 0
    """Of them: read from a door for a second time, and skipped by the fence."""
    leads: int = 0
    accounts: int = 0
    people: int = 0
    merged: int = 0
    """Leads that became part of another."""
    forwarded: int = 0
    """Facts that were passed on to the lead that theirs had become part of."""
    mismatched: int = 0
    """People who are several leads although they were named together, or one with somebody else."""
    outcomes: int = 0
    by_time: int = 0
    duplicates: int = 0
    """Outcomes that are there more than once, to the byte."""
    dead: int = 0
    lost: int = 0
    """Records that are neither in the log nor among the dead letters, and leads that count too little."""
    double_counted: int = 0
    """Leads that count too much, and log records that nobody published."""
    missing: int = 0
    """Outcomes."""
    invented: int = 0
    """Outcomes that the log does not give."""
    wrong_letters: int = 0
    """Dead letters too many or too few."""
    wrong_clocks: int = 0
    """Records behind a clock record that says they had been read, or out of their door's order."""
    examples: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def flawless(self) -> bool:
        return not (
            self.lost
            or self.double_counted
            or self.missing
            or self.invented
            or self.wrong_letters
            or self.wrong_clocks
            or self.mismatched
        )

    def wrong(self, name: str, examples: Iterable[object], count: int) -> None:
        if count:
            setattr(self, name, getattr(self, name) + count)
            shown = [str(one) for one, _ in zip(examples, range(SHOWN), strict=False)]
            self.examples.append(f"{name}: {count}, such as " + "; ".join(shown))


class Seen(NamedTuple):
    """A lead as the careful pass leaves it."""

    into: str
    """The lead that it is part of; empty: it stands for itself."""
    at: int
    """ms; when its total was read. 0: it has had no fact."""
    total: float
    steady: float
    """Without the award whose first grant counts differently: it depends on what came first."""


class Half(NamedTuple):
    """Of the log's partitions."""

    found: Findings
    leads: dict[str, Seen]
    published: Published
    sent: set[bytes]
    """Hashes of what score agents were to send to the log."""
    arrived: set[bytes]
    """Hashes of what came from score agents."""


def judge(settings: Settings, rules: Path) -> Findings:
    count = Broker(settings).partitions(LOG)
    partitions = [range(0, count, 2), range(1, count, 2)]
    found = Findings()
    # New interpreters: librdkafka's threads don't survive a fork.
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        halves = pool.map(partial(_judge, settings, rules, count), partitions)
        for half in halves:
            found.add(half.found)
        lost = halves[0].sent | halves[1].sent
        invented = halves[0].arrived | halves[1].arrived
        found.wrong("lost", ("a record for the log",), len(lost - invented))
        found.wrong("double_counted", ("a record in the log",), len(invented - lost))
        people = _people(halves, found)
        shares = [people[::2], people[1::2]]
        for share in pool.imap_unordered(partial(_totals, rulefile.require(rules)), shares):
            found.add(share)
    return found


def _judge(settings: Settings, rules: Path, partitions: int, mine: range) -> Half:
    broker = Broker(settings)
    found = Findings()
    half = Half(found, {}, Published([], [], {}, {}, 0), set(), set())
    published = _published(broker, partitions, mine)
    numbers = _numbers(broker)
    wanted = {(numbers[topic, partition], offset) for topic, partition, offset in published.good}
    for number in mine:
        _partition(broker, number, partitions, wanted, half)
    found.wrong("lost", wanted, len(wanted))
    if 0 in mine:
        found.records = published.total
        _letters(broker, published.bad, found)
    return half._replace(published=published._replace(good=[], bad={}))


# -- what was published -----------------------------------------------------------------------------


class Published(NamedTuple):
    good: list[Place]
    links: list[tuple[str, ...]]
    """Leads that were named together."""
    history: dict[str, list[reference.Happening]]
    """Lead, as its records name it -> what counts for it, in the order of its doors."""
    bad: dict[Place, str]
    """With the reason."""
    total: int


def _published(broker: Broker, partitions: int, mine: range) -> Published:
    published = Published([], [], {}, {}, 0)
    identity = Identity(SECRET)
    total = 0
    ids: set[str] = set()
    for topic in DOORS:
        for partition, wanted in broker.ranges(topic).items():
            for record in broker.read(topic, partition, wanted):
                total += 1
                key = record.key or b""
                place = (topic, partition, record.offset)
                if key.startswith(BAD):
                    published.bad[place] = key.removeprefix(BAD).decode()
                    continue
                event = decode(record.value or b"")
                lead = identity.lead_id(event)
                if partition_of(lead, partitions) not in mine:
                    continue
                published.good.append(place)
                if key.startswith(AGAIN) or event.id in ids:
                    continue
                ids.add(event.id)
                if event.type == LINKED:
                    others = identity.others(event, lead)
                    published.links.append((lead.decode(), *(other.decode() for other in others)))
                happening = reference.Happening(event.type, milliseconds(event.time or ""), event.data)
                published.history.setdefault(lead.decode(), []).append(happening)
    return published._replace(total=total)


def _numbers(broker: Broker) -> dict[tuple[str, int], int]:
    """Door partition -> the number that its records carry."""
    wanted = broker.ranges(LOG)[0]
    for record in broker.read(LOG, 0, wanted):
        doors = decode_record(record.value or b"")
        if isinstance(doors, Doors):
            return {(door.topic, door.partition): door.number for door in doors.doors}
    raise RuntimeError("the lead log has no doors record")


# -- the careful pass -------------------------------------------------------------------------------


def _partition(
    broker: Broker, number: int, partitions: int, wanted: set[tuple[int, int]], half: Half
) -> None:
    machine = LogPartition(PartitionState(), {}, lambda _: None, number=number)
    found = half.found
    invented: list[Fact] = []
    seen: set[tuple[int, int]] = set()

    def pass_through() -> Iterator[Written]:
        chunk: list[Message] = []
        for record in broker.read(LOG, number, broker.ranges(LOG)[number]):
            chunk.append(Message(record.offset, record.key, record.value))
            if len(chunk) == CHUNK:
                machine.apply(chunk)
                chunk.clear()
            decoded = decode_record(record.value or b"")
            if isinstance(decoded, Member) or (isinstance(decoded, Fact | Linking) and decoded.door >= HOPS):
                half.arrived.add(_hashed(record.key, record.value))
            elif isinstance(decoded, Fact):
                where = (decoded.door, decoded.offset)
                if where in wanted:
                    wanted.remove(where)
                    seen.add(where)
                elif where not in seen:
                    invented.append(decoded)
            yield Written(number, record.offset, record.key, decoded)
        machine.apply(chunk)

    log = examine(pass_through())
    sweep(machine)
    found.facts += log.facts
    found.repeated += log.repeated
    found.wrong("double_counted", invented, len(invented))
    wrong = log.ahead + log.disorder
    found.wrong("wrong_clocks", wrong, len(wrong))
    found.forwarded += machine.counters.forwarded
    found.merged += machine.counters.merged
    half.sent.update(_hashed(*one) for one in machine.sends)
    for key, lead in machine.dirty.items():
        if partition_of(key, partitions) == number:
            half.leads[key.decode()] = _seen(machine, lead)
    _leads(broker, number, machine, found)
    _outcomes(broker, number, machine, found)


def _hashed(key: bytes | None, value: bytes | None) -> bytes:
    return blake2b((key or b"") + b"\0" + (value or b""), digest_size=12).digest()


def _seen(machine: LogPartition, lead: Lead) -> Seen:
    into = "" if lead.links is None else lead.links.moved.decode()
    if not lead.since:
        return Seen(into, 0, 0.0, 0.0)
    at = lead.clock + AFTER_MS
    lines = ledger(machine.rules, lead, at)
    steady = fsum(line.value for line in lines if line.rule != ORDER_MATTERS)
    return Seen(into, at, fsum(line.value for line in lines), steady)


def _leads(broker: Broker, number: int, machine: LogPartition, found: Findings) -> None:
    """The changelog's leads are those of the careful pass, to the byte."""
    newest: dict[bytes, bytes | None] = {}
    for record in broker.read(CHANGELOG, number, broker.ranges(CHANGELOG)[number]):
        if record.key is not None and not record.key.startswith(SYSTEM):
            newest[record.key] = record.value
    lost: list[str] = []
    double: list[str] = []
    for key, account in machine.dirty_accounts.items():
        found.accounts += 1
        if (newest.pop(key, None) or b"")[STAMP_BYTES:] != encode_account(account):
            lost.append(key.decode())
    for key, lead in machine.dirty.items():
        raw = newest.pop(key, None)
        state = b"" if raw is None else raw[STAMP_BYTES:]
        found.leads += 1
        if state != encode_lead(lead):
            (lost if _counts_less(machine, state, lead) else double).append(key.decode())
    found.wrong("lost", lost, len(lost))
    double += [key.decode() for key, value in newest.items() if value is not None]
    found.wrong("double_counted", double, len(double))


def _counts_less(machine: LogPartition, state: bytes, lead: Lead) -> bool:
    if not state:
        return True
    stored = decode_lead(state)
    return stored.fence < lead.fence or _total(machine, stored, lead.clock) < _total(
        machine, lead, lead.clock
    )


def _total(machine: LogPartition, lead: Lead, at: int) -> float:
    return fsum(line.value for line in ledger(machine.rules, lead, at))


def _outcomes(broker: Broker, number: int, machine: LogPartition, found: Findings) -> None:
    said = [
        Outcome(topic, record.key or b"", record.value or b"")
        for topic in OUTCOMES
        for record in broker.read(topic, number, broker.ranges(topic)[number])
    ]
    there, wanted = by_lead(said), by_lead(machine.outcomes)
    told = {(key, *outcome) for key, outcomes in there.items() for outcome in outcomes}
    right = {(key, *outcome) for key, outcomes in wanted.items() for outcome in outcomes}
    found.outcomes += len(right)
    found.by_time += sum(b'"cause":"time"' in value for *_, value in right)
    found.duplicates += len(said) - len(told)
    found.wrong("missing", right - told, len(right - told))
    found.wrong("invented", told - right, len(told - right))


# -- people -------------------------------------------------------------------------------------------


class Person(NamedTuple):
    name: str
    """The lead that all of it has become."""
    several: bool
    """It was several."""
    seen: Seen
    history: list[reference.Happening]


def _people(halves: list[Half], found: Findings) -> list[Person]:
    """Who was named together is one lead, and nobody else is part of it."""
    leads = halves[0].leads | halves[1].leads
    history = halves[0].published.history | halves[1].published.history
    groups = {lead: [lead] for lead in history}
    for named in (link for half in halves for link in half.published.links):
        together = groups.setdefault(named[0], [named[0]])
        for other in named[1:]:
            theirs = groups.setdefault(other, [other])
            if theirs is not together:
                together += theirs
                groups.update(dict.fromkeys(theirs, together))
    people, wrong, taken = [], [], {}
    for group in {id(group): group for group in groups.values()}.values():
        roots = {_root(leads, lead) for lead in group}
        root = min(roots)
        if len(roots) > 1 or root in taken or root not in leads:
            wrong.append(f"{group}: {roots}, {taken.get(root)}")
            continue
        taken[root] = group
        happened = [one for lead in group for one in history.get(lead, ())]
        people.append(Person(root, sum(lead in history for lead in group) > 1, leads[root], happened))
    found.people = len(people)
    found.wrong("mismatched", wrong, len(wrong))
    return people


def _root(leads: dict[str, Seen], lead: str) -> str:
    while lead in leads and leads[lead].into:
        lead = leads[lead].into
    return lead


def _totals(model: Model, people: list[Person]) -> Findings:
    """Each total by the reference: from what was published, and nothing that came after."""
    found = Findings()
    lost: list[str] = []
    double: list[str] = []
    kept = tuple(award for award in model.awards if award.id != ORDER_MATTERS)
    steady = msgspec.structs.replace(model, awards=kept)
    for name, several, seen, history in people:
        rules, value = (steady, seen.steady) if several else (model, seen.total)
        made = grants(rules, reference.Lead(name, since=0, history=history))
        right = at_instant(rules, made, set(), seen.at).total[0]
        if not isclose(value, right, rel_tol=1e-9, abs_tol=1e-6):
            (lost if value < right else double).append(f"{name}: {value} instead of {right}")
    found.wrong("lost", lost, len(lost))
    found.wrong("double_counted", double, len(double))
    return found


# -- dead letters -----------------------------------------------------------------------------------


def _letters(broker: Broker, wanted: dict[Place, str], found: Findings) -> None:
    """Each bad record is one, and nothing else is; a record read twice may have two letters."""
    letters: Counter[tuple[Place, str]] = Counter()
    for partition, span in broker.ranges(DEAD_LETTERS).items():
        for record in broker.read(DEAD_LETTERS, partition, span, headers=True):
            of = origin(record.headers.items())
            letters[(of.topic, of.partition, of.offset), of.reason.value] += 1
    found.dead = len(letters)
    wrong = set(letters) ^ set(wanted.items())
    found.wrong("wrong_letters", wrong, len(wrong))
