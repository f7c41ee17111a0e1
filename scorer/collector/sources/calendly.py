"""Calendly's webhooks: one event a request.

Documented by Calendly under "Webhook Signatures" and "Webhook Payloads for Rescheduled Events":
``Calendly-Webhook-Signature: t=TIME,v1=HEX``, HMAC-SHA256 under the subscription's *signing key* over
the time (seconds), a dot and the raw body.

What theirs become:

- invitee.created: ``booking.created``
- invitee.canceled: ``booking.canceled``
- invitee_no_show.created: ``booking.no_show``
- all others (routing forms, which say of nobody who it was; event types, contacts ...): nothing

A call that is moved comes as both of the first two: a cancellation with ``rescheduled`` true, and a new
booking that names an ``old_invitee``. Both are marked ``rescheduled: true``, so that rules count
neither, and the booking says ``rescheduled_from``. ``booking_id`` is the invitee's, the same in the
booking, its cancellation and a missed call.

Options: ``kind`` (call; what all bookings of this key are), ``window`` (3 m, as Calendly advises).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from scorer.collector.source import Activity, Key, Reading, Request
from scorer.collector.webhook.decoding import Unreadable, item, whole
from scorer.collector.webhook.events import BOOKING, Events, instant
from scorer.collector.webhook.options import Options
from scorer.collector.webhook.signatures import check, check_age, header, mac, post_only, signed_at, wrong

KIND: Final = "calendly"
SIGNATURE: Final = "Calendly-Webhook-Signature"

_WINDOW_MS: Final = 3 * 60_000
_TYPES: Final = {
    "invitee.created": "booking.created",
    "invitee.canceled": "booking.canceled",
    "invitee_no_show.created": "booking.no_show",
}


class _Head(msgspec.Struct):
    event: str
    created_at: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")


class _Tracking(msgspec.Struct):
    utm_campaign: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_content: str | None = None
    utm_term: str | None = None


class _Cancellation(msgspec.Struct):
    canceler_type: str | None = None
    created_at: str | None = None


class _Scheduled(msgspec.Struct):
    name: str | None = None
    start_time: str | None = None


class _NoShow(msgspec.Struct):
    created_at: str | None = None


class _Invitee(msgspec.Struct):
    uri: str
    email: str
    name: str | None = None
    text_reminder_number: str | None = None
    created_at: str | None = None
    rescheduled: bool | None = None
    old_invitee: str | None = None
    tracking: _Tracking | None = None
    cancellation: _Cancellation | None = None
    no_show: _NoShow | None = None
    scheduled_event: _Scheduled | None = None


_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode = msgspec.json.Decoder(_Invitee).decode


class Calendly:
    """One key's requests; stateless."""

    def __init__(self, key: Key) -> None:
        options = Options(key, ("kind", "window"))
        self._secrets = options.secrets("the signing key of the webhook subscription")
        self._window = options.duration("window", _WINDOW_MS)
        self._kind = options.text("kind", "call")
        self._events = Events(KIND, key)

    def read(self, request: Request) -> Reading:
        post_only(request)
        self._verify(request)
        return Reading([item(whole(_decode_raw, request.body), self._read)])

    def _verify(self, request: Request) -> None:
        timestamp, comma, signature = header(request, SIGNATURE).partition(",")
        if not (comma and timestamp.startswith("t=") and signature.startswith("v1=")):
            raise wrong(SIGNATURE)
        timestamp = timestamp.removeprefix("t=")
        check_age(signed_at(timestamp, SIGNATURE), request.received, self._window, SIGNATURE)
        message = timestamp.encode() + b"." + request.body
        given = signature.removeprefix("v1=")
        check(given, self._secrets, lambda secret: mac(secret, message).hex(), SIGNATURE)

    def _read(self, part: msgspec.Raw) -> Sequence[Activity]:
        head = _decode_head(part)
        kind = _TYPES.get(head.event)
        if kind is None:
            return ()
        told = _decode(head.payload)
        tracking = told.tracking or _Tracking()
        cancellation = told.cancellation or _Cancellation()
        scheduled = told.scheduled_event or _Scheduled()
        utm = {
            name.removeprefix("utm_"): value
            for name, value in msgspec.structs.asdict(tracking).items()
            if value
        }
        data: dict[str, Any] = {
            "email": told.email,
            "name": told.name,
            "phone": told.text_reminder_number,
            "kind": self._kind,
            "provider": KIND,
            "booking_id": _short(told.uri, "payload.uri"),
            "event_type": scheduled.name,
            "starts_at": scheduled.start_time,
            "utm": utm or None,
        }
        if head.event == "invitee.created":
            moved = told.old_invitee
            time = told.created_at
            data["rescheduled"] = bool(moved)
            data["rescheduled_from"] = _short(moved, "payload.old_invitee") if moved else None
        elif head.event == "invitee.canceled":
            time = cancellation.created_at
            data |= {"rescheduled": bool(told.rescheduled), "canceled_by": cancellation.canceler_type}
        else:
            time = told.no_show.created_at if told.no_show else None
        # Times of an invitee and of what became of it are the same in every try of a delivery.
        at = time or head.created_at
        when = None if at is None else instant(at, "created_at")
        id_ = f"{head.event}/{_place(told.uri, 3)}"
        return (self._events.activity(BOOKING, kind, id_, when, data),)


def _place(uri: str, parts: int) -> str:
    return "/".join(uri.rstrip("/").split("/")[-parts:])


def _short(uri: str, where: str) -> str:
    """The last part of a resource's address."""
    name = _place(uri, 1)
    if not name:
        raise Unreadable(f"{where} names nothing")
    return name
