"""Rules changed again and again under score workers that are killed, beside the oracle on the same log."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import isclose
from typing import TYPE_CHECKING

import msgspec

from scorer.domain.lead import decode_lead
from scorer.domain.model import encode_model
from scorer.domain.reading import total
from scorer.domain.record import ANNOUNCE, ANNOUNCE_ALL, Doors
from scorer.domain.rules import build
from scorer.wire.registry import OUTCOMES
from tests.integration.score_running import (
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
from tests.reference.crossing import NearTieError
from tests.reference.log import About, Entry, InForce
from tests.reference.told import ROUNDING, Told, differences
from tests.reference.told import read as read_told

if TYPE_CHECKING:
    from pathlib import Path

    from scorer.broker import Broker
    from scorer.settings import Settings
    from tests.reference.oracle import Oracle

SLICES = 12
"""Parts in which the log is published, with something said in between by the first of the new workers."""
KILLS = (3, 5, 8)
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
    """Publish, kill, wait until all is scored, compare."""
    broker = make_topics(settings, partitions)
    logs = [story(number, seed, facts) for number in range(partitions)]
    records = [[(one.key, one.value or b"") for one in messages(log)] for log in logs]
    found = Found()
    with ExitStack() as stack:
        options = [
            Options(_of(settings, folder / str(number), f"w{number}"), cache_leads=5)
            for number in range(WORKERS)
        ]
        workers = [Worker(one, folder) for one in options]
        stack.callback(lambda: [one.kill() for one in workers])
        scored = 0
        for slice_ in range(SLICES):
            publish(broker, [part[_at(part, slice_) : _at(part, slice_ + 1)] for part in records])
            if slice_ in KILLS:
                before, scored = scored, _scored_beyond(broker, scored, workers)
                dying = found.kills % WORKERS
                workers[dying].kill()
                found.kills += scored > before
                workers[dying] = Worker(options[dying], folder)
        until(lambda: all_scored(broker), workers, "all is scored")
    _compare(broker, logs, found)
    return found


def _scored_beyond(broker: Broker, before: int, workers: list[Worker]) -> int:
    """Records scored, once that is more than ``before``: whoever dies now is at work."""
    until(lambda: _scored(broker) > before, workers, "something is scored")
    return _scored(broker)


def _scored(broker: Broker) -> int:
    return sum(max(position, 0) for position in scored_positions(broker).values())


def _at(part: list[object] | list[tuple[bytes | None, bytes]], slice_: int) -> int:
    return len(part) * slice_ // SLICES


def _of(settings: Settings, folder: Path, instance: str) -> Settings:
    return msgspec.structs.replace(settings, data_dir=folder, instance=instance)


def _compare(broker: Broker, logs: list[list[Entry]], found: Found) -> None:
    said: dict[int, dict[tuple[str, int], Told]] = {number: {} for number in range(len(logs))}
    for topic in OUTCOMES:
        for number, records in read(broker, topic).items():
            for record in records:
                one = read_told(record.value or b"")
                said[number][one.lead, one.number] = one
    states = leads_in(broker)
    for number, log in enumerate(logs):
        oracle = told_by_oracle(log)
        mine = [said[number][key] for key in sorted(said[number])]
        wanted = sorted(oracle.outcomes, key=lambda one: (one.lead, one.number))
        found.mismatches += differences(wanted, mine)
        found.mismatches += _totals(oracle, log, states)
        found.leads += len(oracle.leads)
        found.outcomes += len(wanted)
        changes = [entry for entry in log if isinstance(entry, InForce)][1:]
        found.changes.update(ANNOUNCE[one.announce] for one in changes)
        loud = told_by_oracle(
            [replace(one, announce=ANNOUNCE_ALL) if isinstance(one, InForce) else one for one in log]
        )
        found.silent += len(loud.outcomes) - len(wanted)


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
