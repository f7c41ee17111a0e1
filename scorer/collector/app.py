"""The ASGI application: one request from its head to its answer.

Limits before bodies, keys before work, and success only when Kafka has everything that was taken.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from scorer.collector.answers import Refused, Reply, given, json_reply, later, refusal, taken
from scorer.collector.bodies import Bodies, GoneError
from scorer.collector.counts import NOBODY, Counts
from scorer.collector.origins import preflight, told
from scorer.collector.requests import headers_of, query_of, sender, truncated, url_of, whole
from scorer.collector.routes import FOR_BROWSERS, GET, METHODS, SCRIPT, KeyRing, Publisher, Route, route_of
from scorer.collector.sink import BusyError
from scorer.collector.snippet import served
from scorer.collector.source import Reading, RefusedError, Request
from scorer.collector.sources import Mount
from scorer.collector.unpacking import too_large
from scorer.logs import failed
from scorer.wire.dead_letters import Reason, Rejected

if TYPE_CHECKING:
    import asyncio

    from scorer.collector.sealing import Sealing
    from scorer.collector.sink import Sink
    from scorer.wire.intake import Accepted, Intake
    from scorer.wire.tracing import Trace, TraceOfRequest

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CODES: Final = frozenset({*Reason, "invalid", "too_large"})
"""With one of these and a colon a source may begin its word of what is refused."""
CLOSE: Final = (b"connection", b"close")
TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class Collector:
    """The application of one process."""

    def __init__(
        self,
        ring: KeyRing,
        intake: Intake,
        sink: Sink,
        *,
        sealing: Sealing | None = None,
        pages: dict[str, tuple[bytes, bytes]] | None = None,
        public_url: str = "",
        proxies: int = 0,
        whole_addresses: bool = False,
        trace_of: TraceOfRequest | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``sealing``: what ``intake`` seals with, if it does.

        ``pages``: path -> (content type, body) of what is only shown. The rest is as in the settings.

        ``trace_of``: finds what goes with a request's records as headers; without it nothing does.
        """
        self.counts = Counts()
        self.missing: str | None = "starting"
        """What has to be done before anything is taken; None when nothing has."""
        self.unreachable = False
        """Whether Kafka does not answer. What is taken does not hang on that: the sink knows better."""
        self._ring = ring
        self._intake = intake
        self._sink = sink
        self._sealing = sealing
        self._pages = pages or {}
        self._public_url = public_url.rstrip("/")
        self._proxies = proxies
        self._shown = whole if whole_addresses else truncated
        self._now = now
        self._monotonic = monotonic
        self._bodies = Bodies()
        self._trace_of = trace_of

    def problem(self) -> str | None:
        """Why nothing is taken right now; None: it is."""
        return self.missing or self._sink.problem()

    def unready(self) -> str | None:
        """Why no more senders should be led here; None: they should."""
        return self.problem() or ("Kafka does not answer" if self.unreachable else None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = self._monotonic()
        call = _Call(scope, receive)
        try:
            found = await self._answer(call)
            # What was read is forgotten by now: a request that waits holds nothing else, so that the next
            # finds its memory still in the processor's cache.
            reply = self._told(found, good=await found.done) if isinstance(found, _Sent) else found
        except GoneError:
            return
        except RefusedError as error:
            self.counts.refuse(error.code)
            reply = call.otherwise or refusal(error, [CLOSE] if error.status in _CLOSING else ())
        except Exception:  # noqa: BLE001 - whatever it is, the sender hears of it
            failed(log, "our code failed on a request", key=call.publisher.name if call.publisher else NOBODY)
            reply = call.otherwise or later("fault", "our code failed on this request", 60, 500)
        publisher = call.publisher
        name, kind = (NOBODY, NOBODY) if publisher is None else (publisher.name, publisher.kind)
        self.counts.request(name, reply.status, kind, self._monotonic() - began)
        headers = [*reply.headers, *call.headers] if call.headers else reply.headers
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    # -- one request ------------------------------------------------------------------------------

    async def _answer(self, call: _Call) -> Reply | _Sent:
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
        ring = self._ring
        unknown = ring.unknown.get(mount)
        if unknown is not None:
            call.otherwise = given(unknown)
        publisher, body = self._by_head(scope, route, headers), None
        if publisher is None and mount in _NAMED_IN_BODIES and ring.largest[mount]:
            body = await self._bodies.receive(call.receive, headers, ring.largest[mount])
            publisher = ring.in_body(mount, body)
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
            body = await self._bodies.receive(call.receive, headers, publisher.largest)
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
        trace = None if self._trace_of is None else self._trace_of(headers)
        return self._append(publisher, reading, received, mount, trace)

    def _append(
        self, publisher: Publisher, reading: Reading, received: int, mount: str, trace: Trace | None
    ) -> Reply | _Sent:
        """What is taken of a reading is on its way to Kafka, or answered if nobody waits for that."""
        name, count = publisher.name, self.counts.event
        sealing = self._sealing
        if sealing is not None:
            sealing.begin()
        records, refused = self._records(publisher, reading, received)
        for one in refused:
            count(name, one.code)
        accepted = len(reading.items) - len(refused)
        answer = None if reading.answer is None else given(reading.answer)
        if answer is None:
            answer = taken(accepted, refused, 400 if not accepted and mount is not Mount.HOOK else 200)
        if records:
            problem = self.missing
            if problem is None:
                try:
                    append = self._sink.append if sealing is None else sealing.append
                    done = append(records, trace)
                except BusyError:
                    problem = "Kafka does not keep up"
                else:
                    if reading.wait:
                        return _Sent(done, name, accepted, answer)
                    self._count_later(done, name, accepted)
            if problem is not None:
                count(name, "unknown", accepted)
                if reading.wait:
                    return later("busy", problem)
        elif accepted:
            count(name, "nothing", accepted)
        return answer

    def _told(self, sent: _Sent, *, good: bool) -> Reply:
        """What is answered when Kafka has acknowledged it, or has not."""
        self.counts.event(sent.name, "accepted" if good else "unknown", sent.accepted)
        return sent.answer if good else later("busy", "Kafka has not acknowledged it")

    def _count_later(self, done: asyncio.Future[bool], name: str, accepted: int) -> None:
        count = self.counts.event
        done.add_done_callback(lambda one: count(name, "accepted" if one.result() else "unknown", accepted))

    def _records(
        self, publisher: Publisher, reading: Reading, received: int
    ) -> tuple[list[Accepted], list[Refused]]:
        """Log records of what is good, and why the rest is not."""
        intake, scopes = self._intake, publisher.scopes
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
                for activity in item.activities:
                    topic = activity.topic
                    if topic not in scopes:
                        refused.append(Refused(index, "scope", f"this key may not send to {topic}"))
                        break
                    records += intake.take(topic, activity.event, received)
            except Rejected as rejected:
                refused.append(Refused(index, rejected.reason, rejected.detail))
            except Exception:  # noqa: BLE001 - one event must not take the others with it
                failed(log, "our code failed on an event", key=publisher.name)
                refused.append(Refused(index, "fault", "our code failed on this event"))
        return records, refused

    def _by_head(self, scope: Scope, route: Route, headers: dict[str, str]) -> Publisher | None:
        """The key, of a request whose head names it."""
        ring, mount = self._ring, route.mount
        if mount is Mount.SEGMENT or mount is Mount.EVENTS:
            header = headers.get("authorization")
            return None if header is None else ring.authorized(mount, header)
        if mount is Mount.SNIPPET:
            return None
        if mount is Mount.PAGE_PIXEL:
            return ring.secret(mount, query_of(scope).get("key", ""))
        return ring.named(route)

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


class _Sent:
    """A request of which Kafka has yet to say that it has all that was taken."""

    __slots__ = ("accepted", "answer", "done", "name")

    def __init__(self, done: asyncio.Future[bool], name: str, accepted: int, answer: Reply) -> None:
        self.done = done
        self.name = name
        """The key's."""
        self.accepted = accepted
        self.answer = answer
        """To be given then."""


_TOLD_AT_ONCE: Final = FOR_BROWSERS | {Mount.HOOK}
"""Who sends here can come again: nothing is read that could not be taken."""
_NAMED_IN_BODIES: Final = frozenset({Mount.SEGMENT, Mount.SNIPPET})
"""Where the key may be a member of the body."""
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
