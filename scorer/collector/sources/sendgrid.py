"""Twilio SendGrid's event webhook: lists of what became of mails.

Documented by Twilio under "Event Webhook Reference" and "Getting Started with the Event Webhook
Security Features": ``X-Twilio-Email-Event-Webhook-Signature`` is ECDSA (P-256, SHA-256) in Base64 over
the value of ``X-Twilio-Email-Event-Webhook-Timestamp`` (seconds) and the raw body. The key's secrets
are *verification keys*: public, so several may be set while one is being replaced.

What theirs become:

- delivered, open, click: ``email.delivered``, ``email.opened``, ``email.clicked``
- bounce: ``email.bounced``; ``permanent`` is false where the type is blocked
- unsubscribe, group_unsubscribe: ``email.unsubscribed``
- spamreport: ``email.unsubscribed`` with ``complaint: true``
- all others (processed, deferred, dropped, group_resubscribe, of the account): nothing

``sg_machine_open`` is ``machine``. Options: ``window`` (24 h: tries are repeated for so long, Twilio
does not say with which timestamp, and the ids of events are known for as long), and those of
``webhook.mail``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from scorer.collector.source import Activity, Key, Reading, Request
from scorer.collector.webhook import mail
from scorer.collector.webhook.decoding import each, item
from scorer.collector.webhook.events import EMAIL, Events, seconds
from scorer.collector.webhook.options import Options
from scorer.collector.webhook.signatures import bytes_of, check_age, header, post_only, signed_at, wrong
from scorer.errors import UserError

KIND: Final = "sendgrid"
SIGNATURE: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"

_WINDOW_MS: Final = 24 * 3_600_000
_TYPES: Final = {
    "delivered": "email.delivered",
    "open": "email.opened",
    "click": "email.clicked",
    "bounce": "email.bounced",
    "unsubscribe": "email.unsubscribed",
    "group_unsubscribe": "email.unsubscribed",
    "spamreport": "email.unsubscribed",
}


class _Head(msgspec.Struct):
    event: str


class _Told(msgspec.Struct):
    """One event; custom arguments stand beside these members."""

    event: str
    email: str
    timestamp: int | float
    sg_event_id: str
    sg_message_id: str | None = None
    category: str | list[str] | None = None
    useragent: str | None = None
    url: str | None = None
    type: str | None = None
    status: str | None = None
    sg_machine_open: bool | None = None
    sg_template_name: str | None = None
    sg_template_id: str | None = None
    marketing_campaign_name: str | None = None
    singlesend_name: str | None = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode = msgspec.json.Decoder(_Told).decode


class SendGrid:
    """One key's requests; stateless."""

    def __init__(self, key: Key) -> None:
        options = Options(key, ("window", *mail.OPTIONS))
        self._events = Events(KIND, key)
        self._mails = mail.Mails(KIND, options)
        self._window = options.duration("window", _WINDOW_MS)
        self._keys = [_public_key(key, secret) for secret in options.secrets("SendGrid's verification key")]

    def read(self, request: Request) -> Reading:
        post_only(request)
        self._verify(request)
        return Reading([item(part, self._read) for part in each(request.body)])

    def _verify(self, request: Request) -> None:
        given, timestamp = header(request, SIGNATURE), header(request, TIMESTAMP)
        check_age(signed_at(timestamp, TIMESTAMP), request.received, self._window, TIMESTAMP)
        try:
            signature = base64.b64decode(bytes_of(given), validate=True)
        except binascii.Error:
            raise wrong(SIGNATURE) from None
        # Base64 has letters to spare at its end; only one spelling is the sender's.
        fits = base64.b64encode(signature) == bytes_of(given)
        message = timestamp.encode() + request.body
        verified = [_verifies(one, signature, message) for one in self._keys]
        if not fits or not any(verified):
            raise wrong(SIGNATURE)

    def _read(self, part: msgspec.Raw) -> Sequence[Activity]:
        head = _decode_head(part)
        kind = _TYPES.get(head.event)
        if kind is None:
            return ()
        told = _decode(part)
        categories = [told.category] if isinstance(told.category, str) else told.category or ()
        data = self._mails.data(
            told.email,
            told.sg_message_id,
            categories,
            self._mails.arguments(part),
            campaign=told.singlesend_name or told.marketing_campaign_name,
            template=told.sg_template_name or told.sg_template_id,
            user_agent=told.useragent,
        )
        if told.event == "open" and told.sg_machine_open:
            data["machine"] = True
        elif told.event == "click":
            data["link"] = self._mails.link(told.url)
        elif told.event == "bounce":
            data |= {"permanent": told.type != "blocked", "status": told.status or None}
        elif told.event == "spamreport":
            data["complaint"] = True
        at = seconds(told.timestamp, "timestamp")
        return (self._events.activity(EMAIL, kind, told.sg_event_id, at, data),)


def _public_key(key: Key, secret: bytes) -> ec.EllipticCurvePublicKey:
    """The verification key as the dashboard shows it, with or without the lines of PEM around it."""
    text = b"".join(line.strip() for line in secret.splitlines() if not line.startswith(b"-----"))
    try:
        found = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        found = None
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise UserError(
            f"key {key.name}: a secret is no public key for ECDSA",
            "copy the verification key from SendGrid's settings of the event webhook",
        )
    return found


def _verifies(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
