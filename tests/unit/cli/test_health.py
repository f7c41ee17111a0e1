"""``scorer health``: what an image without curl asks its own container."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from scorer.cli import run


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ready = self.path == "/readyz"
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b"ready\n" if ready else b"partition 3 knows no rules\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_zero_where_it_is_well(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["health", f"{address}/readyz"]) == 0
    assert capsys.readouterr().out == "ready\n"


def test_without_a_path_it_asks_whether_it_is_ready(address: str) -> None:
    assert run(["health", address]) == 0


def test_one_and_the_reason_where_it_is_not(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["health", f"{address}/livez"]) == 1
    assert capsys.readouterr().out == "partition 3 knows no rules\n"


def test_one_where_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["health", "http://127.0.0.1:1/readyz"]) == 1
    assert "http://127.0.0.1:1/readyz" in capsys.readouterr().err


def test_wrong_usage_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["health", "worker-1"]) == 2
    assert "no address" in capsys.readouterr().err
