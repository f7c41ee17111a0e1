"""Invented leads: what the log and the outcome topics say of them, partition by partition."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from scorer.domain.lifecycle import STAGES
from scorer.insights.reading import KIND_OF, TOPICS, Forgetting, Heard, InForce, Moving, Noted, Told
from scorer.wire.registry import LOG

DAY = 86_400_000
TOPIC_OF = {kind: topic for topic, kind in KIND_OF.items()}
PARTITIONS = 2

Topics = dict[tuple[str, int], list[Told | Noted]]
"""(topic, partition) -> its records in order."""


class _Lead:
    def __init__(self, name: str, at: int) -> None:
        self.name, self.at = name, at
        self.sequence, self.stage = 0, "Open"
        self.erased_at, self.blocked, self.moved = 0, False, False
        self.records = 0


class Story(NamedTuple):
    topics: Topics
    ends: int
    """ms; nothing happens later."""


def tell(seed: int, leads: int = 12, steps: int = 150, began: int = 1_761_000_000_000) -> Story:
    """A month and more around the end of October, when clocks change in Europe."""
    rng = random.Random(seed)
    topics: Topics = {(topic, number): [] for topic in TOPICS for number in range(PARTITIONS)}
    for number in range(PARTITIONS):
        topics[LOG, number].append(InForce(1, "Europe/Berlin"))
    everybody = [_Lead(f"lead-{number}", began + rng.randrange(5 * DAY)) for number in range(leads)]
    for _ in range(steps):
        _step(rng, rng.choice(everybody), everybody, topics)
    return Story(topics, max(lead.at for lead in everybody) + DAY)


def _step(rng: random.Random, lead: _Lead, everybody: Sequence[_Lead], topics: Topics) -> None:
    lead.at += rng.choice((0, 1, 3_600_000, rng.randrange(4 * DAY)))
    number = int(lead.name.split("-")[1]) % PARTITIONS
    log = topics[LOG, number]
    chance = rng.random()
    if chance < 0.35 or not lead.records:
        late = rng.random() < 0.2
        received = lead.erased_at if late and lead.erased_at else lead.at
        said = [rng.choice((None, None, "x", "y")) for _ in range(3)]
        event_time = lead.at - (rng.randrange(9 * DAY) if rng.random() < 0.1 else 0)
        log.append(Heard(lead.name, event_time, received, *said))
        if received > lead.erased_at and not lead.blocked and not lead.moved:
            lead.records += 1
    elif chance < 0.41:
        lead.at += 1
        blocked = rng.random() < 0.2
        log.append(Forgetting(lead.name, lead.at, blocked))
        lead.erased_at, lead.blocked, lead.moved = lead.at, lead.blocked or blocked, False
        lead.stage, lead.records = "Open", 0
        _say(lead, topics, number, "erased", stage=None, previous=None, reason="request", cause=None)
    elif lead.moved or lead.blocked:
        return
    elif chance < 0.46:
        others = [one for one in everybody if one is not lead and not one.moved and not one.blocked]
        target = rng.choice(others) if others else None
        if target is not None and target.name > lead.name:  # never in a circle
            lead.at = max(lead.at, target.at)
            target.at = lead.at + 1
            log.append(Moving(lead.name))
            lead.moved = True
            _say(lead, topics, number, "merged", stage=lead.stage, reason="merge", into=target.name)
    elif chance < 0.65:
        _move(rng, lead, topics, number, "qualified", "Qualified", "score")
    elif chance < 0.75:
        _move(rng, lead, topics, number, "disqualified", "Open", "score")
    elif chance < 0.82:
        _move(rng, lead, topics, number, "disqualified", "Unqualified", rng.choice(("students", "score")))
    else:
        _move(rng, lead, topics, number, "", rng.choice(STAGES), "rule")


def _move(
    rng: random.Random, lead: _Lead, topics: Topics, number: int, kind: str, stage: str, reason: str
) -> None:
    previous, lead.stage = lead.stage, stage
    if kind:
        _say(lead, topics, number, kind, stage=stage, reason=reason)
    if previous != stage and rng.random() < 0.9:  # rule files without stages tell none
        _say(lead, topics, number, "stage", stage=stage, previous=previous, reason=reason)


def _say(
    lead: _Lead,
    topics: Topics,
    number: int,
    kind: str,
    *,
    stage: str | None,
    reason: str,
    previous: str | None = None,
    cause: str | None = "activity",
    into: str | None = None,
) -> None:
    lead.sequence += 1
    told = Told(
        lead.name, lead.sequence, kind, lead.at, stage, previous, reason, cause, None, 1.5, "warm", None, into
    )
    topics[TOPIC_OF[kind], number].append(told)


def repeated(rng: random.Random, topics: Topics) -> Topics:
    """As delivered at least once: stretches of outcomes come again, later on."""
    found: Topics = {}
    for (topic, number), records in topics.items():
        found[topic, number] = list(records)
        if topic != LOG and records:
            for _ in range(rng.randrange(3)):
                first = rng.randrange(len(records))
                again = records[first : first + rng.randrange(1, 5)]
                least = first + len(again)
                place = rng.randrange(least, len(found[topic, number]) + 1)
                found[topic, number][place:place] = again
    return found


def by_lead(topics: Topics) -> dict[str, list[Told]]:
    """Every outcome once, each lead's in order."""
    found: dict[str, dict[int, Told]] = defaultdict(dict)
    for (topic, _), records in topics.items():
        if topic != LOG:
            for record in records:
                assert isinstance(record, Told)
                found[record.lead][record.sequence] = record
    return {lead: [told[number] for number in sorted(told)] for lead, told in found.items()}
