"""The worker on a real Kafka, all durability and the score topic on; broker and worker share the machine."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.broker import Broker
from scorer.wire.registry import LOG, QUALIFIED, SCORE
from tests.bench import workload
from tests.bench.engine import full_rules, small_rules
from tests.bench.figures import median_rate, tell
from tests.bench.road import PARTITIONS, Rate, WorkerProcess, benchmark_kafka, prepare, rate

if TYPE_CHECKING:
    from scorer.domain.model import Model

EVENTS = 1_000_000
RUNS = 3
PATIENCE = 600.0
"""Seconds for one run."""


def full() -> None:
    """``worker_events_per_s``: facts scored from a filled lead log, by one process."""
    _score_runs("worker_events_per_s", full_rules())


def small() -> None:
    """``worker_events_per_s_6_rules``."""
    _score_runs("worker_events_per_s_6_rules", small_rules())


def _score_runs(figure: str, model: Model) -> None:
    with benchmark_kafka() as bootstrap:
        median_rate(figure, [_score(bootstrap, model, f"{figure}, run {run + 1}") for run in range(RUNS)])


def _score(bootstrap: str, model: Model, run: str) -> float:
    settings, doors = prepare(bootstrap, model)
    broker = Broker(settings)
    tell(f"{run}: filling a lead log with {EVENTS:,} facts")
    stream = workload.events(EVENTS, partitions=PARTITIONS)
    with broker.writer() as writer:
        for entry in workload.log(stream, partitions=PARTITIONS, doors=doors.doors):
            writer.append(LOG, entry.partition, entry.key, entry.value)
    records = sum(wanted.end - wanted.start for wanted in broker.ranges(LOG).values())
    with (
        tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder,
        WorkerProcess(settings, Path(folder), "--only", "score") as worker,
    ):
        measured = rate(worker, "scorer_score_records_total", records, PATIENCE)
        facts = measured._replace(per_second=measured.per_second * EVENTS / records)
        _tell(run, facts)
        worker.stop()
    if not any(wanted.end for wanted in broker.ranges(SCORE).values()):
        raise RuntimeError("the worker told no score")
    if not any(wanted.end for wanted in broker.ranges(QUALIFIED).values()):
        raise RuntimeError("the worker found nobody qualified")
    return facts.per_second


def intake() -> None:
    """``intake_events_per_s``: door records validated and appended to the lead log, by one process."""
    with benchmark_kafka() as bootstrap:
        median_rate("intake_events_per_s", [_intake(bootstrap, run) for run in range(RUNS)])


def _intake(bootstrap: str, run: int) -> float:
    settings, _ = prepare(bootstrap, full_rules())
    broker = Broker(settings)
    tell(f"intake_events_per_s, run {run + 1}: filling the doors with {EVENTS:,} messages")
    end = int(time.time() * 1000) - workload.HOUR_MS
    with broker.writer() as writer:
        for number, event in enumerate(workload.events(EVENTS, end=end)):
            writer.append(event.topic, number % workload.DOOR_PARTITIONS, None, workload.message(event))
    before = sum(wanted.end for wanted in broker.ranges(LOG).values())
    with (
        tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder,
        WorkerProcess(settings, Path(folder), "--only", "intake") as worker,
    ):
        measured = rate(worker, "scorer_intake_records_total", EVENTS, PATIENCE)
        _tell(f"intake_events_per_s, run {run + 1}", measured)
        rejected = worker.total("scorer_intake_rejected_total")
        worker.stop()
    appended = sum(wanted.end for wanted in broker.ranges(LOG).values()) - before
    if rejected or appended < EVENTS:
        raise RuntimeError(f"{rejected:,.0f} rejected, {appended:,} appended")
    return measured.per_second


def _tell(run: str, measured: Rate) -> None:
    seconds = measured.processor_seconds / EVENTS * 1_000_000
    tell(
        f"{run}: {measured.per_second:,.0f}/s, {seconds:.1f} processor seconds per million events"
        f" (start-up left out), {measured.stolen:.0%} of the processors stolen meanwhile"
    )
