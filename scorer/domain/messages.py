"""The shape of what the system says of a lead: CloudEvents 1.0, structured JSON. Encoded, never decoded."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, gc=False):
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: OutcomeData | ViewData


class Contribution(msgspec.Struct, gc=False):
    rule: str
    points: float


class OutcomeData(msgspec.Struct, gc=False):
    sequence: int
    total: float
    parts: dict[str, float]
    band: str
    stage: str
    reason: str
    """The rule that decided; ``score`` for the total alone."""
    cause: str
    """``activity``, ``time``, ``rules`` or ``import``: what made it so."""
    deal_stage: str | None
    top: list[Contribution]
    rules: str
    """Fingerprint of the rules in force."""


class ViewData(msgspec.Struct, gc=False):
    total: float
    parts: dict[str, float]
    band: str
    stage: str
    sequence: int
    log_offset: int
    """The last record of the lead log that this score has taken in."""
    rules: str


encode_event = msgspec.json.Encoder().encode
