"""What metrics cost the worker: the same log, with them and without, in turns."""

from __future__ import annotations

import random
import signal
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.broker import Broker
from scorer.wire.registry import LOG
from tests.bench import workload
from tests.bench.engine import full_rules
from tests.bench.figures import report, tell
from tests.bench.road import PARTITIONS, WorkerProcess, benchmark_kafka, prepare, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorer.domain.record import Doors
    from scorer.settings import Settings

EVENTS = 300_000
PAIRS = 10
TURN = 0.5
"""Seconds that one of the two may run before it is the other's turn: what the machine does besides, and how
fast it is just now, changes more slowly than that."""
SCRAPE_EVERY = 5.0
"""Seconds of its own turns; Prometheus' own default is a minute, and most set 15 s."""
PATIENCE = 600.0
"""Seconds for one pair."""
SESSION_TIMEOUT = "120"
"""Seconds: longer than both logs take to fill."""
RESAMPLES = 10_000
WITH, WITHOUT = ("scorer",), ("tests.bench.unmetered",)


def cost() -> None:
    """``metrics_cost_ratio``: processor seconds per million events, with metrics to those without.

    Two workers, each stopped (SIGSTOP) while the other has its turn, score the same log to its end. They
    have started before there is anything in it. The metrics are read every 5 s.
    """
    with benchmark_kafka() as bootstrap:
        ratios = []
        for pair in range(PAIRS + 1):
            used = _pair(bootstrap, (WITH, WITHOUT) if pair % 2 else (WITHOUT, WITH), pair)
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


def _fill(settings: Settings, doors: Doors) -> None:
    """A lead log of its own for each worker, and always the same facts."""
    stream = workload.events(EVENTS, partitions=PARTITIONS)
    with Broker(settings).writer() as writer:
        for entry in workload.log(stream, partitions=PARTITIONS, doors=doors.doors):
            writer.append(LOG, entry.partition, entry.key, entry.value)


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Of the median, 95%: percentiles of the medians of resamples (Efron's bootstrap)."""
    rng = random.Random(1)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975)]


class _Runner:
    """A score worker that runs only in its turns."""

    def __init__(self, settings: Settings, worker: WorkerProcess, *, read: bool) -> None:
        """``read``: whether its metrics are."""
        self._broker = Broker(settings)
        self._group = f"{settings.app_id}-score"
        self._worker = worker
        self._read = read
        self._ran = self._read_at = self._begun = 0.0
        self._ends: dict[int, int] = {}
        self.used: float | None = None
        """Processor seconds from its first turn until it had scored everything."""

    def settle(self) -> None:
        """Waits until it is ready and has scored what there is; it then waits for its first turn."""
        wait_until(self._worker.ready, PATIENCE, "the worker is ready")
        self._look()
        wait_until(self._scored, PATIENCE, "the worker has begun")
        self._send(signal.SIGSTOP)

    def begin(self) -> None:
        self._look()
        self._begun = self._worker.processor_seconds()

    def turn(self) -> None:
        self._send(signal.SIGCONT)
        time.sleep(TURN)
        self._ran += TURN
        if self._read and self._ran - self._read_at >= SCRAPE_EVERY:
            self._read_at = self._ran
            self._worker.page("/metrics")
        self._send(signal.SIGSTOP)
        if self._scored():
            self.used = self._worker.processor_seconds() - self._begun

    def stop(self) -> None:
        self._send(signal.SIGCONT)
        self._worker.stop()

    def _look(self) -> None:
        self._ends = {number: wanted.end for number, wanted in self._broker.ranges(LOG).items()}

    def _scored(self) -> bool:
        committed = self._broker.committed(self._group, LOG)
        return all(committed.get(number, -1) >= end for number, end in self._ends.items())

    def _send(self, number: signal.Signals) -> None:
        self._worker.process.send_signal(number)


def _pair(bootstrap: str, order: Sequence[tuple[str, ...]], seed: int) -> dict[tuple[str, ...], float]:
    """Processor seconds of each program over its log, in turns. ``seed``: of Python's hashes."""
    with ExitStack() as stack:
        runners: dict[tuple[str, ...], _Runner] = {}
        logs: list[tuple[Settings, Doors]] = []
        for program in order:
            settings, doors = prepare(bootstrap, full_rules())
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scorer-bench-")))
            # The same order of keys in both, and another one in the next pair.
            given = {"SCORER_SESSION_TIMEOUT": SESSION_TIMEOUT, "PYTHONHASHSEED": str(seed)}
            worker = stack.enter_context(
                WorkerProcess(settings, folder, "--only", "score", program=program, given=given)
            )
            runners[program] = _Runner(settings, worker, read=program == WITH)
            logs.append((settings, doors))
        for one in runners.values():
            one.settle()
        for settings, doors in logs:
            _fill(settings, doors)
        for one in runners.values():
            one.begin()
        deadline = time.monotonic() + PATIENCE
        while waiting := [one for one in runners.values() if one.used is None]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not scored within {PATIENCE:.0f} s")
            for one in waiting:
                one.turn()
        for one in runners.values():
            one.stop()
    return {program: one.used or 0.0 for program, one in runners.items()}
