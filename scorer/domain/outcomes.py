"""What the system says of a lead: outcomes, and the view of its score. CloudEvents 1.0, structured JSON.

An outcome's bytes depend on the lead's own records and the rules alone, so a replay repeats them to
the byte and a consumer that remembers the last sequence number hears each of them once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from scorer.domain.lead import DISQUALIFIED, QUALIFIED, Lead
from scorer.domain.ledger import ledger
from scorer.domain.model import Disqualification
from scorer.domain.reading import clamp, parts, weigh
from scorer.domain.rules import RuleSet

LEAD_QUALIFIED, LEAD_DISQUALIFIED, LEAD_SCORE = "lead.qualified", "lead.disqualified", "lead.score"
SOURCE = "scorer"
BELOW_EXIT = "score"
"""Reason of a disqualification by the total alone."""
TOP = 5
"""Contributions that an outcome names."""
DIGITS = 6
"""Decimals of points in messages."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Outcome(NamedTuple):
    topic: str
    """Registry name: ``lead.qualified.v1`` or ``lead.disqualified.v1``."""
    key: bytes
    """The lead id."""
    value: bytes


class _Event(msgspec.Struct):
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: object


class _Contribution(msgspec.Struct):
    rule: str
    points: float


class _OutcomeData(msgspec.Struct):
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
    top: list[_Contribution]
    rules: str
    """Fingerprint of the rules in force."""


class _ViewData(msgspec.Struct):
    total: float
    parts: dict[str, float]
    band: str
    stage: str
    sequence: int
    log_offset: int
    """The last record of the lead log that this score has taken in."""
    rules: str


def outcome(
    rules: RuleSet, lead: Lead, lead_id: str, kind: str, cause: str, reason: Disqualification | None
) -> Outcome:
    """Emit: raises the lead's sequence number and reads its points at its clock."""
    lead.seq += 1
    total, by_score = _points(rules, lead)
    lines = sorted(ledger(rules, lead, lead.clock), key=lambda line: (-abs(line.value), line.rule))
    data = _OutcomeData(
        sequence=lead.seq,
        total=total,
        parts=by_score,
        band=band(rules, lead),
        stage=stage(lead),
        reason=BELOW_EXIT if reason is None else reason.id,
        cause=cause,
        deal_stage=None if reason is None else reason.deal_stage,
        top=[_Contribution(line.rule, _round(line.value)) for line in lines[:TOP]],
        rules=rules.fingerprint,
    )
    event = _event(f"{lead_id}:{lead.seq}", kind, lead_id, lead.clock, data)
    return Outcome(f"{kind}.v1", lead_id.encode(), _encode(event))


def score_view(rules: RuleSet, lead_id: str, lead: Lead) -> bytes:
    """The value of ``lead.score.v1``: the latest score, its parts, band and stage, at the lead's clock."""
    total, by_score = _points(rules, lead)
    data = _ViewData(
        total=total,
        parts=by_score,
        band=band(rules, lead),
        stage=stage(lead),
        sequence=lead.seq,
        log_offset=lead.fence,
        rules=rules.fingerprint,
    )
    return _encode(_event(f"{lead_id}@{lead.fence}", LEAD_SCORE, lead_id, lead.clock, data))


def band(rules: RuleSet, lead: Lead) -> str:
    """The lead's temperature."""
    for name, holds in rules.bands:
        if holds(lead, lead.judged):
            return name
    return rules.model.coldest


def stage(lead: Lead) -> str:
    """The stage's name; the engine knows three of them so far."""
    if lead.status == QUALIFIED:
        return "Qualified"
    return "Unqualified" if lead.status == DISQUALIFIED else "Open"


def _points(rules: RuleSet, lead: Lead) -> tuple[float, dict[str, float]]:
    values = parts(rules, lead, lead.clock)
    total = clamp(weigh(rules, values), rules.model.floor, rules.model.cap)
    return _round(total), {name: _round(values[index]) for name, index in rules.score_index.items()}


def _round(points: float) -> float:
    return round(points, DIGITS) + 0.0  # the sum turns -0.0 into 0.0


def _event(id_: str, kind: str, lead_id: str, at: int, data: object) -> _Event:
    return _Event("1.0", id_, SOURCE, kind, lead_id, instant(at), "application/json", data)


def instant(at: int) -> str:
    """An instant in ms since 1970 as RFC 3339 in UTC, with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
