"""What the collector says, as JSON; of an event that it refuses never a value."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorer.collector.source import Answer, RefusedError

Headers = list[tuple[bytes, bytes]]

RETRY_AFTER: Final = 1
"""Seconds, where something is wrong on our side."""
_JSON: Final = (b"content-type", b"application/json")
_encode: Final = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    status: int
    headers: Headers
    body: bytes


class Refused(msgspec.Struct, frozen=True, gc=False):
    """One event of a request."""

    index: int
    """Its place in the request, from 0."""
    code: str
    message: str


class _Named(msgspec.Struct, rename={"write_key": "writeKey"}):
    """Of a body: the members that may name a key."""

    write_key: str | None = None
    key: str | None = None


_decode_named: Final = msgspec.json.Decoder(_Named).decode


def key_in(body: bytes) -> str | None:
    """The write key that a body itself names."""
    try:
        named = _decode_named(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return named.write_key or named.key


def json_reply(status: int, body: bytes, more: Sequence[tuple[bytes, bytes]] = ()) -> Reply:
    return Reply(status, [_JSON, (b"content-length", b"%d" % len(body)), *more], body)


def taken(accepted: int, refused: Sequence[Refused], status: int) -> Reply:
    """To a request that was understood: how many of its events are in Kafka, and why the others are not."""
    if not refused:
        return _all_taken(accepted)
    told: dict[str, object] = {"success": True}
    if status != 200:  # noqa: PLR2004 - HTTP's own
        told = {"success": False, "code": "refused", "message": "none of the events was taken"}
    return json_reply(status, _encode(told | {"accepted": accepted, "refused": refused}))


@lru_cache(1024)
def _all_taken(accepted: int) -> Reply:
    """What nearly every request is answered."""
    return json_reply(200, b'{"success":true,"accepted":%d}' % accepted)


def refusal(error: RefusedError, more: Sequence[tuple[bytes, bytes]] = ()) -> Reply:
    """To a request that was not."""
    if error.status == 503:  # noqa: PLR2004 - HTTP's own
        more = [*more, (b"retry-after", b"%d" % RETRY_AFTER)]
    body = _encode({"success": False, "code": error.code, "message": error.message})
    return json_reply(error.status, body, more)


def later(code: str, message: str, seconds: int = RETRY_AFTER, status: int = 503) -> Reply:
    """Nothing was taken, or nobody knows: the sender should try again."""
    body = _encode({"success": False, "code": code, "message": message})
    return json_reply(status, body, [(b"retry-after", b"%d" % seconds)])


def given(answer: Answer) -> Reply:
    """A source's own."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    return Reply(answer.status, [*headers, (b"content-length", b"%d" % len(answer.body))], answer.body)
