"""``python -m tests.alarms``: strike a running Scorer, four ways, and see who is woken.

Exit code 0: each time the right alert fired, nothing else did, and it ended when the trouble was over.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deploy.prometheus.timing import shortened
from scorer.dev.kafka import KafkaCluster
from tests.alarms.crew import DOOR, Crew
from tests.alarms.prometheus import Fired, Watch
from tests.bench.figures import report, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMES = 60.0
"""So many times shorter than in production."""
FIRES_WITHIN = 75.0
ENDS_WITHIN = 75.0
SETTLED_WITHIN = 120.0
ALL_WITHIN = 350.0
"""Seconds for everything. What has not been struck by then was not as it should be."""
AFTERWARDS = 6.0
"""Seconds in which another one could still begin by the same cause."""


class Strike(NamedTuple):
    name: str
    expected: frozenset[str]
    begin: Callable[[Crew], object]
    end: Callable[[Crew], object]


def _pause(door: str | None) -> Callable[[Crew], object]:
    return lambda crew: setattr(crew.publishers, "paused", door)


def _poison(door: str | None) -> Callable[[Crew], object]:
    return lambda crew: setattr(crew.publishers, "poisoned", door)


STRIKES = (
    Strike("a source falls silent", frozenset({"ScorerSourceSilent"}), _pause(DOOR), _pause(None)),
    Strike("a topic is poisoned", frozenset({"ScorerDeadLetters"}), _poison(DOOR), _poison(None)),
    Strike(
        "a worker is killed",
        frozenset({"ScorerWorkerDown"}),
        lambda crew: crew.workers[0].kill(),
        lambda crew: crew.workers[0].start(),
    ),
    Strike(
        "the broker is stopped",
        # What is broken, and why: while it lasts, senders are turned away.
        frozenset({"ScorerKafkaSilent", "ScorerEventsUnacknowledged"}),
        lambda crew: crew.kafka.stop_node(1),
        lambda crew: crew.broker_back(),
    ),
)


class Outcome(NamedTuple):
    strike: str
    expected: frozenset[str]
    began: float
    ended: float
    fired: list[Fired]
    late: str
    """What did not come to pass in time; empty: everything did."""

    @property
    def right(self) -> bool:
        return not self.late and {one.name for one in self.fired} == self.expected


class Patience:
    """Waits for what is to come true, and for all of it together no longer than it has."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        return time.monotonic() > self._end

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether it came true."""
        end = min(time.monotonic() + seconds, self._end)
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.5)
        return True


def strike(one: Strike, crew: Crew, prometheus: Watch, patience: Patience, *, really: bool = True) -> Outcome:
    """``really``: False strikes nothing, to see that this finds fault with it."""
    began, late = time.time(), ""
    if patience.over:
        return Outcome(one.name, one.expected, began, began, [], f"not struck: {ALL_WITHIN:.0f} s are over")
    tell(f"{one.name}: waiting for {', '.join(sorted(one.expected))}")
    if really:
        one.begin(crew)
    if not patience.until(lambda: one.expected <= prometheus.firing().keys(), FIRES_WITHIN):
        late = f"did not fire within {FIRES_WITHIN:.0f} s"
    tell(f"{one.name}: after {time.time() - began:.0f} s: {_words(prometheus)}")
    ended = time.time()
    if really:
        one.end(crew)
    if not patience.until(lambda: not prometheus.firing(), ENDS_WITHIN):
        late = late or f"did not end within {ENDS_WITHIN:.0f} s"
    time.sleep(AFTERWARDS)
    patience.until(lambda: not prometheus.firing(), ENDS_WITHIN)
    tell(f"{one.name}: all quiet {time.time() - ended:.0f} s after its end")
    return Outcome(one.name, one.expected, began, ended, prometheus.fired(began), late)


def _words(prometheus: Watch) -> str:
    return "; ".join(f"{name} ({labels})" for name, labels in prometheus.firing().items()) or "nothing fires"


def calm(prometheus: Watch, seconds: float) -> Outcome:
    """Nothing is struck, and a source gets its habits meanwhile."""
    began = time.time()
    tell(f"nothing is struck for {seconds:.0f} s")
    time.sleep(seconds)
    return Outcome("nothing is struck", frozenset(), began, time.time(), prometheus.fired(began), "")


def settled(prometheus: Watch) -> bool:
    """Both workers and the collector are ready, and every door's clock goes."""
    asked = "sum(scorer_worker_ready) + sum(scorer_collector_ready_processes)"
    return (
        bool([value for _, value in prometheus.query(asked) if value >= 3])
        and bool(prometheus.query("min(scorer_score_door_clock_seconds) > time() - 8"))
        and not prometheus.query("ALERTS")
    )


def table(outcomes: Sequence[Outcome]) -> str:
    lines = [f"{'struck':<24}{'fired':<30}{'labels':<48}{'after':>8}{'ended':>8}"]
    for outcome in outcomes:
        for fired in outcome.fired:
            after, ended = fired.began - outcome.began, fired.ended - outcome.ended
            wrong = "" if fired.name in outcome.expected else "   NOT EXPECTED"
            what = f"{outcome.strike:<24}{fired.name:<30}{fired.labels:<48}"
            lines.append(f"{what}{after:>6.0f} s{ended:>+6.0f} s{wrong}")
        if not outcome.fired:
            lines.append(f"{outcome.strike:<24}nothing")
        missing = outcome.expected - {one.name for one in outcome.fired}
        lines += [f"{outcome.strike:<24}{name:<30}DID NOT FIRE" for name in sorted(missing)]
        if outcome.late:
            lines.append(f"{outcome.strike:<24}{outcome.late}")
    return "\n".join([*lines, "", "after: from the strike until it fires; ended: from the strike's end on"])


def run(names: Sequence[str], times: float, *, really: bool = True) -> list[Outcome]:
    timing, patience = shortened(times), Patience(ALL_WITHIN)
    with (
        tempfile.TemporaryDirectory(prefix="scorer-alarms-") as folder,
        KafkaCluster() as kafka,
        Crew(kafka, Path(folder)) as crew,
        Watch(Path(folder, "prometheus"), crew.jobs, timing) as prometheus,
    ):
        if not patience.until(lambda: settled(prometheus), SETTLED_WITHIN):
            words = "\n".join(worker.words() for worker in crew.workers)
            raise RuntimeError(f"Scorer did not get going: {_words(prometheus)}\n{words}")
        crew.publish()
        outcomes = [calm(prometheus, timing.week + timing.slot)]
        outcomes += [
            strike(one, crew, prometheus, patience, really=really)
            for one in STRIKES
            if not names or one.name in names
        ]
        for worker in crew.workers:
            if not all(outcome.right for outcome in outcomes):
                tell(worker.words())
        return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.alarms", description="Who is woken by what.")
    parser.add_argument("--times", type=float, default=TIMES, metavar="N", help="N times shorter  [60]")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="STRIKE", choices=[one.name for one in STRIKES]
    )
    parser.add_argument(
        "--spare", action="store_true", help="strike nothing: everything has to be found wrong"
    )
    given = parser.parse_args()
    outcomes = run(given.only, given.times, really=not given.spare)
    tell(table(outcomes))
    right = sum(outcome.right for outcome in outcomes)
    report("alarms_right_ratio", right / len(outcomes), "ratio")
    return 0 if right == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
