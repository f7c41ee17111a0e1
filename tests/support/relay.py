"""A road to the collector that breaks when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_HOPS: Final = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Trouble(Enum):
    BUSY = "503 is answered, and nothing passed on"
    CUT = "the connection ends without an answer, and nothing is passed on"
    UNHEARD = "the request is passed on, and its answer lost"


class Relay:
    """Passes requests on to the port of a collector, and its answers back, without looking at them."""

    def __init__(self, port: int, troubles: Iterator[Trouble | None]) -> None:
        """``troubles``: what befalls one POST after another; past their end, nothing more."""
        self._port = port
        self._troubles = troubles
        self._lock = threading.Lock()
        self.statuses: list[int] = []
        """Of POSTs, as the collector has answered them."""
        self.met: list[Trouble] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._answer))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers.get("Content-Length", 0)))
        trouble = None
        if asked.command == "POST":
            with self._lock:
                trouble = next(self._troubles, None)
                if trouble is not None:
                    self.met.append(trouble)
        origin = asked.headers.get("Origin")
        if trouble is Trouble.BUSY:
            asked.send_response(503)
            for name, value in (("Retry-After", "1"), ("Content-Length", "0")):
                asked.send_header(name, value)
            if origin is not None:
                asked.send_header("Access-Control-Allow-Origin", origin)
            asked.end_headers()
            return
        if trouble is not Trouble.CUT:
            status, headers, answer = self._passed_on(asked, body)
        if trouble is not None:
            asked.close_connection = True
            return
        asked.send_response(status)
        for name, value in headers:
            if name.lower() not in _HOPS:
                asked.send_header(name, value)
        if status != 204:
            asked.send_header("Content-Length", str(len(answer)))
        asked.end_headers()
        asked.wfile.write(answer)

    def _passed_on(
        self, asked: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            headers = {name: value for name, value in asked.headers.items() if name.lower() not in _HOPS}
            connection.request(asked.command, asked.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            return 502, [], b""
        finally:
            connection.close()
        if asked.command == "POST":
            with self._lock:
                self.statuses.append(answer.status)
        return answer.status, answer.getheaders(), content


@contextmanager
def relayed(port: int, *troubles: Trouble | None) -> Iterator[Relay]:
    relay = Relay(port, iter(troubles))
    try:
        yield relay
    finally:
        relay.close()


def _handler(answer: Callable[[BaseHTTPRequestHandler], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # whoever asked has left
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Nowhere."""

    def handle(self: BaseHTTPRequestHandler) -> None:
        answer(self)

    methods = dict.fromkeys(("do_GET", "do_POST", "do_OPTIONS"), handle)
    return type("BoundHandler", (Handler,), methods)
