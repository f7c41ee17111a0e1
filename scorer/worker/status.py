"""/metrics, /livez, /readyz and /leads/ID, on threads of their own: they answer whatever the worker does."""

from __future__ import annotations

import asyncio
import logging
import time
from threading import Thread
from typing import TYPE_CHECKING

from mode import Service
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.registry import Collector

from scorer import metrics
from scorer.errors import UserError
from scorer.http_pages import PageHandler, PageServer
from scorer.logs import failed
from scorer.wire.asking import LEADS
from scorer.worker.explainer import headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from prometheus_client import Metric

    from scorer.worker.explainer import Explainer

    Problems = Callable[[], Sequence[str]]

log = logging.getLogger(__name__)

BEAT = 1.0  # seconds
DEAD_AFTER = 30.0  # seconds without a beat of the event loop
STOPS_WITHIN = 0.1  # seconds
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
FAILED = b'{"error":"our code failed on this lead","hint":"the log of the worker says where"}'


class _Ours(Collector):
    """All metrics but the collector's: at 0 they would look like a collector that does nothing."""

    def collect(self) -> Iterable[Metric]:
        return (one for one in REGISTRY.collect() if not one.name.startswith("scorer_collector"))


class StatusServer(Service):
    """``problems`` says why the worker is not ready, a line each; ready when there are none."""

    abstract = False
    mundane_level = "debug"  # "Starting..." is no news

    def __init__(
        self,
        host: str,
        port: int,
        problems: Problems,
        explainer: Explainer | None = None,
        each_second: Callable[[], object] = lambda: None,
    ) -> None:
        """``explainer``: None where no leads are scored. ``each_second`` is called on the event loop."""
        super().__init__()
        self.address = (host, port)
        """Where it listens; the port is known once it has started."""
        self._problems = problems
        self._explainer = explainer
        self._each_second = each_second
        self._beaten = time.monotonic()
        self._server: PageServer | None = None

    async def on_start(self) -> None:
        """Raises ``UserError`` when the port is taken."""
        status = self

        class Handler(PageHandler):
            def do_GET(self) -> None:  # noqa: N802 - http.server's name
                code, content_type, body, more = status.answer(self.path)
                self.reply(code, content_type, body, more.items())

        try:
            self._server = PageServer(self.address, Handler)
        except OSError as error:
            raise UserError(
                f"metrics can't be served on {self.address[0]}:{self.address[1]}: {error.strerror}",
                hint="SCORER_METRICS_PORT chooses another port, 0 a free one",
            ) from error
        self.address = (self.address[0], self._server.server_port)
        Thread(target=self._server.serve_forever, args=(STOPS_WITHIN,), name="status", daemon=True).start()
        host, port = self.address
        log.info("metrics on http://%s:%d/metrics", host, port, extra={"host": host, "port": port})

    async def on_stop(self) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.shutdown)
            self._server.server_close()
        if self._explainer is not None:
            self._explainer.close()

    @Service.task
    async def _beat(self) -> None:
        while not self.should_stop:
            self._beaten = time.monotonic()
            metrics.WORKER_READY.set(not self._problems())
            self._each_second()
            await self.sleep(BEAT)

    def answer(self, path: str) -> tuple[int, str, bytes, Mapping[str, str]]:
        """HTTP status, content type, body and further headers of a path."""
        path, _, query = path.partition("?")
        if path.startswith(LEADS) and self._explainer is not None:
            try:
                reply = self._explainer.answer(path, query)
            except Exception:  # noqa: BLE001 - the engine's: it may be anything
                failed(log, "our code failed on a lead that was asked for")
                return 500, JSON, FAILED, {}
            return reply.status, JSON, reply.body, headers(reply)
        return *self._page(path), {}

    def _page(self, path: str) -> tuple[int, str, bytes]:
        match path:
            case "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest(_Ours())
            case "/livez":
                silent = time.monotonic() - self._beaten
                if silent > DEAD_AFTER:
                    return 503, TEXT, b"the event loop has not moved for %d s\n" % silent
                return 200, TEXT, b"alive\n"
            case "/readyz":
                problems = list(self._problems())
                lines = "".join(f"{problem}\n" for problem in problems) or "ready\n"
                return (503 if problems else 200), TEXT, lines.encode()
        return 404, TEXT, b"there are /metrics, /livez, /readyz and /leads/ID\n"
