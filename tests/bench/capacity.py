"""``capacity_model_error_ratio``: what workers took, beside what the formulas of docs/capacity.md say.

Workers at 1 and 2, log partitions at 4, 16 and 64, a publisher at the doors that keeps a rate by a timetable.
Looked at are the workers' processor seconds, and what was appended to the lead log, the changelog and the
topic of scores. How fast this machine is at the moment is taken from a run of yet another shape: what is
checked of processor seconds is how they depend on workers and partitions. SCORER_BENCH_CAPACITY=measure takes
other shapes, to find the costs by.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from msgspec.structs import replace

from scorer.broker import Broker
from scorer.capacity.costs import MEASURED
from scorer.capacity.popularity import groups
from scorer.capacity.usage import Rate, usage
from scorer.domain.model import encode_model
from scorer.rules_apply import apply as apply_rules
from scorer.settings import Settings
from scorer.wire.registry import CHANGELOG, LOG, SCORE, Registry
from scorer.wire.topic_plan import Wishes
from scorer.wire.topics import apply_topics
from tests.bench import workload
from tests.bench.engine import full_rules
from tests.bench.figures import report, tell
from tests.bench.pace import SLICE, Event, Sender
from tests.bench.road import WorkerProcess, stolen_since, ticks, wait_until

if TYPE_CHECKING:
    from scorer.dev.kafka import KafkaCluster

WARM, MEASURED_S = 4.0, 12.0
"""Seconds of load before it counts, and from then on."""
RATE = 500
"""Events a second. Everybody shares the machine, and with a backlog checkpoints would be rarer."""
PATIENCE = 180.0
BEGUN = "begun"
"""What the publisher says when its timetable begins."""


class Case(NamedTuple):
    workers: int
    partitions: int
    rate: int = RATE


YOUNG = 265.0
"""Bytes of a lead in the changelog that is some seconds old, in the place of ``Costs.state_bytes``."""
CHECKED = tuple(Case(workers, partitions) for workers in (1, 2) for partitions in (4, 16, 64))
FITTED = (Case(1, 8, 100), Case(1, 8, 1_000), Case(1, 32, 100), Case(2, 32, 100))
"""None of them among the checked ones."""
REFERENCE = Case(1, 8)


class Took(NamedTuple):
    """A second, of all workers together."""

    cores: float
    log: float
    changelog: float
    views: float
    """Bytes."""
    peak_mb: float


def figures() -> None:
    from scorer.dev.kafka import KafkaCluster

    fitting = os.environ.get("SCORER_BENCH_CAPACITY") == "measure"
    errors: dict[str, list[float]] = {}
    with KafkaCluster(compiler="full", heap_mb=1024) as cluster:
        _run(cluster, REFERENCE)  # until the broker's code is compiled
        speed = 1.0 if fitting else _run(cluster, REFERENCE).cores / predicted(REFERENCE).cores
        tell(f"an event takes {speed:.2f} times the processor seconds that the costs say, at the moment")
        for case in FITTED if fitting else CHECKED:
            before = ticks()
            took = _run(cluster, case)
            said = predicted(case)
            said = said._replace(cores=said.cores * speed)
            tell(
                f"{case}: "
                + ", ".join(f"{name} {one:,.3f} (said {two:,.3f})" for name, one, two in _pairs(took, said))
                + f", {took.peak_mb:,.0f} MB; {stolen_since(before):.0%} stolen"
            )
            for name, one, two in _pairs(took, said):
                errors.setdefault(name, []).append(abs(two - one) / one)
    for name, found in errors.items():
        tell(f"{name}: off by {statistics.median(found):.2f} (median), {max(found):.2f} at most")
    if not fitting:
        everything = [one for found in errors.values() for one in found]
        report("capacity_model_error_ratio", round(statistics.median(everything), 3), "of what was measured")


def _pairs(took: Took, said: Took) -> list[tuple[str, float, float]]:
    names = ("cores", "log", "changelog", "views")
    return [(name, getattr(took, name), getattr(said, name)) for name in names]


def predicted(case: Case) -> Took:
    """By the formulas, with the costs as they are printed in the documentation."""
    popularity = groups(workload.LEADS, workload.EXPONENT)
    doors = sum(Registry.load().partitions()[door] for door in workload.DOORS)
    known = case.rate * (WARM + MEASURED_S / 2)
    rate = Rate(case.rate, known, case.workers, case.partitions, doors, 1.0)
    said = usage(rate, popularity, replace(MEASURED, state_bytes=YOUNG))
    return Took(said.cores, said.log_bytes + said.clock_bytes, said.changelog_bytes, said.view_bytes, 0.0)


def _run(cluster: KafkaCluster, case: Case) -> Took:
    settings = Settings(bootstrap=cluster.bootstrap, topic_prefix=f"capacity-{uuid4().hex[:6]}.")
    apply_topics(settings, Registry.load(), Wishes({LOG: case.partitions}, 1, ()))
    apply_rules(Broker(settings), encode_model(full_rules()))
    with tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder, ExitStack() as stack:
        home = Path(folder)
        workers = [
            stack.enter_context(WorkerProcess(settings, home / str(number))) for number in range(case.workers)
        ]
        for worker in workers:
            wait_until(worker.ready, PATIENCE, "the workers are ready")
        publisher = _publish(settings, case)
        try:
            if publisher.stdout is None or not publisher.stdout.readline():
                raise RuntimeError("the publisher failed")
            time.sleep(WARM)
            first = _look(cluster, settings, workers)
            began = time.monotonic()
            time.sleep(MEASURED_S)
            second = _look(cluster, settings, workers)
            seconds = time.monotonic() - began
            if publisher.wait(PATIENCE):
                raise RuntimeError("the publisher failed")
        finally:
            publisher.kill()
            publisher.wait()
        for worker in workers:
            worker.stop()
    used = [(after - before) / seconds for before, after in zip(first[:4], second[:4], strict=True)]
    return Took(*used, second.peak_mb / case.workers)


def _publish(settings: Settings, case: Case) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.bench.capacity", settings.bootstrap, settings.topic_prefix]
    timetable = [str(case.rate), str(WARM + MEASURED_S + 2)]
    return subprocess.Popen([*command, *timetable], stdout=subprocess.PIPE)


def _look(cluster: KafkaCluster, settings: Settings, workers: list[WorkerProcess]) -> Took:
    """Since they have begun."""
    return Took(
        sum(worker.processor_seconds() for worker in workers),
        *(_bytes(cluster, settings.topic_prefix + topic) for topic in (LOG, CHANGELOG, SCORE)),
        sum(worker.peak_mb() for worker in workers),
    )


def _bytes(cluster: KafkaCluster, topic: str) -> float:
    """Of the topic, as the broker has it on disk; nothing is cleaned within a minute."""
    data = cluster.data(cluster.node_ids[0])
    return sum(path.stat().st_size for path in data.glob(f"{topic}-*/*.log"))


def _main(bootstrap: str, prefix: str, rate: str, seconds: str) -> None:
    """The publisher: no probes among its events, unlike ``pace``'s own."""
    sender = Sender(bootstrap, prefix, 1, doors=True)
    count = int(float(rate) * float(seconds))
    events = [Event(one.topic, one.type, one.lead, one.source, one.data) for one in workload.events(count)]
    print(BEGUN, flush=True)  # noqa: T201 - to whoever has started us
    began, sent = time.monotonic(), 0
    while sent < count:
        due = min(int((time.monotonic() - began) * float(rate)), count)
        for event in events[sent:due]:
            sender.send(event)
        sent = due
        sender.poll()
        time.sleep(SLICE)
    sender.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
