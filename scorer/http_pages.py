"""What the small HTTP servers share: each answers from memory or a file, on threads of its own."""

from __future__ import annotations

import logging
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from scorer.logs import failed

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)


class PageServer(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Not as http.server does, which prints the address of whoever asked."""
        failed(log, "a request could not be answered")


class PageHandler(BaseHTTPRequestHandler):
    timeout = 10.0  # seconds for a request to come in
    protocol_version = "HTTP/1.1"  # who asks again and again stays connected
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one piece

    def reply(
        self,
        status: int,
        kind: str,
        content: bytes,
        headers: Iterable[tuple[str, str]] = (),
        *,
        body: bool = True,
    ) -> None:
        """``kind``: the content type. ``body``: whether the content is sent, and not only its length."""
        with suppress(ConnectionError):  # whoever asked may have left
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Requests are not news."""
