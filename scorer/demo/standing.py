"""Where a visitor of the demonstration's page stands, in the words that the page shows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from scorer.demo import phrases
from scorer.domain.outcomes import BELOW_EXIT, LEAD_DISQUALIFIED, LEAD_QUALIFIED, LEAD_STAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorer.domain.explaining import Coming, Explanation

NOBODY: dict[str, Any] = {"known": False}
BUSY: dict[str, Any] = {"busy": True}
"""The worker can't say just now; what was shown before stays."""
SEEN = 8
"""Activities that are shown."""


def standing(one: Explanation, seen: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """``seen``: (when, ms; what) of the newest activities, newest first."""
    lines = [
        {"rule": line.rule, "note": _note(line.detail, line.grants), "points": phrases.points(line.points)}
        for line in sorted(one.ledger, key=lambda line: -abs(line.points))
        if abs(line.points) >= phrases.WORTH_A_WORD
    ]
    return {
        "known": True,
        "points": round(one.total, 1),
        "total": f"{one.total:.1f}",
        # The mark of those who qualify is the middle.
        "share": min(1.0, max(0.0, one.total / (2 * one.enter))) if one.enter > 0 else 0.0,
        "verdict": _verdict(one),
        "lines": lines,
        "next": [_coming(coming, one) for coming in one.next if coming.type != LEAD_STAGE],
        "seen": list(seen[:SEEN]),
        "who": _who(one),
    }


def _note(detail: str, grants: float) -> str:
    """What of a line the points alone don't say."""
    times = f"{grants:.0f} times" if grants > 1.5 else ""  # noqa: PLR2004 - two grants, somewhat faded
    return ", ".join(part for part in (detail, times) if part)


def _verdict(one: Explanation) -> str:
    if one.status == "disqualified":
        return f"Off the list of sales: {one.disqualified_by}."
    if one.status == "qualified":
        return f"Sales has been told: worth a call, until it falls below {one.exit:g}."
    if one.status == "open":
        return f"{max(0.0, one.enter - one.total):.1f} points below {one.enter:g}, where sales is told."
    return f"You are {one.status}."


def _coming(coming: Coming, one: Explanation) -> str:
    day = datetime.fromisoformat(coming.time)
    when = f"{day.day} {day:%B %Y}"
    if coming.type == LEAD_QUALIFIED:
        return f"{when}: worth a call"
    if coming.type == LEAD_DISQUALIFIED and coming.reason == BELOW_EXIT:
        return f"{when}: below {one.exit:g}, no longer worth a call"
    return f"{when}: off the list of sales ({coming.reason})"


def _who(one: Explanation) -> str:
    ids = len(one.members) + 1
    what = "you, known by an address" if one.lead.startswith("e_") else "a visitor without a name"
    joined = f", joined from {ids} ids" if ids > 1 else ""
    return f"Lead {one.lead}: {what}{joined}."
