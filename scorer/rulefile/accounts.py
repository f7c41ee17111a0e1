"""The section ``accounts``: what a company's people count together, and when it is worth a call."""

from __future__ import annotations

import re
from typing import Any

from scorer.domain.model import Accounts, HalfLife
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, mapping, single
from scorer.rulefile.nodes import Node
from scorer.rulefile.qualify import above, below
from scorer.rulefile.quantities import decay, whole_number
from scorer.rulefile.words import keys

MOST_PEOPLE = 4_000
HINTS = {
    "threshold": "write `enter: above 60`",
    "of": "write `score: best 3`",
    "half-life": "write `decay: half every 30 days`",
    "members": "write `people`",
}
_BEST = re.compile(r"best ([0-9]{1,6})")


def accounts(report: Report, node: Node) -> Accounts | None:
    found = mapping(report, node, "`accounts`", "`{score: best 3, enter: above 60, exit: below 40}`")
    if found is None:
        return None
    fields = Fields(report, found, "`accounts`")
    fields.only(keys("accounts"), HINTS)
    combine = fields.require("score", _combine, "`score: sum`")
    enter = fields.require("enter", above, "`enter: above 60`")
    leave = fields.require("exit", below, "`exit: below 40`")
    more: dict[str, Any] = {}
    if (fading := fields.read("decay", _fading)) is not None:
        more["half_life"] = fading[0]
    if (people := fields.read("people", _people)) is not None:
        more["people"] = people
    if combine is None or enter is None or leave is None:
        return None
    if leave > enter:
        message = f"an account would qualify above {enter:g} and be dropped again below {leave:g}"
        fields.refuse(("exit",), message, "the exit must not lie above the entry")
        return None
    if enter < 0:
        fields.refuse(("enter",), "nobody counts less than nothing, so every account would qualify")
        return None
    return Accounts(combine[0], combine[1], enter=enter, exit=leave, **more)


def _combine(report: Report, node: Node) -> tuple[Any, int] | None:
    text = single(report, node, "the score of an account")
    if text is None:
        return None
    value = " ".join(text.value.split())
    if value in {"sum", "maximum"}:
        return value, 0
    if (match := _BEST.fullmatch(value)) and 0 < int(match[1]) <= MOST_PEOPLE:
        return "best", int(match[1])
    report.error(
        node.place, f"`{value[:40]}` does not say which people count", "`sum`, `maximum` or `best 3`"
    )
    return None


def _fading(report: Report, node: Node) -> tuple[int | None] | None:
    found = decay(report, node)
    if found is None:
        return None
    if found[0] is None:
        return (None,)
    if isinstance(found[0], HalfLife):
        return (found[0].ms,)
    report.error(node.place, "what people count in an account fades by half", "`decay: half every 30 days`")
    return None


def _people(report: Report, node: Node) -> int | None:
    return whole_number(report, node, 1, MOST_PEOPLE)
