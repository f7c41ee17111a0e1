"""``scorer worker --restart``: what it starts, and with a real worker that finds no Kafka."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scorer.cli import run
from scorer.worker import keeper

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 60.0  # seconds
WORKER = [sys.executable, "-m", "scorer", "worker"]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The commands that would be kept running."""
    commands: list[Sequence[str]] = []

    def keep(command: Sequence[str], **_: Any) -> int:
        commands.append(command)
        return 5

    monkeypatch.setattr(keeper, "keep", keep)
    return commands


def test_the_worker_gets_the_same_options_but_this(kept: list[Sequence[str]]) -> None:
    given = [
        "--instance",
        "--restart",
        "--only=score",
        "--restart",
        "--from-log-start",
        "--bootstrap",
        "a:1,b:2",
    ]
    assert run(["worker", *given]) == 5
    assert run(["worker", "--restart"]) == 5
    first, second = kept
    assert first[: len(WORKER)] == WORKER
    assert sorted(first[len(WORKER) :]) == [
        "--bootstrap=a:1,b:2",
        "--from-log-start",
        "--instance=--restart",
        "--only=score",
    ]
    assert second == WORKER


def test_wrong_usage_starts_nothing(kept: list[Sequence[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["worker", "--restart", "--only", "nothing"]) == 2
    monkeypatch.setenv("SCORER_METRICS_PORT", "many")
    assert run(["worker", "--restart"]) == 2
    assert kept == []


def test_the_keeper_is_small() -> None:
    program = """
import sys
from scorer.cli import run
from scorer.worker import keeper
keeper.keep = lambda command, **_: 0
run(["worker", "--restart"])
print(sorted({"aiokafka", "asyncio", "confluent_kafka", "faust", "rocksdict"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_a_workers_complaint_is_passed_through(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            [*WORKER, "--restart"],
            env=os.environ
            | {"SCORER_METRICS_PORT": str(taken.getsockname()[1]), "SCORER_DATA_DIR": str(tmp_path)},
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.count("error: metrics can't be served") == 1
    assert "restart:" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the worker")
def test_a_killed_worker_is_replaced_and_the_next_one_stops_when_told(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as written:
        started = subprocess.Popen(
            [*WORKER, "--restart", "--bootstrap", "127.0.0.1:1"],
            env=os.environ | {"SCORER_METRICS_PORT": "0", "SCORER_DATA_DIR": str(tmp_path / "data")},
            stdout=written,
            stderr=written,
        )
    deadline = time.monotonic() + PATIENCE

    def wait_for_starts(count: int) -> None:
        while output.read_text().count("metrics on http") < count:
            assert started.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.02)

    try:
        wait_for_starts(1)
        workers = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
        assert len(workers) == 1
        os.kill(int(workers[0]), signal.SIGKILL)
        wait_for_starts(2)
        started.terminate()
        assert started.wait(PATIENCE) == 0
    finally:
        started.kill()
        started.wait()
    assert output.read_text().count("restart: the worker was ended by SIGKILL") == 1
