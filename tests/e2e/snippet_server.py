"""A web site and a collector for browsers to talk to, on loopback: the test's own tool.

The collector answers as it is told (``Failing``) and records; what it accepts goes through the real sources.
With ``upstream``, the address of a real collector that knows the key, the script is its, what would have been
accepted is passed on to it, and its answer is given.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scorer.collector.snippet import served
from scorer.collector.source import Activity, Answer, Key, RefusedError, Request
from scorer.collector.sources.snippet import Snippet

KEY = "web_4f1c7d20b1a94e66"
PLAIN = "site.example"
"""A host that leads to the site too, and is no secure context as 127.0.0.1 is."""
DEADLINE = 30.0
"""Seconds, on a busy machine."""
PAGE = """<!doctype html><html><head><title>{title}</title>
<script>var scorer = window.scorer || []; {before}</script>
<script async src="{collector}/v1/scorer.js" data-key="{key}" {options}></script>
</head><body>{body}</body></html>"""


def until(condition: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """What ``condition`` gives, once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return found


class Failing(NamedTuple):
    """How requests for events are answered; 0: the connection is cut instead."""

    status: int
    headers: Mapping[str, str] = {}
    after_taking: bool = False
    """Only the answer is lost."""


class Post(NamedTuple):
    at: float
    """Monotonic seconds."""
    status: int
    """As answered; 0: cut."""
    taken: bool
    headers: Mapping[str, str]
    events: list[dict[str, Any]]


class Server:
    """``site`` and ``collector`` are their addresses, of different origins."""

    def __init__(self, upstream: str | None = None) -> None:
        self.upstream = upstream
        self.failing: Failing | Callable[[], Failing | None] | None = None
        self.posts: list[Post] = []
        self.preflights = 0
        self.activities: list[Activity] = []
        self.refused: list[str] = []
        self.pages: dict[str, tuple[str, Mapping[str, str]]] = {}
        self.elsewhere = ""
        """Where pages find their collector, if that is not this one."""
        self.script_gate = threading.Event()
        self.script_gate.set()
        self._source = Snippet(Key("web", (KEY.encode(),), {}))
        self._lock = threading.Lock()
        self._site = _serve(self._answer_site)
        self._collector = _serve(self._answer_collector)
        self._port = self._collector.server_port

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self._site.server_port}"

    @property
    def collector(self) -> str:
        return self.elsewhere or f"http://127.0.0.1:{self._port}"

    def close(self) -> None:
        for one in (self._site, self._collector):
            one.shutdown()
            one.server_close()

    def down(self) -> None:
        """Nobody listens any more."""
        self._collector.shutdown()
        self._collector.server_close()

    def up(self) -> None:
        """Again, at the same address."""
        self._collector = _serve(self._answer_collector, self._port)

    def page(
        self,
        path: str,
        *,
        title: str = "A page",
        options: str = "",
        before: str = "",
        body: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``before``: script in front of the snippet. ``options``: attributes of its tag."""
        html = PAGE.format(
            title=title, before=before, collector=self.collector, key=KEY, options=options, body=body
        )
        self.pages[path] = (html, headers or {})

    # -- what has come ------------------------------------------------------------------------------

    def taken(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Events in the order in which they were taken, repetitions too."""
        with self._lock:
            events = [event for post in self.posts if post.taken for event in post.events]
        return [event for event in events if kind in {None, event["type"]}]

    def distinct(self, kind: str | None = None) -> list[dict[str, Any]]:
        """As scoring counts them: each id once."""
        return list({event["id"]: event for event in reversed(self.taken(kind))}.values())[::-1]

    def wait(self, count: int, kind: str | None = None) -> list[dict[str, Any]]:
        """The first time that so many distinct events are there: all of them."""
        return until(
            lambda: len(found := self.distinct(kind)) >= count and found,
            f"{count} events of {kind or 'any type'}; there are {self.distinct(kind)}",
        )

    # -- answering ----------------------------------------------------------------------------------

    def _answer_site(self, handler: _Handler) -> None:
        html, headers = self.pages.get(
            urlsplit(handler.path).path, ("<!doctype html><title>Other</title>", {})
        )
        handler.answer(200, {"Content-Type": "text/html; charset=utf-8", **headers}, html.encode())

    def _answer_collector(self, handler: _Handler) -> None:
        path = urlsplit(handler.path).path
        if handler.command == "OPTIONS":
            self.preflights += 1
        if handler.command == "GET" and path == "/v1/scorer.js":
            self.script_gate.wait(DEADLINE)
            if self.upstream is None:
                answer = served(handler.names())
            else:
                answer = _passed_on(f"{self.upstream}/v1/scorer.js", handler)
            handler.answer(answer.status, dict(answer.headers), answer.body)
        elif handler.command == "POST" and path == "/v1/snippet":
            self._take(handler)
        else:
            handler.answer(404, {}, b"")

    def _take(self, handler: _Handler) -> None:
        body = handler.body()
        at = time.monotonic()
        allow = {
            "Access-Control-Allow-Origin": handler.headers.get("Origin", "*"),
            "Access-Control-Expose-Headers": "Retry-After",
        }
        failing = self.failing() if callable(self.failing) else self.failing
        taken = failing is None or failing.after_taking
        status, headers = (204, {}) if failing is None else (failing.status, failing.headers)
        if taken:
            answer = self._accept(handler, body)
            taken = 200 <= answer.status < 300
            if failing is None or not taken:
                status, headers = answer.status, dict(answer.headers)
                if self.upstream is not None:
                    allow = {}  # the real one says it itself
        try:
            events = json.loads(body)["batch"]
        except ValueError:
            events = []
        with self._lock:
            self.posts.append(Post(at, status, taken, handler.names(), events))
        if status == 0:
            handler.cut()
        else:
            handler.answer(status, {**allow, **headers}, b"")

    def _accept(self, handler: _Handler, body: bytes) -> Answer:
        if self.upstream is not None:
            answer = _passed_on(f"{self.upstream}/v1/snippet", handler, body)
            if not 200 <= answer.status < 300:
                return answer
        else:
            answer = Answer(204)
        received = time.time_ns() // 1_000_000
        request = Request("POST", "", {}, handler.names(), body, received, handler.path, "127.0.0.1")
        try:
            reading = self._source.read(request)
        except RefusedError as error:
            return Answer(error.status)
        with self._lock:
            for item in reading.items:
                self.activities.extend(item.activities)
                if item.refused is not None:
                    self.refused.append(item.refused)
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def names(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nowhere."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A browser that leaves in the middle."""


def _serve(answer: Callable[[_Handler], None], port: int = 0) -> _Listener:
    def handle(self: _Handler) -> None:
        answer(self)

    kind = type("_Bound", (_Handler,), {"do_GET": handle, "do_POST": handle, "do_OPTIONS": handle})
    listener = _Listener(("127.0.0.1", port), kind)
    threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
    return listener


def _passed_on(url: str, handler: _Handler, body: bytes | None = None) -> Answer:
    kept = ("content-type", "origin", "user-agent", "sec-gpc", "if-none-match")
    headers = {name: value for name, value in handler.names().items() if name in kept}
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - loopback, given by the test
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return Answer(answer.status, tuple(answer.headers.items()), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, tuple(error.headers.items()))
