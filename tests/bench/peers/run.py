"""The rounds: every system once per round on the same log, in rotation, its answers checked each time."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scorer.errors import UserError
from tests.bench.figures import tell
from tests.bench.peers.log import CLOSING, Input, Round, make, workload_of
from tests.bench.peers.measure import Measured, measure
from tests.bench.peers.oracle import Answer, Oracle, differences
from tests.bench.peers.systems import RunningFaust
from tests.bench.road import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorer.domain.record import Door
    from tests.bench.peers.systems import System

PATIENCE = 900.0
"""Seconds for one run."""
SHOWN = 5
"""Differences told."""


class Restart(NamedTuple):
    """Seconds from the start of the process until a little more log has been processed."""

    intact: float
    wiped: float
    """With the local state lost, so that the changelog has to restore it."""


@dataclass
class Results:
    """Of one system; ``failure`` instead of figures where it did not do the job."""

    label: str
    runs: list[Measured] = field(default_factory=list)
    restart: Restart | None = None
    failure: str = ""


class Task(NamedTuple):
    """The log that all are given, and what must come of it."""

    input: Input
    doors: list[Door]
    wanted: dict[str, Answer]
    wanted_in_the_end: dict[str, Answer]
    """With the tails."""


def make_task(bootstrap: str, facts: int) -> Task:
    tell(f"making {facts:,} events, and what must come of them")
    doors = Round(bootstrap).doors
    made = make(workload_of(facts), facts, doors)
    oracle = Oracle()
    oracle.apply(made.main)
    wanted = oracle.answers(CLOSING)
    for tail in made.tails:
        oracle.apply(tail)
    return Task(made, doors, wanted, oracle.answers(CLOSING))


class Comparison:
    def __init__(self, bootstrap: str, task: Task, systems: Sequence[System]) -> None:
        self._bootstrap = bootstrap
        self._task = task
        self._systems = list(systems)
        self.results = {system.name: Results(system.label) for system in systems}

    def run(self, rounds: int) -> None:
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}: filling a lead log")
            where = Round(self._bootstrap)
            if where.doors != self._task.doors:
                raise RuntimeError("doors are numbered otherwise in every round")
            where.append(self._task.input.main)
            last = number == rounds - 1
            # Each round begins with another system: what runs after what evens out.
            turn = number % len(self._systems)
            with tempfile.TemporaryDirectory(prefix="scorer-peers-") as name:
                folder = Path(name)
                for system in self._systems[turn:] + self._systems[:turn]:
                    self._attempt(system, self._take_turn, where, folder / system.name)
                    if not (last and system.restores):
                        system.forget(where)
                if last:
                    self._restart_all(where, folder)

    def _attempt(self, system: System, what: Callable[..., None], *arguments: object) -> None:
        """A system that fails once is left out from then on, and its figures with it."""
        results = self.results[system.name]
        if results.failure:
            return
        try:
            what(system, *arguments)
        except (RuntimeError, TimeoutError, UserError) as error:
            results.failure = str(error)
            tell(f"  {system.label}: NO FIGURE: {error}")

    def _take_turn(self, system: System, where: Round, folder: Path) -> None:
        system.prepare(where)
        measured = self._measure(system, where, folder)
        self.results[system.name].runs.append(measured)
        tell(f"  {system.label}: {_line(measured)}")

    def _measure(self, system: System, where: Round, folder: Path) -> Measured:
        total = self._task.input.records
        until: dict[int, int] | None = None
        with system.start(where, folder, total) as running:
            deadline = time.monotonic() + PATIENCE

            def finished(records: int) -> bool:
                running.check()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{records:,} of {total:,} records within {PATIENCE:.0f} s")
                return records >= total or (isinstance(running, RunningFaust) and running.reached.exists())

            facts = self._task.input.facts / total
            measured = measure(
                running.pids,
                running.count,
                finished,
                total=total,
                facts=facts,
                every=running.every,
            )
            running.settle()
            if isinstance(running, RunningFaust):
                until = running.until()
            running.stop()
        wanted = self._task.wanted
        if until is not None:
            oracle = Oracle()
            oracle.apply(self._task.input.main, until)
            wanted = oracle.answers(CLOSING)
        _check(system.answers(where), wanted)
        return measured

    def _restart_all(self, where: Round, folder: Path) -> None:
        """Each goes on twice after the log has: first with its local state, then with it lost."""
        restores = [system for system in self._systems if system.restores]
        seconds: dict[str, list[float]] = {system.name: [] for system in restores}
        for tail, lost in zip(self._task.input.tails, (False, True), strict=True):
            where.append(tail)
            for system in restores:
                if lost:
                    self._attempt(system, lambda one: one.wipe(folder / one.name))
                self._attempt(system, self._restart, where, folder, len(tail), seconds)
        for system in restores:
            self._attempt(system, self._compare, where, seconds)

    def _restart(
        self, system: System, where: Round, folder: Path, wanted: int, seconds: dict[str, list[float]]
    ) -> None:
        began = time.monotonic()
        with system.start(where, folder / system.name, wanted) as running:

            def there() -> bool:
                running.check()
                return running.count() >= wanted

            wait_until(there, PATIENCE, f"{system.label} has gone on")
            seconds[system.name].append(time.monotonic() - began)
            running.settle()
            running.stop()

    def _compare(self, system: System, where: Round, seconds: dict[str, list[float]]) -> None:
        _check(system.answers(where), self._task.wanted_in_the_end)
        restart = self.results[system.name].restart = Restart(*seconds[system.name])
        tell(f"  {system.label}: restarted in {restart.intact:.1f} s, restored in {restart.wiped:.1f} s")


def _check(found: dict[str, Answer] | None, wanted: dict[str, Answer]) -> None:
    if found is None:
        return
    wrong = differences(found, wanted)
    if wrong:
        shown = "; ".join(wrong[:SHOWN])
        raise RuntimeError(f"{len(wrong):,} of {len(wanted):,} leads differ from the oracle's: {shown}")


def _line(measured: Measured) -> str:
    steady = measured.steady
    return (
        f"{measured.whole.events_per_s:,.0f}/s"
        + (f", steady {steady.events_per_s:,.0f}/s" if steady else "")
        + f", {measured.whole.processor:.1f} processor seconds a million, {measured.peak_mb:,.0f} MB,"
        f" {measured.stolen:.0%} stolen"
    )
