"""What the engine says of a lead is what the schemas promise."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

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
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.sealing import LeadKey, Sealer, new_key
from scorer.worker.opening import Opener
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


def run(*records: Record | tuple[str, dict[str, str]], intake: Intake = INTAKE) -> LogPartition:
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
                Message(
                    offset, *intake(topic, json.dumps(event | {"data": data}).encode(), RECEIVED + offset)[0]
                )
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


class OneKey:
    """In the place of a ``KeyTable``, and of what intake makes keys with."""

    def __init__(self) -> None:
        self.key = new_key(b"lead-17")

    def key_of(self, lead: bytes) -> LeadKey:
        return self.key

    def find(self, lead: bytes, key_id: bytes) -> bytes | None:
        return self.key.key if (lead, key_id) == (self.key.lead, self.key.id) else None


def test_an_opened_outcome_says_who_the_lead_was_then_and_fits_its_schema() -> None:
    key, who = OneKey(), Identity("secret")
    sealer = Sealer(["email", "name"], key, who.names_somebody)
    partition = run(
        Doors(1, [Door(1, 1, "activity.email.v1", 0)]),
        Rules(1, fingerprint(MODEL), MODEL),
        through(RECEIVED),
        ("email.replied", {"email": "anna@example.com", "name": "Anna"}),
        ("profile.updated", {"name": "Anna Example"}),
        ("profile.updated", {"role": "student", "phone": "1"}),
        intake=Intake(who, REGISTRY.max_log_bytes, REGISTRY, sealer),
    )
    opener = Opener(("email", "name"), key)  # type: ignore[arg-type]
    said: list[tuple[str, Any]] = []
    for one in partition.outcomes:
        opened, missing = opener(one)
        assert missing == 0
        assert schema_accepts(opened.topic, opened.value)
        event = json.loads(opened.value)
        said.append((event["type"], event["data"].pop("person")))
        assert event == json.loads(one.value), "and nothing else is changed"
    assert said == [
        ("lead.qualified", {"email": "anna@example.com", "name": "Anna"}),
        ("lead.disqualified", {"email": "anna@example.com", "name": "Anna Example"}),
    ]
