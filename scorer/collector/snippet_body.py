"""What the web snippet posts: the body and its events, as docs/snippet.md shows them."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

MAX_BATCH: Final = 100
"""Events of a request; the snippet sends 50 at most."""
MAX_EVENT: Final = 32_768
"""Bytes of one event; the snippet sends 8,000 characters at most."""
FIRST: Final = 946_684_800_000
"""2000-01-01, ms. An earlier clock was never set."""
LAST: Final = 253_402_300_799_999
"""The last ms that RFC 3339 can write."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.-]+$")]
Identifier = Annotated[str, msgspec.Meta(max_length=256)]
Instant = Annotated[int, msgspec.Meta(ge=FIRST, le=LAST)]


class Body(msgspec.Struct, rename="camel", gc=False):
    key: str
    batch: list[msgspec.Raw]
    sent_at: Instant | None = None
    """By the browser's clock."""


class _Event(msgspec.Struct, rename="camel", tag_field="type", gc=False, kw_only=True):
    id: Id
    time: Instant
    """By the browser's clock."""
    anonymous_id: Identifier | None = None
    user_id: Identifier | None = None
    path: str | None = None


class Page(_Event, tag="page"):
    title: str | None = None
    host: str | None = None
    referrer: str | None = None
    utm: dict[str, str] = {}
    properties: dict[str, Any] | None = None


class Identify(_Event, tag="identify"):
    traits: dict[str, Any] | None = None


class Track(_Event, tag="track"):
    name: str
    properties: dict[str, Any] | None = None


class Form(_Event, tag="form"):
    form: str
    fields: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    """Those fields that are attributes of the lead."""
    email: str | None = None


Told = Page | Identify | Track | Form

decode_body = msgspec.json.Decoder(Body).decode
decode_event = msgspec.json.Decoder(Told).decode


def schemas(prefix: str) -> dict[str, Any]:
    """JSON Schemas by name, ``prefix`` before each; ``<prefix>body`` is the whole body's."""
    template = f"#/components/schemas/{prefix}{{name}}"
    (body, told), parts = msgspec.json.schema_components([Body, Told], ref_template=template)
    named = {f"{prefix}{name}": schema for name, schema in parts.items()}
    body = dict(named.pop(f"{prefix}Body"), title="body")
    body["properties"] |= {"batch": {"type": "array", "maxItems": MAX_BATCH, "items": told}}
    return {f"{prefix}body": body} | named


class _Key(msgspec.Struct, gc=False):
    key: str


_decode_key = msgspec.json.Decoder(_Key).decode


def key_of(body: bytes) -> str | None:
    """The write key that a body names, for finding whose it is; None if there is none. Raises nothing."""
    try:
        return _decode_key(body).key
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
