"""People with several identifiers, and log partitions that find out who is who: any order, any crash."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from scorer.domain.account import Account, decode_account, encode_account
from scorer.domain.clock import pack
from scorer.domain.lead import Lead, decode_lead, encode_lead
from scorer.domain.model import (
    Absent,
    Award,
    Compare,
    FirstLater,
    Fixed,
    HalfLife,
    Identity,
    LinearDecay,
    Matcher,
    Model,
    Once,
    OncePerObject,
    PerPeriod,
    PerUnit,
    Recent,
    Score,
    Standing,
    Table,
    encode_model,
    fingerprint,
)
from scorer.domain.partition import LogPartition
from scorer.domain.record import BINDS, BINDS_EACH, Bind, Clock, Door, Doors, Fact, Rules, encode_record
from scorer.domain.state import PartitionState, decode_state, encode_state
from scorer.wire.partitioner import partition_of

DAY = 86_400_000
BEGAN = 1_790_000_000_000
LASTS = 30 * DAY
DOOR = 1
PARTITIONS = 3
PAGES = ("/pricing", "/blog", "/docs")

MODEL = Model(
    name="people",
    scores=(Score("fit"), Score("engagement", cap=400.0)),
    awards=(
        Award("page", "engagement", Matcher(("page.viewed",)), Fixed(2.5), decay=HalfLife(5 * DAY)),
        Award("app", "engagement", Matcher(("app.started",)), Fixed(3.0), decay=LinearDecay(0.1, 2)),
        Award("reply", "engagement", Matcher(("email.replied",)), FirstLater(10.0, 4.0)),
        Award("signed-up", "fit", Matcher(("app.signed_up",)), Fixed(20.0), limit=Once()),
        Award("call", "engagement", Matcher(("booking.created",)), Fixed(7.0), limit=OncePerObject("id")),
        Award("open", "engagement", Matcher(("email.opened",)), Fixed(1.0), limit=PerPeriod("day", 2)),
        Award("spent", "fit", Matcher(("app.paid",)), PerUnit("amount", 0.5), decay=HalfLife(20 * DAY)),
        Award("plan", "fit", Matcher(("app.plan",)), Table("plan", (("pro", 9.0), ("free", -4.0)), 1.0)),
        Award("left", "engagement", Matcher(("email.unsubscribed",)), Fixed(-6.0), decay=HalfLife(9 * DAY)),
    ),
    standings=(
        Standing("keen", "fit", Recent(Matcher(("page.viewed",)), 4 * DAY, 3), 11.0),
        Standing("gone", "fit", Absent(Matcher(("app.started",)), 6 * DAY), -3.0),
        Standing("boss", "fit", Compare("role", "equals", ("boss",)), 8.0),
    ),
    identity=Identity(anonymous_ids=100, emails=5, user_ids=1, lead_ids=1),
)
ENCODED = encode_model(MODEL)
SAYS = (
    ("page.viewed", lambda rng: {"path": rng.choice(PAGES)}),
    ("page.viewed", lambda rng: {"path": rng.choice(PAGES)}),
    ("app.started", lambda rng: {}),
    ("email.replied", lambda rng: {}),
    ("app.signed_up", lambda rng: {}),
    ("booking.created", lambda rng: {"id": rng.randrange(4)}),
    ("email.opened", lambda rng: {}),
    ("app.paid", lambda rng: {"amount": rng.randrange(1, 50)}),
    ("app.plan", lambda rng: {"plan": rng.choice(("pro", "free", "other"))}),
    ("email.unsubscribed", lambda rng: {}),
    ("profile.updated", lambda rng: {rng.choice(("role", "city")): rng.choice(("boss", "clerk", None))}),
)


class Message(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes


class Said(NamedTuple):
    """A record of a door: a fact of one id, and the ids that it names beside."""

    person: int
    time: int
    lead: bytes
    others: tuple[bytes, ...]
    kind: str
    properties: dict[str, object]


def lead_id(kind: str, number: int) -> bytes:
    return f"{kind}_{number:026d}".encode()


def draw(rng: random.Random, people: int, records: int) -> list[Said]:
    """In the order of their times. Whoever has several ids names them together at some time."""
    ids: list[list[bytes]] = []
    numbers = iter(range(people * 10))
    for _ in range(people):
        kinds = rng.sample("aaaeeu", rng.randrange(1, 7))
        own = [lead_id(kind, next(numbers)) for kind in kinds]
        if rng.random() < 0.2:
            own.append(f"crm-{next(numbers)}".encode())
        ids.append(own)
    said = []
    for _ in range(records):
        person = rng.randrange(people)
        kind, properties = rng.choice(SAYS)
        time = BEGAN + rng.randrange(LASTS)
        said.append(Said(person, time, rng.choice(ids[person]), (), kind, properties(rng)))
    for person, own in enumerate(ids):
        rng.shuffle(own)
        # A tree over the ids, one link a time, or all that are left at once.
        known, left = own[:1], own[1:]
        while left:
            some, left = left[: (count := rng.randrange(1, 3))], left[count:]
            named = [rng.choice(known), *some]
            known += some
            rng.shuffle(named)
            time = BEGAN + rng.randrange(LASTS)
            said.append(Said(person, time, named[0], tuple(named[1:]), "profile.linked", {}))
    return sorted(said, key=lambda one: one.time)


def company_of(one: Said, offset: int) -> str | None:
    """What ``Fact.account`` says; none of them says anything."""
    return None


class Life:
    """A log partition's worker: what it has made durable, and what it sends when it starts again."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.leads: dict[bytes, bytes] = {}
        self.accounts: dict[bytes, bytes] = {}
        self.state = encode_state(PartitionState())
        self.rules: dict[int, bytes] = {}
        self.partition = self._start()

    def _start(self) -> LogPartition:
        def timers(since: int) -> tuple[list[tuple[int, bytes]], int]:
            wakes = [(decode_lead(encoded).due, key) for key, encoded in self.leads.items()]
            wakes += [(decode_account(encoded).due, key) for key, encoded in self.accounts.items()]
            return [(wake, key) for wake, key in wakes if wake >= max(since, 1)], 1 << 62

        state, rules = decode_state(self.state), dict(self.rules)
        return LogPartition(state, rules, self._load, timers, self.number, self._load_account)

    def _load_account(self, key: bytes) -> Account | None:
        encoded = self.accounts.get(key)
        return None if encoded is None else decode_account(encoded)

    def _load(self, key: bytes) -> Lead | None:
        encoded = self.leads.get(key)
        return None if encoded is None else decode_lead(encoded)

    def cut(self, rng: random.Random | None = None) -> None:
        """Durable: all of it, or, torn, some of the leads and not the partition."""
        dirty = list(self.partition.dirty.items())
        accounts = list(self.partition.dirty_accounts.items())
        torn = rng is not None and rng.random() < 0.3
        if rng is not None and torn:
            dirty = rng.sample(dirty, rng.randrange(len(dirty) + 1))
            accounts = rng.sample(accounts, rng.randrange(len(accounts) + 1))
        for key, lead in dirty:
            self.leads[key] = encode_lead(lead)
        for key, account in accounts:
            self.accounts[key] = encode_account(account)
        if torn:
            self.crash()
            return
        self.partition.dirty, self.partition.dirty_accounts = {}, {}
        self.partition.leads.clear()
        self.partition.accounts.clear()
        self.state = encode_state(self.partition.state)
        self.rules = dict(self.partition.rule_sets)

    def crash(self) -> None:
        self.partition = self._start()


class Log:
    """The lead log, and who works on it."""

    def __init__(self, rng: random.Random, partitions: int = PARTITIONS, rules: bytes | None = None) -> None:
        self.rng = rng
        self.count = partitions
        self.logs: list[list[Message]] = [[] for _ in range(partitions)]
        self.lives = [Life(number) for number in range(partitions)]
        for number in range(partitions):
            self.append(number, None, encode_record(Doors(1, [Door(DOOR, 1, "activity.page.v1", 0)])))
            encoded = rules or ENCODED
            self.append(number, None, encode_record(Rules(1, fingerprint(encoded), encoded)))

    def append(self, number: int, key: bytes | None, value: bytes) -> None:
        log = self.logs[number]
        log.append(Message(len(log), key, value))

    def take_in(self, one: Said, offset: int, *, as_lead: bytes | None = None) -> None:
        """As intake does. ``as_lead``: what somebody would make of it who knew the truth."""
        name = f"event-{offset}"
        lead = as_lead or one.lead
        fact = Fact(
            one.kind,
            one.time,
            one.time,
            DOOR,
            offset,
            offset.to_bytes(8, "big"),
            name,
            "/",
            one.properties,
            account=company_of(one, offset),
        )
        self.append(partition_of(lead, self.count), lead, encode_record(fact))
        if as_lead is None:
            for number, other in enumerate(one.others):
                bind = Bind(one.lead, one.time, BINDS + DOOR, offset * BINDS_EACH + number)
                self.append(partition_of(other, self.count), other, encode_record(bind))

    def tick(self, time: int) -> None:
        for number in range(self.count):
            self.append(number, None, encode_record(Clock(pack({DOOR: time}))))

    def work(self, number: int, most: int) -> bool:
        """Read on in one partition; whether there was anything."""
        life = self.lives[number]
        position = life.partition.state.position
        records = self.logs[number][position : position + most]
        if not records:
            return False
        life.partition.apply(records)
        self.send(life)
        return True

    def send(self, life: Life) -> None:
        """To the log, what the partition has made."""
        sends, life.partition.sends = life.partition.sends, []
        for key, value in sends:
            self.append(partition_of(key, self.count), key, value)

    def stumble(self) -> None:
        """Some partition's worker makes things durable, or dies."""
        life = self.rng.choice(self.lives)
        if self.rng.random() < 0.6:
            life.cut(self.rng)
        else:
            life.crash()

    def settle(self) -> None:
        """Read everything, in any order."""
        while True:
            numbers = list(range(self.count))
            self.rng.shuffle(numbers)
            worked = [self.work(number, self.rng.randrange(1, 40)) for number in numbers]
            if not any(worked):
                return

    def held(self, key: bytes) -> Lead | None:
        """What is kept under an id, a signpost too."""
        return self.lives[partition_of(key, self.count)].partition.get(key)

    def lead(self, key: bytes) -> tuple[bytes, Lead | None]:
        """What an id has come to: (the id of the lead, the lead)."""
        while True:
            lead = self.held(key)
            if lead is None or lead.links is None or not lead.links.moved:
                return key, lead
            key = lead.links.moved


def tell(
    rng: random.Random, said: Sequence[Said], *, crashes: bool = True, rules: bytes | None = None
) -> Log:
    """Everything read, and the clock at the story's end. ``rules``: an encoded model."""
    log = Log(rng, rules=rules)
    for offset, one in enumerate(said, 1):
        if rng.random() < 0.02:
            log.tick(one.time)
        log.take_in(one, offset)
        if rng.random() < 0.3:
            log.work(rng.randrange(log.count), rng.randrange(1, 30))
        if crashes and rng.random() < 0.05:
            log.stumble()
    log.settle()
    if crashes:
        log.stumble()
        log.settle()
    log.tick(BEGAN + LASTS + DAY)
    log.settle()
    return log


def truth(said: Sequence[Said], *, rules: bytes | None = None) -> Log:
    """By somebody who knew from the start who is who."""
    log = Log(random.Random(0), 1, rules)
    for offset, one in enumerate(said, 1):
        log.take_in(one, offset, as_lead=f"person-{one.person}".encode())
    log.settle()
    log.tick(BEGAN + LASTS + DAY)
    log.settle()
    return log
