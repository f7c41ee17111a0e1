"""After the storm: what Kafka holds, beside what was published, one careful pass and the slow reference.

Two processes share the partitions of the lead log; each reads the doors once and one careful pass through
its partitions, so a million and a half events take a minute or two. Then they share the people: who is one
lead, and whether it counts what the reference does.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from functools import partial
from hashlib import blake2b
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from scorer import rulefile
from scorer.broker import Broker
from scorer.domain.account import encode_account
from scorer.domain.lead import Lead, decode_lead, encode_lead
from scorer.domain.ledger import ledger
from scorer.domain.model import encode_model, fingerprint
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
from tests.storm.by_oracle import Heard, Order, announced, compare
from tests.storm.findings import Findings
from tests.storm.people import Seen, people, see, totals, undecided
from tests.storm.story import AGAIN, BAD, DOORS, LINKED, SECRET
from tests.support.intake import Written, examine
from tests.worker.score_world import Message, by_lead, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorer.settings import Settings
    from tests.storm.changing import Change

CHUNK = 2_000

Place = tuple[str, int, int]
"""Topic, partition, offset."""


class Half(NamedTuple):
    """Of the log's partitions."""

    found: Findings
    leads: dict[str, Seen]
    published: Published
    sent: set[bytes]
    """Hashes of what score agents were to send to the log."""
    arrived: set[bytes]
    """Hashes of what came from score agents."""


def judge(settings: Settings, changes: list[Change]) -> Findings:
    """``changes``: the rules that were put in force, in order."""
    count = Broker(settings).partitions(LOG)
    orders = [_order(change) for change in changes]
    partitions = [range(0, count, 2), range(1, count, 2)]
    found = Findings()
    # New interpreters: librdkafka's threads don't survive a fork.
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        halves = pool.map(partial(_judge, settings, orders, count), partitions)
        for half in halves:
            found.add(half.found)
        lost = halves[0].sent | halves[1].sent
        invented = halves[0].arrived | halves[1].arrived
        found.wrong("lost", ("a record for the log",), len(lost - invented))
        found.wrong("double_counted", ("a record in the log",), len(invented - lost))
        leads = halves[0].leads | halves[1].leads
        history = halves[0].published.history | halves[1].published.history
        links = [link for half in halves for link in half.published.links]
        everybody = people(leads, history, links, found)
        shares = [everybody[::2], everybody[1::2]]
        for share in pool.imap_unordered(partial(totals, orders), shares):
            found.add(share)
    return found


def _order(change: Change) -> Order:
    model = rulefile.require(change.file)
    return Order(model, fingerprint(encode_model(model)), change.announce, change.rebuild)


def _judge(settings: Settings, orders: list[Order], partitions: int, mine: range) -> Half:
    broker = Broker(settings)
    found = Findings()
    half = Half(found, {}, Published([], [], {}, {}, 0), set(), set())
    published = _published(broker, partitions, mine)
    numbers = _numbers(broker)
    wanted = {(numbers[topic, partition], offset) for topic, partition, offset in published.good}
    for number in mine:
        _partition(broker, number, partitions, orders, wanted, half)
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
    broker: Broker,
    number: int,
    partitions: int,
    orders: list[Order],
    wanted: set[tuple[int, int]],
    half: Half,
) -> None:
    heard = Heard(orders)
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
            heard.take(record.offset, record.key, record.value, decoded)
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
    left_out = undecided(orders)
    for key, lead in machine.dirty.items():
        if partition_of(key, partitions) == number:
            half.leads[key.decode()] = see(machine.rules, lead, left_out)
    newest = _newest(broker, number)
    _leads(newest, machine, found)
    said = _said(broker, number)
    _outcomes(said, machine, found)
    _rules(heard, orders, machine, said, newest, found)


def _hashed(key: bytes | None, value: bytes | None) -> bytes:
    return blake2b((key or b"") + b"\0" + (value or b""), digest_size=12).digest()


def _newest(broker: Broker, number: int) -> dict[bytes, bytes]:
    """The changelog's states of leads and accounts."""
    newest: dict[bytes, bytes] = {}
    for record in broker.read(CHANGELOG, number, broker.ranges(CHANGELOG)[number]):
        if record.key is not None and not record.key.startswith(SYSTEM):
            newest[record.key] = record.value or b""
    return {key: value[STAMP_BYTES:] for key, value in newest.items() if value}


def _leads(newest: dict[bytes, bytes], machine: LogPartition, found: Findings) -> None:
    """The changelog's leads are those of the careful pass, to the byte."""
    lost: list[str] = []
    double: list[str] = []
    for key, account in machine.dirty_accounts.items():
        found.accounts += 1
        if newest.get(key, b"") != encode_account(account):
            lost.append(key.decode())
    for key, lead in machine.dirty.items():
        state = newest.get(key, b"")
        found.leads += 1
        if state != encode_lead(lead):
            (lost if _counts_less(machine, state, lead) else double).append(key.decode())
    found.wrong("lost", lost, len(lost))
    double += [key.decode() for key in newest.keys() - machine.dirty.keys() - machine.dirty_accounts.keys()]
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


def _said(broker: Broker, number: int) -> list[Outcome]:
    return [
        Outcome(topic, record.key or b"", record.value or b"")
        for topic in OUTCOMES
        for record in broker.read(topic, number, broker.ranges(topic)[number])
    ]


def _outcomes(said: list[Outcome], machine: LogPartition, found: Findings) -> None:
    there, wanted = by_lead(said), by_lead(machine.outcomes)
    told = {(key, *outcome) for key, outcomes in there.items() for outcome in outcomes}
    right = {(key, *outcome) for key, outcomes in wanted.items() for outcome in outcomes}
    found.outcomes += len(right)
    found.by_time += sum(b'"cause":"time"' in value for *_, value in right)
    found.duplicates += len(said) - len(told)
    found.wrong("missing", right - told, len(right - told))
    found.wrong("invented", told - right, len(told - right))


def _rules(
    heard: Heard,
    orders: list[Order],
    machine: LogPartition,
    said: list[Outcome],
    newest: dict[bytes, bytes],
    found: Findings,
) -> None:
    """Each rule file holds from its control record on, or from the start where it was to be rebuilt."""
    if len(heard.changes) < len(orders):
        heard.strange.append(f"{len(heard.changes)} of {len(orders)} changes are in the log")
    found.wrong("wrong_rules", heard.strange, len(heard.strange))
    compared, wrong = compare(heard, orders, machine.rules, said, newest)
    found.wrong("wrong_rules", wrong, len(wrong))
    found.alone += compared.leads
    found.ties += compared.ties
    found.unheard += compared.unheard
    by_policy, wrong = announced(orders, heard, said)
    found.wrong("wrong_rules", wrong, len(wrong))
    found.announced += by_policy


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
