"""What metrics cost the worker: the same log, with them and without, in turns."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka.admin import AdminClient

from scorer.broker import Broker
from scorer.wire.registry import ACCOUNT_SCORE, CHANGELOG, IDENTITY, LOG, OUTCOMES, SCORE, Registry
from scorer.wire.topics import apply_topics
from tests.bench import workload
from tests.bench.engine import full_rules
from tests.bench.figures import report, tell
from tests.bench.road import PARTITIONS, WorkerProcess, benchmark_kafka, prepare, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorer.settings import Settings

EVENTS = 300_000
PAIRS = 10
SCRAPE_EVERY = 5.0
"""Seconds; Prometheus' own default is a minute, and most set 15 s."""
PATIENCE = 600.0
"""Seconds for one run."""
RESAMPLES = 10_000
WITH, WITHOUT = ("scorer",), ("tests.bench.unmetered",)
MADE = (CHANGELOG, SCORE, IDENTITY, ACCOUNT_SCORE, *OUTCOMES)
"""The topics that a score worker writes: each run begins with empty ones."""


def cost() -> None:
    """``metrics_cost_ratio``: processor seconds per million events, with metrics to those without.

    Start-up is left out. The metrics are read every 5 s.
    """
    with benchmark_kafka() as bootstrap:
        settings, doors = prepare(bootstrap, full_rules())
        tell(f"metrics_cost_ratio: filling a lead log with {EVENTS:,} facts")
        stream = workload.events(EVENTS, partitions=PARTITIONS)
        with Broker(settings).writer() as writer:
            for entry in workload.log(stream, partitions=PARTITIONS, doors=doors.doors):
                writer.append(LOG, entry.partition, entry.key, entry.value)
        ratios = []
        for pair in range(PAIRS + 1):
            order = (WITH, WITHOUT) if pair % 2 else (WITHOUT, WITH)
            used = {program: _run(settings, program) for program in order}
            per_million = {program: seconds / EVENTS * 1e6 for program, seconds in used.items()}
            ratio = used[WITH] / used[WITHOUT]
            tell(
                f"metrics_cost_ratio, {f'pair {pair}' if pair else 'warming up'}: {per_million[WITH]:.2f} s"
                f" per million events with metrics, {per_million[WITHOUT]:.2f} s without: {ratio:.3f}"
            )
            if pair:
                ratios.append(ratio)
    low, high = interval(ratios)
    tell(
        f"metrics_cost_ratio: median {statistics.median(ratios):.3f} of {PAIRS} pairs,"
        f" 95% interval {low:.3f} to {high:.3f}"
    )
    report("metrics_cost_ratio", round(statistics.median(ratios), 3), "of the processor seconds without")


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Of the median, 95%: percentiles of the medians of resamples (Efron's bootstrap)."""
    rng = random.Random(1)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975)]


def _run(settings: Settings, program: tuple[str, ...]) -> float:
    """Processor seconds of a score worker over the whole log, from when it is ready."""
    _forget(settings)
    broker = Broker(settings)
    ends = {number: wanted.end for number, wanted in broker.ranges(LOG).items()}
    group = f"{settings.app_id}-score"

    def scored() -> bool:
        committed = broker.committed(group, LOG)
        return all(committed.get(number, -1) >= end for number, end in ends.items())

    with (
        tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder,
        WorkerProcess(settings, Path(folder), "--only", "score", program=program) as worker,
    ):
        wait_until(worker.ready, PATIENCE, "the worker is ready", every=0.02)
        before = worker.processor_seconds()
        looked = time.monotonic()
        deadline = looked + PATIENCE
        while not scored():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not scored within {PATIENCE:.0f} s: {worker.last_words()}")
            if program == WITH and time.monotonic() - looked > SCRAPE_EVERY:
                looked = time.monotonic()
                worker.page("/metrics")
            time.sleep(0.5)
        used = worker.processor_seconds() - before
        worker.stop()
    return used


def _forget(settings: Settings) -> None:
    """All that scoring has made of the log."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap, "log_level": 2})
    broker = Broker(settings)
    if any(at >= 0 for at in broker.committed(f"{settings.app_id}-score", LOG).values()):
        group = f"{settings.topic_prefix}{settings.app_id}-score"
        for done in admin.delete_consumer_groups([group]).values():
            done.result()
        names = [settings.topic_prefix + topic for topic in MADE]
        for done in admin.delete_topics(names, operation_timeout=30).values():
            done.result()
        wait_until(
            lambda: not set(names) & set(admin.list_topics(timeout=10).topics), 30, "topics are deleted"
        )
        apply_topics(settings, Registry.load())
