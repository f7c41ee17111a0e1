"""A rule file tried beside the one in force: each lead has a shadow, which is what it would be under it.

A shadow begins as a copy of its lead that passes the change of rules there and then, as if they had been put
in force; from then on it is given the same facts, at the same clock. It decides about nothing: what it would
have told is counted. Whatever goes wrong with it stays with it. When its rules are put in force, the lead
goes on with what its shadow has been granted.
"""

from __future__ import annotations

from scorer.domain.conditions import Properties
from scorer.domain.counters import Counters
from scorer.domain.engine import adopt, evaluate, fire, step, step_imported
from scorer.domain.granting import resum
from scorer.domain.lead import Lead, Shadow, copy_of, new_lead
from scorer.domain.merging import merge
from scorer.domain.model import Disqualification, Move
from scorer.domain.outcomes import LEAD_DISQUALIFIED, LEAD_QUALIFIED, Outcome
from scorer.domain.record import Posting, decode_properties
from scorer.domain.rules import RuleSet
from scorer.domain.settling import adopt_stage

_QUALIFIED = f"{LEAD_QUALIFIED}.v1"
_DISQUALIFIED = f"{LEAD_DISQUALIFIED}.v1"


def same_live(before: RuleSet, rules: RuleSet) -> bool:
    """Only the shadow is another: nothing happens to the leads themselves."""
    return before.fingerprint == rules.fingerprint and _name(before) != _name(rules)


def change_rules(before: RuleSet, rules: RuleSet, lead: Lead, as_of: int, counters: Counters) -> bool:
    """Carry a lead and its shadow over to other rules; whether a shadow begins, which is to be judged."""
    shadow = lead.shadow
    if shadow is not None and not shadow.failed and shadow.rules == rules.fingerprint:
        _promote(rules, lead, shadow.lead)
    elif not same_live(before, rules):
        adopt(before, rules, lead, as_of)
    if rules.shadow is None:
        lead.shadow = None
    elif shadow is None or shadow.rules != rules.shadow.fingerprint:
        begin(rules, rules.shadow, lead, as_of, counters)
        return True
    return False


def begin(rules: RuleSet, beside: RuleSet, lead: Lead, as_of: int, counters: Counters) -> None:
    """Give a lead that stands at ``rules`` a shadow under the rules ``beside``; it is not judged yet."""
    shadow = copy_of(lead)
    shadow.shadow = shadow.links = shadow.sealed = shadow.company = shadow.reported = None
    shadow.seen = b""
    lead.shadow = Shadow(beside.fingerprint, shadow)
    try:
        adopt(rules, beside, shadow, as_of)
    except Exception:  # noqa: BLE001 - whatever it is, the lead itself goes on
        _fail(lead.shadow, counters)


def _promote(rules: RuleSet, lead: Lead, shadow: Lead) -> None:
    """The shadow's rules come into force: what it has been granted and has noted is the lead's from now on.

    Where the lead stands is for the rules to say: it is judged as at any change of rules.
    """
    lead.clock, lead.judged = max(lead.clock, shadow.clock), max(lead.judged, shadow.judged)
    lead.landmark, lead.since = shadow.landmark, shadow.since
    lead.masses, lead.days = shadow.masses, shadow.days
    lead.newest, lead.starts = shadow.newest, shadow.starts
    lead.limits, lead.delivered, lead.clicks = shadow.limits, shadow.delivered, shadow.clicks
    # What has ruled it out or moved it is told, or not, as at any change of rules.
    decisions = {slot for slot, one in rules.by_slot.items() if isinstance(one.item, Disqualification | Move)}
    lead.holds = (
        *(slot for slot in shadow.holds if slot not in decisions),
        *(slot for slot in lead.holds if slot in decisions),
    )
    adopt_stage(rules, lead)
    resum(rules, lead)


def judge(
    rules: RuleSet | None, shadow: Shadow, key: bytes, as_of: int, cause: str, counters: Counters
) -> None:
    """As ``evaluate``, if anything is known of the lead and no import is open for it."""
    lead = shadow.lead
    if rules is None or shadow.failed or not lead.since:
        return
    would: list[Outcome] = []
    try:
        evaluate(rules, lead, key, as_of, cause, would)
        note(shadow, would, lead.clock, counters)
    except Exception:  # noqa: BLE001 - see ``begin``
        _fail(shadow, counters)


def advance(rules: RuleSet | None, shadow: Shadow, key: bytes, until: int, counters: Counters) -> None:
    """Fire the shadow's timers that are due by ``until``."""
    lead = shadow.lead
    if rules is None or shadow.failed:
        return
    try:
        while 0 < lead.wake <= until and not lead.touched:
            would: list[Outcome] = []
            fire(rules, lead, key, lead.wake, would)
            note(shadow, would, lead.clock, counters)
    except Exception:  # noqa: BLE001 - see ``begin``
        _fail(shadow, counters)


def take_in(
    rules: RuleSet,
    lead: Lead,
    key: bytes,
    record: Posting,
    properties: Properties,
    judged_at: int,
    imported: int,
    counters: Counters,
) -> None:
    """Apply a fact to the shadow of a lead that has just taken it in.

    ``properties``: may be empty where the lead did not look at them. ``imported``: the open import that the
    fact is of; 0: none.
    """
    shadow = lead.shadow
    if shadow is None:
        shadow = lead.shadow = Shadow(rules.fingerprint, new_lead())
    if shadow.failed:
        return
    index = rules.types.get(record.type)
    try:
        if not properties and index is not None and index.looks:
            properties = decode_properties(record.properties)
        if imported:
            step_imported(rules, shadow.lead, index, record.time, properties, imported)
            return
        would: list[Outcome] = []
        step(rules, shadow.lead, key, index, record.time, properties, judged_at, would)
        if would:
            note(shadow, would, shadow.lead.clock, counters)
    except Exception:  # noqa: BLE001 - see ``begin``
        _fail(shadow, counters)


def unite(rules: RuleSet, lead: Lead, other: Lead, attributes: int, counters: Counters) -> None:
    """As ``merge``, of the shadows of two leads that become one."""
    theirs = other.shadow
    if theirs is None:
        return
    mine = lead.shadow
    if mine is None:
        mine = lead.shadow = Shadow(rules.fingerprint, new_lead())
    mine.qualified += theirs.qualified
    mine.disqualified += theirs.disqualified
    mine.live_qualified += theirs.live_qualified
    mine.live_disqualified += theirs.live_disqualified
    mine.first = _earlier(mine.first, theirs.first)
    mine.live_first = _earlier(mine.live_first, theirs.live_first)
    if theirs.failed:
        mine.failed = True
    if mine.failed:
        return
    try:
        merge(rules, mine.lead, theirs.lead, attributes)
        mine.lead.touched = lead.touched
    except Exception:  # noqa: BLE001 - see ``begin``
        _fail(mine, counters)


def note(shadow: Shadow, would: list[Outcome], at: int, counters: Counters) -> None:
    """Count what would have been told, at an instant (ms)."""
    for outcome in would:
        if outcome.topic == _QUALIFIED:
            shadow.qualified += 1
            shadow.first = shadow.first or at
            counters.shadow_qualified += 1
        elif outcome.topic == _DISQUALIFIED:
            shadow.disqualified += 1
            counters.shadow_disqualified += 1


def note_live(shadow: Shadow, outcomes: list[Outcome], told: int, at: int, counters: Counters) -> None:
    """Count what has been told of the lead itself since there were ``told`` outcomes, at an instant (ms)."""
    for outcome in outcomes[told:]:
        if outcome.topic == _QUALIFIED:
            shadow.live_qualified += 1
            shadow.live_first = shadow.live_first or at
            counters.live_qualified += 1
        elif outcome.topic == _DISQUALIFIED:
            shadow.live_disqualified += 1
            counters.live_disqualified += 1


def _fail(shadow: Shadow, counters: Counters) -> None:
    """Its state is undefined, so none is left."""
    shadow.failed = True
    shadow.lead = new_lead()
    counters.shadow_failed += 1


def _earlier(one: int, other: int) -> int:
    return min(one, other) if one and other else one or other


def _name(rules: RuleSet) -> str:
    return "" if rules.shadow is None else rules.shadow.fingerprint
