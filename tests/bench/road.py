"""A real road to measure or test: topics, rules, worker processes, and what their metrics say."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.error import URLError
from urllib.request import urlopen

from scorer.broker import Broker
from scorer.wire.registry import LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from scorer.settings import Settings

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class WorkerProcess:
    """``scorer worker`` in a process of its own."""

    def __init__(self, settings: Settings, folder: Path, *arguments: str, checkpoint: float = 1.0) -> None:
        """``folder``: for its local state and its log; made if it does not exist."""
        folder.mkdir(parents=True, exist_ok=True)
        self._port = _free_port()
        self.log = folder / "worker.log"
        environment = os.environ | {
            "SCORER_BOOTSTRAP": settings.bootstrap,
            "SCORER_TOPIC_PREFIX": settings.topic_prefix,
            "SCORER_LEAD_SECRET": "test",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "SCORER_METRICS_PORT": str(self._port),
            "SCORER_DATA_DIR": str(folder / "data"),
            "SCORER_CHECKPOINT_INTERVAL": str(checkpoint),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scorer", "worker", *arguments],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def metrics(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Name -> label values in the order they are served -> value; nothing while it does not serve."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the worker ended with {self.process.returncode}: {self.last_words()}")
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (URLError, OSError):
            return {}
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for name, labels, value in _SAMPLE.findall(text):
            found.setdefault(name, {})[tuple(value for _, value in _LABEL.findall(labels))] = float(value)
        return found

    def ready(self) -> bool:
        """It owns partitions, has restored them and knows doors and rules."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=5):
                return True
        except (URLError, OSError):
            return False

    def total(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return sum(self.metrics().get(name, {}).values())

    def processor_seconds(self) -> float:
        """Processor time used so far; 0 where the system has no /proc."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        """The most memory that was resident so far, MB; 0 where the system has no /proc."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0.0
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def stop(self) -> None:
        """Cleanly; raises where it does not end so."""
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(60):
            raise RuntimeError(f"the worker ended with {self.process.returncode}: {self.last_words()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2_000:]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float, what: str, every: float = 0.1) -> None:
    """Raises ``TimeoutError`` with ``what`` in it where the condition does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)


def scored_to_the_end(worker: WorkerProcess, broker: Broker) -> bool:
    """All of the lead log, as it is now, is scored and durable."""
    durable = worker.metrics().get("scorer_score_durable_position", {})
    ends = broker.ranges(LOG)
    return all(durable.get((str(number),), -1) >= wanted.end for number, wanted in ends.items())


class Rate(NamedTuple):
    per_second: float
    processor_seconds: float
    """What the process used for it, start-up left out."""
    stolen: float
    """The share (0..1) of the processors' time that other machines on the same hardware took meanwhile."""


def rate(worker: WorkerProcess, metric: str, total: float, seconds: float) -> Rate:
    """From the first look that sees something counted to the first that sees all of it."""
    first: tuple[float, float, float] | None = None
    before = ticks()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        counted, now, used = worker.total(metric), time.monotonic(), worker.processor_seconds()
        if first is None and counted:
            first = now, counted, used
        if first is not None and counted >= total:
            passed, stolen = (now - then for now, then in zip(ticks(), before, strict=True))
            done = counted - first[1]
            return Rate(
                done / (now - first[0]),
                (used - first[2]) * total / done,
                stolen / passed if passed else 0.0,
            )
        time.sleep(0.25)  # looking costs the worker some milliseconds
    raise TimeoutError(f"{worker.total(metric):,.0f} of {total:,.0f} within {seconds:.0f} s")


def steal() -> float:
    """Seconds of processor time that other machines on the same hardware have taken since the start."""
    return ticks()[1] / os.sysconf("SC_CLK_TCK")


def ticks() -> tuple[int, int]:
    """(ticks of all processors since the system started, those stolen); zeros where nobody counts them."""
    try:
        with Path("/proc/stat").open() as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
    except OSError:
        return 0, 0
    return sum(ticks), ticks[7]


@contextmanager
def benchmark_kafka() -> Iterator[str]:
    """The address of a broker of its own, or of SCORER_BENCH_BOOTSTRAP."""
    from scorer.dev.kafka import KafkaCluster

    running = os.environ.get("SCORER_BENCH_BOOTSTRAP")
    if running:
        yield running
        return
    with KafkaCluster(compiler="full", heap_mb=1024) as cluster:
        yield cluster.bootstrap
