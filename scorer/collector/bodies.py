"""A request's body: received within bounds, and unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scorer.collector.source import RefusedError
from scorer.collector.unpacking import too_large, unpack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BODIES: Final = 64 << 20
"""Bytes of bodies that are being received, of all requests together; beyond it new ones come back later."""


class GoneError(Exception):
    """Whoever asked has left."""


class Bodies:
    """Of all requests of a process."""

    def __init__(self) -> None:
        self._receiving = 0

    async def receive(self, receive: Receive, headers: dict[str, str], largest: int) -> bytes:
        """The whole body, unpacked; raises ``RefusedError``, ``GoneError``.

        ``largest``: bytes that it may have, as it comes and unpacked.
        """
        length = headers.get("content-length")
        # More digits than these are no length that a server takes, nor always a number to Python.
        if length is not None and length.isascii() and length.isdigit() and int(length[:20]) > largest:
            raise too_large(largest)
        message = await receive()
        if message["type"] != "http.request":
            raise GoneError
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            body = await self._rest(receive, body, largest)
        if len(body) > largest:
            raise too_large(largest)
        encoding = headers.get("content-encoding")
        return body if encoding is None else unpack(body, encoding, largest)

    async def _rest(self, receive: Receive, begun: bytes, largest: int) -> bytes:
        """The whole of a body that comes in pieces."""
        parts, size, more = [begun], len(begun), True
        self._receiving += size
        try:
            while more:
                if size > largest:
                    raise too_large(largest)
                if self._receiving > BODIES:
                    raise RefusedError(503, "busy", "too much is being received")
                message = await receive()
                if message["type"] != "http.request":
                    raise GoneError
                part = message.get("body", b"")
                parts.append(part)
                size += len(part)
                self._receiving += len(part)
                more = message.get("more_body", False)
        finally:
            self._receiving -= size
        return b"".join(parts)
