"""From an event's append to its outcome: how long, and how much of a core it takes at a steady rate."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition

from scorer.wire.registry import QUALIFIED
from tests.bench.engine import small_rules
from tests.bench.figures import newest, report, tell
from tests.bench.road import PARTITIONS, WorkerProcess, benchmark_kafka, prepare, steal, wait_until

if TYPE_CHECKING:
    from types import TracebackType

    from scorer.settings import Settings

STEADY = 5_000
"""Events a second."""
BROKER_WARM = 30.0
"""Seconds of the same before the first run."""
WARM, MEASURED = 10.0, 30.0
"""Seconds: before the first probe that counts, and from then on."""
RATE_IF_UNKNOWN = 60_000
"""Events a second that one worker scores, where no benchmark on this machine has said so."""
PATIENCE = 20.0
"""Seconds that the last outcomes may take."""


class Latency(NamedTuple):
    p50: float
    p99: float
    """ms."""
    cores: float
    """Processor seconds of the worker per second."""


def figures() -> None:
    """All latency figures, by ``bench/rules.yaml``, on one broker."""
    maximum = newest("worker_events_per_s_6_rules") or RATE_IF_UNKNOWN
    with benchmark_kafka() as bootstrap:
        _warm_up(bootstrap)
        log = _run(bootstrap, STEADY, doors=False)
        half = _run(bootstrap, int(maximum / 2), doors=False)
        door = _run(bootstrap, STEADY, doors=True)
    report("latency_p50_ms", log.p50, "ms")
    report("latency_p99_ms_5k", log.p99, "ms")
    report("cores_at_5k", log.cores, "cores")
    report("latency_p99_ms_half_rate", half.p99, "ms")
    report("latency_door_p50_ms_more", round(door.p50 - log.p50, 1), "ms")
    report("latency_door_p99_ms_more", round(door.p99 - log.p99, 1), "ms")
    report("cores_at_5k_with_intake", door.cores, "cores")


def _warm_up(bootstrap: str) -> None:
    """Until the broker's code is compiled, its processor time is what one would measure."""
    tell(f"warming the broker up: {BROKER_WARM:.0f} s")
    settings, _ = prepare(bootstrap, small_rules())
    with tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        home = Path(folder)
        with WorkerProcess(settings, home) as worker:
            wait_until(worker.ready, 60, "the worker is ready")
            publisher = publish(settings, STEADY, home / "probes", doors=True, seconds=BROKER_WARM)
            if publisher.wait(BROKER_WARM + 60):
                raise RuntimeError("the publisher failed")
            worker.stop()


def _run(bootstrap: str, rate: int, *, doors: bool) -> Latency:
    settings, _ = prepare(bootstrap, small_rules())
    what = f"latency {'from the doors' if doors else 'from the log'} at {rate:,}/s"
    tell(f"{what}: {WARM + MEASURED:.0f} s")
    with tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        home = Path(folder)
        only = () if doors else ("--only", "score")
        with WorkerProcess(settings, home, *only) as worker, Outcomes(settings) as outcomes:
            wait_until(worker.ready, 60, "the worker is ready")
            publisher = publish(settings, rate, home / "probes", doors=doors)
            try:
                time.sleep(WARM)
                began, used, stolen = time.monotonic(), worker.processor_seconds(), steal()
                if publisher.wait(MEASURED + 60):
                    raise RuntimeError("the publisher failed")
            finally:
                publisher.kill()
                publisher.wait()
            passed = time.monotonic() - began
            cores = (worker.processor_seconds() - used) / passed
            sent = dict(line.split() for line in (home / "probes").read_text().splitlines())
            wait_until(lambda: outcomes.seen >= sent.keys(), PATIENCE, "every probe's outcome")
            worker.stop()
    spans = [(outcomes.at[lead] - float(at)) * 1_000 for lead, at in sent.items() if float(at) >= began]
    points = statistics.quantiles(spans, n=100)
    tell(
        f"{what}: {len(spans)} probes, p50 {points[49]:.1f}, p90 {points[89]:.1f}, p99 {points[98]:.1f},"
        f" most {max(spans):.1f} ms; the worker used {cores:.2f} of a core;"
        f" {(steal() - stolen) / passed:.2f} of a core was stolen meanwhile"
    )
    return Latency(round(points[49], 1), round(points[98], 1), round(cores, 3))


def publish(
    settings: Settings, rate: int, probes: Path, *, doors: bool, seconds: float = WARM + MEASURED
) -> subprocess.Popen[bytes]:
    """Starts a publisher; ``probes`` is the file in which it notes what it has sent when."""
    command = [sys.executable, "-m", "tests.bench.pace", settings.bootstrap, settings.topic_prefix]
    command += ["--rate", str(rate), "--seconds", str(seconds), "--partitions", str(PARTITIONS)]
    command += ["--probes", str(probes), "--name", uuid4().hex[:6]]
    return subprocess.Popen([*command, "--doors"] if doors else command)


class Outcomes:
    """Reads qualified leads and notes when each could be read (CLOCK_MONOTONIC, seconds)."""

    def __init__(self, settings: Settings) -> None:
        self.at: dict[str, float] = {}
        topic = settings.topic_prefix + QUALIFIED
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap,
                "group.id": "bench-latency",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 500,  # the broker answers at once when there is something
                "fetch.queue.backoff.ms": 1,
                "log_level": 2,
            }
        )
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    @property
    def seen(self) -> set[str]:
        return set(self.at)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _read(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.1)
            now = time.monotonic()
            if message is not None and message.error() is None:
                self.at.setdefault((message.key() or b"").decode(), now)
