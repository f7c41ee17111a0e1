"""After the storm: what Kafka holds, beside what was published, one careful pass and the slow reference.

Two processes share the partitions of the lead log; each reads the doors once and one careful pass through
its partitions, so a million and a half events take a minute or two.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from math import fsum, isclose
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer import rulefile
from scorer.broker import Broker
from scorer.domain.lead import Lead, decode_lead, encode_lead
from scorer.domain.ledger import ledger
from scorer.domain.outcomes import Outcome
from scorer.domain.partition import LogPartition
from scorer.domain.record import Doors, Fact, decode_record
from scorer.domain.state import PartitionState
from scorer.wire.dead_letters import origin
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import CHANGELOG, DEAD_LETTERS, LOG, OUTCOMES
from scorer.wire.times import milliseconds
from scorer.worker.cut import STAMP_BYTES, SYSTEM
from tests.reference import lead as reference
from tests.reference.points import at_instant, grants
from tests.storm.story import AGAIN, BAD, DOORS
from tests.support.intake import Written, examine
from tests.worker.score_world import Message, by_lead, sweep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scorer.domain.model import Model
    from scorer.settings import Settings

CHUNK = 2_000
SHOWN = 5
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
        )

    def wrong(self, name: str, examples: Iterable[object], count: int) -> None:
        if count:
            setattr(self, name, getattr(self, name) + count)
            shown = [str(one) for one, _ in zip(examples, range(SHOWN), strict=False)]
            self.examples.append(f"{name}: {count}, such as " + "; ".join(shown))


def judge(settings: Settings, rules: Path) -> Findings:
    count = Broker(settings).partitions(LOG)
    halves = [range(0, count, 2), range(1, count, 2)]
    found = Findings()
    # New interpreters: librdkafka's threads don't survive a fork.
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for half in pool.imap_unordered(partial(_judge, settings, rules, count), halves):
            found.add(half)
    return found


def _judge(settings: Settings, rules: Path, partitions: int, mine: range) -> Findings:
    broker = Broker(settings)
    found = Findings()
    published = _published(broker, partitions, mine)
    numbers = _numbers(broker)
    wanted = {(numbers[topic, partition], offset) for topic, partition, offset in published.good}
    model = rulefile.require(rules)
    for number in mine:
        _partition(broker, number, model, published, wanted, found)
    found.wrong("lost", wanted, len(wanted))
    if 0 in mine:
        found.records = published.total
        _letters(broker, published.bad, found)
    return found


# -- what was published -----------------------------------------------------------------------------


class Published(NamedTuple):
    good: list[Place]
    history: dict[str, list[reference.Happening]]
    """Lead -> what counts for it, in the order of its doors."""
    bad: dict[Place, str]
    """With the reason."""
    total: int


def _published(broker: Broker, partitions: int, mine: range) -> Published:
    published = Published([], {}, {}, 0)
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
                lead = key.removeprefix(AGAIN)
                if partition_of(lead, partitions) not in mine:
                    continue
                published.good.append(place)
                event = msgspec.json.decode(record.value or b"")
                if lead == key and event["id"] not in ids:
                    ids.add(event["id"])
                    happening = reference.Happening(event["type"], milliseconds(event["time"]), event["data"])
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
    broker: Broker,
    number: int,
    model: Model,
    published: Published,
    wanted: set[tuple[int, int]],
    found: Findings,
) -> None:
    machine = LogPartition(PartitionState(), {}, lambda _: None)
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
            if isinstance(decoded, Fact):
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
    _leads(broker, number, machine, found)
    _outcomes(broker, number, machine, found)
    _totals(number, machine, model, published, broker, found)


def _leads(broker: Broker, number: int, machine: LogPartition, found: Findings) -> None:
    """The changelog's leads are those of the careful pass, to the byte."""
    newest: dict[bytes, bytes | None] = {}
    for record in broker.read(CHANGELOG, number, broker.ranges(CHANGELOG)[number]):
        if record.key is not None and not record.key.startswith(SYSTEM):
            newest[record.key] = record.value
    lost: list[str] = []
    double: list[str] = []
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


def _totals(
    number: int, machine: LogPartition, model: Model, published: Published, broker: Broker, found: Findings
) -> None:
    """Each total by the reference: from what was published, and nothing that came after."""
    partitions = broker.partitions(LOG)
    mine = {lead for lead in published.history if partition_of(lead.encode(), partitions) == number}
    lost: list[str] = []
    double: list[str] = []
    for name in mine:
        lead = machine.dirty.get(name.encode())
        if lead is None:
            lost.append(name)
            continue
        at = lead.clock + AFTER_MS
        made = grants(model, reference.Lead(name, since=0, history=published.history[name]))
        right = at_instant(model, made, set(), at).total[0]
        value = _total(machine, lead, at)
        if not isclose(value, right, rel_tol=1e-9, abs_tol=1e-6):
            (lost if value < right else double).append(f"{name}: {value} instead of {right}")
    found.wrong("lost", lost, len(lost))
    found.wrong("double_counted", double, len(double))


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
