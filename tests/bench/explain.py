"""``explain_p99_ms``: any lead's explanation from any of three workers, while events come in."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from scorer.broker import Broker
from scorer.wire.asking import ask
from scorer.wire.registry import SCORE
from tests.bench.engine import full_rules
from tests.bench.figures import report, tell
from tests.bench.latency import publish
from tests.bench.road import WorkerProcess, benchmark_kafka, prepare, wait_until

WORKERS = 3
RATE = 100
"""Events a second meanwhile; broker, publisher and three workers share the machine."""
WARM, MEASURED = 10.0, 30.0
"""Seconds."""
ASKED_PER_S = 50
PATIENCE = 60.0


def now() -> None:
    """Asked of one worker after the other, 50 times a second; two in three leads are another's."""
    with benchmark_kafka() as bootstrap, tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        settings, _ = prepare(bootstrap, full_rules())
        home = Path(folder)
        with ExitStack() as stack:
            workers = [
                stack.enter_context(WorkerProcess(settings, home / str(number))) for number in range(WORKERS)
            ]
            for worker in workers:
                wait_until(worker.ready, PATIENCE, "three workers are ready")
            publisher = publish(settings, RATE, home / "probes", doors=True, seconds=WARM + MEASURED)
            try:
                time.sleep(WARM)
                spans = _ask(Broker(settings), [worker.address for worker in workers])
                if publisher.wait(PATIENCE):
                    raise RuntimeError("the publisher failed")
            finally:
                publisher.kill()
                publisher.wait()
            for worker in workers:
                worker.stop()
    points = statistics.quantiles(spans, n=100)
    tell(
        f"explain: {len(spans)} answers, p50 {points[49]:.1f}, p90 {points[89]:.1f}, p99 {points[98]:.1f},"
        f" most {max(spans):.1f} ms"
    )
    report("explain_p50_ms", round(points[49], 1), "ms")
    report("explain_p99_ms", round(points[98], 1), "ms")


def _ask(broker: Broker, addresses: list[str]) -> list[float]:
    """ms of each answer."""
    leads = sorted(
        {
            (record.key or b"").decode()
            for number, wanted in broker.ranges(SCORE).items()
            for record in broker.read(SCORE, number, wanted)
        }
    )
    rng = random.Random(7)
    tell(f"explain: asking for {len(leads):,} leads, {ASKED_PER_S} times a second")
    spans = []
    count = int((MEASURED - 5) * ASKED_PER_S)
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / ASKED_PER_S - time.monotonic()))
        at = time.perf_counter()
        reply = ask(addresses[number % len(addresses)], rng.choice(leads), timeout=10)
        spans.append((time.perf_counter() - at) * 1_000)
        if reply.status != 200:
            raise RuntimeError(f"no explanation: {reply.status} {reply.body!r}")
    return spans
