"""The section ``machines``: which opens and clicks are no reader's."""

from __future__ import annotations

import re

from scorer.domain.model import Condition, Machines
from scorer.domain.rules import EMAIL_CLICKED
from scorer.rulefile.conditions import types, where
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, mapping, single
from scorer.rulefile.nodes import Node
from scorer.rulefile.quantities import duration, length
from scorer.rulefile.words import keys

MAIL = ("email.opened", "email.clicked", "email.replied", "email.unsubscribed")
"""What a machine can do with a mail."""
LONGEST_WAIT = 3_600_000
"""ms. A click is held back for as long."""
MOST_LINKS = 10
_LINKS = re.compile(r"([0-9]{1,9}) (?:links? )?within (.+)")
_HINTS = {
    "on": "write `of: [email.opened, email.clicked]`",
    "after delivery": "write `sooner than: 2 seconds`",
    "user agents": "write `where: {user_agent: [contains bot, contains Proxy]}`",
    "burst": "write `links: 3 within 5 seconds`",
}


def machines(report: Report, node: Node) -> Machines | None:
    found = mapping(report, node, "`machines`", "`where: {machine: true}`")
    if found is None:
        return None
    fields = Fields(report, found, "`machines`")
    fields.only(keys("machines"), _HINTS)
    of = fields.read("of", _types, ("email.opened", EMAIL_CLICKED))

    def condition(report: Report, node: Node) -> Condition | None:
        return where(report, node, of or ())

    said = fields.read("where", condition)
    sooner = fields.read("sooner than", _brief, 0)
    links = fields.read("links", _links, (0, 0))
    counts_as = fields.read("counts as", _counts_as)
    if not any(key in fields for key in ("where", "sooner than", "links")):
        hint = "`where: {machine: true}`, `sooner than: 2 seconds` or `links: 3 within 5 seconds`"
        fields.missing(("where", "sooner than", "links"), "how is a machine told from a reader?", hint)
    if "links" in fields and of is not None and EMAIL_CLICKED not in of:
        fields.refuse(("links",), f"`{{key}}` is about {EMAIL_CLICKED}, which `of` does not have")
    if of is None or sooner is None or links is None or ("where" in fields and said is None):
        return None
    return Machines(of, said, sooner, *links, counts_as)


def _types(report: Report, node: Node) -> tuple[str, ...] | None:
    found = types(report, node)
    if found is not None and not set(found) <= set(MAIL):
        report.error(node.place, "machines open mails and follow their links", "one of: " + ", ".join(MAIL))
        return None
    return found


def _brief(report: Report, node: Node) -> int | None:
    ms = duration(report, node)
    if ms is not None and ms > LONGEST_WAIT:
        report.error(node.place, "readers may well be as fast as that", "an hour at most")
        return None
    return ms


def _links(report: Report, node: Node) -> tuple[int, int] | None:
    """``3 within 5 seconds``."""
    text = single(report, node, "this")
    if text is None:
        return None
    match = _LINKS.fullmatch(" ".join(text.value.split()))
    if match is None:
        report.error(
            node.place, f"`{text.value[:60]}` does not say how many and how fast", "`3 within 5 seconds`"
        )
        return None
    ms = length(report, node, match[2])
    if ms is None:
        return None
    if not 1 < int(match[1]) <= MOST_LINKS or ms > LONGEST_WAIT:
        report.error(node.place, f"2 to {MOST_LINKS} links within an hour at most are possible")
        return None
    return int(match[1]), ms


def _counts_as(report: Report, node: Node) -> str | None:
    """An activity, or ``nothing``."""
    text = single(report, node, "this")
    if text is None or text.value == "nothing":
        return None
    found = types(report, node)
    if found is not None and found[0] in MAIL:
        report.error(
            node.place, "a machine's activity has to be another one", "`email.machine`, or `nothing`"
        )
        return None
    return found[0] if found else None
