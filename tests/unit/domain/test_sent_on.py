"""A fact that is sent on says the same from another place."""

from __future__ import annotations

import random

import msgspec
import pytest

from scorer.domain.encoded import encode_number, sent_on
from scorer.domain.record import Fact, decode_record, encode_record

EDGES = (0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**32, 1_800_000_000_000, 2**63)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 255, 256, 65_535, 65_536])
def test_whatever_its_heading_the_rest_stays_as_it_is(length: int) -> None:
    chance = random.Random(length)
    for _ in range(300):
        time, received, door, offset, hop, place = (chance.choice(EDGES) for _ in range(6))
        if chance.random() < 0.3:
            time = -chance.choice((1, 32, 33, 128, 129, 40_000, 2**31, 2**40))
        properties = {"page": "/a", "seconds": 1.5} if chance.random() < 0.5 else {}
        fact = Fact(
            "ü" * (length // 2) + "x" * (length % 2),
            time,
            received,
            door,
            offset,
            b"12345678",
            "id",
            "/shop",
            properties,
            chance.choice((None, b"sealed")),
            chance.choice((None, "@acme.example")),
        )
        encoded = sent_on(encode_record(fact), encode_number(hop), encode_number(place))
        assert encoded == encode_record(msgspec.structs.replace(fact, door=hop, offset=place))
        assert decode_record(encoded) == msgspec.structs.replace(fact, door=hop, offset=place)
