"""Segment's messages as they come, decoded as far as anybody here looks at them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

Id = str | int | None


class Page(msgspec.Struct, gc=False):
    """Of the context: where the reader was."""

    path: str | None = None
    referrer: str | None = None
    title: str | None = None
    url: str | None = None


class Context(msgspec.Struct, gc=False, rename="camel"):
    page: Page | None = None
    traits: dict[str, Any] | None = None
    user_agent: str | None = None
    campaign: dict[str, Any] | None = None
    group_id: Id = None


class Message(msgspec.Struct, gc=False, rename="camel"):
    type: str = ""
    message_id: str | None = None
    user_id: Id = None
    anonymous_id: Id = None
    previous_id: Id = None
    group_id: Id = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: Context | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None


class Batch(msgspec.Struct, gc=False, rename="camel"):
    batch: list[Message]
    sent_at: str | None = None
    context: Context | None = None


class RawBatch(msgspec.Struct, gc=False, rename="camel"):
    """As ``Batch``, its messages unread."""

    batch: list[msgspec.Raw]
    sent_at: str | None = None
    context: msgspec.Raw = msgspec.Raw(b"null")


decode_message: Final = msgspec.json.Decoder(Message).decode
decode_batch: Final = msgspec.json.Decoder(Batch).decode
decode_raw: Final = msgspec.json.Decoder(RawBatch).decode
decode_context: Final = msgspec.json.Decoder(Context | None).decode
encode: Final = msgspec.json.Encoder().encode
