"""Intercom's webhooks: one notification a request.

Documented by Intercom under "Set up Webhooks", "Webhook topics" and "Signed notifications":
``X-Hub-Signature: sha1=HEX``, HMAC-SHA1 under the app's *client secret* over the raw body. There is no
time in the signature, so what may be too old is the notification itself (``created_at``, option
``window``); one that comes again is the same event.

What theirs (``topic``) become:

- contact.user.created, contact.lead.created, their updated, contact.lead.signed_up,
  contact.lead.added_email, contact.email.updated: ``profile.updated``
- contact.unsubscribed: ``email.unsubscribed``
- conversation.user.created: ``app.conversation_started``
- conversation.user.replied: ``app.conversation_replied``
- all others (ping, admins, companies, tags, content_stat ...): nothing

A contact is known by ``external_id`` (``user_id``, text of your own), its address (``email``), and
where it has neither by ``intercom-`` and its number (``anonymous_id``); a profile holds all of them,
which joins them. Nothing of what was written is taken.

Options: ``attributes``, names of custom attributes that are told on (none): ``plan,
company_size=employees``; ``window`` (24 h).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from scorer.collector.source import Activity, Key, Reading, Request
from scorer.collector.webhook.decoding import Unreadable, item, text_of, whole
from scorer.collector.webhook.events import APP, EMAIL, PROFILE, Events, seconds
from scorer.collector.webhook.options import Options
from scorer.collector.webhook.signatures import check, check_age, header, mac, post_only

KIND: Final = "intercom"
SIGNATURE: Final = "X-Hub-Signature"

_WINDOW_MS: Final = 24 * 3_600_000
_PROFILES: Final = frozenset(
    {
        "contact.user.created",
        "contact.user.updated",
        "contact.lead.created",
        "contact.lead.updated",
        "contact.lead.signed_up",
        "contact.lead.added_email",
        "contact.email.updated",
    }
)
_CONVERSATIONS: Final = {
    "conversation.user.created": "app.conversation_started",
    "conversation.user.replied": "app.conversation_replied",
}


class _Data(msgspec.Struct):
    item: msgspec.Raw = msgspec.Raw(b"null")


class _Notification(msgspec.Struct):
    topic: str
    id: str = ""
    created_at: int | None = None
    data: _Data = msgspec.field(default_factory=_Data)


class _Location(msgspec.Struct):
    country: str | None = None
    city: str | None = None


class _Contact(msgspec.Struct):
    id: str | int | None = None
    type: str | None = None
    external_id: str | int | None = None
    user_id: str | int | None = None
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    location: _Location | None = None
    custom_attributes: dict[str, Any] | None = None


class _Unsubscribed(msgspec.Struct):
    contact: _Contact | None = None


class _Contacts(msgspec.Struct):
    contacts: list[_Contact] = []


class _Written(msgspec.Struct):
    author: _Contact | None = None


class _Parts(msgspec.Struct):
    conversation_parts: list[_Written] = []


class _Conversation(msgspec.Struct):
    id: str | int
    source: _Written | None = None
    contacts: _Contacts | None = None
    user: _Contact | None = None
    conversation_parts: _Parts | None = None


_decode_notification = msgspec.json.Decoder(_Notification).decode
_decode_contact = msgspec.json.Decoder(_Contact).decode
_decode_unsubscribed = msgspec.json.Decoder(_Unsubscribed).decode
_decode_conversation = msgspec.json.Decoder(_Conversation).decode


class Intercom:
    """One key's requests; stateless."""

    def __init__(self, key: Key) -> None:
        options = Options(key, ("attributes", "window"))
        self._secrets = options.secrets("the app's client secret")
        self._attributes = options.pairs("attributes", "")
        self._window = options.duration("window", _WINDOW_MS)
        self._events = Events(KIND, key)

    def read(self, request: Request) -> Reading:
        post_only(request)
        message = request.body
        check(
            header(request, SIGNATURE),
            self._secrets,
            lambda secret: f"sha1={mac(secret, message, 'sha1').hex()}",
            SIGNATURE,
        )
        told = whole(_decode_notification, message)
        if told.created_at is not None:
            check_age(told.created_at * 1000, request.received, self._window, "created_at")
        return Reading([item(told, self._read)])

    def _read(self, told: _Notification) -> Sequence[Activity]:
        if told.topic in _PROFILES:
            contact = _decode_contact(told.data.item)
            return self._made(told, PROFILE, "profile.updated", contact, self._profile(contact))
        if told.topic == "contact.unsubscribed":
            # Since version 2.7 of the API the contact is a member of the item; before it was the item.
            inner = _decode_unsubscribed(told.data.item).contact or _decode_contact(told.data.item)
            return self._made(told, EMAIL, "email.unsubscribed", inner, {"provider": KIND})
        kind = _CONVERSATIONS.get(told.topic)
        if kind is None:
            return ()
        conversation = _decode_conversation(told.data.item)
        data = {"provider": KIND, "conversation_id": text_of(conversation.id)}
        return self._made(told, APP, kind, _writer(conversation), data)

    def _made(
        self, told: _Notification, topic: str, kind: str, contact: _Contact, data: Mapping[str, Any]
    ) -> Sequence[Activity]:
        who = _identifiers(contact)
        if not who:
            raise Unreadable("data.item has no contact with an id")
        at = None if told.created_at is None else seconds(told.created_at, "created_at")
        return (self._events.activity(topic, kind, told.id, at, {**data, **who}),)

    def _profile(self, contact: _Contact) -> dict[str, Any]:
        location = contact.location or _Location()
        found: dict[str, Any] = {
            "name": contact.name,
            "phone": contact.phone,
            "country": location.country,
            "city": location.city,
        }
        for theirs, ours in self._attributes.items():
            value = (contact.custom_attributes or {}).get(theirs)
            if isinstance(value, str | int | float | bool):
                found[ours] = value
        return found


def _identifiers(contact: _Contact) -> dict[str, str]:
    number = text_of(contact.id)
    found = {
        "user_id": text_of(contact.external_id) or text_of(contact.user_id),
        "email": contact.email,
        "anonymous_id": f"intercom-{number}" if number else None,
    }
    return {name: value for name, value in found.items() if value}


def _writer(conversation: _Conversation) -> _Contact:
    """Who wrote, with all that is known of the same contact in other places of the message."""
    parts = conversation.conversation_parts.conversation_parts if conversation.conversation_parts else []
    listed = conversation.contacts.contacts if conversation.contacts else []
    written = parts[-1:] or ([conversation.source] if conversation.source else [])
    authors = [one.author for one in written if one.author and one.author.type != "admin"]
    seen = [one for one in (*authors, conversation.user, *listed) if one and (one.id or one.email)]
    if not seen:
        return _Contact()
    first = seen[0]
    alike = [one for one in seen if one.id == first.id]
    return _Contact(
        id=first.id,
        external_id=next(
            (one.external_id or one.user_id for one in alike if one.external_id or one.user_id), None
        ),
        email=next((one.email for one in alike if one.email), None),
    )
