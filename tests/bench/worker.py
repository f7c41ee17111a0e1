"""The worker on a real Kafka, all durability and the score topic on; broker and worker share the machine."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from scorer.broker import Broker
from scorer.domain.record import NO_DOOR, Bind, encode_record
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LOG, OUTCOMES, QUALIFIED, SCORE
from tests.bench import workload
from tests.bench.engine import full_rules, small_rules
from tests.bench.figures import median_rate, report, tell
from tests.bench.road import (
    PARTITIONS,
    Rate,
    WorkerProcess,
    benchmark_kafka,
    prepare,
    rate,
    scored_to_the_end,
    wait_until,
)

if TYPE_CHECKING:
    from scorer.domain.model import Model

EVENTS = 1_000_000
FORWARDED = 500_000
RUNS = 3
PATIENCE = 600.0
"""Seconds for one run."""


def full() -> None:
    """``worker_events_per_s``: facts scored from a filled lead log, by one process."""
    _score_runs("worker_events_per_s", full_rules())


def small() -> None:
    """``worker_events_per_s_6_rules``."""
    _score_runs("worker_events_per_s_6_rules", small_rules())


def shadow() -> None:
    """``shadow_cost_ratio``: the part of the rate that rules tried beside the full ones take; in turns.

    ``shadow_cpu_ratio``: the processor seconds that they add, to those without. They send nothing: what is
    told is the same in both.
    """
    live = full_rules()
    tried = replace(live, name="tried", threshold=replace(live.threshold, enter=live.threshold.enter + 5))
    rates, processor = [], []
    with benchmark_kafka() as bootstrap:
        for run in range(RUNS):
            name = f"shadow_cost_ratio, run {run + 1}"
            alone = _run(bootstrap, live, f"{name}, alone")
            beside = _run(bootstrap, replace(live, shadow=tried), f"{name}, beside")
            if alone.told != beside.told:
                raise RuntimeError(f"told {alone.told} alone, and {beside.told} with a shadow")
            rates.append(1 - beside.rate.per_second / alone.rate.per_second)
            processor.append(beside.rate.processor_seconds / alone.rate.processor_seconds - 1)
            tell(f"{name}: {rates[-1]:.2f} of the rate, {processor[-1]:.2f} of the processor seconds")
    report("shadow_cost_ratio", round(statistics.median(rates), 2), "of the rate alone")
    report("shadow_cpu_ratio", round(statistics.median(processor), 2), "of the processor seconds alone")


def _score_runs(figure: str, model: Model) -> None:
    with benchmark_kafka() as bootstrap:
        median_rate(figure, [_score(bootstrap, model, f"{figure}, run {run + 1}") for run in range(RUNS)])


class Scored(NamedTuple):
    """One run of a score worker over a filled log."""

    rate: Rate
    """Of facts."""
    told: dict[str, int]
    """Topic of outcomes -> records."""


def _score(bootstrap: str, model: Model, run: str) -> float:
    return _run(bootstrap, model, run).rate.per_second


def _run(bootstrap: str, model: Model, run: str) -> Scored:
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
    told = {topic: sum(one.end for one in broker.ranges(topic).values()) for topic in OUTCOMES}
    if not told[QUALIFIED]:
        raise RuntimeError("the worker found nobody qualified")
    return Scored(facts, told)


def forwarded() -> None:
    """``forwarded_cost_ratio``: what a fact costs that is about a lead that has become part of another.

    In processor seconds of the worker, against the same facts about the other; in turns.
    """
    with benchmark_kafka() as bootstrap:
        ratios = []
        for run in range(RUNS):
            name = f"forwarded_cost_ratio, run {run + 1}"
            direct = _costs(bootstrap, f"{name}, direct", moved=False)
            ratios.append(_costs(bootstrap, f"{name}, forwarded", moved=True) / direct)
            tell(f"{name}: {ratios[-1]:.2f}")
        report("forwarded_cost_ratio", round(statistics.median(ratios), 2), "times the cost")


def _costs(bootstrap: str, run: str, *, moved: bool) -> float:
    """Processor seconds per fact. ``moved``: the facts are about visitors who have become the leads."""
    settings, doors = prepare(bootstrap, small_rules())
    broker = Broker(settings)
    facts = FORWARDED
    stream = list(workload.log(workload.events(facts, partitions=PARTITIONS), doors=doors.doors))
    leads = {entry.key for entry in stream if entry.key is not None}
    visitors = {lead: b"a_%026d" % number for number, lead in enumerate(sorted(leads))}
    with tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        with broker.writer() as writer:
            for lead, visitor in visitors.items():
                bind = encode_record(Bind(lead, 1, NO_DOOR, -1))
                writer.append(LOG, partition_of(visitor, PARTITIONS), visitor, bind)
        with WorkerProcess(settings, Path(folder), "--only", "score") as worker:
            # Bind, ask, answer, merge: each is appended only when the one before has been read.
            for _ in range(4):
                wait_until(
                    lambda: scored_to_the_end(worker, broker), PATIENCE, "all visitors have become leads"
                )
            merged = worker.total("scorer_score_merged_total")
            worker.stop()
        if merged != len(leads):
            raise RuntimeError(f"{merged:,.0f} of {len(leads):,} visitors have become leads")
        with broker.writer() as writer:
            for entry in stream:
                # No clock: all that is forwarded would be behind its end, and late.
                if entry.key is not None:
                    key = visitors[entry.key] if moved else entry.key
                    writer.append(LOG, partition_of(key, PARTITIONS), key, entry.value)
        with WorkerProcess(settings, Path(folder), "--only", "score") as worker:
            position = "scorer_score_position"
            wait_until(lambda: worker.total(position) > 0, PATIENCE, "the worker has begun", every=0.02)
            used, at = worker.processor_seconds(), worker.total("scorer_score_facts_total")
            wanted = facts * 0.98  # a publisher's retries are left out
            wait_until(lambda: worker.total("scorer_score_facts_total") >= wanted, PATIENCE, run, every=0.25)
            done = worker.total("scorer_score_facts_total") - at
            cost = (worker.processor_seconds() - used) / done
            forwarded_facts = worker.total("scorer_score_forwarded_total")
            worker.stop()
    tell(f"{run}: {cost * 1e6:.1f} processor seconds per million facts, {forwarded_facts:,.0f} forwarded")
    return cost


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
