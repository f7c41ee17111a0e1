"""The ASGI application: one request from its head to its answer.

Limits before bodies, keys before work, and success only when Kafka has everything that was taken.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from scorer.collector.answers import Refused, Reply, given, json_reply, later, refusal, taken
from scorer.collector.counts import NOBODY, Counts
from scorer.collector.origins import preflight, told
from scorer.collector.requests import headers_of, query_of, sender, truncated, url_of, whole
from scorer.collector.routes import FOR_BROWSERS, GET, METHODS, KeyRing, Publisher, Route, route_of
from scorer.collector.sink import BusyError
from scorer.collector.snippet import served
from scorer.collector.source import Reading, RefusedError, Request
from scorer.collector.sources import Mount
from scorer.collector.unpacking import too_large, unpack
from scorer.wire.dead_letters import Reason, Rejected

if TYPE_CHECKING:
    from scorer.collector.sink import Sink
    from scorer.wire.intake import Accepted, Intake

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODIES: Final = 64 << 20
"""Bytes of bodies that are being received, of all requests together; beyond it new ones come back later."""
CODES: Final = frozenset({*Reason, "invalid", "too_large"})
"""With one of these and a colon a source may begin its word of what is refused."""
SCRIPT: Final = "/v1/scorer.js"
CLOSE: Final = (b"connection", b"close")
TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class GoneError(Exception):
    """Whoever asked has left."""


class Collector:
    """The application of one process."""

    def __init__(
        self,
        ring: KeyRing,
        intake: Intake,
        sink: Sink,
        *,
        pages: dict[str, tuple[bytes, bytes]] | None = None,
        public_url: str = "",
        proxies: int = 0,
        whole_addresses: bool = False,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``pages``: path -> (content type, body) of what is only shown. The rest is as in the settings."""
        self.counts = Counts()
        self.missing: str | None = "starting"
        """What has to be done before anything is taken; None when nothing has."""
        self.unreachable = False
        """Whether Kafka does not answer. What is taken does not hang on that: the sink knows better."""
        self._ring = ring
        self._take = intake.take
        self._sink = sink
        self._pages = pages or {}
        self._public_url = public_url.rstrip("/")
        self._proxies = proxies
        self._shown = whole if whole_addresses else truncated
        self._now = now
        self._monotonic = monotonic
        self._receiving = 0

    def problem(self) -> str | None:
        """Why nothing is taken right now; None: it is."""
        return self.missing or self._sink.problem()

    def unready(self) -> str | None:
        """Why no more senders should be led here; None: they should."""
        return self.problem() or ("Kafka does not answer" if self.unreachable else None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        call = _Call(scope, receive)
        try:
            reply = await self._answer(call)
        except GoneError:
            return
        except RefusedError as error:
            reply = call.otherwise or refusal(error, [CLOSE] if error.status in _CLOSING else ())
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender hears of it
            log.error("our code failed on a request\n%s", _where(error))  # noqa: TRY400 - values may be in it
            reply = call.otherwise or later("fault", "our code failed on this request", 60, 500)
        self.counts.request(call.publisher.name if call.publisher else NOBODY, reply.status)
        headers = [*reply.headers, *call.headers] if call.headers else reply.headers
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    # -- one request ------------------------------------------------------------------------------

    async def _answer(self, call: _Call) -> Reply:
        scope = call.scope
        path, method = scope["path"], scope["method"]
        route = route_of(path)
        if route is None:
            if path == SCRIPT and method in GET:
                return given(served(headers_of(scope)))
            return self._page(path, method)
        mount = route.mount
        if method == "OPTIONS":
            return self._preflight(call, mount)
        if method not in METHODS[mount]:
            return _not_allowed(METHODS[mount])
        headers = headers_of(scope)
        unknown = self._ring.unknown.get(mount)
        if unknown is not None:
            call.otherwise = given(unknown)
        publisher, body = await self._publisher(call, route, headers)
        if publisher is None:
            raise RefusedError(401, "unknown_key", "no write key of ours")
        call.publisher = publisher
        if mount in FOR_BROWSERS and "origin" in headers:
            _check_origin(call, publisher, headers["origin"])
        if mount in _TOLD_AT_ONCE and (problem := self.problem()) is not None and method == "POST":
            return later("busy", problem)
        bucket = publisher.bucket
        if bucket is not None and (seconds := bucket.wait(self._monotonic())):
            return call.otherwise or later("too_fast", "more events than this key may send", seconds, 429)
        if body is None:
            body = await self._body(call, headers, publisher.largest)
            body = unpack(body, headers.get("content-encoding", ""), publisher.largest)
        elif len(body) > publisher.largest:
            raise too_large(publisher.largest)
        received = int(self._now() * 1000)
        reading = publisher.read(
            Request(
                method,
                route.path,
                query_of(scope),
                headers,
                body,
                received,
                url_of(scope, headers.get("host", ""), self._public_url),
                self._shown(sender(scope, headers.get("x-forwarded-for", ""), self._proxies)),
            )
        )
        if bucket is not None:
            bucket.take(len(reading.items) or 1)
        return await self._append(publisher, reading, received, mount)

    async def _append(self, publisher: Publisher, reading: Reading, received: int, mount: str) -> Reply:
        """What is taken of a reading goes to Kafka, and then is answered."""
        name, count = publisher.name, self.counts.event
        records, refused = self._records(publisher, reading, received)
        for one in refused:
            count(name, one.code)
        accepted = len(reading.items) - len(refused)
        if records:
            problem = self.missing or await self._sent(records, name, accepted, wait=reading.wait)
            if problem is not None:
                count(name, "unknown", accepted)
                if reading.wait:
                    return later("busy", problem)
        elif accepted:
            count(name, "nothing", accepted)
        if reading.answer is not None:
            return given(reading.answer)
        status = 400 if refused and not accepted and mount is not Mount.HOOK else 200
        return taken(accepted, refused, status)

    async def _sent(self, records: list[Accepted], name: str, accepted: int, *, wait: bool) -> str | None:
        """Why nothing is known of the records; None: Kafka has them, or nobody waits for that."""
        count = self.counts.event
        try:
            done = self._sink.append(records)
        except BusyError:
            return "Kafka does not keep up"
        if not wait:
            done.add_done_callback(
                lambda one: count(name, "accepted" if one.result() else "unknown", accepted)
            )
        elif await done:
            count(name, "accepted", accepted)
        else:
            return "Kafka has not acknowledged it"
        return None

    def _records(
        self, publisher: Publisher, reading: Reading, received: int
    ) -> tuple[list[Accepted], list[Refused]]:
        """Log records of what is good, and why the rest is not."""
        take, scopes = self._take, publisher.scopes
        records: list[Accepted] = []
        refused: list[Refused] = []
        for index, item in enumerate(reading.items):
            if item.refused is not None:
                code, _, message = item.refused.partition(": ")
                refused.append(
                    Refused(index, code, message)
                    if code in CODES
                    else Refused(index, "invalid", item.refused)
                )
                continue
            try:
                for topic, event in item.activities:
                    if topic not in scopes:
                        refused.append(Refused(index, "scope", f"this key may not send to {topic}"))
                        break
                    records += take(topic, event, received)
            except Rejected as rejected:
                refused.append(Refused(index, rejected.reason, rejected.detail))
            except Exception as error:  # noqa: BLE001 - one event must not take the others with it
                log.error("our code failed on an event\n%s", _where(error))  # noqa: TRY400
                refused.append(Refused(index, "fault", "our code failed on this event"))
        return records, refused

    async def _publisher(
        self, call: _Call, route: Route, headers: dict[str, str]
    ) -> tuple[Publisher | None, bytes | None]:
        """The key, and the body where it had to be read for that."""
        ring, mount = self._ring, route.mount
        if mount in {Mount.HOOK, Mount.PIXEL, Mount.LINK}:
            return ring.named(route), None
        if mount is Mount.PAGE_PIXEL:
            return ring.secret(mount, query_of(call.scope).get("key", "")), None
        if mount is not Mount.SNIPPET:
            header = headers.get("authorization")
            if header is not None:
                found = ring.authorized(mount, header)
                if found is not None or mount is Mount.EVENTS:
                    return found, None
            elif mount is Mount.EVENTS:
                return None, None
        largest = ring.largest[mount]
        if not largest:  # no key at all
            return None, None
        body = await self._body(call, headers, largest)
        body = unpack(body, headers.get("content-encoding", ""), largest)
        return ring.in_body(mount, body), body

    async def _body(self, call: _Call, headers: dict[str, str], largest: int) -> bytes:
        length = headers.get("content-length")
        # More digits than these are no length that a server takes, nor always a number to Python.
        if length is not None and length.isascii() and length.isdigit() and int(length[:20]) > largest:
            raise too_large(largest)
        message = await call.receive()
        if message["type"] != "http.request":
            raise GoneError
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(body) > largest:
                raise too_large(largest)
            return body
        parts, size = [body], len(body)
        self._receiving += size
        try:
            while message.get("more_body"):
                if size > largest:
                    raise too_large(largest)
                if self._receiving > BODIES:
                    raise RefusedError(503, "busy", "too much is being received")
                message = await call.receive()
                if message["type"] != "http.request":
                    raise GoneError
                part = message.get("body", b"")
                parts.append(part)
                size += len(part)
                self._receiving += len(part)
        finally:
            self._receiving -= size
        if size > largest:
            raise too_large(largest)
        return b"".join(parts)

    def _preflight(self, call: _Call, mount: str) -> Reply:
        origins = self._ring.origins[mount]
        if mount not in FOR_BROWSERS:
            return _not_allowed(METHODS[mount])
        origin = headers_of(call.scope).get("origin", "")
        return Reply(204, preflight(origins, origin), b"")

    def _page(self, path: str, method: str) -> Reply:
        page = self._pages.get(path)
        if page is None and path not in _ALWAYS:
            message = "there is nothing here; /openapi.json says what there is"
            raise RefusedError(404, "not_found", message)
        if method not in GET:
            return _not_allowed(GET)
        if page is not None:
            kind, body = page
            return Reply(
                200,
                [
                    (b"content-type", kind),
                    (b"content-length", b"%d" % len(body)),
                    (b"access-control-allow-origin", b"*"),
                ],
                body,
            )
        problem = self.unready() if path == "/readyz" else None
        body = b"ready\n" if path == "/readyz" else b"alive\n"
        if problem is not None:
            body = f"{problem}\n".encode()
        return Reply(200 if problem is None else 503, [TEXT, (b"content-length", b"%d" % len(body))], body)


class _Call:
    """A request on its way."""

    __slots__ = ("headers", "otherwise", "publisher", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.publisher: Publisher | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        """Of the answer, whatever it will be."""
        self.otherwise: Reply | None = None
        """What is answered to whatever is wrong, where nobody would read an error."""


_TOLD_AT_ONCE: Final = FOR_BROWSERS | {Mount.HOOK}
"""Who sends here can come again: nothing is read that could not be taken."""
_ALWAYS: Final = frozenset({SCRIPT, "/livez", "/readyz"})
"""Beside the pages."""
_CLOSING: Final = frozenset({413, 503})
"""After these the rest of a body may still be on its way: it is not waited for."""


def _check_origin(call: _Call, publisher: Publisher, origin: str) -> None:
    if origin not in publisher.origins:
        raise RefusedError(403, "origin", "this key is not for pages of this origin")
    call.headers = told(origin)


def _not_allowed(methods: tuple[str, ...]) -> Reply:
    allowed = ", ".join(methods)
    return json_reply(
        405,
        b'{"success":false,"code":"method","message":"%s"}' % allowed.encode(),
        [(b"allow", allowed.encode())],
    )


def _where(error: BaseException) -> str:
    """Kind and traceback, without the message, which may repeat what an event says of a person."""
    return "".join([*traceback.format_tb(error.__traceback__), type(error).__name__])
