"""uvicorn's HTTP protocol with bounds on heads and on patience.

uvicorn bounds neither how long a request's head may be nor how long one may take to arrive: a client that
sends a byte a second, or a header without an end, would keep a connection and its memory for good. Instead
of a timer per request, which would cost more than the parsing, a sweep looks at all connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

MAX_HEAD: Final = 32 * 1024
"""Bytes of a request's first line and headers."""
MAX_HEADERS: Final = 100
MAX_REQUEST: Final = 16 << 20
"""Bytes of all that follows the head as it comes over the wire: chunks' sizes and trailers too."""
HEAD_SECONDS: Final = 10.0
"""Until a request's head is complete, from the connection's or the request's beginning."""
BODY_SECONDS: Final = 20.0
"""Until its body is."""
SWEEP_SECONDS: Final = 1.0

_LATE: Final = b'{"success":false,"code":"too_slow","message":"the request took too long to arrive"}'
_LONG: Final = b'{"success":false,"code":"head_too_large","message":"too many or too large headers"}'

_LARGE: Final = b'{"success":false,"code":"too_large","message":"the request is too large"}'


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.until = 0.0
        """When what is being waited for has to be here, on the loop's clock; 0: nothing is."""
        self._size = 0
        """Bytes since the head or what follows it began, about."""
        self._in_head = True
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.until = self.loop.time() + HEAD_SECONDS

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head and not self.until:
            self.until = self.loop.time() + HEAD_SECONDS
        self._size += len(data)
        super().data_received(data)
        if self._size > MAX_HEAD:
            if self._in_head:
                self.refuse(431, b"Request Header Fields Too Large", _LONG)
            elif self._size > MAX_REQUEST:
                self.refuse(413, b"Content Too Large", _LARGE)

    def on_headers_complete(self) -> None:
        if self._refused:
            return
        if len(self.headers) > MAX_HEADERS or _size(self.url, self.headers) > MAX_HEAD:
            self.refuse(431, b"Request Header Fields Too Large", _LONG)
            return
        self._in_head = False
        self._size = 0
        self.until = self.loop.time() + BODY_SECONDS
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # and not a trailer, of which there may be any number
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        super().on_message_complete()
        self._in_head = True
        self._size = 0
        self.until = 0.0

    def send_400_response(self, msg: str) -> None:
        if not self._refused:
            super().send_400_response(msg)

    def refuse(self, status: int, phrase: bytes, body: bytes) -> None:
        """Answers, where nothing has been answered yet, and closes."""
        self._refused = True
        self.until = 0.0
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        if cycle is None or cycle.response_complete:
            self.transport.write(
                b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
                b"connection: close\r\n\r\n%s" % (status, phrase, len(body), body)
            )
        self.transport.close()

    def late(self) -> None:
        self.refuse(408, b"Request Timeout", _LATE)


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def sweep(connections: Iterable[Any], now: float) -> None:
    """Ends those that have been waited for too long. ``now``: on the loop's clock."""
    for connection in list(connections):
        if isinstance(connection, BoundedProtocol) and connection.until and connection.until < now:
            connection.late()
