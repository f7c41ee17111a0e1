"""What Segment's SDKs send: identify, track, page, screen, group, alias and batches of them.

After https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ and the specs that it
refers to. What becomes what:

    identify   profile.updated: traits as attributes; user id, anonymous id and address are one person's
    group      profile.updated: ``account_id``, and the company's traits
    alias      profile.linked: ``previousId`` as an anonymous id, ``userId``
    page       page.viewed
    screen     app.screen_viewed
    track      app.NAME, as "Task Created" is app.task_created; or an event of another door by its name
               ("Email Opened", "booking.created"): see ``segment_names``

Ids: ``messageId``. Times: ``timestamp`` by our clock, which is when the request came in less the difference
of ``sentAt`` and ``timestamp`` by the sender's.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import msgspec

from scorer.collector.source import Activity, Item, Key, Reading, RefusedError, Request
from scorer.collector.sources.segment_names import Names, company, mail, person, plain
from scorer.collector.sources.segment_shapes import (
    Context,
    Id,
    Message,
    decode_batch,
    decode_context,
    decode_message,
    decode_raw,
    encode,
)
from scorer.domain.record import PROFILE_LINKED, PROFILE_UPDATED
from scorer.wire.cloudevents import Event
from scorer.wire.dead_letters import Rejected
from scorer.wire.registry import Registry
from scorer.wire.times import date_time, milliseconds

KIND: Final = "segment"
MAX_EVENT_BYTES: Final = 32 * 1024
MAX_BATCH_BYTES: Final = 500 * 1024
MAX_EVENTS: Final = 2_500
PROFILE: Final = "lead.profile.v1"
PAGE: Final = "activity.page.v1"
APP: Final = "activity.app.v1"

CALLS: Final = {
    "i": "identify",
    "t": "track",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
    "b": "batch",
    "import": "batch",
}
"""The short paths that browsers' SDKs use."""

_WITH_QUERY: Final = ("url", "search", "tab_url")
"""Properties of a page; ``tab_url`` and ``initial_referrer`` are what RudderStack's SDK for browsers adds."""
_REFERRERS: Final = ("referrer", "initial_referrer")

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class BadError(Exception):
    """Why a message can't be read; says no value of it."""


class SegmentSource:
    """Stateless."""

    def __init__(self, key: Key, registry: Registry | None = None) -> None:
        self._source = f"{KIND}/{key.name}"
        self._names = Names(registry or Registry.load())
        self._makers = {
            "identify": _identify,
            "page": _page,
            "screen": _screen,
            "group": _group,
            "alias": _alias,
        }

    def read(self, request: Request) -> Reading:
        call = CALLS.get(request.path, request.path)
        body = request.body
        if call == "batch":
            return Reading(self._batch(body, request.received))
        if len(body) > MAX_EVENT_BYTES:
            raise RefusedError(413, "too_large", f"an event has at most {MAX_EVENT_BYTES} bytes")
        try:
            message = decode_message(body)
        except _UNREADABLE as error:
            _refuse(error)
        return Reading((self._item(message, call, request.received, None, None),))

    def _batch(self, body: bytes, received: int) -> list[Item]:
        if len(body) > MAX_BATCH_BYTES:
            raise RefusedError(413, "too_large", f"a batch has at most {MAX_BATCH_BYTES} bytes")
        if len(body) > MAX_EVENT_BYTES:
            return self._one_by_one(body, received)
        try:
            batch = decode_batch(body)
        except msgspec.ValidationError:
            return self._one_by_one(body, received)
        except _UNREADABLE as error:
            _refuse(error)
        _count(len(batch.batch))
        shift, context = _shift(received, batch.sent_at), batch.context
        return [self._item(message, message.type, received, shift, context) for message in batch.batch]

    def _one_by_one(self, body: bytes, received: int) -> list[Item]:
        """The batch's messages, each for itself: one that is broken or too large leaves the others alone."""
        try:
            batch = decode_raw(body)
        except _UNREADABLE as error:
            _refuse(error)
        try:
            context = decode_context(batch.context)
        except _UNREADABLE:
            context = None
        _count(len(batch.batch))
        shift = _shift(received, batch.sent_at)
        items = []
        for raw in batch.batch:
            if len(memoryview(raw)) > MAX_EVENT_BYTES:
                items.append(Item((), f"too_large: an event has at most {MAX_EVENT_BYTES} bytes"))
                continue
            try:
                message = decode_message(raw)
            except _UNREADABLE as error:
                items.append(Item((), f"invalid: {_said(error)}"))
            else:
                items.append(self._item(message, message.type, received, shift, context))
        return items

    def _item(
        self, message: Message, call: str, received: int, shift: int | None, shared: Context | None
    ) -> Item:
        """``shift``: of the batch; None where it has none, or there is none."""
        if shared is not None and message.context is None:
            message.context = shared
        try:
            if call == "track":  # which nearly all are
                topic, kind, data = self._track(message)
            else:
                make = self._makers.get(call)
                if make is None:
                    said = "unknown_type: type is none of identify, track, page, screen, group, alias"
                    return Item((), said)
                topic, kind, data = make(message)
            _identify_by(message, data)
            time = date_time(_time(message, received, shift))
        except BadError as error:
            return Item((), error.args[0])
        except Rejected as rejected:
            return Item((), str(rejected))
        event = Event("1.0", message.message_id or _made_id(message), self._source, kind, data, None, time)
        return Item((Activity(topic, event),))

    def _track(self, message: Message) -> tuple[str, str, dict[str, Any]]:
        if not message.event:
            raise BadError("invalid: event: a track call names what happened")
        found = self._names.activity(message.event)
        if found is None:
            raise BadError("invalid: event: a name has letters or digits")
        topic, kind = found
        properties = message.properties or {}
        if not kind.startswith("email."):
            return topic, kind, plain(properties)
        data = mail(properties)
        if message.context is not None and message.context.user_agent is not None:
            data.setdefault("user_agent", message.context.user_agent)
        return topic, kind, data


def _identify(message: Message) -> tuple[str, str, dict[str, Any]]:
    traits = message.traits
    if not traits and message.context is not None:
        traits = message.context.traits  # where RudderStack's SDKs put them
    return PROFILE, PROFILE_UPDATED, person(traits or {})


def _group(message: Message) -> tuple[str, str, dict[str, Any]]:
    group = _text(message.group_id)
    if not group:
        raise BadError("invalid: groupId: a group call names its group")
    return PROFILE, PROFILE_UPDATED, company(message.traits or {}) | {"account_id": group}


def _alias(message: Message) -> tuple[str, str, dict[str, Any]]:
    previous, user = _text(message.previous_id), _text(message.user_id)
    if not previous or not user:
        raise BadError("invalid: an alias call has previousId and userId")
    message.anonymous_id = previous
    return PROFILE, PROFILE_LINKED, {}


def _page(message: Message) -> tuple[str, str, dict[str, Any]]:
    data = _named(message)
    context = message.context
    if context is not None:
        page = context.page
        if page is not None:
            for name, value in (("path", page.path), ("title", page.title), ("referrer", page.referrer)):
                if value is not None:
                    data.setdefault(name, value)
        if context.campaign:
            data.setdefault("utm", plain(context.campaign))
    if "path" not in data and message.properties is not None:
        url = message.properties.get("url")
        if isinstance(url, str) and (path := _path(url)):
            data["path"] = path
    # A query says more than where somebody was: addresses, tokens.
    for name in _WITH_QUERY:
        data.pop(name, None)
    for name in _REFERRERS:
        referrer = data.get(name)
        if isinstance(referrer, str):
            data[name] = referrer.partition("?")[0]
    return PAGE, "page.viewed", data


def _screen(message: Message) -> tuple[str, str, dict[str, Any]]:
    return APP, "app.screen_viewed", _named(message)


def _named(message: Message) -> dict[str, Any]:
    """The properties of a page or screen, and what it is called: ``name`` would be a person's."""
    data = dict(plain(message.properties or {}))
    title = data.pop("name", None) or message.name
    if isinstance(title, str):
        data.setdefault("page_name", title)
    if message.category is not None:
        data.setdefault("category", message.category)
    return data


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _identify_by(message: Message, data: dict[str, Any]) -> None:
    """Who it is about, in the members that intake reads; what properties say under their names is gone."""
    user, anonymous = _text(message.user_id), _text(message.anonymous_id)
    email = data.pop("email", None)
    traits = message.traits
    if not traits and message.context is not None:
        traits = message.context.traits
    if traits is not None and "email" in traits:
        email = traits["email"]
    data.pop("user_id", None)
    data.pop("anonymous_id", None)
    if user:
        data["user_id"] = user
        if email is None and "@" in user:
            email = user
    if anonymous:
        data["anonymous_id"] = anonymous
    if isinstance(email, str) and email.count("@") == 1:
        data["email"] = email


def _text(identifier: Id) -> str | None:
    """SDKs make texts of numbers; what comes past them is made one the same way."""
    return str(identifier) if type(identifier) is int else identifier  # type: ignore[return-value] # no int


def _time(message: Message, received: int, shift: int | None) -> int:
    """By our clock, in ms; raises ``Rejected`` for a time that is none."""
    given = message.original_timestamp or message.timestamp
    if given is None:
        return received
    if shift is None:
        shift = _shift(received, message.sent_at) or 0
    return _instant(given) + shift


def _shift(received: int, sent_at: str | None) -> int | None:
    """How far our clock is ahead of a sender's, ms; None where it does not say when it has sent."""
    if not sent_at:
        return None
    try:
        return received - _instant(sent_at)
    except Rejected:
        return 0


def _instant(text: str) -> int:
    try:
        return milliseconds(text)
    except Rejected:
        # Without an offset it is UTC to Segment.
        return milliseconds(f"{text.replace(' ', 'T', 1)}Z")


def _made_id(message: Message) -> str:
    """Of a message without one: the same for the same message where that says when it was made."""
    if message.timestamp is None and message.original_timestamp is None:
        return os.urandom(16).hex()
    message.sent_at = None
    return blake2b(encode(message), digest_size=16).hexdigest()


def _count(events: int) -> None:
    if events > MAX_EVENTS:
        raise RefusedError(400, "too_many", f"a batch has at most {MAX_EVENTS} events")


def _said(error: Exception) -> str:
    """What msgspec says names members and positions, and no value but a wrong constant's."""
    return str(error)[:200] if isinstance(error, msgspec.MsgspecError) else "not JSON in UTF-8"


def _refuse(error: Exception) -> NoReturn:
    code = "invalid" if isinstance(error, msgspec.ValidationError) else "not_json"
    raise RefusedError(400, code, _said(error))
