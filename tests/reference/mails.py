"""Opens and clicks of machines: what an activity about a mail counts as, and when."""

from __future__ import annotations

import msgspec

from scorer.domain.machines import CLICKS, LARGEST, MAILS
from scorer.domain.model import Machines
from tests.reference.lead import Click, Happening, Lead
from tests.reference.matching import holds_for_fields, same
from tests.reference.points import is_scalar


def sifted(  # noqa: PLR0911 - one for each way
    machines: Machines | None, lead: Lead, one: Happening, judged: int
) -> Happening | None:
    """The activity, what it counts as instead, or None for nothing (yet)."""
    if machines is None:
        return one
    mail = one.properties.get("email_id")
    named = is_scalar(mail)
    if machines.sooner and one.type == "email.delivered":
        if named:
            lead.delivered = [other for other in lead.delivered if not same(other[0], mail)]
            lead.delivered = [*lead.delivered, (mail, one.time)][-MAILS:]
        return one
    if one.type not in machines.types:
        return one
    if machines.where is not None and holds_for_fields(machines.where, one.properties):
        return _machine(machines, lead, one)
    for other, time in lead.delivered:
        if named and same(other, mail) and 0 <= one.time - time < machines.sooner:
            return _machine(machines, lead, one)
    link = one.properties.get("link")
    if one.type != "email.clicked" or not machines.links or not named or not is_scalar(link):
        return one
    click = Click(mail, link, one.time, None)
    if len(lead.clicks) >= CLICKS:
        free = [other for other in lead.clicks if other.held is None]
        if not free:
            return _decided(machines, lead, one, [*lead.clicks, click])
        lead.clicks.remove(free[0])
    lead.clicks.append(click)
    if one.time + machines.within > judged and len(msgspec.msgpack.encode(one.properties)) <= LARGEST:
        click.held = one.properties
        return None
    return _decided(machines, lead, one, lead.clicks)


def release(machines: Machines | None, lead: Lead, until: int) -> list[Happening]:
    """The clicks that are known by ``until``, by time, as what they count."""
    links = machines.links if machines is not None else 0
    within = machines.within if machines is not None else 0
    known = [one for one in lead.clicks if one.held is not None and (not links or one.time + within <= until)]
    known.sort(key=lambda one: one.time)
    found = []
    for click in known:
        one = Happening("email.clicked", click.time, click.held or {})
        click.held = None
        counted = _decided(machines, lead, one, lead.clicks) if machines is not None and links else one
        if counted is not None:
            found.append(counted)
    if not links:
        lead.clicks = []
    return found


def next_release(machines: Machines | None, lead: Lead) -> int | None:
    within = machines.within if machines is not None else 0
    return min((one.time + within for one in lead.clicks if one.held is not None), default=None)


def _decided(machines: Machines, lead: Lead, one: Happening, clicks: list[Click]) -> Happening | None:
    mail = one.properties["email_id"]
    times = [click for click in clicks if same(click.mail, mail)]
    for first in times:
        span = [click for click in times if first.time <= click.time <= first.time + machines.within]
        links: list[object] = []
        for click in span:
            if not any(same(click.link, link) for link in links):
                links.append(click.link)
        inside = first.time <= one.time <= first.time + machines.within
        if inside and len(links) >= machines.links:
            return _machine(machines, lead, one)
    return one


def _machine(machines: Machines, lead: Lead, one: Happening) -> Happening | None:
    lead.machines += 1
    return None if machines.counts_as is None else Happening(machines.counts_as, one.time, one.properties)
