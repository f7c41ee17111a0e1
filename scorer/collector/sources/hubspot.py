"""HubSpot's webhooks: lists of changes of contacts.

Documented by HubSpot under "Webhooks API" and "Validating requests". Version 3:
``X-HubSpot-Signature-v3``, HMAC-SHA256 in Base64 under the app's *client secret* over the method, the
address (some of its escapes resolved), the raw body and ``X-HubSpot-Request-Timestamp`` (ms), which may
be 5 minutes old. Version 1: ``X-HubSpot-Signature``, SHA-256 in hexadecimal of the secret and the body,
without a time: taken only with the option ``signature: v1``, and where there is no newer one. The
address is the one that HubSpot was given: behind a proxy the collector needs its public base URL.

A change holds a contact's number and one property. The number is an ``anonymous_id``,
``hubspot-PORTAL-NUMBER``; a change of ``email`` joins it to the address, whether it comes before the
others or after.

What theirs become:

- contact.propertyChange of ``email`` or one of ``properties``: ``profile.updated``
- contact.propertyChange with a value of ``feedback``: ``feedback.*``, with ``reason`` "property: value"
- all others (creation, deletion, merge, other objects and properties): nothing

The newer ``object.propertyChange`` counts where ``objectTypeId`` is 0-1, contacts. HubSpot does not
promise that an ``eventId`` is unique; ids are made of what changed and when.

Options: ``signature`` (v3), ``window`` (5 m), ``properties`` (``jobtitle=job, country, city,
industry``), ``feedback`` (``lifecyclestage:customer=converted, ...``; see ``FEEDBACK_BY_DEFAULT``;
``no`` for none).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from scorer.collector.source import Activity, Key, Reading, Request
from scorer.collector.webhook.decoding import Unreadable, each, item, text_of
from scorer.collector.webhook.events import FEEDBACK, PROFILE, Events, digest_of
from scorer.collector.webhook.options import Options
from scorer.collector.webhook.signatures import (
    bytes_of,
    check_age,
    digest,
    header,
    mac,
    post_only,
    same,
    signed_at,
    wrong,
)
from scorer.errors import UserError

KIND: Final = "hubspot"
V3: Final = "X-HubSpot-Signature-v3"
V1: Final = "X-HubSpot-Signature"
TIMESTAMP: Final = "X-HubSpot-Request-Timestamp"
PROPERTIES: Final = "jobtitle=job, country, city, industry"
FEEDBACK_BY_DEFAULT: Final = (
    "lifecyclestage:opportunity=developed, lifecyclestage:customer=converted, "
    "hs_lead_status:IN_PROGRESS=accepted, hs_lead_status:CONNECTED=accepted, "
    "hs_lead_status:BAD_TIMING=nurtured, hs_lead_status:UNQUALIFIED=rejected"
)

_WINDOW_MS: Final = 5 * 60_000
_CHANGES: Final = frozenset({"contact.propertyChange", "object.propertyChange"})
Scalar = str | int | float | bool | None
_CONTACTS: Final = "0-1"
_ANSWERS: Final = ("accepted", "nurtured", "developed", "rejected", "converted")

_ESCAPES: Final = {
    "3a": ":", "2f": "/", "3f": "?", "40": "@", "21": "!", "24": "$",
    "27": "'", "28": "(", "29": ")", "2a": "*", "2c": ",", "3b": ";",
}  # fmt: skip
"""What version 3 resolves before it signs the address."""
_escape = re.compile("%(" + "|".join(_ESCAPES) + ")", re.IGNORECASE)
_number = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?").fullmatch


class _Told(msgspec.Struct, rename="camel"):
    subscription_type: str = ""
    object_id: str | int | None = None
    object_type_id: str | None = None
    portal_id: str | int | None = None
    property_name: str | None = None
    property_value: Scalar = None
    occurred_at: int | None = None


class _Head(msgspec.Struct, rename="camel"):
    subscription_type: str


_decode_head = msgspec.json.Decoder(_Head).decode
_decode = msgspec.json.Decoder(_Told).decode


class HubSpot:
    """One key's requests; stateless."""

    def __init__(self, key: Key) -> None:
        options = Options(key, ("signature", "window", "properties", "feedback"))
        self._secrets = options.secrets("the app's client secret")
        self._old = options.chosen("signature", ("v3", "v1"), "v3") == "v1"
        self._window = options.duration("window", _WINDOW_MS)
        self._properties = {**options.pairs("properties", PROPERTIES), "email": "email"}
        told = options.text("feedback", FEEDBACK_BY_DEFAULT)
        self._feedback = {} if told == "no" else dict(options.pairs("feedback", FEEDBACK_BY_DEFAULT))
        for answer in self._feedback.values():
            if answer not in _ANSWERS:
                hint = "write property:value=answer; the answers are " + ", ".join(_ANSWERS)
                raise UserError(f"key {key.name}: the option feedback is no good", hint)
        self._events = Events(KIND, key)

    def read(self, request: Request) -> Reading:
        post_only(request)
        if self._old and V3.lower() not in request.headers:
            self._verify_v1(request)
        else:
            self._verify_v3(request)
        return Reading([item(part, self._read) for part in each(request.body)])

    def _verify_v3(self, request: Request) -> None:
        given, timestamp = header(request, V3), header(request, TIMESTAMP)
        check_age(signed_at(timestamp, TIMESTAMP, 1), request.received, self._window, TIMESTAMP)
        fits = False
        for url in (request.url, _resolved(request.url)):
            message = bytes_of(request.method + url) + request.body + timestamp.encode()
            for secret in self._secrets:
                fits |= same(base64.b64encode(mac(secret, message)).decode(), given)
        if not fits:
            raise wrong(V3)

    def _verify_v1(self, request: Request) -> None:
        given = header(request, V1)
        fits = False
        for secret in self._secrets:
            fits |= same(digest(secret + request.body), given)
        if not fits:
            raise wrong(V1)

    def _read(self, part: msgspec.Raw) -> Sequence[Activity]:
        head = _decode_head(part)
        if head.subscription_type not in _CHANGES:
            return ()
        told = _decode(part)
        number, name = text_of(told.object_id), told.property_name
        if head.subscription_type == "object.propertyChange" and told.object_type_id != _CONTACTS:
            return ()
        if number is None or name is None:
            raise Unreadable("objectId or propertyName is missing")
        portal = text_of(told.portal_id)
        value = told.property_value
        who = {"anonymous_id": f"hubspot-{portal}-{number}"}
        made: list[Activity] = []
        ours = self._properties.get(name)
        id_ = digest_of(portal, number, name, value, told.occurred_at)
        if ours is not None and (ours != "email" or value):
            # A property that was emptied is removed, which an update says with null.
            activity = self._events.activity(PROFILE, "profile.updated", id_, told.occurred_at, who)
            activity.event.data[ours] = value if ours == "email" else _value(value)
            made.append(activity)
        answer = self._feedback.get(f"{name}:{value}")
        if answer is not None:
            data = {**who, "reason": f"{name}: {value}"}
            made.append(
                self._events.activity(
                    FEEDBACK, f"feedback.{answer}", f"{id_}/feedback", told.occurred_at, data
                )
            )
        return made


def _value(value: Scalar) -> Scalar:
    """HubSpot writes every value as text; rules compare numbers with numbers."""
    if not isinstance(value, str):
        return value
    if value in {"true", "false"}:
        return value == "true"
    if _number(value) is not None:
        return float(value) if "." in value else int(value)
    return value or None


def _resolved(url: str) -> str:
    """As version 3 signs it: some escapes are resolved, in the path and the query."""
    return _escape.sub(lambda match: _ESCAPES[match[1].lower()], url)
