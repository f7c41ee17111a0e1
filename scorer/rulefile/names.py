"""Names that a rule file may use, and what an author may have meant by one that it may not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

ACTIVITIES: dict[str, tuple[str, ...]] = {
    # activity type -> well-known properties; publishers may send others
    "email.delivered": ("kind", "campaign", "template", "email_id"),
    "email.opened": ("kind", "campaign", "template", "email_id"),
    "email.clicked": ("kind", "campaign", "template", "link", "email_id"),
    "email.replied": ("kind", "campaign", "template", "email_id"),
    "email.unsubscribed": ("kind", "campaign", "template", "email_id"),
    "email.bounced": ("kind", "campaign", "template", "email_id"),
    "email.machine": ("kind", "campaign", "template", "link", "email_id"),
    "page.viewed": ("path", "title"),
    "page.downloaded": ("path", "title", "kind"),
    "page.form_submitted": ("path", "title", "form"),
    "app.trial_started": (),
    "app.flow_started": (),
    "app.task_created": (),
    "app.project_created": (),
    "booking.created": ("kind", "provider", "rescheduled", "booking_id", "rescheduled_from"),
    "booking.canceled": ("kind", "provider", "rescheduled", "booking_id"),
    "booking.rescheduled": ("kind", "provider", "rescheduled", "booking_id", "rescheduled_from"),
    "booking.no_show": ("kind", "provider", "booking_id"),
    "social.clicked": ("network",),
    "profile.linked": (),
    "feedback.accepted": ("reason",),
    "feedback.nurtured": ("reason",),
    "feedback.developed": ("reason",),
    "feedback.rejected": ("reason",),
    "feedback.converted": ("reason",),
    "feedback.moved": ("stage", "reason"),
}
"""The closed lists of the doors, and `email.machine`, which the section `machines` makes of some.
``app.*`` is open: every product has activities of its own."""

OWN_ACTIVITY = re.compile(r"app\.[a-z][a-z0-9]*([._][a-z0-9]+)*")

_CLOSE = 0.75


def closest(name: str, known: Iterable[str], cutoff: float = _CLOSE) -> str | None:
    """The known name that ``name`` was probably meant to be."""
    return _closest(name, tuple(sorted(known)), cutoff)


@lru_cache(maxsize=1_000)
def _closest(name: str, known: tuple[str, ...], cutoff: float) -> str | None:
    folded = {_fold(one): one for one in known}
    found = get_close_matches(_fold(name), folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint: the closest known name or, where there are few, all of them."""
    known = list(known)
    if close := closest(name, known):
        return f"did you mean `{close}`?"
    if 0 < len(known) <= _FEW:
        return "known here: " + ", ".join(f"`{one}`" for one in known)
    return None


_FEW = 12


def _fold(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip().casefold())
