"""The demonstration's publishers on their own: their keys fit the collector's, and they send."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scorer.cli import run
from scorer.demo.traffic import KEYS_FILE, SECRET_FILE, Traffic, prepare, publishers_keys
from scorer.errors import UserError
from scorer.settings import from_environment
from scorer.wire.identity import Identity


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    heard: set[str] = set()  # noqa: RUF012 - one server a test
    status = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        self.heard.add(self.path.partition("?")[0])
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def collector() -> Iterator[type[Collector]]:
    class Own(Collector):
        heard: set[str] = set()  # noqa: RUF012 - this test's
        address: tuple[str, int]

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        Own.address = ("127.0.0.1", server.server_port)
        yield Own
        server.shutdown()
        thread.join()


def test_keys_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert prepare(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert not prepare(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_an_interrupted_run_left_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / KEYS_FILE).write_text("keys: {")
    assert prepare(tmp_path)
    publishers_keys(tmp_path)


def test_the_collector_accepts_the_keys_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(tmp_path)
    assert run(["collector", "--check", "--keys", str(tmp_path / KEYS_FILE)]) == 0
    assert "9 keys" in capsys.readouterr().out


def test_the_publishers_get_the_same_keys_back(tmp_path: Path) -> None:
    prepare(tmp_path)
    keys = publishers_keys(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    keys.write(other / KEYS_FILE)
    for path in other.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_the_secret_is_a_setting(tmp_path: Path) -> None:
    prepare(tmp_path)
    settings = from_environment({"SCORER_LEAD_SECRET_FILE": str(tmp_path / SECRET_FILE)})
    assert len(settings.lead_secret) == 64
    assert settings.lead_secret == (tmp_path / SECRET_FILE).read_text().strip()


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff"])
def test_a_secret_that_is_not_there_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="SCORER_LEAD_SECRET_FILE"):
        from_environment({"SCORER_LEAD_SECRET_FILE": str(path)})


def test_two_secrets_are_one_too_many(tmp_path: Path) -> None:
    prepare(tmp_path)
    both = {"SCORER_LEAD_SECRET": "a", "SCORER_LEAD_SECRET_FILE": str(tmp_path / SECRET_FILE)}
    with pytest.raises(UserError, match="both"):
        from_environment(both)


def test_without_keys_the_command_says_how_to_make_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["traffic", "send", "--keys", str(tmp_path)]) == 2
    assert "scorer traffic keys" in capsys.readouterr().err


def test_it_sends_to_many_doors_and_stops_in_time(tmp_path: Path, collector: type[Collector]) -> None:
    prepare(tmp_path)
    traffic = Traffic(publishers_keys(tmp_path), Identity("secret"), collector.address, 8.0, seed=1)  # type: ignore[attr-defined]
    traffic.run(lambda _: None, seconds=0.8)
    assert traffic.taken > 10
    assert {"/v1/identify", "/v1/pixel/page.gif"} <= collector.heard


def test_it_ends_where_the_collector_refuses_what_is_right(
    tmp_path: Path, collector: type[Collector]
) -> None:
    collector.status = 401
    prepare(tmp_path)
    traffic = Traffic(publishers_keys(tmp_path), Identity("secret"), collector.address, 8.0, seed=1)  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="401"):
        traffic.run(lambda _: None, seconds=30)
