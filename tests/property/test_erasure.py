"""A person who asks to be forgotten is, under every name, whatever was on its way just then."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec
import pytest

from scorer.domain.joining import SETTLED
from scorer.domain.lead import Lead
from scorer.domain.reading import parts
from scorer.domain.record import Erase, encode_record
from scorer.wire.partitioner import partition_of
from tests.property.people import BEGAN, DAY, LASTS, Log, Said, draw, truth

SEEDS = 100
HALF = BEGAN + LASTS // 2
END = BEGAN + LASTS + DAY


def erase(log: Log, key: bytes, at: int, *, blocked: bool = False) -> None:
    record = Erase(at, blocked, f"request-{at}", b"", 0, -1)
    log.append(partition_of(key, log.count), key, encode_record(record))


def take_in(log: Log, said: Iterable[tuple[int, Said]], *, crashes: bool) -> None:
    for offset, one in said:
        log.take_in(one, offset)
        if log.rng.random() < 0.3:
            log.work(log.rng.randrange(log.count), log.rng.randrange(1, 30))
        if crashes and log.rng.random() < 0.05:
            log.stumble()


def is_erased(lead: Lead | None) -> bool:
    return lead is not None and lead.links is not None and lead.links.erased > 0


def of_person(said: Iterable[Said], person: int) -> set[bytes]:
    return {one for story in said if story.person == person for one in (story.lead, *story.others)}


def linked_with(log: Log, key: bytes) -> set[bytes]:
    """As the command looks it up."""
    root, lead = log.lead(key)
    members = [] if lead is None or lead.links is None else lead.links.members
    return {key, root, *members}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_is_gone_and_what_comes_later_begins_anew(seed: int) -> None:
    rng = random.Random(seed)
    said = draw(rng, 3, 60)
    numbered = list(enumerate(said, 1))
    log = Log(rng)
    take_in(log, [one for one in numbered if one[1].time <= HALF], crashes=True)
    log.settle()
    person = rng.randrange(3)
    known = of_person((one for one in said if one.time <= HALF), person)
    if not known:
        return
    key = rng.choice(sorted(known))
    gone = linked_with(log, key)
    before = {one: lead.seq for one in gone if (lead := log.held(one)) is not None}
    erase(log, key, HALF)
    log.stumble()
    log.settle()
    for one in gone:
        lead = log.held(one)
        assert lead is not None
        assert (lead.since, lead.attributes, lead.masses, lead.seen, lead.sealed) == (0, {}, {}, b"", None)
        assert lead.links is not None
        assert (lead.links.moved, lead.links.members, lead.links.erased) == (b"", [], HALF)
        assert lead.seq > before.get(one, 0)
    log.tick(HALF + 2 * SETTLED)
    # What was on its way all the time, and what comes from now on; nobody names them together again.
    again = [(offset + 1_000, one) for offset, one in numbered if one.lead in gone and one.time <= HALF]
    later = [
        (offset, one._replace(person=hash(one.lead), others=()))
        for offset, one in numbered
        if one.time > HALF and one.lead in gone
    ]
    take_in(log, sorted(again + later, key=lambda one: one[0]), crashes=False)
    log.settle()
    log.tick(END)
    log.settle()
    right = truth([one for _, one in later])
    rules = right.lives[0].partition.rules
    for one in gone:
        lead, wanted = log.held(one), right.lead(f"person-{hash(one)}".encode())[1]
        assert lead is not None
        assert bool(lead.since) == (wanted is not None)
        if wanted is not None:
            assert parts(rules, lead, END) == pytest.approx(parts(rules, wanted, END), abs=1e-6)
            assert lead.attributes == wanted.attributes
    shunned = sum(life.partition.counters.shunned for life in log.lives)
    assert shunned >= len({one.time for _, one in again})


@pytest.mark.parametrize("seed", range(SEEDS))
def test_asked_for_while_they_become_one_it_ends_with_nothing(seed: int) -> None:
    rng = random.Random(seed)
    said = [one for one in draw(rng, 2, 40) if one.person == 0]
    ids = of_person(said, 0)
    log = Log(rng)
    take_in(log, enumerate(said, 1), crashes=True)  # and not read to the end
    key, at = rng.choice(sorted(ids)), END
    asked = {key}
    while True:
        for one in sorted(asked):
            erase(log, one, at)
        if rng.random() < 0.5:
            log.stumble()
        log.settle()
        asked |= {one for one in ids if is_erased(log.held(one))}  # as it has been told
        found = {other for one in asked for other in linked_with(log, one)}
        if not any(linked_with(log, one) - {one} for one in found):
            break  # whoever asks looks again until nobody else is found
        asked, at = asked | found, at + 1
    named = {one for story in said for one in story.others} | {one.lead for one in said if one.others}
    for one in ids if len(named) == len(ids) else {key}:
        lead = log.held(one)
        assert lead is None or not lead.since, one
        assert lead is None or lead.links is None or not (lead.links.moved or lead.links.members)


def test_blocked_they_do_not_come_back() -> None:
    log = Log(random.Random(1))
    said = [one for one in draw(random.Random(5), 1, 30) if one.person == 0]
    take_in(log, enumerate(said, 1), crashes=False)
    log.settle()
    key = said[0].lead
    gone = linked_with(log, key)
    erase(log, key, HALF, blocked=True)
    log.settle()
    take_in(log, enumerate(said, 1_000), crashes=False)
    log.settle()
    for one in gone:
        lead = log.held(one)
        assert lead is not None
        assert lead.since == 0
        assert lead.links is not None
        assert (lead.links.moved, lead.links.members) == (b"", [])


def test_it_is_told_once_for_every_name_and_nothing_else_is() -> None:
    log = Log(random.Random(2))
    said = draw(random.Random(7), 1, 20)
    take_in(log, enumerate(said, 1), crashes=False)
    log.settle()
    key = said[-1].lead
    gone = linked_with(log, key)
    for life in log.lives:
        life.partition.outcomes.clear()
    for _ in range(2):
        erase(log, key, END)
    log.settle()
    outcomes = [one for life in log.lives for one in life.partition.outcomes]
    assert sorted(one.key for one in outcomes) == sorted(gone)
    for one in outcomes:
        event = msgspec.json.decode(one.value)
        assert one.topic == "lead.erased.v1"
        assert event["data"] == {
            "sequence": event["data"]["sequence"],
            "request": f"request-{END}",
            "blocked": False,
        }
        assert event["id"] == f"{one.key.decode()}:{event['data']['sequence']}"
