"""Deciding: what a lead's state, as a record or a timer left it, means for its status and its stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scorer.domain.conditions import Properties
from scorer.domain.indexing import TypeIndex
from scorer.domain.lead import DISQUALIFIED, OPEN, QUALIFIED, RESTING, SPENT, Lead
from scorer.domain.lifecycle import OPEN_STAGE, QUALIFIED_STAGE, SALES, UNQUALIFIED, legal
from scorer.domain.outcomes import (
    BELOW_EXIT,
    LEAD_DISQUALIFIED,
    LEAD_QUALIFIED,
    LEAD_STAGE,
    Outcome,
    outcome,
)
from scorer.domain.reading import above, below, ready, total
from scorer.domain.record import ANNOUNCE_ALL, ANNOUNCE_NONE, ANNOUNCE_UPWARD
from scorer.domain.rules import RuleSet
from scorer.domain.watching import Move

UNKNOWN: Final = -1
SHORT: Final = 0
WAITING: Final = 1
BEYOND: Final = 2
"""How near a lead is to what its status waits for: short of it, there but not for long enough, there."""

RULES_CHANGED: Final = "rules"
"""Reason of a return from a disqualification whose rule is gone."""

Moved = tuple[Move, int]
"""A stage rule that applies, and the stage that it leads to."""


def level(rules: RuleSet, lead: Lead, at: int) -> int:
    """How near the lead is at an instant (ms) to what its status waits for."""
    status = lead.status
    if status == OPEN:
        if rules.plain_threshold:
            return BEYOND if above(rules, total(rules, lead, at)) else SHORT
        if not ready(rules, lead, at):
            return SHORT
        if rules.dwell and not 0 < lead.ready_since <= at - rules.dwell:
            return WAITING
        return BEYOND if at >= lead.quiet_until else WAITING
    if status in (QUALIFIED, SPENT) and below(rules, total(rules, lead, at)):
        return BEYOND
    return SHORT


def settle(
    rules: RuleSet,
    lead: Lead,
    key: bytes,
    cause: str,
    before: int,
    moves: Sequence[Moved],
    out: list[Outcome],
    announce: int = ANNOUNCE_ALL,
) -> None:
    """Move the lead to where its state says, and tell it.

    ``before``: ``level`` at the same clock without what is being applied; ``UNKNOWN`` lets everything count
    that holds. What would have been so without it waits for its timer. ``announce``: see ``record.Rules``.
    """
    status = lead.status
    if before == SHORT:
        lead.ready_since = 0
    if lead.told != lead.stage and lead.told >= 0:
        _tell_import(rules, lead, key, cause, out, announce)
    for move, target in moves:
        if _move(rules, lead, key, move, target, cause, out, announce):
            before = UNKNOWN  # wherever it went in between: it begins anew
    if rules.disqualifications or lead.status == DISQUALIFIED:
        _judge_disqualification(rules, lead, key, cause, out, announce)
    if lead.status != status:
        before = UNKNOWN
    now = level(rules, lead, lead.clock)
    if announce != ANNOUNCE_ALL or lead.told < 0:
        now = _unheard(rules, lead, key, cause, status, now, out, announce)
    if now == SHORT:
        lead.ready_since = 0
    elif now == before:
        return
    elif lead.status == OPEN:
        if now == BEYOND:
            _qualify(rules, lead, key, cause, out, announce)
        elif rules.dwell and not lead.ready_since:
            lead.ready_since = lead.clock
    elif lead.status == SPENT:
        lead.status = OPEN
    else:
        _enter(rules, lead, key, OPEN, OPEN_STAGE, LEAD_DISQUALIFIED, cause, BELOW_EXIT, None, out, announce)


def _tell_import(
    rules: RuleSet, lead: Lead, key: bytes, cause: str, out: list[Outcome], announce: int
) -> None:
    """Where an import has moved the lead to."""
    if announce == ANNOUNCE_ALL:
        _tell_stage(rules, lead, key, cause, lead.told, cause, out)
    else:
        lead.told = ~lead.told


def _unheard(
    rules: RuleSet,
    lead: Lead,
    key: bytes,
    cause: str,
    status: int,
    now: int,
    out: list[Outcome],
    announce: int,
) -> int:
    """Where something is not told, or has not been: ``now``, or what it is to be taken for.

    ``status``: what the lead's was.
    """
    if now == WAITING and announce == ANNOUNCE_NONE and not lead.ready_since:
        return BEYOND  # else it would be told when the waiting is over
    if now != BEYOND and status == DISQUALIFIED and lead.status == OPEN and ~lead.told == QUALIFIED_STAGE:
        # It has come back to less than those who listen believe, who have not heard that it was gone.
        _enter(rules, lead, key, OPEN, OPEN_STAGE, LEAD_DISQUALIFIED, cause, BELOW_EXIT, None, out, announce)
    return now


def _qualify(rules: RuleSet, lead: Lead, key: bytes, cause: str, out: list[Outcome], announce: int) -> None:
    threshold = rules.model.threshold
    if threshold.cooling_off:
        lead.quiet_until = lead.clock + threshold.cooling_off
    elif threshold.cooling_period:
        lead.quiet_until = rules.calendar.next_period(threshold.cooling_period, lead.clock)
    kind = LEAD_QUALIFIED
    _enter(rules, lead, key, QUALIFIED, QUALIFIED_STAGE, kind, cause, BELOW_EXIT, None, out, announce)


def _judge_disqualification(
    rules: RuleSet, lead: Lead, key: bytes, cause: str, out: list[Outcome], announce: int
) -> None:
    if lead.status == DISQUALIFIED and _may_return(rules, lead):
        rule = rules.by_slot.get(lead.disqualified_by)
        reason = RULES_CHANGED if rule is None else rule.item.id
        lead.disqualified_by = 0
        _enter(rules, lead, key, OPEN, OPEN_STAGE, "", cause, reason, None, out, announce)
    if lead.status != DISQUALIFIED and legal(lead.stage, UNQUALIFIED):
        for entry in rules.disqualifications:
            if entry.slot in lead.holds:
                item = entry.item
                lead.disqualified_by = entry.slot
                # fmt: off
                _enter(
                    rules, lead, key, DISQUALIFIED, UNQUALIFIED, LEAD_DISQUALIFIED, cause, item.id,
                    item.deal_stage, out, announce,
                )
                # fmt: on
                return


def _may_return(rules: RuleSet, lead: Lead) -> bool:
    if lead.disqualified_by in rules.moves_by_slot:
        return False  # whom a stage rule has moved there, another one moves back
    judged = rules.by_slot.get(lead.disqualified_by)
    if judged is None:
        return True  # the rule is gone
    return lead.disqualified_by not in lead.holds and judged.item.requalify


# -- stages ------------------------------------------------------------------------------------------


def moves_on(index: TypeIndex, properties: Properties) -> list[Moved]:
    """The stage rules that an activity sets off."""
    found: list[Moved] = []
    for move in index.moves:
        target = move.target(properties)
        if target >= 0:
            found.append((move, target))
    return found


def may_move(lead: Lead, moves: Sequence[Moved]) -> bool:
    """One of the rules moves the lead from where it is; if none does, none of them ever comes to."""
    for move, target in moves:  # noqa: SIM110 - compiled, a loop is faster
        if _allowed(lead, move, target):
            return True
    return False


def move_imported(lead: Lead, moves: Sequence[Moved]) -> None:
    """Apply stage rules within an import: the lead moves, and its end tells where it has come to."""
    for move, target in moves:
        if _allowed(lead, move, target):
            lead.status, lead.disqualified_by = _status_in(lead, move, target)
            lead.stage = target
            if lead.status != OPEN:
                lead.ready_since = 0
            if lead.told < 0:
                lead.told = ~lead.told  # its end tells what is new


def adopt_stage(rules: RuleSet, lead: Lead) -> None:
    """Carry status and stage over to a rule set that may know no stages."""
    if not rules.dwell:
        lead.ready_since = 0
    if not rules.cooling:
        lead.quiet_until = 0
    if not rules.staged:
        if lead.status in (RESTING, SPENT):
            lead.status = OPEN
        lead.stage = QUALIFIED_STAGE if lead.status == QUALIFIED else UNQUALIFIED
        if lead.status == OPEN:
            lead.stage = OPEN_STAGE
        known = last_told(lead) if lead.told < 0 else lead.stage
        if known not in (QUALIFIED_STAGE, UNQUALIFIED):
            known = OPEN_STAGE
        stay_known(lead, known)


def last_told(lead: Lead) -> int:
    """The stage in which those who listen know the lead."""
    return ~lead.told if lead.told < 0 else lead.told


def stay_known(lead: Lead, known: int) -> None:
    """Tell nothing: those who listen know the lead in the stage ``known``, wherever it is."""
    lead.told = lead.stage if known == lead.stage else ~known


def _allowed(lead: Lead, move: Move, target: int) -> bool:
    if target == QUALIFIED_STAGE or (move.sources and lead.stage not in move.sources):
        return False
    return legal(lead.stage, target)


def _status_in(lead: Lead, move: Move, target: int) -> tuple[int, int]:
    """(status, what disqualified) of a lead that a stage rule takes to ``target``."""
    if target == UNQUALIFIED:
        return DISQUALIFIED, move.slot
    if target in SALES:
        return RESTING, 0
    if lead.status in (OPEN, SPENT):
        return lead.status, 0
    return (OPEN if move.item.rearm else SPENT), 0


def _move(
    rules: RuleSet,
    lead: Lead,
    key: bytes,
    move: Move,
    target: int,
    cause: str,
    out: list[Outcome],
    announce: int,
) -> bool:
    if not _allowed(lead, move, target):
        return False
    status, lead.disqualified_by = _status_in(lead, move, target)
    kind, deal_stage = "", None
    if target == UNQUALIFIED:
        kind, deal_stage = LEAD_DISQUALIFIED, move.item.deal_stage
    _enter(rules, lead, key, status, target, kind, cause, move.item.id, deal_stage, out, announce)
    return True


def _enter(
    rules: RuleSet,
    lead: Lead,
    key: bytes,
    status: int,
    stage: int,
    kind: str,
    cause: str,
    reason: str,
    deal_stage: str | None,
    out: list[Outcome],
    announce: int,
) -> None:
    """Put the lead into a stage and tell it: as the outcome ``kind``, where there is one, and as a stage.

    Where something has not been told, whoever listens knows the lead in another stage than it is in: they
    are told what is new to them, and nothing where it has come back to what they know.
    """
    previous = lead.stage
    lead.status, lead.stage = status, stage
    if status != OPEN:
        lead.ready_since = 0
    if lead.told < 0 or announce != ANNOUNCE_ALL:
        known = last_told(lead) if lead.told < 0 else previous
        muted = announce == ANNOUNCE_NONE or (announce == ANNOUNCE_UPWARD and stage != QUALIFIED_STAGE)
        if known == stage or muted:
            stay_known(lead, known)
            return
        returns = status == OPEN and stage == OPEN_STAGE and not kind
        if kind == LEAD_DISQUALIFIED and stage == OPEN_STAGE and known != QUALIFIED_STAGE:
            kind = ""  # it falls, and that it had risen was not told
        if lead.told < 0 and not kind and (not rules.staged or (returns and known == QUALIFIED_STAGE)):
            stay_known(lead, known)  # nothing says where it is, or ``settle`` does when it knows
            return
        if lead.told < 0 and not kind and status == OPEN and known == QUALIFIED_STAGE:
            out.append(outcome(rules, lead, key.decode(), LEAD_DISQUALIFIED, cause, BELOW_EXIT))
        previous = known
    if kind:
        out.append(outcome(rules, lead, key.decode(), kind, cause, reason, deal_stage))
    _tell_stage(rules, lead, key, cause, previous, reason, out)


def _tell_stage(
    rules: RuleSet, lead: Lead, key: bytes, cause: str, previous: int, reason: str, out: list[Outcome]
) -> None:
    lead.told = lead.stage
    if rules.staged and previous != lead.stage:
        out.append(outcome(rules, lead, key.decode(), LEAD_STAGE, cause, reason, None, previous))
