"""The stored form of a lead: every field comes back, and equal leads give equal bytes."""

from __future__ import annotations

import msgspec
import pytest

from scorer.domain.lead import (
    Attribute,
    Lead,
    NewerFormat,
    Shadow,
    decode_lead,
    encode_lead,
    new_lead,
    stored,
)
from scorer.domain.links import Links, stored_links

ATTRIBUTES: dict[str, Attribute] = {
    "job": (300, "CEO"),
    "city": (301, None),
    "tags": (302, ["a", 1, True]),
}


def _shadow() -> Lead:
    lead = new_lead()
    lead.clock, lead.masses, lead.attributes = 6, {31: 0.25}, dict(ATTRIBUTES)
    return lead


FULL = Lead(
    1,
    2,
    3,
    4,
    1,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    [1.5, -2.0],
    {21: 0.5},
    {22: {20_000: 1.0}},
    (22,),
    {23: [100, 200]},
    {23: 50},
    {24: b"limit"},
    (25, 26),
    ATTRIBUTES,
    b"\0" * 12,
    3,
    2,
    13,
    14,
    15,
    {b"mail": 400},
    [(b"mail", b"link", 500, {"link": "/a"})],
    Links(
        b"u_1",
        [b"a_1", b"e_1"],
        b"u_2",
        [(b"a_2", [b"a_2", b"a_3"], b"u_1", 0), (b"e_2", None, b"", 9)],
        {b"u_3": 4},
        [(b"a_4", 5, b"state")],
        [b"a_5"],
        600,
        True,
        [b"a_6"],
        (b"u_2", "request"),
    ),
    {"email": (700, b"sealed")},
    (800, "acme", 801, "example.com"),
    (9, "acme", 12.5, 900),
    Shadow("5ad0", _shadow(), True, 1, 2, 1_000, 3, 4, 1_001),
)


def test_every_field_of_a_lead_is_stored_and_loaded() -> None:
    loaded = decode_lead(encode_lead(FULL))
    assert stored_links(loaded.links) == stored_links(FULL.links)
    for name in set(Lead.__slots__) - {"links", "shadow"}:
        assert getattr(loaded, name) == getattr(FULL, name), name
    assert loaded.shadow is not None
    assert FULL.shadow is not None
    assert stored(loaded.shadow.lead) == stored(FULL.shadow.lead)
    for name in set(Shadow.__slots__) - {"lead"}:
        assert getattr(loaded.shadow, name) == getattr(FULL.shadow, name), name
    assert len(stored(FULL)) == 1 + len(Lead.__slots__)


def test_no_field_is_mistaken_for_another() -> None:
    blank = new_lead(generation=5, milestone=7)
    assert (blank.fence, blank.generation, blank.milestone) == (-1, 5, 7)
    differing = [name for name in Lead.__slots__ if getattr(blank, name) != getattr(FULL, name)]
    assert sorted(differing) == sorted(Lead.__slots__)
    assert encode_lead(decode_lead(encode_lead(blank))) == encode_lead(blank)


def test_a_state_of_a_later_version_is_told_from_rubbish() -> None:
    fields = msgspec.msgpack.decode(encode_lead(FULL))
    with pytest.raises(NewerFormat, match="format 7"):
        decode_lead(msgspec.msgpack.encode([7, *fields[1:], "more"]))
    for rubbish in ([*fields, 1], [0, *fields[1:]], [], {}, "text"):
        with pytest.raises(msgspec.MsgspecError):
            decode_lead(msgspec.msgpack.encode(rubbish))
