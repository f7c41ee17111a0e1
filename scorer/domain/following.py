"""Whose a qualified lead is, until when somebody should have called, and what to say."""

from __future__ import annotations

from datetime import date
from hashlib import blake2b

from scorer.domain.calendar import EPOCH
from scorer.domain.dates import business_day
from scorer.domain.lead import Lead
from scorer.domain.rules import RuleSet

FollowUp = tuple[str | None, str | None, str | None, str | None]
"""(follow-up rule, owner, due day, next step)."""


def follow_up(rules: RuleSet, lead: Lead, lead_id: str) -> FollowUp:
    """What the first follow-up rule says whose condition holds; all None where none does."""
    for item, when in rules.follow_ups:
        if when is not None and not when.holds(lead, lead.judged):
            continue
        owner = _existing(lead, item.existing) or by_turn(lead_id, item.owners)
        due = None
        if item.due is not None:
            today = date.fromordinal(rules.calendar.day(lead.clock) + EPOCH)
            due = business_day(today, item.due, rules.holidays).isoformat()
        return item.id, owner, due, item.next_step
    return None, None, None, None


def _existing(lead: Lead, attribute: str | None) -> str | None:
    held = None if attribute is None else lead.attributes.get(attribute)
    return held[1] if held is not None and type(held[1]) is str and held[1] else None


def by_turn(lead_id: str, owners: tuple[str, ...]) -> str | None:
    """One of the owners, by rendezvous hashing: evenly, the same for a lead each time, and depending on no
    other lead. Where an owner leaves, only that one's leads go to others.
    """
    best: tuple[bytes, str] | None = None
    for owner in owners:
        weight = blake2b(f"{lead_id}\0{owner}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if best is None or (weight, owner) > best:
            best = weight, owner
    return None if best is None else best[1]
