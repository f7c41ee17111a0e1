"""Rules changed again and again under score workers that are killed, beside the oracle on the same log."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from math import isclose
from typing import TYPE_CHECKING

import msgspec

from scorer import rules_apply
from scorer.cli.progress import progress
from scorer.domain.clock import unpack
from scorer.domain.lead import decode_lead
from scorer.domain.model import Model, decode_model, encode_model
from scorer.domain.preparing import prepare, replayed
from scorer.domain.reading import total
from scorer.domain.record import (
    ANNOUNCE,
    ANNOUNCE_ALL,
    Clock,
    Doors,
    Fact,
    ImportBegin,
    ImportEnd,
    Rebuilt,
    Rules,
    decode_record,
)
from scorer.domain.rules import build
from scorer.rules_rebuild import rebuild
from scorer.wire.registry import LOG, OUTCOMES
from tests.integration.score_running import (
    DEADLINE,
    Worker,
    all_scored,
    leads_in,
    make_topics,
    publish,
    read,
    scored_positions,
    until,
)
from tests.integration.score_worker import Options
from tests.property.compare import told_by_oracle
from tests.property.dice import Dice
from tests.property.machine import messages
from tests.property.models import Scale, draw_model, draw_scale, redefine, reprice
from tests.property.stories import draw_story
from tests.property.test_rebuilt import draw_change, under
from tests.reference.crossing import NearTieError
from tests.reference.log import About, Entry, InForce, Past, ReadThrough
from tests.reference.oracle import Oracle
from tests.reference.told import ROUNDING, Told, differences
from tests.reference.told import read as read_told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scorer.broker import Broker
    from scorer.settings import Settings

SLICES = 60
"""Parts in which the log is published, so that there is something to do all the time."""
PACE = 0.1
"""Seconds between two of them."""
KILLS = (15, 32, 45)
"""The slices behind which a worker is killed, in the middle of what it has not made durable."""
WORKERS = 2
CHANGES = 6
"""Of the rules, per partition."""


@dataclass
class Found:
    """What came of it."""

    leads: int = 0
    outcomes: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    """Rule changes by policy."""
    silent: int = 0
    """Outcomes that are not told, of those that would be with ANNOUNCE_ALL."""
    kills: int = 0
    again: int = 0
    """Leads that were told their past once more."""
    mismatches: list[str] = field(default_factory=list)
    """Leads whose outcomes or total are not the oracle's, in words."""


def story(number: int, seed: int, facts: int) -> list[Entry]:
    """The log of one partition: facts and the clock, and now and then other points or quite other rules."""
    rng = random.Random(f"{seed} {number}")
    while True:
        dice = Dice(rng.randrange)
        scale = draw_scale(dice)
        log = _with_changes(draw_story(dice, scale, draw_model(dice, scale), least=facts), dice, scale)
        try:
            told_by_oracle(log)
        except NearTieError:  # doubles can't decide that one
            continue
        return [_in_place(entry, number) for entry in log]


def _in_place(entry: Entry, number: int) -> Entry:
    """As it stands in one of several partitions, behind the doors record that made the topics ready."""
    if isinstance(entry, About):
        return replace(entry, lead=f"{number}-{entry.lead}")
    if isinstance(entry, Doors):
        return Doors(entry.version + 1, entry.doors)
    return entry


def _with_changes(log: list[Entry], dice: Dice, scale: Scale) -> list[Entry]:
    [first] = [entry for entry in log if isinstance(entry, InForce)]
    model, changes = first.model, []
    for version in range(2, 2 + CHANGES):
        model = reprice(dice, model) if dice.chance(50) else redefine(dice, scale, model)
        changes.append(InForce(version, model, dice.number(0, len(ANNOUNCE) - 1)))
    places = sorted(dice.number(len(log) // 5, len(log)) for _ in changes)
    changed = list(log)
    for change, place in zip(reversed(changes), reversed(places), strict=True):
        changed.insert(place, change)
    return changed


def run(settings: Settings, folder: Path, *, partitions: int, facts: int, seed: int) -> Found:
    """Publish, kill, wait until all is scored, compare: each partition has rules of its own."""
    broker = make_topics(settings, partitions)
    logs = [story(number, seed, facts) for number in range(partitions)]
    found = Found(silent=silenced(logs))
    _score(broker, settings, folder, logs, found)
    _compare(broker, [(log, told_by_oracle(log)) for log in logs], found)
    return found


def run_rebuild(settings: Settings, folder: Path, *, partitions: int, facts: int, seed: int) -> Found:
    """One change, of all partitions, whose rules get their past while the workers score and are killed."""
    broker = make_topics(settings, partitions)
    live, coming, logs = _one_change(partitions, seed, facts)
    rules_apply.apply(broker, encode_model(live))
    found = Found()

    def change() -> None:
        came = rebuild(broker, encode_model(coming), ANNOUNCE_ALL, progress)
        found.again = came.again

    _score(broker, settings, folder, logs, found, change)
    pairs = []
    for number in range(partitions):
        log = _log_of(broker, number)
        with suppress(NearTieError):  # doubles can't decide that one
            pairs.append((log, told_rebuilt(log, live, coming)))
            continue
        pairs.append((log, None))
    _compare(broker, pairs, found)
    return found


def _one_change(partitions: int, seed: int, facts: int) -> tuple[Model, Model, list[list[Entry]]]:
    """(rules, those that follow, a story of each partition under the first)."""
    rng = random.Random(seed)
    while True:
        dice = Dice(rng.randrange)
        log, coming = draw_change(dice)
        live = next(entry.model for entry in log if isinstance(entry, InForce))
        if len(prepare(live, coming).prepared) > 1:
            break
    logs = []
    for number in range(partitions):
        told = draw_story(dice, draw_scale(dice), live, least=facts)
        logs.append([_in_place(entry, number) for entry in told if not isinstance(entry, InForce)])
    return live, coming, logs


def told_rebuilt(log: list[Entry], live: Model, coming: Model) -> Oracle:
    """By an oracle to whom the changed rules have always granted. Raises ``NearTieError``."""
    oracle = Oracle(rebuilt=Oracle())
    last = max(entry.version for entry in log if isinstance(entry, InForce))
    for place, entry in enumerate(log):
        if isinstance(entry, InForce) and entry.version == last:
            oracle.rebuilt = told_by_oracle(under(log[:place], replayed(live, coming)))
        oracle.apply(entry)
    return oracle


def _log_of(broker: Broker, number: int) -> list[Entry]:
    return [_entry(record.key, record.value or b"") for record in read(broker, LOG)[number]]


def _entry(key: bytes | None, value: bytes) -> Entry:
    match decode_record(value):
        case Fact() as fact:
            return About((key or b"").decode(), fact)
        case Clock(packed):
            return ReadThrough(unpack(packed))
        case Rules(version, _, model, announce):
            return InForce(version, decode_model(model), announce)
        case Rebuilt() as past:
            return Past((key or b"").decode(), past)
        case Doors() | ImportBegin() | ImportEnd() as control:
            return control
        case other:
            raise TypeError(other)


def _score(
    broker: Broker,
    settings: Settings,
    folder: Path,
    logs: list[list[Entry]],
    found: Found,
    change: Callable[[], None] | None = None,
) -> None:
    """``change``: done beside, from the middle of the log on."""
    records = [[(one.key, one.value or b"") for one in messages(log)] for log in logs]
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(1))
        options = [
            Options(_of(settings, folder / str(number), f"w{number}"), cache_leads=5)
            for number in range(WORKERS)
        ]
        workers = [Worker(one, folder) for one in options]
        stack.callback(lambda: [one.kill() for one in workers])
        changed = None
        for slice_ in range(SLICES):
            publish(broker, [part[_at(part, slice_) : _at(part, slice_ + 1)] for part in records])
            if change is not None and slice_ == SLICES // 2:
                changed = pool.submit(change)
            if slice_ in KILLS:
                published = sum(wanted.end for wanted in broker.ranges(LOG).values())
                dying = KILLS.index(slice_) % WORKERS
                workers[dying].kill()
                found.kills += _scored(broker) < published
                workers[dying] = Worker(options[dying], folder)
            time.sleep(PACE)
        if changed is not None:
            changed.result(DEADLINE)
        until(lambda: all_scored(broker), workers, "all is scored")


def _scored(broker: Broker) -> int:
    return sum(max(position, 0) for position in scored_positions(broker).values())


def _at(part: list[object] | list[tuple[bytes | None, bytes]], slice_: int) -> int:
    return len(part) * slice_ // SLICES


def _of(settings: Settings, folder: Path, instance: str) -> Settings:
    return msgspec.structs.replace(settings, data_dir=folder, instance=instance)


def _compare(broker: Broker, told: list[tuple[list[Entry], Oracle | None]], found: Found) -> None:
    said: dict[int, dict[tuple[str, int], Told]] = {number: {} for number in range(len(told))}
    for topic in OUTCOMES:
        for number, records in read(broker, topic).items():
            for record in records:
                one = read_told(record.value or b"")
                said[number][one.lead, one.number] = one
    states = leads_in(broker)
    for number, (log, oracle) in enumerate(told):
        if oracle is None:
            continue
        mine = [said[number][key] for key in sorted(said[number])]
        wanted = sorted(oracle.outcomes, key=lambda one: (one.lead, one.number))
        found.mismatches += differences(wanted, mine)
        found.mismatches += _totals(oracle, log, states)
        found.leads += len(oracle.leads)
        found.outcomes += len(wanted)
        changes = [entry for entry in log if isinstance(entry, InForce)][1:]
        found.changes.update(ANNOUNCE[one.announce] for one in changes)


def silenced(logs: list[list[Entry]]) -> int:
    """Outcomes that are not told, of those that would be if all were."""
    silent = 0
    for log in logs:
        loud = [replace(one, announce=ANNOUNCE_ALL) if isinstance(one, InForce) else one for one in log]
        silent += len(told_by_oracle(loud).outcomes) - len(told_by_oracle(log).outcomes)
    return silent


def _totals(oracle: Oracle, log: list[Entry], states: dict[bytes, bytes]) -> list[str]:
    version = max(entry.version for entry in log if isinstance(entry, InForce))
    rules = build(encode_model(oracle.model), version)
    wrong = []
    for name in sorted(oracle.leads):
        lead = decode_lead(states[name.encode()])
        value, wanted = total(rules, lead, lead.clock), oracle.sum(name, lead.clock).total[0]
        if not isclose(value, wanted, abs_tol=ROUNDING):
            wrong.append(f"{name}: {value} points instead of {wanted}")
    return wrong
