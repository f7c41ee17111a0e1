"""A trial among changes of rules: it goes on, is replaced, ends, and half of it is completed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from scorer.domain.model import Model, Score, Threshold, encode_model
from scorer.domain.record import Rules, decode_record
from scorer.domain.rules import build
from scorer.errors import UserError
from scorer.rules_apply import apply
from scorer.rules_rebuild import rebuild
from scorer.shadows import promote, running, start, stop
from scorer.wire.registry import LOG, RULES
from tests.support.memory_broker import MemoryBroker

if TYPE_CHECKING:
    from scorer.broker import Broker
    from scorer.rules_rebuild import Bar


def model(enter: float) -> bytes:
    return encode_model(Model(name=f"{enter}", scores=(Score("fit"),), threshold=Threshold(enter, 1.0)))


@pytest.fixture
def kafka() -> MemoryBroker:
    return MemoryBroker(2)


@pytest.fixture
def broker(kafka: MemoryBroker) -> Broker:
    broker = cast("Broker", kafka)
    apply(broker, model(9))
    start(broker, model(5))
    return broker


def in_force(kafka: MemoryBroker) -> list[tuple[int, bytes, bytes | None]]:
    """(version, model, shadow) of the newest rules of each log partition."""
    found = []
    for part in kafka.topics[LOG]:
        records = [decode_record(value or b"") for _, value in part]
        newest = max((one for one in records if isinstance(one, Rules)), key=lambda one: one.version)
        both = build(newest.model)
        shadow = None if both.shadow is None else encode_model(both.shadow.model)
        found.append((newest.version, encode_model(both.model), shadow))
    return found


def test_outcomes_name_the_rules_in_force_whatever_is_tried(broker: Broker) -> None:
    live = running(broker)
    assert build(encode_model(live.live)).fingerprint == build(model(9)).fingerprint
    assert live.fingerprint == build(model(5)).fingerprint


def test_a_trial_goes_on_when_other_rules_come_into_force(kafka: MemoryBroker, broker: Broker) -> None:
    assert not apply(broker, model(7)).already
    assert in_force(kafka) == [(3, model(7), model(5))] * 2
    assert apply(broker, model(7)).already
    assert (running(broker).since, running(broker).version) == (2, 3)


def test_another_trial_takes_its_place_and_the_same_one_does_not_begin_again(
    kafka: MemoryBroker, broker: Broker
) -> None:
    assert start(broker, model(5)).already
    start(broker, model(6))
    assert in_force(kafka) == [(3, model(9), model(6))] * 2
    assert running(broker).since == 3


@pytest.mark.parametrize("how", ["promoted", "applied"])
def test_what_is_tried_comes_into_force_alone(kafka: MemoryBroker, broker: Broker, how: str) -> None:
    if how == "promoted":
        promote(broker, 1)
    else:
        apply(broker, model(5))
    assert in_force(kafka) == [(3, model(5), None)] * 2
    with pytest.raises(UserError, match="no rules are tried"):
        promote(broker, 1)


def test_a_stopped_trial_leaves_the_rules_as_they_were(kafka: MemoryBroker, broker: Broker) -> None:
    stop(broker)
    assert in_force(kafka) == [(3, model(9), None)] * 2


def test_half_a_start_is_completed_by_the_next(kafka: MemoryBroker) -> None:
    broker = cast("Broker", kafka)
    apply(broker, model(9))
    left = [1]

    def dies(topic: str, _: bytes | None) -> None:
        if topic == LOG:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1

    kafka.on_append = dies
    with pytest.raises(KeyboardInterrupt):
        start(broker, model(5))
    kafka.on_append = lambda *_: None
    assert [version for version, _, _ in in_force(kafka)] == [2, 1]
    done = start(broker, model(5))
    assert (done.already, done.completed) == (True, 2)
    assert in_force(kafka) == [(2, model(9), model(5))] * 2


def test_a_rebuild_waits_for_the_end_of_the_trial(broker: Broker) -> None:
    with pytest.raises(UserError, match="are tried beside") as told:
        rebuild(broker, model(7), 0, cast("Bar", None))
    assert "shadow stop" in (told.value.hint or "")


def test_where_nothing_is_in_force_nothing_can_be_tried() -> None:
    kafka = MemoryBroker(1)
    with pytest.raises(UserError, match="no rules are in force"):
        start(cast("Broker", kafka), model(5))
    assert kafka.topics[RULES] == [[]]
