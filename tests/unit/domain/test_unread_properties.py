"""A fact's properties are decoded where a rule wants to see them, and nowhere else."""

from __future__ import annotations

import msgspec
import pytest

from scorer.domain import clock
from scorer.domain.model import Award, Compare, Fixed, Matcher, Model, OncePerObject, Score, encode_model
from scorer.domain.partition import LogPartition
from scorer.domain.record import Clock, Door, Doors, Rules, encode_record
from scorer.domain.state import PartitionState
from tests.worker.score_world import Message

NOW = 1_800_000_000_000
OPENED = Matcher(("email.opened",))
BLIND = Award("opened", "engagement", OPENED, Fixed(3.0))
LOOKING = (
    Award(
        "nurture",
        "engagement",
        Matcher(("email.opened",), Compare("kind", "equals", ("nurture",))),
        Fixed(3.0),
    ),
    Award("fewer", "engagement", Matcher(("email.opened",), Compare("kind", "below", (3,))), Fixed(3.0)),
    Award("once", "engagement", OPENED, Fixed(3.0), limit=OncePerObject("kind")),
)


def scored(award: Award, properties: object) -> LogPartition:
    """A partition that has read one e-mail with these properties."""
    model = encode_model(Model(name="m", scores=(Score("engagement"),), awards=(award,)))
    fact = msgspec.msgpack.encode([0, "email.opened", NOW, NOW, 0, -1, b"12345678", "id", "/t", properties])
    values = [
        (None, encode_record(Doors(1, [Door(1, 0, "activity.email.v1", 0)]))),
        (None, encode_record(Rules(1, "0" * 16, model))),
        (None, encode_record(Clock(clock.pack({1: NOW})))),
        (b"lead-1", fact),
    ]
    partition = LogPartition(PartitionState(), {}, lambda _: None)
    partition.apply([Message(offset, key, value) for offset, (key, value) in enumerate(values)])
    return partition


@pytest.mark.parametrize("award", LOOKING, ids=lambda award: award.id)
def test_what_a_rule_looks_at_must_be_a_map(award: Award) -> None:
    partition = scored(award, ["no", "map"])
    assert [(letter.offset, letter.reason) for letter in partition.dead] == [(3, "undecodable")]
    assert partition.leads == {}
    assert partition.state.position == 4


@pytest.mark.parametrize("award", LOOKING, ids=lambda award: award.id)
def test_what_a_rule_looks_at_is_decoded(award: Award) -> None:
    partition = scored(award, {"kind": "nurture"})
    assert partition.dead == []
    assert bool(partition.leads[b"lead-1"].masses) == (award.id != "fewer")


def test_what_no_rule_looks_at_is_not_even_decoded() -> None:
    partition = scored(BLIND, ["no", "map"])
    assert partition.dead == []
    assert partition.leads[b"lead-1"].masses
