"""From a webhook's body to typed parts, and one item of an answer for each.

What does not fit is told by the place in the message and the rule; no value is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from scorer.collector.source import Activity, Item, RefusedError

T = TypeVar("T")

_LONGEST: Final = 200
"""Characters of msgspec's message."""

_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode

NOTHING: Final = Item(())
"""Well understood, and nothing to score."""


class Unreadable(Exception):  # noqa: N818 - it says what one part of a request is
    """Why one part of a request can't be read; says no value of it."""


def whole(decode: Callable[[bytes], T], body: bytes) -> T:
    """A body as one message; raises ``RefusedError`` (400)."""
    try:
        _check_utf8(body)
        return decode(body)
    except Unreadable as error:
        raise bad_body(str(error)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_body(_shown(error)) from None


def each(body: bytes) -> Sequence[msgspec.Raw]:
    """The members of a body that is a list; raises ``RefusedError`` (400)."""
    return whole(_decode_raws, body)


def bad_body(detail: str) -> RefusedError:
    return RefusedError(400, "bad_body", detail)


def item(part: T, read: Callable[[T], Sequence[Activity]]) -> Item:
    """What ``read`` makes of one part, or why there is nothing to be made of it.

    ``read`` decodes: it may raise ``Unreadable`` and what msgspec raises.
    """
    try:
        activities = read(part)
        return Item(activities) if activities else NOTHING
    except Unreadable as error:
        return Item((), str(error))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Item((), _shown(error))


def _check_utf8(body: bytes) -> None:
    # msgspec does not look at the bytes of text that it skips.
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise Unreadable(f"not UTF-8 at byte {error.start}") from None


def _shown(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, msgspec.DecodeError):
        # msgspec has one message that goes on with the value.
        text = str(error)
        return "Invalid value" if text.startswith("Invalid enum value") else text[:_LONGEST]
    return "not UTF-8"


def text_of(value: Any) -> str | None:
    """An id that vendors write as text here and as a number there, as text; None for neither."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return str(value)
    return None
