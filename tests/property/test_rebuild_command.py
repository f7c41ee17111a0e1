"""The whole rebuild beside workers that lag, crashes of it at any append, and people who are one."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from scorer import rules_apply
from scorer.domain.clock import pack
from scorer.domain.model import Model, encode_model
from scorer.domain.record import ANNOUNCE_ALL, Answer, Bind, Clock, Door, Doors, Fact, Rebuilt, encode_record
from scorer.errors import UserError
from scorer.rulefile import loads
from scorer.rules_rebuild import rebuild
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LOG
from tests.property.people import lead_id
from tests.support.memory_broker import MemoryBroker, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARTITIONS = 3
PEOPLE = 4
HOUR = 3_600_000
BEGAN = 1_800_000_000_000
KINDS = ("email.opened", "booking.created", "page.viewed")
LIVE = """
model: Live
qualify: {enter: above 2000, exit: below 5}
scores: {e: {decay: none}}
rules:
  e:
    - {rule: Opened, on: email.opened, points: +1}
    - {rule: Booked, on: booking.created, points: +10}
    - {rule: Viewed, on: page.viewed, points: +100, limit: once}
"""
COMING = """
model: Coming
qualify: {enter: above 2000, exit: below 5}
scores: {e: {decay: none}}
rules:
  e:
    - {rule: Opened, on: email.opened, points: +1}
    - {rule: Booked, on: [booking.created, page.viewed], points: +10}
    - {rule: Viewed, on: [page.viewed, email.opened], points: +100, limit: once per path}
    - {rule: First, on: email.opened, first: +10000, later: +20000}
    - {rule: Daily, on: email.opened, points: +100000, limit: once a day}
"""


class Crash(Exception):  # noqa: N818 - it is none of the program's errors
    pass


def model(text: str) -> Model:
    found = loads(text).model
    assert found is not None
    return found


@contextmanager
def _bar(_label: str, _total: int | None) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


class World:
    """The same things happen to two logs: under the live rules, and under the coming ones from the start."""

    def __init__(self, seed: int, *, merges: bool) -> None:
        self.rng = random.Random(seed)
        self.merges = merges
        self.broker, self.other = MemoryBroker(PARTITIONS), MemoryBroker(PARTITIONS)
        self.workers, self.others = Workers(self.broker), Workers(self.other)
        self.now = BEGAN
        self.count = self.visits = 0
        self.people = [[lead_id(kind, person) for kind in "aeu"] for person in range(PEOPLE)]
        for log, rules in ((self.broker, LIVE), (self.other, COMING)):
            for number in range(PARTITIONS):
                doors = Doors(1, [Door(1, 0, "activity.email.v1", 0)])
                log.append(LOG, number, None, encode_record(doors))
                log.append(LOG, number, None, encode_record(Clock(pack({1: BEGAN}))))
            rules_apply.apply(cast("Any", log), encode_model(model(rules)))

    def _both(self, key: bytes, record: Any) -> None:
        for log in (self.broker, self.other):
            log.topics[LOG][partition_of(key, PARTITIONS)].append((key, encode_record(record)))

    def visit(self) -> tuple[bytes, list[bytes]]:
        """A visitor nobody has seen before, mostly, and who that will turn out to be."""
        self.visits += 1
        self.now += 1_000
        visitor, person = lead_id("a", PEOPLE + self.visits % 60), self.rng.choice(self.people)
        digest, data = (1 << 40 | self.visits).to_bytes(8, "big"), {"path": self.rng.choice("xyz")}
        kind = self.rng.choice(KINDS)
        self._both(visitor, Fact(kind, self.now, self.now, 0, -1, digest, f"v{self.visits}", "test", data))
        return visitor, person

    def step(self) -> None:
        rng = self.rng
        if self.merges and rng.random() < 0.15:
            visitor, person = self.visit()
            if rng.random() < 0.8:
                self._both(rng.choice(person), Bind(visitor, self.now, 0, -1))
            return
        person = rng.choice(self.people)
        self.now += rng.randrange(6 * HOUR)
        match rng.random():
            case x if x < 0.55:
                self.count += 1
                at = self.now - rng.randrange(48 * HOUR)
                digest, data = self.count.to_bytes(8, "big"), {"path": rng.choice("xyz")}
                fact = Fact(rng.choice(KINDS), at, at, 0, -1, digest, f"e{self.count}", "test", data)
                self._both(rng.choice(person), fact)
            case x if x < 0.7 and self.merges:
                one, two = rng.sample(person, 2)
                self._both(one, Bind(two, self.now, 0, -1))
            case x if x < 0.8:
                for number in range(PARTITIONS):
                    record = encode_record(Clock(pack({1: self.now})))
                    for log in (self.broker, self.other):
                        log.topics[LOG][number].append((None, record))
            case _:
                self.workers.work(only=rng.randrange(PARTITIONS))

    def rebuild(self, crash_after: int | None = None) -> None:
        """While things go on happening; the last of the waiting is for workers to come after."""
        left, busy = crash_after, self.rng.randrange(3, 20)
        time = 0

        def on_append(_topic: str, value: bytes | None) -> None:
            nonlocal left
            if left is not None:
                left -= 1
                if left < 0:
                    raise Crash
            if value is not None and value[1] == Rebuilt.__struct_config__.tag and self.rng.random() < 0.3:
                self.step()

        def sleep(_: float) -> None:
            nonlocal busy
            busy -= 1
            if busy > 0:
                for _ in range(self.rng.randrange(6)):
                    self.step()
            else:
                self.workers.work()

        def clock() -> float:
            nonlocal time
            time += 1
            return time

        self.broker.on_append = on_append
        try:
            coming = encode_model(model(COMING))
            broker = cast("Any", self.broker)
            rebuild(broker, coming, ANNOUNCE_ALL, _bar, at_once=3, clock=clock, sleep=sleep)
        finally:
            self.broker.on_append = lambda *_: None


@pytest.mark.parametrize("merges", [False, True])
@pytest.mark.parametrize("part", range(3))
def test_a_rebuild_ends_as_if_the_rules_had_always_been(*, merges: bool, part: int) -> None:
    for seed in range(part * 20, part * 20 + 20):
        world = World(seed, merges=merges)
        rng = world.rng
        for _ in range(rng.randrange(5, 60)):
            world.step()
        for _ in range(rng.randrange(3)):
            try:
                world.rebuild(crash_after=rng.randrange(1, 40))
                break
            except Crash:
                for _ in range(rng.randrange(10)):
                    world.step()
        else:
            world.rebuild()
        for _ in range(rng.randrange(15)):
            world.step()
        world.workers.work()
        world.others.work()
        assert world.workers.totals() == pytest.approx(world.others.totals()), f"seed {seed}"


def test_it_waits_for_a_lead_that_is_on_its_way_to_another() -> None:
    world = World(1, merges=True)
    one, two = world.people[0][:2]
    for lead in (one, two):
        fact = Fact("page.viewed", BEGAN, BEGAN, 0, -1, lead[:8], lead.decode(), "test", {"path": "x"})
        world._both(lead, fact)
    world._both(two, Bind(one, BEGAN, 0, -1))
    for _ in range(2):  # asked and answered, and the answer not yet read
        for number in range(PARTITIONS):
            world.workers.work(only=number)
    world.merges, world.step = False, lambda: None  # type: ignore[method-assign] - nothing else happens
    world.rebuild()
    world.workers.work()
    world.others.work()
    assert world.workers.totals() == pytest.approx(world.others.totals())
    assert len(world.workers.totals()) == 1


def test_it_ends_while_visitors_become_people_all_the_time() -> None:
    world = World(4, merges=True)
    for _ in range(40):
        world.step()

    def sleep(_: float) -> None:
        """Whenever the log is looked at, somebody is on the way to another."""
        world.workers.work()
        while not world.workers.unread(Answer):
            visitor, person = world.visit()
            assert world.visits < 60, "it goes on for as long as they do"
            world._both(person[0], Bind(visitor, world.now, 0, -1))
            for number in range(PARTITIONS):
                if not world.workers.unread(Answer):
                    world.workers.work(only=number)

    coming = encode_model(model(COMING))
    rebuild(cast("Any", world.broker), coming, ANNOUNCE_ALL, _bar, clock=lambda: 0.0, sleep=sleep)
    world.workers.work()
    world.others.work()
    assert world.workers.totals() == pytest.approx(world.others.totals())


def test_who_is_told_soon_after_a_look_at_the_log_seldom_has_to_be_told_again() -> None:
    def again(at_once: int) -> int:
        world = World(5, merges=False)
        for _ in range(60):
            world.visit()

        def on_append(topic: str, value: bytes | None) -> None:
            if topic == LOG and value is not None and value[1] == Rebuilt.__struct_config__.tag:
                world.visit()  # one for each that is told

        world.broker.on_append = on_append
        broker, coming = cast("Any", world.broker), encode_model(model(COMING))
        came = rebuild(broker, coming, ANNOUNCE_ALL, _bar, at_once=at_once, sleep=lambda _: None)
        assert came.leads == 60
        return came.again

    assert again(at_once=5) * 3 < again(at_once=1_000)


@pytest.mark.parametrize("when", ["while it reads", "while it tells"])
def test_somebody_elses_rules_end_it(when: str) -> None:
    world = World(2, merges=False)
    for _ in range(40):
        world.step()
    theirs = encode_model(model(LIVE.replace("Live", "Theirs")))
    told = 0

    def on_append(topic: str, value: bytes | None) -> None:
        nonlocal told
        is_rebuilt = topic == LOG and value is not None and value[1] == Rebuilt.__struct_config__.tag
        if is_rebuilt or (when == "while it reads" and topic == LOG):
            told += 1
            if told == PARTITIONS:
                world.broker.on_append = lambda *_: None
                rules_apply.apply(cast("Any", world.broker), theirs)

    world.broker.on_append = on_append
    with pytest.raises(UserError, match="somebody else"):
        rebuild(
            cast("Any", world.broker),
            encode_model(model(COMING)),
            ANNOUNCE_ALL,
            _bar,
            sleep=lambda _: world.workers.work(),
        )


def test_garbage_in_the_log_does_not_stop_it() -> None:
    world = World(3, merges=False)
    for number in range(PARTITIONS):
        for value in (b"", b"\xc1", b"\x93\x0c\x01", b"\x93\x0a\x01\x02"):
            world.broker.topics[LOG][number].append((b"lead-x", value))
    for _ in range(40):
        world.step()
    world.rebuild()
    world.workers.work()
    world.others.work()
    assert world.workers.totals() == pytest.approx(world.others.totals())
