"""What the demonstration's publishers send to the collector: an app, a site, a mailer, a scheduler, a CRM.

Each as the real one does: the same addresses, members, headers and signatures.

    profiles, the trial, downloads, forms    a Segment SDK
    pages                                    the pixel of pages without script
    newsletters                              pictures and links of our own, with sealed tokens
    other mails                              SendGrid's event webhook, signed with ECDSA
    calls and demos                          Calendly's webhook, which knows an address only
    answers, posts, sales' word              a CRM's webhook, by a mapping file
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from scorer.collector.sources.sendgrid import SIGNATURE as SENDGRID_SIGNATURE
from scorer.collector.sources.sendgrid import TIMESTAMP as SENDGRID_TIMESTAMP
from scorer.collector.tokens import Mail, Tokens
from scorer.domain.record import PROFILE_UPDATED
from scorer.wire.times import date_time

if TYPE_CHECKING:
    from scorer.demo.keys import Keys
    from scorer.demo.people import Person
    from scorer.demo.traces import Trace

SITE: Final = "https://www.tallgrass.example"
BROWSER: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
JSON: Final = {"Content-Type": "application/json"}
_CRM: Final = {
    "email.replied": "mail.answered",
    "social.clicked": "post.clicked",
    "feedback.accepted": "deal.accepted",
    "feedback.rejected": "deal.rejected",
}
_SENDGRID: Final = {
    "email.opened": "open",
    "email.clicked": "click",
    "email.unsubscribed": "unsubscribe",
}
_TRACKED: Final = {"page.downloaded": "File Downloaded", "page.form_submitted": "Form Submitted"}


class Sent(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    nonsense: bool | None = False
    """Whether it is to be refused; None: nobody knows, since a visitor of the page has a part in it."""


class Senders:
    """All publishers. ``event_id``: a new id each time. ``lead_of``: a person's lead id."""

    def __init__(self, keys: Keys, event_id: Callable[[], str], lead_of: Callable[[Person], str]) -> None:
        self._keys = keys
        self._event_id = event_id
        self._lead_of = lead_of
        self._opens = Tokens("opens", (keys.letters,))
        self._clicks = Tokens("clicks", (keys.letters,))
        self._numbers = count(1)
        self._invitees: dict[str, str] = {}
        """Address -> the resource of what it has booked."""

    def sent(self, person: Person, trace: Trace, now: int) -> Sent:
        """The request that tells of a trace; ``now``: ms."""
        kind, data = trace
        family, _, action = kind.partition(".")
        if kind == PROFILE_UPDATED:
            return self._segment("identify", person.user_id, now, {"traits": data})
        if kind == "page.viewed":
            return self._page(person.user_id, data)
        if family == "booking":
            moved = bool(data.get("rescheduled"))
            return self.booking(person.email, str(data["kind"]), now, made=action == "created", moved=moved)
        if kind in _CRM:
            return self._crm(kind, person.user_id, data, now)
        if family == "email":
            newsletter = data["kind"] == "newsletter" and kind in {"email.opened", "email.clicked"}
            return self._letter(person, kind, data) if newsletter else self._mail(person, kind, data, now)
        name = _TRACKED.get(kind) or action.replace("_", " ").title()
        return self._segment("track", person.user_id, now, {"event": name, "properties": data})

    def nonsense(self, what: str, now: int) -> Sent:
        """A request that is to be refused: one of ``story.NONSENSE``."""
        call = self._segment("track", "somebody", now, {"event": "Task Created"})
        body = json.loads(call.body)
        if what == "cut short":
            call = call._replace(body=call.body[:60])
        elif what == "of nobody":
            call = call._replace(body=_json({**body, "userId": ""}))
        elif what == "of a stranger":
            call = call._replace(headers=JSON | {"Authorization": _basic("guessed")})
        elif what == "of no kind":
            call = call._replace(path="/v1/batch", body=_json({"batch": [{**body, "type": "telepathy"}]}))
        elif what == "not signed":
            booking = self.booking("somebody@example.net", "call", now, made=True)
            call = booking._replace(body=booking.body.replace(b"somebody", b"else"))
        else:
            raise ValueError(what)
        return call._replace(nonsense=True)

    def booking(self, email: str, kind: str, now: int, *, made: bool, moved: bool = False) -> Sent:
        """A call or demo that was booked, or ``made`` undone; ``moved``: one half of a change of its time."""
        before = self._invitees.get(email)
        if made or before is None:
            number = next(self._numbers)
            place = "https://api.calendly.com/scheduled_events"
            self._invitees[email] = f"{place}/EV{now:x}{number}/invitees/IN{now:x}{number}"
        at = date_time(now)
        invitee: dict[str, Any] = {
            "uri": self._invitees[email],
            "email": email,
            "created_at": at,
            "rescheduled": moved and not made,
            "old_invitee": before if moved and made else None,
            "scheduled_event": {"name": kind.capitalize(), "start_time": date_time(now + 86_400_000)},
        }
        if not made:
            invitee["cancellation"] = {"canceler_type": "invitee", "created_at": at}
        event = "invitee.created" if made else "invitee.canceled"
        body = _json({"event": event, "created_at": at, "payload": invitee})
        second = str(now // 1000)
        signature = hmac.digest(self._keys.calendly, f"{second}.".encode() + body, "sha256").hex()
        headers = JSON | {"Calendly-Webhook-Signature": f"t={second},v1={signature}"}
        return Sent("POST", f"/v1/hooks/{kind}s", headers, body)

    def _segment(self, call: str, user_id: str, now: int, said: dict[str, Any]) -> Sent:
        at = date_time(now)
        body = {"messageId": self._event_id(), "userId": user_id, "timestamp": at, "sentAt": at, **said}
        return Sent("POST", f"/v1/{call}", JSON | {"Authorization": _basic(self._keys.app)}, _json(body))

    def _page(self, user_id: str, data: dict[str, Any]) -> Sent:
        query = urlencode({"key": self._keys.site, "user_id": user_id, **data})
        return Sent("GET", f"/v1/pixel/page.gif?{query}", {"User-Agent": BROWSER})

    def _letter(self, person: Person, kind: str, data: dict[str, Any]) -> Sent:
        mail = Mail(
            self._lead_of(person),
            email_id=data["email_id"],
            campaign=data["campaign"],
            template=data["template"],
            kind=data["kind"],
            target=f"{SITE}{data['link']}" if kind == "email.clicked" else None,
        )
        if mail.target is None:
            path = f"/v1/pixel/{self._opens.make('pixel', mail)}.gif"
        else:
            path = f"/v1/link/{self._clicks.make('link', mail)}"
        return Sent("GET", path, {"User-Agent": BROWSER})

    def _mail(self, person: Person, kind: str, data: dict[str, Any], now: int) -> Sent:
        link = data.get("link")
        event = {
            "event": _SENDGRID[kind],
            "email": person.email,
            "timestamp": now // 1000,
            "sg_event_id": self._event_id(),
            "sg_message_id": f"{data['email_id']}.{hashlib.sha256(person.email.encode()).hexdigest()[:16]}",
            "category": [data["kind"], data["campaign"]],
            "useragent": BROWSER,
            "url": None if link is None else SITE + link,
            "user_id": person.user_id,
            "template": data["template"],
        }
        body = _json([{name: value for name, value in event.items() if value is not None}])
        second = str(now // 1000)
        signature = self._keys.mail.sign(second.encode() + body, ec.ECDSA(SHA256()))
        headers = {SENDGRID_SIGNATURE: b64encode(signature).decode(), SENDGRID_TIMESTAMP: second}
        return Sent("POST", "/v1/hooks/mail", JSON | headers, body)

    def _crm(self, kind: str, user_id: str, data: dict[str, Any], now: int) -> Sent:
        id_, second = self._event_id(), str(now // 1000)
        message = {"type": _CRM[kind], "id": id_, "at": date_time(now), "contact": user_id}
        said = {
            "subject": data.get("campaign"),
            "network": data.get("network"),
            "note": data.get("reason"),
        }
        body = _json(message | {name: value for name, value in said.items() if value is not None})
        signed = f"{id_}.{second}.".encode() + body
        signature = b64encode(hmac.digest(self._keys.crm, signed, "sha256")).decode()
        headers = {"webhook-id": id_, "webhook-timestamp": second, "webhook-signature": f"v1,{signature}"}
        return Sent("POST", "/v1/hooks/crm", JSON | headers, body)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _basic(key: str) -> str:
    return f"Basic {b64encode(f'{key}:'.encode()).decode()}"
