"""A lead's story told to the engine, the way a log partition hears it: facts, and a clock between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from scorer.domain import clock
from scorer.domain.ledger import ledger
from scorer.domain.model import Model, encode_model, fingerprint
from scorer.domain.outcomes import score_view
from scorer.domain.partition import LogPartition
from scorer.domain.record import (
    PROFILE_UPDATED,
    Clock,
    Door,
    Doors,
    Fact,
    Record,
    Rules,
    encode_record,
)
from scorer.domain.state import PartitionState
from scorer.wire.registry import STAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

BEGAN = 1_800_000_000_000  # Friday 2027-01-15 08:00 UTC
DAY = 86_400_000
LEAD = b"lead-17"
DOOR = Door(1, 0, "activity.email.v1", 0)


class Event(NamedTuple):
    """``day``: days after the story began."""

    type: str
    day: float
    properties: dict[str, Any]


def did(type_: str, /, day: float = 0, **properties: Any) -> Event:
    """An activity."""
    return Event(type_, day, properties)


def known(day: float = 0, /, **attributes: Any) -> Event:
    """A profile update; None removes an attribute."""
    return Event(PROFILE_UPDATED, day, attributes)


@dataclass(frozen=True)
class Scored:
    """A lead at the end of a story."""

    total: float
    parts: dict[str, float]
    rules: dict[str, float]
    """Points by rule, those without any left out."""
    band: str
    stage: str
    outcomes: list[dict[str, Any]]
    """Qualified and disqualified: ``type`` without ``lead.``, ``day`` on which it was so, and the data."""
    stages: list[str]
    """Those it came to."""


class _Message(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes


def score_of(model: Model, story: Iterable[Event], until: float | None = None) -> Scored:
    """The lead's score once the doors have been read through day ``until`` (default: the last event)."""
    partition = LogPartition(PartitionState(), {}, {}.get)
    log: list[_Message] = []

    def append(record: Record, key: bytes | None = None) -> None:
        log.append(_Message(len(log), key, encode_record(record)))

    encoded = encode_model(model)
    append(Doors(1, [DOOR]))
    append(Rules(1, fingerprint(encoded), encoded))
    last = BEGAN
    for number, event in enumerate(story):
        last = max(last, _instant(event.day))
        append(Clock(clock.pack({DOOR.number: last})))
        append(_fact(number, event), LEAD)
    if until is not None:
        last = max(last, _instant(until))
    # The clock is past the grace, so that everything due by then has happened.
    append(Clock(clock.pack({DOOR.number: last + model.grace})))
    partition.apply(log)
    lead = partition.get(LEAD)
    assert lead is not None, "a story without events"
    assert not partition.dead
    lines: dict[str, float] = {}
    for line in ledger(partition.rules, lead, max(last, lead.clock)):
        lines[line.rule] = lines.get(line.rule, 0.0) + line.value
    lead.clock = max(last, lead.clock)
    view = msgspec.json.decode(score_view(partition.rules, LEAD.decode(), lead))["data"]
    return Scored(
        total=view["total"],
        parts=view["parts"],
        rules={rule: points for rule, points in lines.items() if points},
        band=view["band"],
        stage=view["stage"],
        outcomes=[_outcome(one.value) for one in partition.outcomes if one.topic != STAGE],
        stages=[_outcome(one.value)["stage"] for one in partition.outcomes if one.topic == STAGE],
    )


def _instant(day: float) -> int:
    return BEGAN + round(day * DAY)


def _fact(number: int, event: Event) -> Fact:
    at = _instant(event.day)
    digest = number.to_bytes(8, "big")
    return Fact(event.type, at, at, DOOR.number, number, digest, f"e{number}", "/story", event.properties)


def _outcome(value: bytes) -> dict[str, Any]:
    event = msgspec.json.decode(value)
    day = (datetime.fromisoformat(event["time"]).timestamp() * 1000 - BEGAN) / DAY
    return {"type": event["type"].removeprefix("lead."), "day": round(day, 6), **event["data"]}
