"""The page on which anybody can be a lead, on this machine: the site, the collector behind it, and a score.

One origin for all of it, as a site has that puts the collector behind its own proxy: what begins with /v1/
goes on to the collector. So the page works through any tunnel that brings this one port to a browser.
"""

from __future__ import annotations

import json
import re
import time
from functools import cache
from http.client import HTTPConnection, HTTPException
from importlib.resources import files
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

from scorer import http_pages

PORT: Final = 8088
"""Where it is if that port is free; else anywhere."""
TIMEOUT: Final = 10.0  # seconds
LARGEST: Final = 1 << 20
"""Bytes of a request's body."""
OPEN_FOR: Final = 10.0
"""Seconds since a page last asked for its score, in which it counts as open."""
PATHS: Final = frozenset(
    {
        "/",
        "/pricing",
        "/docs",
        "/trial",
        "/careers",
        "/careers/openings",
        "/careers/apply",
        "/contact",
        "/demo",
    }
)
FILES: Final = {
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
POLICY: Final = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
MEETINGS: Final = frozenset({"book", "move", "cancel"})
_ADDRESS: Final = re.compile(r"[^\s@]{1,64}@[^\s@]{1,128}").fullmatch
_PASSED_ON: Final = frozenset(
    {"accept", "accept-encoding", "content-type", "if-none-match", "origin", "sec-gpc", "user-agent"}
)
_OF_CONNECTION: Final = frozenset({"connection", "content-length", "date", "server", "transfer-encoding"})

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self


class Host(Protocol):
    """What the page is about; called on any thread."""

    def standing(self, visitor: str) -> dict[str, Any]:
        """Of an anonymous id, "" where there is none, in the words of ``standing``."""

    def meeting(self, what: str, email: str) -> None:
        """The scheduler's part: what has been done with a demo, one of ``MEETINGS``."""


class Reply(NamedTuple):
    status: int
    kind: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: Iterable[tuple[str, str]] = ()


class PageServer:
    """Serves from ``open`` until the end of ``with``."""

    def __init__(self, port: int = PORT) -> None:
        self.address = ""
        """Where the page is, once it is open."""
        self._port = port
        self._asked = float("-inf")
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def visited(self) -> bool:
        """Whether somebody has the page open."""
        return time.monotonic() - self._asked < OPEN_FOR

    def open(self, host: Host, key: str, collector: tuple[str, int]) -> None:
        """``key``: the snippet's. ``collector``: its host and port."""
        page = self

        class Handler(http_pages.PageHandler):
            def do_GET(self) -> None:  # noqa: N802 - http.server's name
                path, query = urlsplit(self.path).path, urlsplit(self.path).query
                if path.startswith("/v1/"):
                    self.reply(*self.passed_on(b""))
                elif path == "/score":
                    page.asked()
                    told = host.standing(parse_qs(query).get("visitor", [""])[0])
                    self.reply(*Reply(200, JSON, json.dumps(told).encode()))
                else:
                    self.reply(*_shown(path, key))

            def do_POST(self) -> None:  # noqa: N802 - http.server's name
                length = self.headers.get("Content-Length", "0")
                if not length.isdigit() or int(length) > LARGEST:
                    self.close_connection = True
                    self.reply(*Reply(413))
                    return
                body = self.rfile.read(int(length))
                if self.path.startswith("/v1/"):
                    self.reply(*self.passed_on(body))
                elif self.path == "/meeting":
                    self.reply(*_met(host, body))
                else:
                    self.reply(*Reply(404))

            def passed_on(self, body: bytes) -> Reply:
                return _passed_on(collector, self.command, self.path, dict(self.headers.items()), body)

        self._server = _bound(self._port, Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.05,), name="page", daemon=True).start()

    def asked(self) -> None:
        """A page has asked for its score."""
        self._asked = time.monotonic()


class _Server(http_pages.PageServer):
    def handle_error(self, *_: object) -> None:
        """A browser that leaves in the middle."""


def _bound(port: int, handler: type[http_pages.PageHandler]) -> _Server:
    try:
        return _Server(("127.0.0.1", port), handler)
    except OSError:
        return _Server(("127.0.0.1", 0), handler)


@cache
def _file(name: str) -> bytes:
    return files("scorer.demo").joinpath("page", name).read_bytes()


def _shown(path: str, key: str) -> Reply:
    fresh = ("Cache-Control", "no-store")  # the next demonstration has another key
    if path in FILES:
        name, kind = FILES[path]
        return Reply(200, kind, _file(name), [fresh])
    html = _file("index.html").replace(b"{{key}}", key.encode())
    return Reply(200 if path in PATHS else 404, HTML, html, [fresh, ("Content-Security-Policy", POLICY)])


def _met(host: Host, body: bytes) -> Reply:
    try:
        said = json.loads(body)
        what, email = said["what"], said["email"].strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        return Reply(400)
    if what not in MEETINGS or _ADDRESS(email) is None:
        return Reply(400)
    host.meeting(what, email)
    return Reply(202)


def _passed_on(
    collector: tuple[str, int], method: str, path: str, headers: dict[str, str], body: bytes
) -> Reply:
    kept = {name: value for name, value in headers.items() if name.lower() in _PASSED_ON}
    connection = HTTPConnection(*collector, timeout=TIMEOUT)
    try:
        connection.request(method, path, body or None, kept)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, HTTPException):
        return Reply(503, headers=[("Retry-After", "1")])
    finally:
        connection.close()
    told = [pair for pair in answer.getheaders() if pair[0].lower() not in {*_OF_CONNECTION, "content-type"}]
    return Reply(answer.status, answer.getheader("Content-Type") or "text/plain", content, told)
