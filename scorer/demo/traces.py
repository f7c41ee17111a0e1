"""The traces that the demonstration's people leave, as activities; ``senders`` says how they are sent."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from scorer.domain.record import PROFILE_UPDATED
from scorer.wire.times import date_time

SOURCE = "/crm/history"
"""Who wrote down what happened before."""


class Trace(NamedTuple):
    """What somebody did: an event type and its data."""

    type: str
    data: dict[str, Any]


def opened(campaign: str, kind: str = "newsletter", email_id: str = "") -> Trace:
    """An e-mail was opened. ``kind``: newsletter, nurture, onboarding or sales."""
    return Trace("email.opened", _email(campaign, kind, email_id))


def clicked(campaign: str, kind: str, link: str) -> Trace:
    """A link in an e-mail was followed."""
    return Trace("email.clicked", {**_email(campaign, kind, ""), "link": link})


def replied(campaign: str) -> Trace:
    """A salesperson's e-mail was answered."""
    return Trace("email.replied", _email(campaign, "sales", ""))


def unsubscribed(campaign: str) -> Trace:
    """A newsletter was cancelled."""
    return Trace("email.unsubscribed", _email(campaign, "newsletter", ""))


def viewed(path: str, title: str = "") -> Trace:
    """A page of the company's site was looked at."""
    return Trace("page.viewed", {"path": path, "title": title or path.strip("/").capitalize() or "Home"})


def downloaded(name: str) -> Trace:
    """An e-book was downloaded."""
    return Trace("page.downloaded", {"path": f"/library/{name}", "kind": "ebook", "title": name})


def submitted(form: str) -> Trace:
    """A form was sent: ``survey`` or ``newsletter``."""
    return Trace("page.form_submitted", {"path": f"/{form}", "form": form})


def in_app(name: str, **data: Any) -> Trace:
    """Something was done in the trial: trial_started, flow_started, task_created, project_created."""
    return Trace(f"app.{name}", data)


def booked(kind: str = "call", *, rescheduled: bool = False) -> Trace:
    """A call or a demo was booked."""
    return Trace("booking.created", _booking(kind, rescheduled=rescheduled))


def canceled(kind: str = "call", *, rescheduled: bool = False) -> Trace:
    """A booking was cancelled; ``rescheduled`` when a new one follows at once."""
    return Trace("booking.canceled", _booking(kind, rescheduled=rescheduled))


def social(network: str) -> Trace:
    """A post of the company's was clicked on linkedin or facebook."""
    return Trace("social.clicked", {"network": network})


def profile(attributes: dict[str, Any]) -> Trace:
    """Attributes became known or changed; the others stay as they were."""
    return Trace(PROFILE_UPDATED, attributes)


def feedback(word: str, reason: str) -> Trace:
    """What sales says of a lead: accepted, nurtured, developed, rejected or converted."""
    return Trace(f"feedback.{word}", {"reason": reason})


def cloud_event(trace: Trace, user_id: str, event_id: str, time_ms: int) -> dict[str, Any]:
    """The structured CloudEvent of a trace that somebody left at ``time_ms`` (ms since 1970, UTC)."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": trace.type,
        "time": date_time(time_ms),
        "data": {"user_id": user_id, **trace.data},
    }


def encode(event: dict[str, Any]) -> bytes:
    """A CloudEvent as a line or a message."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _email(campaign: str, kind: str, email_id: str) -> dict[str, Any]:
    return {"campaign": campaign, "kind": kind, "template": f"{kind}-1", "email_id": email_id or campaign}


def _booking(kind: str, *, rescheduled: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": kind, "provider": "calendly"}
    if rescheduled:
        data["rescheduled"] = True
    return data
