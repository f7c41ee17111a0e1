"""Postmark's webhooks: one event a request.

Documented by Postmark under "Webhooks overview" and a page for each record type. Postmark signs
nothing. It sends what the webhook's address or its settings hold, and one of these has to be there,
with one of the key's secrets:

- HTTP basic authentication, ``user:password`` being the secret (by default);
- a custom header, named by the option ``header``, its value being the secret;
- with the option ``path: yes``, the address's last part: ``/v1/hooks/KEY/SECRET``.

Nothing ties such a request to its content or to a time, so it has to come by HTTPS, and a captured one
can be sent again: it is the same event then, because the id is made of what the event says (Postmark
gives opens and clicks none).

What theirs (``RecordType``) become:

- Delivery, Open, Click: ``email.delivered``, ``email.opened``, ``email.clicked``
- Bounce: ``email.bounced``; ``permanent`` if Postmark sends no more there; nothing while ``Type`` says
  that it is passing
- SpamComplaint: ``email.unsubscribed`` with ``complaint: true``
- SubscriptionChange by the recipient, to no more mail: ``email.unsubscribed``
- all others: nothing

Postmark marks no machine opens; the rule file's ``machines`` knows them by ``user_agent``. Options:
``header``, ``path``, and those of ``webhook.mail``; arguments are ``Metadata``, the tag is ``Tag``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from scorer.collector.source import Activity, Key, Reading, Request
from scorer.collector.webhook import mail
from scorer.collector.webhook.decoding import item, whole
from scorer.collector.webhook.events import EMAIL, Events, digest_of, instant
from scorer.collector.webhook.options import Options
from scorer.collector.webhook.signatures import bytes_of, check, header, post_only, unsigned, wrong
from scorer.wire.blocked import words

KIND: Final = "postmark"

_BASIC: Final = "basic "
_TYPES: Final = {
    "Delivery": "email.delivered",
    "Open": "email.opened",
    "Click": "email.clicked",
    "Bounce": "email.bounced",
    "SpamComplaint": "email.unsubscribed",
    "SubscriptionChange": "email.unsubscribed",
}
_PASSING: Final = words(
    "Transient SoftBounce DnsError AutoResponder AddressChange ChallengeVerification OpenRelayTest Subscribe"
)
"""Bounces that say nothing for good."""


class _Head(msgspec.Struct, rename="pascal"):
    record_type: str = ""
    type: str | None = None
    suppress_sending: bool | None = None
    origin: str | None = None


class _Told(msgspec.Struct, rename="pascal"):
    record_type: str
    message_id: str | None = msgspec.field(name="MessageID", default=None)
    id: int | None = msgspec.field(name="ID", default=None)
    recipient: str | None = None
    email: str | None = None
    delivered_at: str | None = None
    received_at: str | None = None
    bounced_at: str | None = None
    changed_at: str | None = None
    tag: str | None = None
    metadata: dict[str, Any] | None = None
    message_stream: str | None = None
    user_agent: str | None = None
    original_link: str | None = None
    first_open: bool | None = None
    inactive: bool | None = None
    type: str | None = None


_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode = msgspec.json.Decoder(_Told).decode


class Postmark:
    """One key's requests; stateless."""

    def __init__(self, key: Key) -> None:
        options = Options(key, ("header", "path", *mail.OPTIONS))
        self._secrets = options.secrets(
            "user:password, or the value of the header or path that Postmark sends"
        )
        self._header = options.text("header")
        self._path = options.truth("path", default=False)
        self._events = Events(KIND, key)
        self._mails = mail.Mails(KIND, options)

    def read(self, request: Request) -> Reading:
        post_only(request)
        self._verify(request)
        return Reading([item(whole(_decode_raw, request.body), self._read)])

    def _verify(self, request: Request) -> None:
        given, what = self._given(request)
        check(given, self._secrets, lambda secret: secret.decode("utf-8", "surrogateescape"), what)

    def _given(self, request: Request) -> tuple[str, str]:
        """The credential, and what to call it."""
        if self._header:
            return header(request, self._header), f"the header {self._header}"
        if self._path:
            if not request.path:
                raise unsigned("the secret at the end of the address")
            return request.path, "the end of the address"
        value = header(request, "Authorization")
        if value[: len(_BASIC)].lower() != _BASIC:
            raise unsigned("basic authentication")
        coded = bytes_of(value[len(_BASIC) :])
        try:
            plain = base64.b64decode(coded, validate=True)
        except binascii.Error:
            raise wrong("basic authentication") from None
        if base64.b64encode(plain) != coded:
            raise wrong("basic authentication")
        return plain.decode("utf-8", "surrogateescape"), "basic authentication"

    def _read(self, part: msgspec.Raw) -> Sequence[Activity]:
        head = _decode_head(part)
        kind = _TYPES.get(head.record_type)
        if kind is None:
            return ()
        if head.record_type == "Bounce" and head.type in _PASSING:
            return ()
        if head.record_type == "SubscriptionChange" and not (
            head.suppress_sending and head.origin == "Recipient"
        ):
            return ()
        told = _decode(part)
        email = told.recipient or told.email or ""
        link = self._mails.link(told.original_link)
        time = told.received_at or told.delivered_at or told.bounced_at or told.changed_at or ""
        data = self._mails.data(
            email,
            told.message_id,
            (told.tag,) if told.tag else (),
            told.metadata,
            stream=told.message_stream,
            user_agent=told.user_agent,
            link=link,
        )
        if head.record_type == "Open":
            data["first"] = told.first_open
        elif head.record_type == "Bounce":
            data |= {"permanent": bool(told.inactive), "bounce": told.type}
        elif head.record_type == "SpamComplaint":
            data["complaint"] = True
        id_ = digest_of(head.record_type, told.message_id, told.id, email, time, told.original_link)
        return (self._events.activity(EMAIL, kind, id_, instant(time, "the time"), data),)
