"""The traces that the demonstration's people leave, as publishers would send them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from scorer.domain.record import PROFILE_UPDATED

DOORS = {
    "email": "activity.email.v1",
    "page": "activity.page.v1",
    "app": "activity.app.v1",
    "booking": "activity.booking.v1",
    "social": "activity.social.v1",
    "profile": "lead.profile.v1",
    "feedback": "lead.feedback.v1",
}
"""The door topic of each kind of event: the first word of its type."""

SOURCES = {
    "email": "/mail/letters",
    "page": "/web/site",
    "app": "/app/trial",
    "booking": "/booking/calendly",
    "social": "/social/links",
    "profile": "/crm/contacts",
    "feedback": "/crm/sales",
}
"""Who publishes each kind of event."""


class Trace(NamedTuple):
    """What somebody did: an event type and its data."""

    type: str
    data: dict[str, Any]

    @property
    def door(self) -> str:
        """The (unprefixed) topic that this trace is published on."""
        return DOORS[self.type.partition(".")[0]]


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


def cloud_event(trace: Trace, lead: str, event_id: str, time_ms: int) -> dict[str, Any]:
    """The structured CloudEvent of a trace that ``lead`` left at ``time_ms`` (ms since 1970, UTC)."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCES[trace.type.partition(".")[0]],
        "type": trace.type,
        "subject": lead,
        "time": rfc3339(time_ms),
        "data": trace.data,
    }


def rfc3339(time_ms: int) -> str:
    """An instant (ms since 1970) as events carry it: UTC, with milliseconds."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _email(campaign: str, kind: str, email_id: str) -> dict[str, Any]:
    return {"campaign": campaign, "kind": kind, "template": f"{kind}-1", "email_id": email_id or campaign}


def _booking(kind: str, *, rescheduled: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": kind, "provider": "calendly"}
    if rescheduled:
        data["rescheduled"] = True
    return data
