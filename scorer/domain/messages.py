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
    data: Data


class Contribution(msgspec.Struct, gc=False):
    rule: str
    points: float


class OutcomeData(msgspec.Struct, gc=False, omit_defaults=True):
    """Fields that the rules don't use are left out."""

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
    grades: dict[str, str] | None = None
    """Score -> what its value is called."""
    cell: str | None = None
    """Of the matrix of two grades."""
    previous: str | None = None
    """The stage before this one."""
    lifecycle: str | None = None
    """``lead``, ``MQL``, ``SAL``, ``SQL`` or ``customer``."""
    follow_up: str | None = None
    """The follow-up rule that chose the next three."""
    owner: str | None = None
    due: str | None = None
    """A day in the model's time zone: 2026-12-01."""
    next_step: str | None = None
    into: str | None = None
    """The lead that this one has become part of."""


class ViewData(msgspec.Struct, gc=False, omit_defaults=True):
    total: float
    parts: dict[str, float]
    band: str
    stage: str
    sequence: int
    log_offset: int
    """The last record of the lead log that this score has taken in."""
    rules: str
    grades: dict[str, str] | None = None
    cell: str | None = None
    lifecycle: str | None = None
    machine_opens: int = 0
    """Opens and clicks so far that were a machine's, and count as no reader's."""


class IdentityData(msgspec.Struct, gc=False):
    into: str | None
    """The lead that this one has become part of; null: it stands for itself."""
    members: list[str]
    """Those that have become part of this one."""
    refused: list[str]
    """Those that were said to be the same person and, by the limits, are not."""


class AccountMember(msgspec.Struct, gc=False):
    lead: str
    points: float


class AccountData(msgspec.Struct, gc=False):
    sequence: int
    score: float
    people: int
    """Members that count."""
    top: list[AccountMember]
    """Those that count most, the most first."""
    cause: str
    """``activity``, ``time`` or ``rules``: what made it so."""
    rules: str


class AccountViewData(msgspec.Struct, gc=False):
    score: float
    people: int
    top: list[AccountMember]
    stage: str
    """``Open`` or ``Qualified``."""
    sequence: int
    log_offset: int
    """The last record of the lead log that this score has taken in."""
    rules: str


class ErasedData(msgspec.Struct, gc=False):
    sequence: int
    request: str
    """What asked for it, as in the receipt."""
    blocked: bool
    """What comes of the person later does not count either."""


Data = OutcomeData | ViewData | IdentityData | ErasedData | AccountData | AccountViewData
encode_event = msgspec.json.Encoder().encode
