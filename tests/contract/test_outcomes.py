"""What the engine says of a lead is what the schemas promise."""

from __future__ import annotations

import json
from typing import NamedTuple

from scorer.domain.clock import pack
from scorer.domain.model import (
    Award,
    Compare,
    Disqualification,
    Fixed,
    HalfLife,
    Matcher,
    Model,
    Score,
    encode_model,
    fingerprint,
)
from scorer.domain.outcomes import score_view
from scorer.domain.partition import LogPartition
from scorer.domain.record import Clock, Door, Doors, Record, Rules, encode_record
from scorer.domain.state import PartitionState
from tests.contract.messages import INTAKE, RECEIVED, REGISTRY, schema_accepts

MODEL = encode_model(
    Model(
        name="contract",
        scores=(Score("fit"), Score("engagement")),
        awards=(
            Award("replied", "engagement", Matcher(("email.replied",)), Fixed(25), decay=HalfLife(3_600_000)),
        ),
        disqualifications=(
            Disqualification("students", Compare("role", "equals", ("student",)), "a student"),
        ),
    )
)


class Message(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes


def run(*records: Record | tuple[str, dict[str, str]]) -> LogPartition:
    """A log partition after control records and events of one lead."""
    messages = []
    for offset, record in enumerate(records):
        if isinstance(record, tuple):
            kind, data = record
            event = {
                "specversion": "1.0",
                "id": str(offset),
                "source": "/",
                "type": kind,
                "subject": "lead-17",
            }
            topic = next(door.name for door in REGISTRY.doors if door.type_matcher()(kind))
            messages.append(
                Message(offset, *INTAKE(topic, json.dumps(event | {"data": data}).encode(), RECEIVED)[0])
            )
        else:
            messages.append(Message(offset, None, encode_record(record)))
    partition = LogPartition(PartitionState(), {}, lambda _: None)
    partition.apply(messages)
    return partition


def through(time: int) -> Clock:
    return Clock(pack({1: time}))


def test_outcomes_and_views_fit_their_schemas() -> None:
    partition = run(
        Doors(1, [Door(1, 1, "activity.email.v1", 0)]),
        Rules(1, fingerprint(MODEL), MODEL),
        through(RECEIVED),
        ("email.replied", {}),
        through(RECEIVED + 24 * 3_600_000),
        ("profile.updated", {"role": "student"}),
    )
    told = [(said.topic, json.loads(said.value)["data"]["cause"]) for said in partition.outcomes]
    assert told == [
        ("lead.qualified.v1", "activity"),
        ("lead.disqualified.v1", "time"),
        ("lead.disqualified.v1", "activity"),
    ]
    for said in partition.outcomes:
        assert schema_accepts(said.topic, said.value)
        assert json.loads(said.value)["type"] in REGISTRY.topics[said.topic].types
        assert said.key == b"lead-17"
    lead = partition.get(b"lead-17")
    assert lead is not None
    assert schema_accepts("lead.score.v1", score_view(partition.rules, "lead-17", lead))
