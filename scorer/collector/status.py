"""/metrics, /livez and /readyz of all processes of a collector, on a port of their own."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from scorer.errors import UserError
from scorer.http_pages import PageHandler, PageServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from prometheus_client import Metric

TEXT: Final = "text/plain; charset=utf-8"
OURS: Final = "scorer_collector_"
BUILD: Final = "scorer_build_info"


class _Ours(MultiProcessCollector):
    """Without those of the worker, which are declared in the same place and stay at nothing here."""

    def collect(self) -> Iterator[Metric]:
        return (
            metric
            for metric in super().collect()  # type: ignore[no-untyped-call]
            if metric.name.startswith(OURS) or metric.name == BUILD
        )


class StatusPage:
    def __init__(self, host: str, port: int, folder: Path, problems: Callable[[], Sequence[str]]) -> None:
        """``folder``: where the processes keep what they have counted. ``problems``: why they are not ready.

        Raises ``UserError`` when the port is taken.
        """
        self._folder = folder
        self._problems = problems
        page = self

        class Handler(PageHandler):
            protocol_version = "HTTP/1.0"  # nobody asks often enough to stay connected

            def do_GET(self) -> None:  # noqa: N802 - http.server's name
                self.reply(*page.answer(self.path.partition("?")[0]))

        try:
            self._server = PageServer((host, port), Handler)
        except OSError as error:
            raise UserError(
                f"metrics can't be served on {host}:{port}: {error.strerror}",
                hint="SCORER_COLLECTOR_METRICS_PORT chooses another port, 0 a free one",
            ) from error
        self.address = (host, self._server.server_port)
        Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """HTTP status, content type and body of a path."""
        match path:
            case "/metrics":
                registry = CollectorRegistry()
                _Ours(registry, str(self._folder))  # type: ignore[no-untyped-call]
                return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
            case "/livez":
                return 200, TEXT, b"alive\n"
            case "/readyz":
                problems = list(self._problems())
                lines = "".join(f"{problem}\n" for problem in problems) or "ready\n"
                return (503 if problems else 200), TEXT, lines.encode()
        return 404, TEXT, b"there are /metrics, /livez and /readyz\n"
