"""Who sent a request: signatures over its bytes, and how old they may be.

Every comparison takes the same time whatever it finds, and every secret of a key is tried, so that an
answer's delay says nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from typing import Final

from scorer.collector.source import RefusedError, Request

MAX_AHEAD_MS: Final = 5 * 60 * 1000
"""How far a signature's time may be ahead of the collector's clock, whatever the window is."""

_LONGEST_TIME: Final = 16
"""Digits of a time; ms since 1970 have 13 for the next two centuries."""


def unsigned(what: str) -> RefusedError:
    """``what`` is missing: a header, a member of the body."""
    return RefusedError(401, "unsigned", f"{what} is missing")


def wrong(what: str) -> RefusedError:
    """``what`` does not fit the request and any of the key's secrets."""
    return RefusedError(401, "wrong_signature", f"{what} fits no secret of this key")


def post_only(request: Request) -> None:
    """Raises ``RefusedError`` for any other method."""
    if request.method != "POST":
        raise RefusedError(405, "method", "webhooks are sent by POST")


def header(request: Request, name: str) -> str:
    """The value of a header that must be there; raises ``RefusedError``."""
    value = request.headers.get(name.lower())
    if not value:
        raise unsigned(f"the header {name}")
    return value


def bytes_of(text: str) -> bytes:
    """A text that came in a header or in JSON, as it is compared and signed."""
    return text.encode("utf-8", "surrogatepass")


def same(left: str, right: str) -> bool:
    """In constant time, for texts of any letters."""
    return hmac.compare_digest(bytes_of(left), bytes_of(right))


def check(given: str, secrets: Iterable[bytes], sign: Callable[[bytes], str], what: str) -> None:
    """Raises ``RefusedError`` unless ``given`` is what ``sign`` makes with one of the secrets."""
    fits = False
    for secret in secrets:
        fits |= same(sign(secret), given)
    if not fits:
        raise wrong(what)


def mac(secret: bytes, message: bytes, algorithm: str = "sha256") -> bytes:
    """HMAC (RFC 2104)."""
    return hmac.digest(secret, message, algorithm)


def digest(message: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(message).hexdigest()


def signed_at(text: str, what: str, unit: int = 1000) -> int:
    """The time that a signature covers, as ms since 1970; raises ``RefusedError``.

    ``unit``: ms in one of what the sender counts. Digits only: the signature is over the text as it stands.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIME):
        raise RefusedError(401, "wrong_signature", f"{what} is no time")
    return int(text) * unit


def check_age(at: int, received: int, window: int, what: str, status: int = 401) -> None:
    """Raises ``RefusedError`` for what was signed more than ``window`` ms ago, or too far ahead.

    ``status``: of what is too old; what is ahead may fit when it is tried again.
    """
    if at < received - window:
        raise RefusedError(status, "too_old", f"{what} is older than this key allows")
    if at > received + min(window, MAX_AHEAD_MS):
        raise RefusedError(401, "ahead", f"{what} is ahead of the clock here")
