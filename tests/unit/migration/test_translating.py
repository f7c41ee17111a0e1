"""Leads that go on in a log of another partition count are what they would have become in the old one.

The reference is the same story in a log that is never moved. One record is applied after the other over all
partitions, so that the order, which a partition count may change, is the same in both.
"""

from __future__ import annotations

import random
from collections import deque

import msgspec
import pytest

from scorer.domain.account import stored_account
from scorer.domain.clock import pack
from scorer.domain.lead import encode_lead, new_lead, stored
from scorer.domain.model import Accounts, encode_model, fingerprint
from scorer.domain.record import (
    ACCOUNT,
    BINDS,
    BINDS_EACH,
    NO_DOOR,
    Bind,
    Clock,
    Door,
    Doors,
    Fact,
    ImportBegin,
    ImportEnd,
    Rules,
    encode_record,
)
from scorer.domain.state import PartitionState, encode_state
from scorer.migration.translating import TimerWaitsError, Translation
from scorer.wire.partitioner import partition_of
from scorer.worker.cut import STAMP_BYTES, read_stamp, stamp
from tests.property import people
from tests.property.people import BEGAN, DAY, LASTS, Log, Message, Said, draw
from tests.worker.score_world import by_lead

IMPORT = 2**32 + 77
BEGINS = 3
"""Offset at which the new log begins."""
NEW_DOORS = Doors(1, [Door(1, 1, "activity.page.v1", 0)])
"""The same number as the old door's, of another door."""


class OneByOne(Log):
    """Each record is applied before the next one is thought of."""

    def __init__(self, partitions: int) -> None:
        self.waiting: deque[int] = deque()
        super().__init__(random.Random(0), partitions)
        self.door, self.base = 1, 0
        self.before: dict[bytes, list[tuple[str, bytes]]] = {}
        """What was said in the old place."""

    def append(self, number: int, key: bytes | None, value: bytes) -> None:
        super().append(number, key, value)
        self.waiting.append(number)

    def drain(self) -> None:
        while self.waiting:
            self.work(self.waiting.popleft(), 1)

    def say(self, one: Said, number: int, *, door: int | None = None) -> None:
        """``number``: of the event, and in the old log's door. ``door``: another source."""
        source = self.door if door is None else door
        place = number - self.base if door is None else number
        digest = number.to_bytes(8, "big")
        company = people.company_of(one, number)
        fact = Fact(
            one.kind,
            one.time,
            one.time,
            source,
            place,
            digest,
            f"e{number}",
            "/",
            one.properties,
            account=company,
        )
        self.append(partition_of(one.lead, self.count), one.lead, encode_record(fact))
        for count, other in enumerate(one.others):
            bind = Bind(one.lead, one.time, BINDS + source, place * BINDS_EACH + count)
            self.append(partition_of(other, self.count), other, encode_record(bind))
        self.drain()

    def everywhere(self, *records: ImportBegin | ImportEnd | Clock) -> None:
        for record in records:
            for number in range(self.count):
                self.append(number, None, encode_record(record))
        self.drain()

    def bring_in(self, history: list[Said]) -> None:
        self.everywhere(ImportBegin(IMPORT))
        for line, one in enumerate(history, 10_000):
            self.say(one, line, door=IMPORT)
        self.everywhere(ImportEnd(IMPORT))
        self.sweep()

    def sweep(self) -> None:
        for life in self.lives:
            partition = life.partition
            milestone = partition.unswept
            if milestone is not None:
                held = {*life.leads, *life.accounts, *partition.leads, *partition.accounts}
                for key in sorted(held | partition.dirty.keys() | partition.dirty_accounts.keys()):
                    partition.touch(key)
                partition.swept(milestone)
            self.send(life)
        self.drain()

    def moved(self, count: int) -> OneByOne:
        """As `scorer log migrate` does it, without Kafka."""
        for life in self.lives:
            life.cut()
        states = {life.number: life.partition.state for life in self.lives}
        translation = Translation(states, NEW_DOORS, [BEGINS] * count)
        new = OneByOne(count)
        new.waiting.clear()
        new.before = self.said()
        for number, life in enumerate(new.lives):
            life.state, life.rules = encode_state(translation.state(number)), dict(self.lives[0].rules)
            new.logs[number] = [Message(offset, None, b"") for offset in range(BEGINS)]
        for life in self.lives:
            for key, encoded in [*life.leads.items(), *life.accounts.items()]:
                account = key[:1] == ACCOUNT
                thing = life.partition.account(key) if account else life.partition.get(key)
                assert thing is not None
                to = translation.moved(life.number, key, stamp(thing.due, thing.fence) + encoded, 0)
                assert to.partition == partition_of(key, count)
                assert read_stamp(to.stored) == (thing.due, BEGINS - 1)
                kept = new.lives[to.partition].accounts if account else new.lives[to.partition].leads
                assert key not in kept
                kept[key] = to.stored[STAMP_BYTES:]
        for life in new.lives:
            life.crash()  # and begin with what was given
            new.append(life.number, None, encode_record(Clock(pack({1: translation.clock}))))
            new.append(life.number, None, encode_record(NEW_DOORS))
            rules = next(iter(life.rules.values()))
            new.append(life.number, None, encode_record(Rules(1, fingerprint(rules), rules)))
        new.drain()
        return new

    def said(self) -> dict[bytes, list[tuple[str, bytes]]]:
        said = by_lead([one for life in self.lives for one in life.partition.outcomes])
        return {key: self.before.get(key, []) + said.get(key, []) for key in {*self.before, *said}}

    def known(self) -> dict[bytes, object]:
        """Every lead and account but for where in the log it was last heard of."""
        found: dict[bytes, object] = {}
        for life in self.lives:
            for key in {*life.leads, *life.partition.leads, *life.partition.dirty}:
                lead = life.partition.get(key)
                assert lead is not None
                form, _fence, *rest = stored(lead)
                found[key] = (form, *rest)
            for key in {*life.accounts, *life.partition.accounts, *life.partition.dirty_accounts}:
                account = life.partition.account(key)
                assert account is not None
                form, _fence, *rest = stored_account(account)
                found[key] = (form, *rest)
        return found


def tell(log: OneByOne, said: list[Said], move_at: int, count: int | None) -> OneByOne:
    """The story, moved to ``count`` partitions before its record ``move_at``, or not at all."""
    rng = random.Random(len(said))
    log.drain()
    log.sweep()
    history, told = said[: len(said) // 5], said[len(said) // 5 :]
    seen: list[tuple[int, Said]] = []
    for number, one in enumerate(told, 1):
        if number == 3:
            log.bring_in(history)
        if number == move_at:
            log.everywhere(Clock(pack({log.door: one.time})))
            if count is not None:
                log = log.moved(count)
                log.base = number - 1
        if number == move_at + 2:
            log.bring_in(history)  # once more, where every line has been
        log.say(one, number)
        seen.append((number, one))
        if rng.random() < 0.2:  # a publisher tries again
            earlier, again = rng.choice(seen[-12:])
            log.say(again._replace(others=()), earlier, door=NO_DOOR)
        if rng.random() < 0.1:
            log.everywhere(Clock(pack({log.door: one.time})))
    log.everywhere(Clock(pack({log.door: BEGAN + LASTS + DAY})))
    return log


@pytest.mark.parametrize("seed", range(60))
def test_nobody_notices(seed: int) -> None:
    rng = random.Random(seed)
    said = draw(rng, rng.randrange(2, 8), rng.randrange(40, 120))
    move_at, before, after = rng.randrange(5, 30), rng.randrange(1, 5), rng.randrange(1, 9)
    wanted = tell(OneByOne(before), said, move_at, None)
    found = tell(OneByOne(before), said, move_at, after)
    assert found.known() == wanted.known()
    assert found.said() == wanted.said()
    assert wanted.said()


@pytest.mark.parametrize("seed", range(30))
def test_accounts_go_on_with_their_people(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Accounts("sum", half_life=None, enter=40.0, exit=25.0)
    encoded = encode_model(msgspec.structs.replace(people.MODEL, accounts=way))
    monkeypatch.setattr(people, "ENCODED", encoded)
    monkeypatch.setattr(people, "company_of", lambda one, _: COMPANIES[one.person % 3])
    rng = random.Random(seed)
    said = draw(rng, rng.randrange(3, 8), rng.randrange(40, 120))
    move_at, before, after = rng.randrange(5, 30), rng.randrange(1, 5), rng.randrange(1, 9)
    wanted = tell(OneByOne(before), said, move_at, None).known()
    found = tell(OneByOne(before), said, move_at, after).known()
    accounts = {key for key in wanted if key[:1] == ACCOUNT}
    assert accounts
    assert {key: sorted(map(repr, members(found[key]))) for key in accounts} == {
        key: sorted(map(repr, members(wanted[key]))) for key in accounts
    }
    assert {key: found[key] for key in found if key not in accounts} == {
        key: wanted[key] for key in wanted if key not in accounts
    }


COMPANIES = ("@acme.example", "@globex.example", None)


def members(account: object) -> list[object]:
    """What people count: those of them who report at the same instant do so in the order of partitions."""
    assert isinstance(account, tuple)
    found = next(one for one in account if isinstance(one, dict))
    return list(found.items())


# -- the state of a partition -------------------------------------------------------------------------


def state(**changes: object) -> PartitionState:
    return msgspec.structs.replace(PartitionState(position=9, version=2, milestone=3), **changes)


def test_sources_that_may_come_again_are_remembered_and_no_others() -> None:
    one = state(highest={1: 70, BINDS + 1: 300, (1 << 31) + 1: 5 << 12, IMPORT: 40})
    other = state(highest={1: 90, IMPORT: 39, IMPORT + 1: 7})
    found = Translation({0: one, 1: other}, NEW_DOORS, [4, 5, 6]).state(2)
    assert found.highest == {IMPORT: 40, IMPORT + 1: 7}
    assert (found.position, found.doors_version, found.doors) == (6, 1, NEW_DOORS.doors)
    assert (found.version, found.base_version, found.milestone, found.milestones) == (2, 2, 3, [])


def test_the_clock_never_falls_and_waits_for_every_new_door() -> None:
    old = {0: state(clock=5_000, began=1_000, clocks={1: 5_000}), 1: state(clock=4_000, began=2_000)}
    found = Translation(old, NEW_DOORS, [1]).state(0)
    assert (found.clock, found.began, found.clocks) == (5_000, 2_000, {})


def test_a_timer_that_waits_for_a_slower_clock_is_not_passed_over() -> None:
    key, stored_lead = b"lead", stamp(3_500, 0) + encode_lead(new_lead())
    old = {0: state(clock=5_000), 1: state(clock=4_000)}
    translation = Translation(old, NEW_DOORS, [1])
    with pytest.raises(TimerWaitsError):
        translation.moved(1, key, stored_lead, 4_500)
    assert translation.moved(1, key, stored_lead, 3_499).partition == 0
    assert translation.moved(0, key, stored_lead, 4_500).partition == 0  # its own clock has come so far
