"""Lead logs for tests of the score side, and what a single careful pass over them gives."""

from __future__ import annotations

import random
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from scorer import rulefile
from scorer.domain import clock
from scorer.domain.account import decode_account, encode_account, stored_account
from scorer.domain.lead import decode_lead, encode_lead, stored
from scorer.domain.model import Model, encode_model, fingerprint
from scorer.domain.outcomes import Outcome
from scorer.domain.partition import Dead, LogPartition
from scorer.domain.record import (
    ACCOUNT,
    PROFILE_UPDATED,
    Clock,
    Door,
    Doors,
    Fact,
    ImportBegin,
    ImportEnd,
    Record,
    Rules,
    encode_record,
)
from scorer.domain.state import PartitionState
from scorer.wire.partitioner import partition_of

RULES = Path(__file__).parents[2] / "rules" / "default.yaml"
BEGAN = 1_800_000_000_000
DAY = 86_400_000
DOORS = Doors(1_000, [Door(1, 0, "activity.email.v1", 0), Door(2, 0, "activity.page.v1", 0)])
IMPORT = 2**32 + 1

TYPES = (
    ("email.opened", {"kind": "nurture"}),
    ("email.clicked", {"kind": "nurture"}),
    ("email.replied", {"kind": "sales"}),
    ("email.unsubscribed", {}),
    ("page.viewed", {"path": "/pricing"}),
    ("page.viewed", {"path": "/careers/engineer"}),
    ("page.downloaded", {"kind": "ebook"}),
    ("app.trial_started", {}),
    ("app.task_created", {}),
    ("app.project_created", {}),
    ("booking.created", {"kind": "call", "provider": "calendly"}),
    ("booking.canceled", {"kind": "demo", "provider": "calendly"}),
    ("social.clicked", {"network": "linkedin"}),
)
PROFILES = (
    {"country": "US", "job_title": "CEO", "employees": 120},
    {"role": "student"},
    {"employees": 2, "department": "facilities"},
    {"country": "DE", "decision_maker": True},
)

LogRecord = tuple[bytes | None, bytes]


class Message(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None


class Pass(NamedTuple):
    """What one pass over a log partition adds up to."""

    leads: dict[bytes, bytes]
    outcomes: list[Outcome]
    dead: list[Dead]
    state: PartitionState


def default_model() -> Model:
    return rulefile.require(RULES)


def rules_record(model: Model, version: int, announce: int = 0) -> Rules:
    encoded = encode_model(model)
    return Rules(version, fingerprint(encoded), encoded, announce)


def make_log(
    seed: int,
    facts: int,
    leads: int,
    partitions: int = 1,
    *,
    days: float = 200,
    changes: bool = True,
    garbage: bool = True,
    late: float = 0.05,
) -> list[list[LogRecord]]:
    """The records of each partition: doors, rules, facts that spread over ``days``, clocks in between.

    ``changes``: the rules change once and a history is imported. ``garbage``: some values are no records.
    """
    rng = random.Random(seed)
    log: list[list[LogRecord]] = [[] for _ in range(partitions)]

    def everywhere(record: Record) -> None:
        for part in log:
            part.append((None, encode_record(record)))

    model = default_model()
    everywhere(DOORS)
    everywhere(rules_record(model, 1))
    step = days * DAY / facts
    now = float(BEGAN)
    offsets = {1: 0, 2: 0}
    importing = False
    sent: list[tuple[int, bytes, bytes]] = []
    for n in range(facts):
        now += rng.expovariate(1) * step
        lead = b"lead-%d" % min(int(rng.expovariate(4) * leads), leads - 1)
        if changes and n == facts // 3:
            everywhere(ImportBegin(IMPORT))
            importing = True
        if changes and n == facts // 2:
            everywhere(ImportEnd(IMPORT))
            importing = False
        if changes and n == 2 * facts // 3:
            threshold = msgspec.structs.replace(model.threshold, enter=model.threshold.enter + 5)
            everywhere(rules_record(msgspec.structs.replace(model, threshold=threshold), 2))
        if importing and rng.random() < 0.3:
            door, offset = IMPORT, n
        else:
            door = rng.choice((1, 2))
            offset = offsets[door] = offsets[door] + 1
        time = int(now - (rng.random() * 3 * DAY if rng.random() < late else 0))
        kind, properties = rng.choice(TYPES)
        if rng.random() < 0.1:
            kind, properties = PROFILE_UPDATED, rng.choice(PROFILES)
        digest = blake2b(b"%d %d" % (seed, n), digest_size=8).digest()
        fact = Fact(kind, time, int(now), door, offset, digest, f"{seed}-{n}", "/test", properties)
        part = log[partition_of(lead, partitions)]
        part.append((lead, encode_record(fact)))
        sent.append((partition_of(lead, partitions), *part[-1]))
        if rng.random() < 0.02:
            where, again, value = rng.choice(sent)  # a door's record, read a second time
            log[where].append((again, value))
        if garbage and rng.random() < 0.01:
            part.append(
                rng.choice(((lead, b"\xc1"), (lead, b""), (None, b"\x93\x00\x01"), (b"\xff", value_of(fact))))
            )
        if rng.random() < 0.3:
            everywhere(Clock(clock.pack({1: int(now) - rng.randrange(1000), 2: int(now)})))
    return log


def value_of(fact: Fact) -> bytes:
    return encode_record(fact)


def one_pass(log: list[LogRecord], *, start: int = 0) -> Pass:
    """The whole log through one machine, every lead in memory, milestones swept at the end."""
    leads: dict[bytes, bytes] = {}
    machine = LogPartition(PartitionState(position=start), {}, lambda _: None)
    machine.apply([Message(start + n, *record) for n, record in enumerate(log)])
    sweep(machine)
    leads = {key: encode_lead(lead) for key, lead in machine.dirty.items()}
    leads |= {key: encode_account(account) for key, account in machine.dirty_accounts.items()}
    return Pass(leads, machine.outcomes, machine.dead, machine.state)


def sweep(machine: LogPartition) -> None:
    milestone = machine.unswept
    if milestone is not None:
        for key in sorted({*machine.leads, *machine.dirty, *machine.accounts, *machine.dirty_accounts}):
            machine.touch(key)
        machine.swept(milestone)


def by_lead(outcomes: list[Outcome]) -> dict[bytes, list[tuple[str, bytes]]]:
    """Each lead's outcomes, repetitions of the same left out."""
    found: dict[bytes, list[tuple[str, bytes]]] = {}
    for outcome in outcomes:
        said = found.setdefault(outcome.key, [])
        if (outcome.topic, outcome.value) not in said:
            said.append((outcome.topic, outcome.value))
    return found


def shown(leads: dict[bytes, bytes]) -> dict[bytes, object]:
    """Leads and accounts, decoded, so that a difference can be read."""
    return {
        key: stored_account(decode_account(value)) if key[:1] == ACCOUNT else stored(decode_lead(value))
        for key, value in leads.items()
    }
