"""Facts and outcomes in a few words, for people who look at a screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

WORTH_A_WORD = 0.05
"""Points below which a line of a ledger says nothing."""

_APP = {
    "app.trial_started": "started a trial",
    "app.flow_started": "started a flow",
    "app.project_created": "created a project",
    "app.task_created": "created a task",
}
_FORMS = {"survey": "answered a survey", "newsletter": "asked for the newsletter"}
_SALES = {
    "accepted": "sales accepted",
    "nurtured": "sales: nurture",
    "developed": "sales: developing",
    "rejected": "sales rejected",
    "converted": "became a customer",
}
_UNITS = ((7 * 86_400, "w"), (86_400, "d"), (3_600, "h"), (60, "m"))


def did(kind: str, properties: Mapping[str, Any]) -> str:
    """What an activity of type ``kind`` was, for example "booked a call"."""
    family, _, action = kind.partition(".")
    if family == "page":
        return _page(action, properties)
    if family == "email":
        what = "a sales e-mail" if properties.get("kind") == "sales" else "a letter"
        return "unsubscribed" if action == "unsubscribed" else f"{_past(action)} {what}"
    if family == "booking":
        what = f"a {properties.get('kind', 'call')}"
        if properties.get("rescheduled") or action == "rescheduled":
            return f"moved {what}"
        return f"booked {what}" if action == "created" else f"cancelled {what}"
    if family == "social":
        return f"clicked on {properties.get('network', 'a network')}"
    if family == "feedback":
        return _SALES.get(action, action)
    return _APP.get(kind) or spaced(action)


def _page(action: str, properties: Mapping[str, Any]) -> str:
    if action == "downloaded":
        return "downloaded a book" if properties.get("kind") == "ebook" else "downloaded a file"
    if action == "form_submitted":
        form = properties.get("form", "")
        return _FORMS.get(form) or f"sent the form {form}".rstrip()
    return f"read {properties.get('path', 'a page')}"


def _past(action: str) -> str:
    return {"replied": "replied to", "clicked": "clicked in"}.get(action, action)


def ago(milliseconds: float) -> str:
    """A stretch of time in at most four characters: ``now``, ``12s``, ``3d``, ``52w``."""
    seconds = int(milliseconds // 1000)
    for unit, letter in _UNITS:
        if seconds >= unit:
            return f"{seconds // unit}{letter}"
    return f"{seconds}s" if seconds > 0 else "now"


def spaced(name: str) -> str:
    """A rule's or an activity's name as words."""
    return name.replace("_", " ").replace(".", " ")


def points(value: float) -> str:
    """Signed, one decimal, none where it is 0."""
    return f"{value:+.1f}".removesuffix(".0")


def terms(top: Iterable[tuple[str, float]]) -> str:
    """A ledger's (rule, points)."""
    return ", ".join(f"{spaced(rule)} {points(value)}" for rule, value in top)


def together(top: Iterable[Mapping[str, Any]], *, rise: bool) -> list[tuple[str, float]]:
    """An outcome's ledger as (rule, points), one line per rule, what led there first.

    ``rise``: there is where the score rose to; penalties come last then, and first otherwise.
    """
    summed: dict[str, float] = {}
    for item in top:
        summed[item["rule"]] = summed.get(item["rule"], 0.0) + item["points"]
    lines = [(rule, value) for rule, value in summed.items() if abs(value) >= WORTH_A_WORD]
    return sorted(lines, key=lambda line: (line[1] < 0) == rise)


def why(data: Mapping[str, Any]) -> str:
    """An outcome's reason; ``data`` is the data of a lead.qualified.v1 or lead.disqualified.v1 event."""
    reason = "" if data["reason"] == "score" else spaced(data["reason"])
    cause = {"time": "by time alone", "import": "from history", "rules": "by new rules"}.get(
        data["cause"], ""
    )
    return ", ".join(part for part in (reason, cause) if part)
