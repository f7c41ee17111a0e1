"""Why a lead stands where it does: every line of its score at an instant, and what time alone does next."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from scorer.domain.engine import fire
from scorer.domain.lead import (
    DISQUALIFIED,
    OPEN,
    QUALIFIED,
    RESTING,
    SPENT,
    Lead,
    copy_of,
)
from scorer.domain.ledger import ledger
from scorer.domain.lifecycle import LIFECYCLE
from scorer.domain.outcomes import Outcome, band, grades, instant, stage
from scorer.domain.reading import parts, total
from scorer.domain.rules import RuleSet, build_model

STATUS: Final = {
    OPEN: "open",
    QUALIFIED: "qualified",
    DISQUALIFIED: "disqualified",
    RESTING: "with sales",
    SPENT: "sent back",
}
FORESEEN: Final = 3
"""Outcomes that are looked for."""
AHEAD: Final = 400 * 86_400_000
"""ms for which they are."""
STEPS: Final = 2_000
"""Timers that are gone through for them, most of which change nothing that is told."""


class Contribution(msgspec.Struct, frozen=True, gc=False):
    """A line of the ledger: see ``scorer.domain.ledger.Line``."""

    rule: str
    detail: str
    score: str
    grants: float
    points: float


class Coming(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An outcome that time alone brings about, if nothing happens until then."""

    time: str
    """RFC 3339, like all instants here."""
    type: str
    reason: str
    total: float
    stage: str = ""


class InForce(msgspec.Struct, frozen=True, gc=False):
    """The rules by which the lead is scored."""

    name: str
    version: int
    fingerprint: str


class Read(msgspec.Struct, frozen=True, gc=False):
    """How much of the lead log is in it."""

    partition: int
    offset: int
    """Of the last record that changed the lead."""
    clock: str
    """How far all doors have been read."""


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    lead: str
    at: str
    """The instant at which it stands so."""
    total: float
    """The sum of the ledger's points."""
    enter: float
    exit: float
    parts: dict[str, float]
    """Score -> its value, before its weight."""
    status: str
    band: str
    stage: str
    sequence: int
    """Outcomes told so far."""
    ledger: list[Contribution]
    next: list[Coming]
    """What time alone brings about, the first three of it."""
    foreseen: str
    """The instant up to which that has been looked for."""
    rules: InForce
    log: Read
    grades: dict[str, str] | None = None
    cell: str | None = None
    lifecycle: str | None = None
    disqualified_by: str | None = None
    """The rule."""
    account: str | None = None
    """The company in which the lead counts."""
    machine_opens: int = 0
    importing: bool = False
    """An import that is not complete has changed the lead: it is judged at the import's end."""
    members: list[str] = []
    """Leads that have become part of this one."""
    asked: str | None = None
    """The id that was asked for, where it has become part of this lead."""
    shadow: Explanation | None = None
    """The same under the rules that are tried beside those in force."""
    exact_since: str | None = None
    """Set where the log no longer has the lead's beginning: what came before this instant is missing."""


encode_explanation = msgspec.json.Encoder().encode
decode_explanation = msgspec.json.Decoder(Explanation).decode


def explain(
    rules: RuleSet, lead: Lead, key: bytes, at: int, *, partition: int, clock: int, asked: bytes = b""
) -> Explanation:
    """``at``: ms, not before the lead's clock. ``clock``: the partition's, ms. The lead stays as it is."""
    foreseen, until = coming(rules, lead, key, at)
    lines = [
        Contribution(line.rule, line.detail, line.score, line.grants, line.value)
        for line in ledger(rules, lead, at)
    ]
    values = parts(rules, lead, at)
    graded, cell = grades(rules, values) if rules.graded else (None, None)
    links, reported = lead.links, lead.reported
    return Explanation(
        key.decode(),
        instant(at),
        total(rules, lead, at),
        rules.enter,
        rules.exit,
        {name: values[index] for name, index in rules.score_index.items()},
        STATUS[lead.status],
        band(rules, lead),
        stage(lead),
        lead.seq,
        lines,
        foreseen,
        instant(until),
        InForce(rules.model.name, rules.version, rules.fingerprint),
        Read(partition, lead.fence, instant(clock)),
        graded,
        cell,
        LIFECYCLE[lead.stage] if rules.staged else None,
        _disqualifying(rules, lead),
        (reported[1] or None) if reported is not None else None,
        lead.machines,
        bool(lead.touched),
        [] if links is None else [member.decode() for member in links.members],
        asked.decode() if asked and asked != key else None,
        _of_shadow(rules, lead, key, at, partition, clock),
    )


def _of_shadow(
    rules: RuleSet, lead: Lead, key: bytes, at: int, partition: int, clock: int
) -> Explanation | None:
    if rules.shadow is None or lead.shadow is None or lead.shadow.failed:
        return None
    # Not silent: what comes next is read from what would be told.
    beside = build_model(rules.shadow.model, rules.version)
    shadow = lead.shadow.lead
    told = explain(beside, shadow, key, max(at, shadow.clock), partition=partition, clock=clock)
    name = InForce(beside.model.name, beside.version, rules.shadow.fingerprint)
    return replace(told, rules=name, log=Read(partition, lead.fence, instant(clock)))


def coming(rules: RuleSet, lead: Lead, key: bytes, at: int) -> tuple[list[Coming], int]:
    """(the next outcomes if nothing happens any more, in order; the instant up to which these are all).

    The lead stays as it is.
    """
    copy = copy_of(lead)
    out: list[Outcome] = []
    until = at + AHEAD
    for _ in range(STEPS):
        if copy.touched:
            return [], at
        if not 0 < copy.wake <= until:
            break
        if len(out) >= FORESEEN:
            until = copy.wake - 1
            break
        fire(rules, copy, key, copy.wake, out)
    else:
        until = copy.wake - 1
    return [_coming(one) for one in out[:FORESEEN]], until


def brought_to(rules: RuleSet, lead: Lead, key: bytes, at: int) -> Lead:
    """A copy of a lead as time alone leaves it at an instant (ms); nothing of it is told."""
    copy = copy_of(lead)
    fire(rules, copy, key, at, [])
    return copy


def _coming(outcome: Outcome) -> Coming:
    event: dict[str, Any] = msgspec.json.decode(outcome.value)
    data = event["data"]
    return Coming(event["time"], event["type"], data["reason"], data["total"], data["stage"])


def _disqualifying(rules: RuleSet, lead: Lead) -> str | None:
    if lead.status != DISQUALIFIED:
        return None
    slot = lead.disqualified_by
    rule: Any = rules.by_slot.get(slot) or rules.moves_by_slot.get(slot)
    return None if rule is None else str(rule.item.id)
