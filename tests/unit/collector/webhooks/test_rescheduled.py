"""What webhooks are worth under the default rules: through the source, intake and the engine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from scorer.domain.record import Fact, decode_record
from scorer.rulefile import require
from tests.contract.messages import INTAKE
from tests.support.story import DAY, Event, score_of
from tests.unit.collector.webhooks.signing import RECEIVED, payload, signed, source

MODEL = require(Path(__file__).parents[4] / "rules" / "default.yaml")
BEGAN = 1793527200000
"""2026-11-01T10:00:00Z, before anything in the payloads."""
BOOKED, CANCELED, MOVED_AWAY, MOVED_TO = "created", "canceled", "moved-canceled", "moved-created"


def story(kind: str, names: Iterable[str]) -> list[Event]:
    """What the log hears of the payloads, in their order."""
    told: list[Event] = []
    for name in names:
        for item in source(kind).read(signed(kind, payload(kind, name))).items:
            for made in item.activities:
                fact = decode_record(INTAKE(made.topic, msgspec.json.encode(made.event), RECEIVED)[0][1])
                assert isinstance(fact, Fact)
                told.append(Event(fact.type, (fact.time - BEGAN) / DAY, fact.properties))
    return told


def points(kind: str, *names: str) -> dict[str, float]:
    """By rule, at the instant of the last of them; nothing has faded by as much as a tenth of a point."""
    return {name: round(value, 1) for name, value in score_of(MODEL, story(kind, names)).rules.items()}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((BOOKED,), {"Call booked": 20}),
        ((BOOKED, CANCELED), {"Call booked": 20, "Call or demo cancelled": -10}),
        ((BOOKED, MOVED_AWAY, MOVED_TO), {"Call booked": 20}),
        # Webhooks overtake one another.
        ((BOOKED, MOVED_TO, MOVED_AWAY), {"Call booked": 20}),
        ((MOVED_TO, MOVED_AWAY), {}),
    ],
)
def test_a_call_that_is_moved_neither_gains_nor_loses(
    names: tuple[str, ...], expected: dict[str, float]
) -> None:
    assert points("calendly", *names) == expected


def test_machine_opens_score_nothing_and_readers_do() -> None:
    assert points("sendgrid", "machine-open") == {}
    assert points("mailgun", "machine-open") == {}
    assert points("mailgun", "opened") == {"E-mail opened": 3}
    assert points("postmark", "open") == {"E-mail opened": 3}


def test_an_open_within_the_second_of_its_delivery_is_a_machines() -> None:
    assert points("postmark", "delivery", "open") == {"E-mail opened": 3}
    delivered, *_ = story("postmark", ["delivery"])
    opened, *_ = story("postmark", ["open"])
    at_once = opened._replace(day=delivered.day + 500 / DAY)
    assert score_of(MODEL, [delivered, at_once]).rules == {}
