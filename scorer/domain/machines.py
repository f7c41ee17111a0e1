"""Whether an open or a click was a reader's or a machine's: mail scanners follow every link of a mail.

What an activity says of itself and how soon after the delivery it came is known at once. That every link of
a mail is clicked is known only afterwards: a click waits until it is known, and then counts as of its own
time, so that nothing has to be taken back.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from scorer.domain.conditions import Properties, short_name
from scorer.domain.indexing import EMPTY_INDEX, TypeIndex
from scorer.domain.lead import Click, Lead
from scorer.domain.rules import RuleSet

MAILS: Final = 16
"""Deliveries remembered per lead."""
CLICKS: Final = 16
"""Clicks remembered per lead."""
LARGEST: Final = 4_096
"""Bytes of a click's properties, encoded; a larger one is not held back: it would swell the lead's state."""

_encode: Any = msgspec.msgpack.Encoder().encode


def sift(
    rules: RuleSet, lead: Lead, index: TypeIndex, properties: Properties, time: int, judged_at: int
) -> TypeIndex:
    """What an activity about a mail counts as: itself, a machine's, or nothing yet.

    ``judged_at``: the instant (ms) through which every activity is known.
    """
    mail = short_name(properties.get("email_id"))
    if index.delivery:
        if mail is not None:
            _deliver(lead, mail, time)
        return index
    sooner = None if mail is None or lead.delivered is None else lead.delivered.get(mail)
    if (rules.machine is not None and rules.machine.holds(properties)) or (
        sooner is not None and 0 <= time - sooner < rules.sooner
    ):
        return _machine(rules, lead)
    if not index.click or not rules.burst or mail is None:
        return index
    link = short_name(properties.get("link"))
    if link is None:
        return index
    return _click(rules, lead, index, (mail, link, time, properties), judged_at)


def next_release(rules: RuleSet, lead: Lead) -> int:
    """When the first click that is held back will be known; 0: none is."""
    first = 0
    for _, _, time, held in lead.clicks or ():
        if held is not None and (not first or time + rules.burst_within < first):
            first = time + rules.burst_within
    return first


def released(rules: RuleSet, lead: Lead, until: int) -> list[tuple[TypeIndex, Properties, int]]:
    """Let go of the clicks that are known by ``until`` (ms).

    By their time: (what each counts as, its properties, its time).
    """
    clicks = lead.clicks
    if not clicks:
        return []
    known = [
        place
        for place, (_, _, time, held) in enumerate(clicks)
        if held is not None and (not rules.burst or time + rules.burst_within <= until)
    ]
    known.sort(key=lambda place: clicks[place][2])
    found: list[tuple[TypeIndex, Properties, int]] = []
    for place in known:
        mail, link, time, held = clicks[place]
        clicks[place] = (mail, link, time, None)
        index = rules.click_index
        if rules.burst and _in_burst(rules, clicks, mail, time):
            index = _machine(rules, lead)
        found.append((index, held or {}, time))
    if not rules.burst:
        lead.clicks = None
    return found


def _deliver(lead: Lead, mail: bytes, time: int) -> None:
    delivered = lead.delivered
    if delivered is None:
        delivered = lead.delivered = {}
    delivered.pop(mail, None)
    delivered[mail] = time
    if len(delivered) > MAILS:
        del delivered[next(iter(delivered))]


def _click(rules: RuleSet, lead: Lead, index: TypeIndex, click: Click, judged_at: int) -> TypeIndex:
    mail, link, time, properties = click
    clicks = lead.clicks
    if clicks is None:
        clicks = lead.clicks = []
    waits = time + rules.burst_within > judged_at
    if len(clicks) >= CLICKS:
        place = next((place for place, one in enumerate(clicks) if one[3] is None), -1)
        if place < 0:
            waits, place = False, 0  # all are held back: this one is judged by what is known
        else:
            del clicks[place]
    if waits and len(_encode(properties)) <= LARGEST:
        clicks.append(click)
        return EMPTY_INDEX
    if len(clicks) < CLICKS:
        clicks.append((mail, link, time, None))
        if _in_burst(rules, clicks, mail, time):
            return _machine(rules, lead)
    elif _in_burst(rules, [*clicks, (mail, link, time, None)], mail, time):
        return _machine(rules, lead)
    return index


def _in_burst(rules: RuleSet, clicks: list[Click], mail: bytes, time: int) -> bool:
    """So many different links of the mail were clicked within so short a time around ``time``."""
    within = rules.burst_within
    near = sorted((at, link) for of, link, at, _ in clicks if of == mail and abs(at - time) <= within)
    for start, _ in near:
        if start > time:
            break
        links = {link for at, link in near if start <= at <= start + within}
        if start + within >= time and len(links) >= rules.burst:
            return True
    return False


def _machine(rules: RuleSet, lead: Lead) -> TypeIndex:
    lead.machines += 1
    return rules.machine_index
