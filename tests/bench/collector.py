"""The collector under load: its process on one core, client and Kafka on another."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorer.broker import Broker
from scorer.domain.model import Model
from scorer.wire.registry import LOG
from tests.bench.figures import report, tell
from tests.bench.road import benchmark_kafka, prepare, processor_seconds
from tests.support.collecting import CollectorProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorer.settings import Settings

RUNS = 3
SECONDS = 8.0
SINGLE = 192
"""Connections of clients that send one event at a time: a browser or a server each."""
BATCH = 32
EVENTS = 100
"""A batch: what SDKs send by default."""
WARM_UP = 15.0
SOAK_SECONDS = 300.0
SERVER, OTHERS = 0, 1
"""Cores."""


class _Loaded(dict[str, Any]):
    """What the client says, and ``cpu_us``: processor time of the server for one request."""


def _load(port: int, process: int, connections: int, seconds: float, events: int, rate: float = 0) -> _Loaded:
    before = processor_seconds(process)
    numbers = [port, connections, seconds, events, rate]
    command = [sys.executable, "-m", "tests.bench.collector_load", *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = _Loaded(json.loads(done.stdout))
    spent = processor_seconds(process) - before
    # The client's warm-up is a part of what was spent.
    found["cpu_us"] = spent / max(1.0, found["per_second"] * (seconds + 1)) * 1e6
    return found


@contextmanager
def _collector() -> Iterator[tuple[CollectorProcess, Settings]]:
    """Its core is its own: Kafka, the clients and this process share the other one."""
    several = (os.cpu_count() or 1) > 1
    before = os.sched_getaffinity(0)
    if several:
        os.sched_setaffinity(0, {OTHERS})  # what is started from here on inherits it
    try:
        with benchmark_kafka() as bootstrap, tempfile.TemporaryDirectory() as folder:
            settings, _ = prepare(bootstrap, Model(name="none", scores=()), "collector")
            with CollectorProcess(settings, Path(folder), pinned_to=SERVER if several else None) as process:
                process.ready()
                # A new broker takes several times the processor time until its code is compiled.
                _said("warming up", _load(process.port, process.process.pid, BATCH, WARM_UP, EVENTS))
                yield process, settings
    finally:
        os.sched_setaffinity(0, before)


def _bare() -> _Loaded:
    command = [sys.executable, "-m", "tests.bench.collector_bare"]
    with subprocess.Popen(
        ["taskset", "-c", str(SERVER), *command], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            return _load(port, server.pid, SINGLE, SECONDS, 0)
        finally:
            server.kill()


def _said(name: str, one: _Loaded) -> None:
    told = ", ".join(f"{key} {value:,.1f}" for key, value in one.items() if isinstance(value, float))
    if one["statuses"]:
        told += f", refused {one['statuses']}"
    tell(f"{name}: {told}")


def requests() -> None:
    """``collector_requests_per_s`` and ``collector_ratio_to_bare``, side by side."""
    with _collector() as (process, settings):
        rates, ratios = [], []
        for _ in range(RUNS):
            bare = _bare()
            _said("bare", bare)
            ours = _load(process.port, process.process.pid, SINGLE, SECONDS, 1)
            _said("collector", ours)
            assert not ours["refused"], process.output()
            rates.append(ours["per_second"])
            ratios.append(bare["cpu_us"] / ours["cpu_us"])
        written = sum(wanted.end for wanted in Broker(settings).ranges(LOG).values())
        assert written > sum(rates) * SECONDS
    report("collector_requests_per_s", round(statistics.median(rates)), "requests/s")
    report("collector_ratio_to_bare", round(statistics.median(ratios), 3), "ratio")


def batches() -> None:
    """``collector_batch_events_per_s``."""
    with _collector() as (process, _):
        rates = []
        for _ in range(RUNS):
            ours = _load(process.port, process.process.pid, BATCH, SECONDS, EVENTS)
            _said("collector, batches", ours)
            assert not ours["refused"], process.output()
            rates.append(ours["per_second"] * EVENTS)
    report("collector_batch_events_per_s", round(statistics.median(rates)), "events/s")


def latency() -> None:
    """``collector_p99_ms``, at half of each bar; the worse of the two."""
    with _collector() as (process, _):
        worst = []
        for _ in range(RUNS):
            single = _load(process.port, process.process.pid, SINGLE, SECONDS, 1, 3_000)
            _said("3,000 requests/s", single)
            batch = _load(process.port, process.process.pid, BATCH, SECONDS, EVENTS, 300)
            _said("30,000 events/s in batches", batch)
            worst.append(max(single["p99_ms"], batch["p99_ms"]))
    report("collector_p99_ms", round(statistics.median(worst), 1), "ms")


def soak() -> None:
    """``collector_soak_growth_mb``: what the process holds after five minutes more than after one."""
    with _collector() as (process, _):
        (child,) = process.children()
        port, pid = process.port, process.process.pid
        _said("warming up", _load(port, pid, SINGLE, SOAK_SECONDS / 5, 1, 3_000))
        before = _resident_mb(child)
        soaked = _load(port, pid, SINGLE, SOAK_SECONDS * 4 / 5, 1, 3_000)
        _said("soak", soaked)
        assert not soaked["refused"], process.output()
        growth = _resident_mb(child) - before
        tell(f"soak: {before:.1f} MB before")
    report("collector_soak_growth_mb", round(growth, 1), "MB")


def _resident_mb(process: int) -> float:
    with Path(f"/proc/{process}/status").open() as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
