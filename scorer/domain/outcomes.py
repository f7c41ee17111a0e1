"""What the system says of a lead: outcomes, and the view of its score. CloudEvents 1.0, structured JSON.

An outcome's bytes depend on the lead's own records and the rules alone, so a replay repeats them to
the byte and a consumer that remembers the last sequence number hears each of them once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from scorer.domain.following import follow_up
from scorer.domain.lead import Lead, Sealed
from scorer.domain.ledger import Line, ledger
from scorer.domain.lifecycle import LIFECYCLE, STAGES
from scorer.domain.links import Links
from scorer.domain.messages import (
    Contribution,
    Data,
    ErasedData,
    Event,
    IdentityData,
    OutcomeData,
    ViewData,
    encode_event,
)
from scorer.domain.reading import clamp, parts, reaches, weigh
from scorer.domain.record import Erase
from scorer.domain.rules import RuleSet

LEAD_QUALIFIED: Final = "lead.qualified"
LEAD_DISQUALIFIED: Final = "lead.disqualified"
LEAD_STAGE: Final = "lead.stage"
LEAD_MERGED: Final = "lead.merged"
LEAD_ERASED: Final = "lead.erased"
LEAD_SCORE: Final = "lead.score"
LEAD_IDENTITY: Final = "lead.identity"
SOURCE: Final = "scorer"
BELOW_EXIT: Final = "score"
"""Reason of a disqualification by the total alone."""
TOP: Final = 5
"""Contributions that an outcome names."""
SCALE: Final = 1e6
"""Points in messages have six decimals."""
EXACT: Final = 4e9
"""Beyond it a double has no further decimals to round."""
MINUTE: Final = 60_000
"""ms."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, and written without its offset
_SECONDS: Final = [f":{second:02}" for second in range(60)]
_THOUSANDTHS: Final = [f".{ms:03}Z" for ms in range(1_000)]


class Outcome(NamedTuple):
    topic: str
    """Registry name: ``lead.qualified.v1``, or that of another kind of outcome."""
    key: bytes
    """The lead's id, or the account's."""
    value: bytes
    sealed: dict[str, Sealed] | None = None
    """``Lead.sealed`` as it was then, for whoever may open it. Not for changing."""
    trace: list[tuple[str, bytes]] | None = None
    """Kafka headers that it is sent with, for whoever owns the partition. Not for changing."""
    cause: str = ""
    """What ``value`` says, for whoever counts; so is the rest. Empty where it says none."""
    reason: str = ""
    rule: str = ""
    """The first of its contributions."""
    number: int = 0
    """The lead's or account's sequence number."""


def outcome(
    rules: RuleSet,
    lead: Lead,
    lead_id: str,
    kind: str,
    cause: str,
    reason: str = BELOW_EXIT,
    deal_stage: str | None = None,
    previous: int = -1,
    into: str | None = None,
) -> Outcome:
    """Emit: raises the lead's sequence number and reads its points at its clock.

    ``cause`` says what made it so: ``activity``, ``time``, ``rules``, ``import`` or ``merge``; ``reason``
    which rule. ``previous``: the stage before, of an outcome that tells a new one. ``into``: the lead that
    this one has become part of.
    """
    lead.seq += 1
    if rules.silent:
        return Outcome(f"{kind}.v1", lead_id.encode(), b"")
    values, total = _points(rules, lead)
    lines = sorted(ledger(rules, lead, lead.clock), key=_by_weight)
    data = OutcomeData(
        lead.seq,
        rounded(total),
        _by_score(rules, values),
        band(rules, lead),
        stage(lead),
        reason,
        cause,
        deal_stage,
        [Contribution(line.rule, rounded(line.value)) for line in lines[:TOP]],
        rules.fingerprint,
    )
    if rules.graded:
        data.grades, data.cell = grades(rules, values)
    if rules.staged:
        data.lifecycle = LIFECYCLE[lead.stage]
        if previous >= 0:
            data.previous = STAGES[previous]
    if rules.follow_ups and kind == LEAD_QUALIFIED:
        data.follow_up, data.owner, data.due, data.next_step = follow_up(rules, lead, lead_id)
    data.into = into
    event = event_of(f"{lead_id}:{lead.seq}", kind, lead_id, lead.clock, data)
    rule = lines[0].rule if lines else ""
    return Outcome(f"{kind}.v1", lead_id.encode(), event, lead.sealed, None, cause, reason, rule, lead.seq)


def merged(rules: RuleSet, lead: Lead, lead_id: str, into: str) -> Outcome:
    """The last that is heard of a lead: what it was is part of another one from now on."""
    return outcome(rules, lead, lead_id, LEAD_MERGED, "merge", "merge", into=into)


def erased(lead: Lead, lead_id: str, record: Erase, *, blocked: bool) -> Outcome:
    """The person is forgotten; nothing of what the lead was is said. Raises the sequence number."""
    lead.seq += 1
    data = ErasedData(lead.seq, record.request, blocked)
    event = event_of(f"{lead_id}:{lead.seq}", LEAD_ERASED, lead_id, record.at, data)
    return Outcome(f"{LEAD_ERASED}.v1", lead_id.encode(), event, number=lead.seq)


def _by_weight(line: Line) -> tuple[float, str]:
    return -abs(line.value), line.rule


def score_view(rules: RuleSet, lead_id: str, lead: Lead) -> bytes:
    """The value of ``lead.score.v1``: the latest score, its parts, band and stage, at the lead's clock."""
    values, total = _points(rules, lead)
    by_score = _by_score(rules, values)
    data = ViewData(
        rounded(total), by_score, band(rules, lead), stage(lead), lead.seq, lead.fence, rules.fingerprint
    )
    if rules.graded:
        data.grades, data.cell = grades(rules, values)
    if rules.staged:
        data.lifecycle = LIFECYCLE[lead.stage]
    data.machine_opens = lead.machines
    return event_of(f"{lead_id}@{lead.fence}", LEAD_SCORE, lead_id, lead.clock, data)


def identity_view(lead_id: str, lead: Lead, links: Links, clock: int) -> bytes | None:
    """The value of ``lead.identity.v1``: who is who, as of the partition's clock (ms).

    None where the person has been forgotten, and nothing is known of a new life.
    """
    if links.erased and not (links.moved or links.members or links.refused):
        return None
    data = IdentityData(
        links.moved.decode() or None,
        [member.decode() for member in links.members],
        [other.decode() for other in links.refused],
    )
    return event_of(f"{lead_id}@{lead.fence}", LEAD_IDENTITY, lead_id, clock, data)


def band(rules: RuleSet, lead: Lead) -> str:
    """The lead's temperature."""
    for name, when in rules.bands:
        if when.holds(lead, lead.judged):
            return name
    return rules.model.coldest


def stage(lead: Lead) -> str:
    """The stage's name."""
    return STAGES[lead.stage]


def grades(rules: RuleSet, values: list[float]) -> tuple[dict[str, str], str | None]:
    """(score -> grade, for scores that have grades; the cell of the matrix) of the scores' values."""
    found: dict[str, str] = {}
    places: dict[str, int] = {}
    for index, score in enumerate(rules.model.scores):
        if score.lowest is None:
            continue
        places[score.name] = len(score.grades)
        found[score.name] = score.lowest
        for place, grade in enumerate(score.grades):
            if reaches(values[index], grade.least):
                places[score.name], found[score.name] = place, grade.name
                break
    matrix = rules.model.matrix
    return found, None if matrix is None else matrix.cells[places[matrix.rows]][places[matrix.columns]]


def _points(rules: RuleSet, lead: Lead) -> tuple[list[float], float]:
    """(the scores' values, the total) at the lead's clock."""
    values = parts(rules, lead, lead.clock)
    total = weigh(rules, values)
    if rules.clamped:
        total = clamp(total, rules.model.floor, rules.model.cap)
    return values, total


def _by_score(rules: RuleSet, values: list[float]) -> dict[str, float]:
    by_score: dict[str, float] = {}
    for name, index in rules.score_index.items():
        by_score[name] = rounded(values[index])
    return by_score


def rounded(points: float) -> float:
    """To six decimals, halves away from zero; ``round`` takes five times as long."""
    if not -EXACT < points < EXACT:
        return points
    whole = int(points * SCALE + 0.5) if points >= 0.0 else -int(0.5 - points * SCALE)
    return whole / SCALE


def event_of(id_: str, kind: str, subject: str, at: int, data: Data) -> bytes:
    """A CloudEvent of ours; ``at``: ms."""
    return encode_event(Event("1.0", id_, SOURCE, kind, subject, instant(at), "application/json", data))


def instant(at: int) -> str:
    """An instant in ms since 1970 as RFC 3339 in UTC, with milliseconds."""
    rest = at % MINUTE
    return _minute(at // MINUTE) + _SECONDS[rest // 1_000] + _THOUSANDTHS[rest % 1_000]


@lru_cache(maxsize=4_096)
def _minute(minute: int) -> str:
    """The instants of one checkpoint lie in few minutes."""
    return (_EPOCH + timedelta(minutes=minute)).isoformat(timespec="minutes")
