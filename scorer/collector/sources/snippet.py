"""The web snippet: ``POST /v1/snippet``, as ``scorer/collector/snippet/scorer.js`` sends it.

| snippet | becomes |
|---|---|
| page | ``page.viewed``; and ``social.clicked`` where utm says that a post in a social network led there |
| identify | ``profile.updated``, with all identifiers that the browser knows |
| track | ``app.<name>``, or the named event of ``activity.page.v1`` |
| form | ``page.form_submitted``; and ``profile.updated`` for an address or attributes in it |

Nothing becomes of what crawlers and browsers with Global Privacy Control (``Sec-GPC``) send.

Browsers' clocks lie: where ``sentAt`` is off from the time received, all times are moved by the difference.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from scorer.collector.machines import is_crawler
from scorer.collector.names import app_type
from scorer.collector.snippet_body import (
    FIRST,
    MAX_BATCH,
    MAX_EVENT,
    Body,
    Form,
    Identify,
    Page,
    Told,
    Track,
    decode_body,
    decode_event,
)
from scorer.collector.source import Activity, Item, Reading, RefusedError
from scorer.collector.write_key import is_one_of
from scorer.wire.cloudevents import Event
from scorer.wire.times import date_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorer.collector.source import Key, Request

KIND: Final = "snippet"
PAGE: Final = "activity.page.v1"
APP: Final = "activity.app.v1"
SOCIAL: Final = "activity.social.v1"
PROFILE: Final = "lead.profile.v1"

TOLERANCE: Final = 5_000
"""ms by which a clock may be off: the request's own way is not told from it."""
MAX_TEXT: Final = 1_000
"""Characters of a path, a title and the like; the rest is cut."""

MAX_ADDRESS: Final = 256
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+").fullmatch
_PAGE_TYPES: Final = frozenset({"page.viewed", "page.downloaded", "page.form_submitted"})
_NETWORKS: Final = {
    "linkedin": "linkedin",
    "linkedin.com": "linkedin",
    "facebook": "facebook",
    "fb": "facebook",
}
_SOCIAL_MEDIA: Final = frozenset(
    {"social", "social-media", "social_media", "paid-social", "paid_social", "paidsocial"}
)
_LONGEST: Final = 200
_NOTHING: Final = Item(())
_IDENTIFIERS: Final = ("user_id", "email", "anonymous_id")


class Snippet:
    def __init__(self, key: Key) -> None:
        self._keys = key.secrets
        self._source = f"{KIND}/{key.name}"

    def read(self, request: Request) -> Reading:
        body = _body(request.body)
        if not is_one_of(body.key, self._keys):
            raise RefusedError(401, "unknown_key", "key: not a write key")
        if len(body.batch) > MAX_BATCH:
            raise RefusedError(413, "batch_too_long", f"batch: at most {MAX_BATCH} events")
        if request.headers.get("sec-gpc") == "1" or is_crawler(request.headers):
            return Reading([_NOTHING] * len(body.batch))
        off = 0 if body.sent_at is None else request.received - body.sent_at
        if abs(off) <= TOLERANCE:
            off = 0
        return Reading([self._item(raw, off, request.received) for raw in body.batch])

    def _item(self, raw: msgspec.Raw, off: int, received: int) -> Item:
        if len(raw) > MAX_EVENT:
            return Item((), f"more than {MAX_EVENT} bytes")
        try:
            told = decode_event(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return Item((), _shown(error))
        at = min(told.time + off, received)
        if at < FIRST:
            return Item((), "time: long before anything that was sent")
        return self._mapped(told, date_time(at))

    def _mapped(self, told: Told, time: str) -> Item:
        if isinstance(told, Page):
            viewed = self._activity(PAGE, told, "page.viewed", time, _page(told))
            social = self._social(told, time)
            return Item((viewed,) if social is None else (viewed, social))
        if isinstance(told, Track):
            return self._track(told, time)
        if isinstance(told, Identify):
            traits = dict(told.traits or {})
            email = _address(traits.get("email"))
            return Item((self._activity(PROFILE, told, "profile.updated", time, traits, email),))
        return self._form(told, time)

    def _track(self, told: Track, time: str) -> Item:
        data = dict(told.properties or {})
        if told.name in _PAGE_TYPES:
            if told.path is not None:
                data.setdefault("path", told.path[:MAX_TEXT])
            return Item((self._activity(PAGE, told, told.name, time, data),))
        kind = app_type(told.name)
        if kind is None:
            return Item((), "name: no event type can be made of it")
        return Item((self._activity(APP, told, kind, time, data),))

    def _form(self, told: Form, time: str) -> Item:
        data = dict(told.fields or {})
        email = _address(told.email) or _address(data.get("email"))
        data |= {"form": told.form[:MAX_TEXT], "path": None if told.path is None else told.path[:MAX_TEXT]}
        submitted = self._activity(PAGE, told, "page.form_submitted", time, data, email)
        traits = dict(told.traits or {})
        if not email and not traits:
            return Item((submitted,))
        # First who it is: a form that is filled in makes a visitor known.
        profile = self._activity(
            PROFILE, told, "profile.updated", time, traits, email, id_=f"{told.id}.profile"
        )
        return Item((profile, submitted))

    def _social(self, told: Page, time: str) -> Activity | None:
        """Once a day for a visitor and a post, however often the page is loaded anew."""
        network = _NETWORKS.get(told.utm.get("source", "").lower())
        if network is None or told.utm.get("medium", "").lower() not in _SOCIAL_MEDIA:
            return None
        post = told.utm.get("content") or told.utm.get("campaign")
        what = "\0".join((told.user_id or "", told.anonymous_id or "", network, post or "", time[:10]))
        id_ = blake2b(what.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        data = {"network": network, "post": None if post is None else post[:MAX_TEXT]}
        return self._activity(SOCIAL, told, "social.clicked", time, data, id_=id_)

    def _activity(
        self,
        topic: str,
        told: Told,
        kind: str,
        time: str,
        said: Mapping[str, Any],
        email: str | None = None,
        *,
        id_: str | None = None,
    ) -> Activity:
        """``said``: properties; what it says under the names of identifiers is somebody else's, perhaps."""
        keep_null = topic == PROFILE
        data = {
            name: value
            for name, value in said.items()
            if name not in _IDENTIFIERS and (keep_null or value is not None)
        }
        known = zip(_IDENTIFIERS, (told.user_id, email, told.anonymous_id), strict=True)
        data |= {name: value for name, value in known if value}
        return Activity(topic, Event("1.0", id_ or told.id, self._source, kind, data, time=time))


def _body(body: bytes) -> Body:
    try:
        body.decode()  # msgspec does not look at the bytes of text that it skips
        return decode_body(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, "bad_body", _shown(error)) from None


def _shown(error: Exception) -> str:
    """Without a value: msgspec repeats one where it names no member."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    text = str(error)
    return "type: unknown" if text.startswith("Invalid value") else text[:_LONGEST]


def _page(told: Page) -> dict[str, Any]:
    cut = {
        name: value[:MAX_TEXT]
        for name, value in (
            ("path", told.path),
            ("title", told.title),
            ("host", told.host),
            ("referrer", told.referrer),
        )
        if value
    }
    utm = {name[:MAX_TEXT]: value[:MAX_TEXT] for name, value in told.utm.items() if name and value}
    return {**cut, **({"utm": utm} if utm else {}), **(told.properties or {})}


def _address(value: Any) -> str | None:
    """What people type into forms need not be one: it names nobody then, and the rest still counts."""
    if not isinstance(value, str) or len(value) > MAX_ADDRESS or _ADDRESS(value.strip()) is None:
        return None
    return value
