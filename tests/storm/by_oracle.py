"""Leads that nothing was linked with, each by itself beside the oracle: its outcomes, stage and points.

The oracle gets the facts about one lead and the clock, and each rule file from its control record on. Of
rules that are to be rebuilt it knows the file alone: how the log says the past is nothing to it.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from math import isclose
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from scorer.domain import clock
from scorer.domain.lead import Lead, decode_lead
from scorer.domain.lifecycle import STAGES
from scorer.domain.reading import total
from scorer.domain.record import (
    ANNOUNCE_ALL,
    ANNOUNCE_NONE,
    ANNOUNCE_UPWARD,
    HOPS,
    Clock,
    Doors,
    Fact,
    Linking,
    Rules,
    decode_record,
)
from scorer.domain.settling import last_told
from scorer.wire.registry import ACCOUNT_DISQUALIFIED, ACCOUNT_QUALIFIED, QUALIFIED
from tests.reference.crossing import NearTieError
from tests.reference.lead import conditions
from tests.reference.log import About, Entry, InForce, ReadThrough
from tests.reference.oracle import Oracle, granting
from tests.reference.told import ROUNDING, Told, differences, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorer.domain.model import Model
    from scorer.domain.outcomes import Outcome
    from scorer.domain.rules import RuleSet

BUSIEST: Final = 150
"""Facts: leads with more are left to the careful pass, an oracle that begins anew each time is too slow."""
MOST: Final = 1_000
"""Leads of a partition that are looked at, drawn from all."""
DOOR: Final = 0
"""All doors are one here: the clock is that of the last of them."""


class Order(NamedTuple):
    """A rule file as it was to be put in force."""

    model: Model
    fingerprint: str
    announce: int
    rebuild: bool


class Moment(NamedTuple):
    offset: int
    clock: int
    """C before it, ms."""
    fact: bytes
    """Or nothing, where rules change."""
    order: int


class Heard:
    """One partition of the log, lead by lead."""

    def __init__(self, orders: list[Order]) -> None:
        self.facts: dict[bytes, list[Moment]] = {}
        self.linked: set[bytes] = set()
        """Leads that are, or might have become, more than one."""
        self.changes: list[Moment] = []
        self.prepared: set[str] = set()
        """Fingerprints of what was put in force for a rebuild."""
        self.strange: list[str] = []
        """Rules that nobody ordered, or not here."""
        self.clock = 0
        self._orders = orders
        self._version = self._doors_version = 0
        self._doors: set[int] = set()
        self._through: dict[int, int] = {}

    def take(self, offset: int, key: bytes | None, value: bytes | None, record: Any) -> None:
        match record:
            case Fact():
                if record.door >= HOPS:
                    self.linked.add(key or b"")
                else:
                    moment = Moment(offset, self.clock, value or b"", 0)
                    self.facts.setdefault(key or b"", []).append(moment)
            case Clock(packed):
                for door, through in clock.unpack(packed).items():
                    self._through[door] = max(through, self._through.get(door, 0))
                if self._doors and self._doors <= self._through.keys():
                    self.clock = max(self.clock, min(self._through[door] for door in self._doors))
            case Doors() if record.version > self._doors_version:
                self._doors_version = record.version
                self._doors = {door.number for door in record.doors}
            case Rules() if record.version > self._version:
                self._version = record.version
                self._change(offset, record)
            case _ if isinstance(record, Linking):
                self.linked.add(key or b"")

    def _change(self, offset: int, rules: Rules) -> None:
        place = len(self.changes)
        order = self._orders[place] if place < len(self._orders) else None
        if order is not None and (rules.fingerprint, rules.announce) == (order.fingerprint, order.announce):
            self.changes.append(Moment(offset, self.clock, b"", place))
        elif order is not None and order.rebuild and rules.announce == ANNOUNCE_NONE:
            self.prepared.add(rules.fingerprint)
        else:
            self.strange.append(f"version {rules.version} ({rules.fingerprint}), where {place} are in force")


@dataclass
class Compared:
    leads: int = 0
    ties: int = 0
    """Leads that doubles can't decide."""
    unheard: int = 0
    """Crossings that rules brought about and their policy did not tell, as the oracle has them."""


@dataclass
class Listening(Oracle):
    """An oracle that counts what its policy keeps quiet."""

    unheard: int = 0

    def _tell(self, *told: Any) -> None:
        before = len(self.outcomes)
        super()._tell(*told)
        self.unheard += self.announce != ANNOUNCE_ALL and len(self.outcomes) == before


def compare(
    heard: Heard, orders: list[Order], rules: RuleSet, said: Iterable[Outcome], states: dict[bytes, bytes]
) -> tuple[Compared, list[str]]:
    """What does not agree, in words. ``said``: in Kafka; ``states``: the changelog's newest, by lead."""
    told: dict[bytes, dict[int, Told]] = {}
    for outcome in said:
        if outcome.topic not in (ACCOUNT_QUALIFIED, ACCOUNT_DISQUALIFIED):
            one = read(outcome.value)
            told.setdefault(outcome.key, {})[one.number] = one
    compared, wrong = Compared(), []
    alone = heard.facts.keys() - heard.linked
    keys = sorted(key for key in alone if len(heard.facts[key]) <= BUSIEST)
    for key in random.Random(0).sample(keys, min(MOST, len(keys))):
        try:
            oracle = told_alone(key, heard, orders)
            mine = [one for _, one in sorted(told.get(key, {}).items())]
            wrong += differences(oracle.outcomes, mine) or _differs(oracle, key, rules, states.get(key))
        except NearTieError:
            compared.ties += 1
            continue
        compared.leads += 1
        compared.unheard += oracle.unheard
    return compared, wrong


def told_alone(key: bytes, heard: Heard, orders: list[Order]) -> Listening:
    """Raises ``NearTieError``."""
    oracle = Listening(doors={DOOR})
    before: list[Entry] = []
    for moment in sorted([*heard.facts[key], *heard.changes]):
        now = ReadThrough({DOOR: moment.clock})
        if moment.clock:
            oracle.apply(now)
            before.append(now)
        if moment.fact:
            fact = decode_record(moment.fact)
            assert isinstance(fact, Fact)
            oracle.apply(About(key.decode(), fact))
            before.append(About(key.decode(), fact))
        else:
            _put_in_force(oracle, moment.order, orders[moment.order], before)
    oracle.apply(ReadThrough({DOOR: heard.clock}))
    return oracle


def _put_in_force(oracle: Oracle, place: int, order: Order, before: list[Entry]) -> None:
    coming = order.model
    if order.rebuild:
        live = {award.id: granting(award) for award in oracle.model.awards}
        fresh = tuple(award for award in coming.awards if live.get(award.id) != granting(award))
        looks = *conditions(coming), *(award.given for award in coming.awards if award.given is not None)
        oracle.rebuilt = Oracle(doors={DOOR})
        for entry in (InForce(1, coming), *before):
            oracle.rebuilt.apply(entry)
        oracle.model = msgspec.structs.replace(oracle.model, prepared=fresh, watched=looks)
    oracle.apply(InForce(place + 1, coming, order.announce))
    oracle.rebuilt = None


def _differs(oracle: Oracle, key: bytes, rules: RuleSet, state: bytes | None) -> list[str]:
    name = key.decode()
    wanted = oracle.leads[name]
    if state is None:
        return [f"{name} is not there"]
    lead: Lead = decode_lead(state)
    found = []
    points, right = total(rules, lead, lead.clock), oracle.sum(name, lead.clock).total[0]
    if not isclose(points, right, rel_tol=1e-9, abs_tol=ROUNDING):
        found.append(f"{name}: {points} points instead of {right}")
    stages = STAGES[lead.stage], STAGES[last_told(lead) if lead.told < 0 else lead.stage]
    right_stages = wanted.stage, wanted.told if wanted.silent else wanted.stage
    if stages != right_stages:
        found.append(f"{name}: in the stage, and told to be in: {stages} instead of {right_stages}")
    return found


# -- what is told ---------------------------------------------------------------------------------------


class Said(msgspec.Struct):
    sequence: int
    cause: str = ""
    rules: str = ""


class Event(msgspec.Struct):
    data: Said


def announced(orders: list[Order], heard: Heard, said: Iterable[Outcome]) -> tuple[Counter[int], list[str]]:
    """(outcomes that rules brought about, by policy; what should not have been told, in words).

    Of every lead, alone or not: each is told of a change once and as its policy allows, and outcomes are
    numbered without gaps.
    """
    policies = {order.fingerprint: order.announce for order in orders}
    policies |= dict.fromkeys(heard.prepared, ANNOUNCE_NONE)
    decoder = msgspec.json.Decoder(Event)
    numbers: dict[bytes, set[int]] = {}
    by_policy: Counter[int] = Counter()
    by_change: Counter[tuple[bytes, str]] = Counter()
    wrong: list[str] = []
    for topic, key, value in {one[:3] for one in said}:
        if topic in (ACCOUNT_QUALIFIED, ACCOUNT_DISQUALIFIED):
            continue
        one = decoder.decode(value).data
        numbers.setdefault(key, set()).add(one.sequence)
        if one.cause != "rules":
            continue
        policy = policies.get(one.rules, ANNOUNCE_NONE)
        by_policy[policy] += 1
        by_change[key, one.rules] += 1
        muted = policy == ANNOUNCE_NONE or (policy == ANNOUNCE_UPWARD and topic != QUALIFIED)
        if muted or by_change[key, one.rules] > 1:
            wrong.append(f"told by {one.rules}, policy {policy}: {value.decode()}")
    wrong += [f"{key!r}: numbers {kept}" for key, kept in numbers.items() if len(kept) != max(kept)]
    return by_policy, wrong
