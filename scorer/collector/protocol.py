"""uvicorn's HTTP protocol with bounds on heads and on patience, and an orderly end of connections.

uvicorn bounds neither how long a request's head may be nor how long one may take to arrive: a client that
sends a byte a second, or a header without an end, would keep a connection and its memory for good. Instead
of a timer per request, which would cost more than the parsing, a sweep looks at all connections; uvicorn's
own timer, for connections that nobody uses, is left out for the same reason.

A connection ends when requests that have come whole are answered, also where something broken follows them,
or where the client has said that nothing follows. uvicorn would close at once, and then fail on the answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

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
_BROKEN: Final = b'{"success":false,"code":"not_http","message":"this is no HTTP request"}'


class _Dropping(list[tuple[bytes, bytes]]):
    """Takes trailers, of which there may be any number, and keeps none."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        pass


_TRAILERS: Final = _Dropping()


class _EndedError(Exception):
    """To the parser: nothing behind this is read."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. What runs for each request overrides as little as it can: calls are what it costs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.until = 0.0
        """When what is being waited for has to be here, on the loop's clock; 0: nothing is."""
        self._size = 0
        """Bytes since the head or what follows it began, about."""
        self._came = 0
        """Bytes that came last: there may be several requests in them."""
        self._in_head = True
        self._refused = False
        self._running: RequestResponseCycle | None = None
        """The request that is being answered, or was last; those behind it wait in the pipeline."""
        self._ending = False
        """Whether the connection ends when all of them are answered."""
        self._last = b""
        """What is said then."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.until = self.loop.time() + HEAD_SECONDS

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head and not self._size:
            self.until = self.loop.time() + HEAD_SECONDS
        self._came = came = len(data)
        self._size += came
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            # Also where a callback of ours has failed, which is where that has refused it.
            self.refuse(400, b"Bad Request", _BROKEN)
        except HttpParserUpgrade:
            pass  # what is offered is not taken up; see below
        if self._size > MAX_HEAD:
            if self._in_head:
                self._refuse_head()
            elif self._size > MAX_REQUEST:
                self.refuse(413, b"Content Too Large", _LARGE)

    def on_headers_complete(self) -> None:
        if len(self.headers) > MAX_HEADERS or (
            max(self._size, self._came) > MAX_HEAD and _size(self.url, self.headers) > MAX_HEAD
        ):
            self._refuse_head()
            raise _EndedError
        super().on_headers_complete()
        self.headers = _TRAILERS
        self._in_head = False
        self._size = 0
        self.until = self.loop.time() + BODY_SECONDS
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # the parser reads nothing behind it

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._size = 0
        self.until = 0.0

    def on_response_complete(self) -> None:
        """As uvicorn's, without its timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._ending:
            self._end()
        elif not self.until:
            self.until = self.loop.time() + self.timeout_keep_alive

    def eof_received(self) -> bool:  # type: ignore[override] # which closes at once
        """Whether the connection stays open: who says nothing more may still want its answers."""
        if not self._in_head and not self._refused:
            self._drop_newest()
        self.until = 0.0
        self._ending = self._answering()
        return self._ending

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def refuse(self, status: int, phrase: bytes, body: bytes) -> None:
        """Answers what comes in now so, where nothing has been answered to it yet, and closes."""
        if self._refused:
            return
        self._refused = True
        self.until = 0.0
        if self.transport.is_closing():
            return
        answered = False
        if not self._in_head:
            answered = self.cycle.response_started
            self._drop_newest()
        if not answered:
            self._last = (
                b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
                b"connection: close\r\n\r\n%s" % (status, phrase, len(body), body)
            )
        self._ending = True
        if not self._answering():
            self._end()

    def late(self) -> None:
        """What was waited for is not here."""
        if self._in_head and not self._size and self._running is not None:
            self.transport.close()  # it has had its answers
        else:
            self.refuse(408, b"Request Timeout", _LATE)

    def _refuse_head(self) -> None:
        self.refuse(431, b"Request Header Fields Too Large", _LONG)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _answering(self) -> bool:
        return bool(self.pipeline) or (self._running is not None and not self._running.response_complete)

    def _end(self) -> None:
        if not self.transport.is_closing():
            if self._last:
                self.transport.write(self._last)
            self.transport.close()

    def _drop_newest(self) -> None:
        """The request that ends in its body."""
        if self.pipeline:
            self.pipeline.popleft()
        else:
            self._forget()

    def _forget(self) -> None:
        """Nobody hears the answers that are still to come."""
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
            self._running = None


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def sweep(connections: Iterable[Any], now: float) -> None:
    """Ends those that have been waited for too long. ``now``: on the loop's clock."""
    for connection in list(connections):
        if isinstance(connection, BoundedProtocol) and connection.until and connection.until < now:
            connection.late()
