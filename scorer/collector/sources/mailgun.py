"""Mailgun's webhooks: one event a request.

Documented by Mailgun under "Webhooks" and "Securing Webhooks": the body's ``signature`` holds a
``timestamp`` (seconds), a ``token`` and HMAC-SHA256 in hexadecimal over the two joined, under the *HTTP
webhook signing key*. It does not cover the event. So a token is remembered with the digest of the body
that it came with, for as long as the signature is young enough, and refused with any other body (answer
406, upon which Mailgun does not try again). The same body is a delivery tried again, which Mailgun does
for 8 hours with the signature of the first try: it counts once, by its id. Each process remembers for
itself, and nothing from before it started.

What theirs become:

- delivered, opened, clicked, unsubscribed: ``email.delivered``, ``.opened``, ``.clicked``,
  ``.unsubscribed``
- failed with severity permanent: ``email.bounced``
- complained: ``email.unsubscribed`` with ``complaint: true``
- all others (accepted, rejected, stored, failed for the time being): nothing

``client-info.bot`` (apple, gmail, generic) is ``machine``. Options: ``window`` (9 h), ``remembered``
(how many tokens, 100000, of about 250 bytes each), and those of ``webhook.mail``; arguments are
``user-variables``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from scorer.collector.source import Activity, Key, Reading, Request
from scorer.collector.webhook import mail
from scorer.collector.webhook.decoding import item, whole
from scorer.collector.webhook.events import EMAIL, Events, seconds
from scorer.collector.webhook.options import Options
from scorer.collector.webhook.signatures import (
    bytes_of,
    check,
    check_age,
    mac,
    post_only,
    signed_at,
    unsigned,
)
from scorer.collector.webhook.tokens import Tokens

KIND: Final = "mailgun"

_WINDOW_MS: Final = 9 * 3_600_000
_REMEMBERED: Final = 100_000
_TYPES: Final = {
    "delivered": "email.delivered",
    "opened": "email.opened",
    "clicked": "email.clicked",
    "failed": "email.bounced",
    "unsubscribed": "email.unsubscribed",
    "complained": "email.unsubscribed",
}


class _Signature(msgspec.Struct):
    timestamp: str | int
    token: str
    signature: str


class _Body(msgspec.Struct, rename="kebab"):
    signature: _Signature | None = None
    event_data: msgspec.Raw = msgspec.Raw(b"null")


class _Head(msgspec.Struct):
    event: str
    severity: str | None = None


class _Client(msgspec.Struct, rename="kebab"):
    user_agent: str | None = None
    bot: str | None = None


class _Headers(msgspec.Struct, rename="kebab"):
    message_id: str | None = None


class _Message(msgspec.Struct):
    headers: _Headers = msgspec.field(default_factory=_Headers)


class _Campaign(msgspec.Struct):
    id: str | None = None
    name: str | None = None


class _Template(msgspec.Struct):
    name: str | None = None


class _Delivery(msgspec.Struct):
    code: int | None = None


class _Told(msgspec.Struct, rename="kebab"):
    event: str
    id: str
    timestamp: int | float
    recipient: str
    message: _Message = msgspec.field(default_factory=_Message)
    tags: list[str] | None = None
    campaigns: list[_Campaign] | None = None
    user_variables: dict[str, Any] | None = None
    client_info: _Client | None = None
    template: _Template | None = None
    delivery_status: _Delivery | None = None
    url: str | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode = msgspec.json.Decoder(_Told).decode


class Mailgun:
    """One key's requests; keeps the tokens of its window, as many as the option ``remembered`` says."""

    def __init__(self, key: Key) -> None:
        options = Options(key, ("window", "remembered", *mail.OPTIONS))
        self._secrets = options.secrets("Mailgun's HTTP webhook signing key")
        self._window = options.duration("window", _WINDOW_MS)
        self._tokens = Tokens(options.count("remembered", _REMEMBERED, 1))
        self._events = Events(KIND, key)
        self._mails = mail.Mails(KIND, options)

    def read(self, request: Request) -> Reading:
        post_only(request)
        body = whole(_decode_body, request.body)
        self._verify(body.signature, request)
        return Reading([item(body.event_data, self._read)])

    def _verify(self, signature: _Signature | None, request: Request) -> None:
        if signature is None:
            raise unsigned("the body's signature")
        timestamp = str(signature.timestamp)[:32]
        at = signed_at(timestamp, "signature.timestamp")
        message = bytes_of(timestamp + signature.token)
        check(
            signature.signature,
            self._secrets,
            lambda secret: mac(secret, message).hex(),
            "signature.signature",
        )
        # A later try can't be younger.
        check_age(at, request.received, self._window, "signature.timestamp", status=406)
        self._tokens.use(message, request.body, at, request.received - self._window)

    def _read(self, part: msgspec.Raw) -> Sequence[Activity]:
        head = _decode_head(part)
        kind = _TYPES.get(head.event)
        if kind is None or (head.event == "failed" and head.severity != "permanent"):
            return ()
        told = _decode(part)
        client = told.client_info or _Client()
        campaign = told.campaigns[0] if told.campaigns else _Campaign()
        data = self._mails.data(
            told.recipient,
            told.message.headers.message_id,
            told.tags or (),
            told.user_variables,
            campaign=campaign.name or campaign.id,
            template=told.template.name if told.template else None,
            user_agent=client.user_agent,
        )
        if client.bot and told.event in {"opened", "clicked"}:
            data["machine"] = True
        if told.event == "clicked":
            data["link"] = self._mails.link(told.url)
        elif told.event == "failed":
            data |= {"permanent": True, "code": told.delivery_status.code if told.delivery_status else None}
        elif told.event == "complained":
            data["complaint"] = True
        at = seconds(told.timestamp, "event-data.timestamp")
        return (self._events.activity(EMAIL, kind, told.id, at, data),)
