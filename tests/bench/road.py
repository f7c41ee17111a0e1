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
from urllib.error import HTTPError, URLError
from urllib.request import urlopen
from uuid import uuid4

from scorer.broker import Broker
from scorer.domain.model import encode_model
from scorer.rules_apply import apply as apply_rules
from scorer.settings import Settings
from scorer.wire.registry import LOG, Registry
from scorer.wire.topics import apply_topics
from tests.support.intake import reaching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from scorer.domain.model import Model
    from scorer.domain.record import Doors

PARTITIONS = 8
"""Of the lead log: the registry's default."""
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def prepare(bootstrap: str, model: Model, name: str = "bench") -> tuple[Settings, Doors]:
    """Topics under a prefix of their own that begins with ``name``, and rules in force."""
    settings = Settings(bootstrap=bootstrap, topic_prefix=f"{name}-{uuid4().hex[:6]}.")
    applied = apply_topics(settings, Registry.load())
    apply_rules(Broker(settings), encode_model(model))
    return settings, applied.doors


class Child:
    """A process that we have started, killed at the end of the block where it is still alive then."""

    def __init__(
        self, command: Sequence[str], environment: dict[str, str], log: Path, folder: Path | None = None
    ) -> None:
        """``environment``: besides ours. ``log``: gets all that it says. ``folder``: where it runs."""
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
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
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def processor_seconds(self) -> float:
        """Processor time used so far, with what it has started; 0 where the system has no /proc."""
        return processor_seconds(self.process.pid)

    def peak_mb(self) -> float:
        """The most memory that was resident so far, MB; 0 where the system has no /proc."""
        return peak_mb(self.process.pid)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3_000:]


class WorkerProcess(Child):
    """``scorer worker`` in a process of its own."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *arguments: str,
        checkpoint: float = 1.0,
        program: Sequence[str] = ("scorer",),
        given: Mapping[str, str] | None = None,
    ) -> None:
        """``folder``: for its local state and its log; made if it does not exist.

        ``program``: the module that is run as the command, and arguments of its own. ``given``: environment
        variables besides ours, or instead of them.
        """
        self._port = free_port()
        environment = {
            **reaching(settings),
            "SCORER_TOPIC_PREFIX": settings.topic_prefix,
            "SCORER_LEAD_SECRET": "test",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "SCORER_METRICS_PORT": str(self._port),
            "SCORER_DATA_DIR": str(folder / "data"),
            "SCORER_CHECKPOINT_INTERVAL": str(checkpoint),
        }
        command = [sys.executable, "-m", *program, "worker", *arguments]
        super().__init__(command, environment | dict(given or {}), folder / "worker.log")

    def metrics(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Name -> label values in the order they are served -> value; nothing while it does not serve."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the worker ended with {self.process.returncode}: {self.last_words()}")
        try:
            text = self.page("/metrics")
        except (URLError, OSError):
            return {}
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for name, labels, value in _SAMPLE.findall(text):
            found.setdefault(name, {})[tuple(value for _, value in _LABEL.findall(labels))] = float(value)
        return found

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def page(self, path: str) -> str:
        """What its status server answers; raises where it does not."""
        with urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def ready(self) -> bool:
        """It owns partitions, has restored them and knows doors and rules."""
        return self.problems() == []

    def problems(self) -> list[str]:
        """What it says of its readiness, a line each; one of them where it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=5):
                return []
        except HTTPError as error:
            with error:
                return error.read().decode().splitlines()
        except (URLError, OSError):
            return ["no answer"]

    def total(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return sum(self.metrics().get(name, {}).values())

    def stop(self) -> None:
        """Cleanly; raises where it does not end so."""
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(60):
            raise RuntimeError(f"the worker ended with {self.process.returncode}: {self.last_words()}")


def free_port() -> int:
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


def scored_to_the_end(worker: WorkerProcess, broker: Broker, *others: WorkerProcess) -> bool:
    """All of the lead log, as it is now, is scored and durable, by one of them or another."""
    durable: dict[tuple[str, ...], float] = {}
    for one in (worker, *others):
        for labels, position in one.metrics().get("scorer_score_durable_position", {}).items():
            durable[labels] = max(position, durable.get(labels, -1))
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
            done = counted - first[1]
            return Rate(
                done / (now - first[0]),
                (used - first[2]) * total / done,
                stolen_since(before),
            )
        time.sleep(0.25)  # looking costs the worker some milliseconds
    raise TimeoutError(f"{worker.total(metric):,.0f} of {total:,.0f} within {seconds:.0f} s")


def processor_seconds(pid: int) -> float:
    """Of a process and all that it started, the ended included."""
    used = 0.0
    for one in _family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        used += sum(int(field) for field in fields[11:15])
    return used / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    """The sum of the family's peaks."""
    total = 0
    for one in _family(pid):
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1])
    return total / 1024


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:
                continue
    return found


def steal() -> float:
    """Seconds of processor time that other machines on the same hardware have taken since the start."""
    return ticks()[1] / os.sysconf("SC_CLK_TCK")


def stolen_since(before: tuple[int, int]) -> float:
    """The share (0..1) of the processors' time that was stolen since ``ticks`` said this."""
    passed, stolen = (now - then for now, then in zip(ticks(), before, strict=True))
    return stolen / passed if passed else 0.0


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
