"""``rolling_restart_pause_s``: three workers stopped and started again, one after the other, under load.

Each keeps its membership of the groups (SCORER_INSTANCE), its disk, and little else: SIGTERM, and a new
process as soon as the old one has ended, as a StatefulSet does it. SCORER_BENCH_BEFORE=FOLDER takes the first
processes' code from there, a checkout of another version, and upgrades them to ours in the first round.

How long anything stood still is read from Kafka afterwards, by the append times of one broker: for a
partition of the lead log, the longest time between two checkpoints' views; for a door, the longest wait of
one of its records until it is in the lead log.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scorer import rulefile
from scorer.broker import Broker
from scorer.domain.record import HOPS, Fact, decode_record
from scorer.wire.registry import LOG, SCORE, Registry
from tests.bench.figures import report, tell
from tests.bench.road import (
    WorkerProcess,
    benchmark_kafka,
    prepare,
    stolen_since,
    ticks,
    wait_until,
)
from tests.storm.changing import RULES, draw_changes
from tests.storm.judge import judge
from tests.storm.story import DOORS, SECRET
from tests.storm.watch import Watch

if TYPE_CHECKING:
    from scorer.settings import Settings
    from tests.storm.findings import Findings

WORKERS, ROUNDS = 3, 2
RATE, LEADS, IDENTIFIERS = 500, 20_000, 3
"""Events a second, of so many people, who go by so many names at most. Broker, publisher and three workers
share the machine."""
WARM, BETWEEN = 10.0, 4.0
"""Seconds of load before the first restart, and between all are ready and the next one."""
SESSION_TIMEOUT = 45.0
"""Seconds: longer than a restart takes, or the group deals the partitions anew, twice (docs/day-two.md)."""
PATIENCE = 120.0
BEFORE = "SCORER_BENCH_BEFORE"


class Restart(NamedTuple):
    name: str
    at: float
    """Seconds since 1970, when it was told to stop."""
    stopping: float
    starting: float
    """Seconds until it had ended, and from there until it was ready."""
    processor: float
    """Seconds of processor time that this start has taken."""


class Stood(NamedTuple):
    """The longest that anything stood still, seconds."""

    log: dict[int, tuple[float, float]]
    """Partition of the lead log -> (seconds without a view, since when)."""
    doors: float
    """What a record waited in a door."""


def figures() -> None:
    """``rolling_restart_pause_s`` and ``rolling_restart_wrong``."""
    with benchmark_kafka() as bootstrap, tempfile.TemporaryDirectory(prefix="scorer-bench-") as temporary:
        settings, _ = prepare(bootstrap, rulefile.require(RULES), "rolling")
        before = ticks()
        restarts, span = _roll(settings, Path(temporary))
        stood = _stood(Broker(settings), span)
        for one in restarts:
            tell(
                f"{one.name}: ended after {one.stopping:.2f} s, ready {one.starting:.2f} s later"
                f" ({one.processor:.2f} processor seconds)"
            )
        begun = span[0]
        for number, (seconds, since) in sorted(stood.log.items()):
            tell(f"partition {number} stood still for {seconds:.2f} s at most, from {since - begun:.1f} s on")
        tell(f"a record waited {stood.doors:.2f} s in its door at most; {stolen_since(before):.0%} stolen")
        found = judge(settings, draw_changes(random.Random(0), Path(temporary) / "rules", 0))
    _tell_findings(found)
    report("rolling_restart_pause_s", round(max(stood.doors, *(s for s, _ in stood.log.values())), 1), "s")
    wrong = found.lost + found.double_counted + found.missing + found.invented + found.mismatched
    report("rolling_restart_wrong", wrong, "leads and outcomes")
    if not found.flawless:
        raise RuntimeError("something was lost or doubled: " + "; ".join(found.examples))


def _tell_findings(found: Findings) -> None:
    tell(
        f"{found.records:,} records in the doors, {found.facts:,} facts ({found.repeated:,} read twice),"
        f" {found.leads:,} leads, {found.merged:,} merged, {found.outcomes:,} outcomes"
        f" ({found.duplicates:,} said twice): lost {found.lost}, double-counted {found.double_counted},"
        f" missing {found.missing}, invented {found.invented}"
    )


def _roll(settings: Settings, folder: Path) -> tuple[list[Restart], tuple[float, float]]:
    """The restarts, and from when to when there was load; all of it is scored, and everybody has stopped."""
    broker = Broker(settings)
    counts = Registry.load().partitions()
    partitions = {topic: counts[topic] for topic in (LOG, *DOORS)}
    groups = f"{settings.topic_prefix}scorer-intake", f"{settings.topic_prefix}scorer-score"
    older = os.environ.get(BEFORE)
    names = [f"worker-{number}" for number in range(WORKERS)]
    with ExitStack() as stack, Watch(broker, partitions, groups, []) as watch:
        workers = {name: stack.enter_context(_start(settings, folder, name, older)) for name in names}
        for worker in workers.values():
            _until_ready(worker)
        publisher = _publish(settings)
        try:
            time.sleep(WARM)
            begun = time.time()
            restarts = []
            for name in names * ROUNDS:
                at, told = time.time(), time.monotonic()
                old = workers[name].process
                old.send_signal(signal.SIGTERM)
                if old.wait(PATIENCE):
                    raise RuntimeError(f"{name} ended with {old.returncode}: {workers[name].last_words()}")
                ended = time.monotonic()
                workers[name] = stack.enter_context(_start(settings, folder, name, None))
                _until_ready(workers[name])
                used = workers[name].processor_seconds()
                restarts.append(Restart(name, at, ended - told, time.monotonic() - ended, used))
                if not watch.until_covered(watch.now().ends, PATIENCE):
                    raise RuntimeError(f"not scored: {workers[name].last_words()}")
                time.sleep(BETWEEN)
            span = begun, time.time()
            publisher.send_signal(signal.SIGTERM)
            if publisher.wait(PATIENCE):
                raise RuntimeError(f"the publisher ended with {publisher.returncode}")
        finally:
            publisher.kill()
            publisher.wait()
        _drain(settings, folder, watch, workers)
    return restarts, span


def _start(settings: Settings, folder: Path, name: str, code: str | None) -> WorkerProcess:
    given = {
        "SCORER_INSTANCE": name,
        "SCORER_LEAD_SECRET": SECRET,
        "SCORER_SESSION_TIMEOUT": str(SESSION_TIMEOUT),
    }
    if code:
        given["PYTHONPATH"] = code
    return WorkerProcess(settings, folder / name, given=given)


def _until_ready(worker: WorkerProcess) -> None:
    try:
        wait_until(worker.ready, PATIENCE, "the worker is ready", every=0.02)
    except TimeoutError as error:
        raise RuntimeError(f"{error}: {worker.problems()}; {worker.last_words()}") from error


def _publish(settings: Settings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.storm.publisher", settings.bootstrap, settings.topic_prefix]
    command += ["--seed", "7", "--leads", str(LEADS), "--rate", str(RATE), "--identifiers", str(IDENTIFIERS)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2])


def _drain(settings: Settings, folder: Path, watch: Watch, workers: dict[str, WorkerProcess]) -> None:
    """Clock records go on until the last worker stops; then one more scores what is left of the log."""
    if not watch.until_covered(watch.now().ends, PATIENCE):
        raise RuntimeError("what was published was not scored in time")
    for worker in workers.values():
        worker.stop()
    given = {"SCORER_LEAD_SECRET": SECRET}
    # Static members are missed only after their session's end; the last one waits for that.
    with WorkerProcess(settings, folder / "last", "--only", "score", given=given) as last:
        if not watch.until_covered(watch.now().ends, PATIENCE):
            raise RuntimeError("the log was not scored to its end: " + last.last_words())
        last.stop()


def _stood(broker: Broker, span: tuple[float, float]) -> Stood:
    begun, ended = span
    log: dict[int, tuple[float, float]] = {}
    for number, wanted in broker.ranges(SCORE).items():
        times = {m.timestamp()[1] / 1000 for m in broker.messages(SCORE, number, wanted)}
        told = [begun, *sorted(at for at in times if begun <= at <= ended), ended]
        log[number] = max(((after - at, at) for at, after in pairwise(told)), default=(0.0, begun))
    waits: dict[int, float] = defaultdict(float)
    for number, wanted in broker.ranges(LOG).items():
        newest: dict[int, int] = defaultdict(lambda: -1)
        for message in broker.messages(LOG, number, wanted):
            record = decode_record(message.value() or b"")
            # Neither what leads send each other, nor what a worker has read for the second time.
            if isinstance(record, Fact) and record.door < HOPS and record.offset > newest[record.door]:
                newest[record.door] = record.offset
                at, received = message.timestamp()[1] / 1000, record.received / 1000
                if begun <= at and received <= ended:
                    waits[record.door] = max(waits[record.door], at - received)
    return Stood(log, max(waits.values(), default=0.0))
