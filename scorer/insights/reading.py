"""What insights take from a record: of an outcome topic, or of the lead log. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from scorer.domain.encoded import is_fact
from scorer.domain.lifecycle import NUMBERS
from scorer.domain.model import decode_model
from scorer.domain.partition import NO_RECORD
from scorer.domain.record import (
    ACCOUNT,
    Answer,
    Erase,
    Posting,
    Rules,
    decode_posted,
    decode_properties,
    decode_record,
)
from scorer.insights.words import DIMENSIONS, FIELDS, LONGEST
from scorer.wire.dead_letters import Rejected
from scorer.wire.registry import DISQUALIFIED, ERASED, LOG, MERGED, QUALIFIED, STAGE
from scorer.wire.times import milliseconds

TOPICS: Final = (LOG, QUALIFIED, DISQUALIFIED, STAGE, MERGED, ERASED)
"""What insights are made of."""
KIND_OF: Final = {
    QUALIFIED: "qualified",
    DISQUALIFIED: "disqualified",
    STAGE: "stage",
    MERGED: "merged",
    ERASED: "erased",
}
"""Outcome topic -> kind of outcome."""
_MOST: Final = 2**63
"""SQLite's integers are smaller."""
_NOTED: Final = frozenset({b"\x03", b"\x08", b"\x0a"})
"""Tags of ``Rules``, ``Answer`` and ``Erase``, as the second byte of a record."""
_TRACES: Final = frozenset(
    {field.rpartition("_")[2].rpartition(".")[2].encode() for fields in FIELDS.values() for field in fields}
)
"""One of these stands in the bytes of any properties that say a dimension."""


class Told(NamedTuple):
    """One outcome."""

    lead: str
    sequence: int
    """With the lead, the outcome's id."""
    kind: str
    """A value of ``KIND_OF``."""
    at: int
    """The lead's clock then, ms; of an erasure: what was received until then counts no more."""
    stage: str | None
    previous: str | None
    reason: str | None
    """The rule that decided; ``score`` for the total alone; of an erasure its request."""
    cause: str | None
    deal_stage: str | None
    total: float | None
    band: str | None
    owner: str | None
    into: str | None
    """The lead that this one has become part of."""


class Heard(NamedTuple):
    """A fact of the lead log."""

    lead: str
    at: int
    """Event time, ms."""
    received: int
    """ms."""
    product: str | None
    segment: str | None
    source: str | None


class Forgetting(NamedTuple):
    """A record of the lead log: the person is to be forgotten."""

    lead: str
    at: int
    """What was received until then (ms) counts no more."""
    blocked: bool
    """What comes later does not count either."""


class Moving(NamedTuple):
    """A record of the lead log: the lead is part of another from here on, and its facts are forwarded."""

    lead: str


class InForce(NamedTuple):
    """A record of the lead log: rules come into force."""

    version: int
    time_zone: str


Noted = Heard | Forgetting | Moving | InForce


class _Data(msgspec.Struct, gc=False):
    sequence: int
    stage: str | None = None
    previous: str | None = None
    reason: str | None = None
    cause: str | None = None
    deal_stage: str | None = None
    total: float | None = None
    band: str | None = None
    owner: str | None = None
    into: str | None = None
    request: str | None = None


class _Event(msgspec.Struct, gc=False):
    id: str
    type: str
    subject: str
    time: str
    data: _Data


_decode = msgspec.json.Decoder(_Event).decode


def told_of(topic: str, key: bytes | None, value: bytes | None) -> Told | None:
    """The outcome that a record of an outcome topic is; None: none of ours (anybody may write there)."""
    kind = KIND_OF[topic]
    try:
        event = _decode(value or b"")
        at = milliseconds(event.time)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Rejected):
        return None
    data, lead = event.data, event.subject
    ours = event.type == f"lead.{kind}" and event.id == f"{lead}:{data.sequence}" and key == lead.encode()
    complete = kind == "erased" or data.stage in NUMBERS
    if not ours or not complete or (kind == "merged") != bool(data.into) or not 0 < data.sequence < _MOST:
        return None
    reason = data.request if kind == "erased" else data.reason
    # fmt: off
    return Told(
        lead, data.sequence, kind, at, data.stage, data.previous, reason, data.cause, data.deal_stage,
        data.total, data.band, data.owner, data.into,
    )
    # fmt: on


def noted_of(key: bytes | None, value: bytes | None) -> Noted | None:
    """What a record of the lead log says that insights want to know; None: nothing."""
    if value is None or (key is not None and key.startswith(ACCOUNT)):
        return None
    try:
        if is_fact(value):
            return _heard(key, value)
        return _linking(key, value) if value[1:2] in _NOTED else None
    except NO_RECORD:
        return None  # the score agent has put it into the dead letters


def _heard(key: bytes | None, value: bytes) -> Heard | None:
    fact = decode_posted(value)
    if not key or not isinstance(fact, Posting):
        return None
    found: dict[str, str | None] = dict.fromkeys(DIMENSIONS)
    raw = bytes(fact.properties)
    if any(trace in raw for trace in _TRACES):  # most facts say none of them
        properties = decode_properties(raw)
        for name, fields in FIELDS.items():
            values = (_word(properties.get(field)) for field in fields)
            found[name] = next((word for word in values if word is not None), None)
    return Heard(key.decode(), fact.time, fact.received, **found)


def _linking(key: bytes | None, value: bytes) -> Noted | None:
    record = decode_record(value)
    if isinstance(record, Rules):
        return InForce(record.version, decode_model(record.model).time_zone)
    if not key:
        return None
    if isinstance(record, Erase):
        return Forgetting(key.decode(), record.at, record.blocked)
    if isinstance(record, Answer) and record.accepted:
        return Moving(key.decode())
    return None


def _word(value: Any) -> str | None:
    """A property as a dimension's value; lists and what is empty say nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = "".join(letter for letter in str(value)[: 2 * LONGEST] if letter.isprintable())
    return text.strip()[:LONGEST].strip() or None
