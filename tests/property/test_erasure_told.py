"""What consumers are told of an erasure is what holds."""

from __future__ import annotations

import random

import msgspec

from scorer.wire.registry import ERASED
from tests.property.people import Log, draw
from tests.property.test_erasure import HALF, erase, take_in


def test_a_block_is_told_for_as_long_as_it_holds() -> None:
    log = Log(random.Random(1))
    said = [one for one in draw(random.Random(5), 1, 30) if one.person == 0]
    take_in(log, enumerate(said, 1), crashes=False)
    log.settle()
    key = said[0].lead
    erase(log, key, HALF, blocked=True)
    log.settle()
    erase(log, key, HALF + 1)
    log.settle()
    lead = log.held(key)
    assert lead is not None
    assert lead.links is not None
    assert lead.links.blocked
    told = [
        one for life in log.lives for one in life.partition.outcomes if (one.topic, one.key) == (ERASED, key)
    ]
    assert [msgspec.json.decode(one.value)["data"]["blocked"] for one in told] == [True, True]
