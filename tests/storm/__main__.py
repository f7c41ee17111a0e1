"""Runs of the storm, their report and figures."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from scorer import cli
from scorer.broker import Broker
from scorer.dev.kafka import KafkaCluster
from scorer.domain.record import ANNOUNCE
from scorer.errors import UserError
from scorer.settings import Settings
from scorer.wire.cluster import Cluster
from scorer.wire.registry import CHANGELOG, LOG
from tests.bench.figures import ROOT, report, tell
from tests.storm.changing import RULES, Changing, Made, draw_changes
from tests.storm.crew import SESSION_TIMEOUT, Crew, Worker
from tests.storm.faults import KINDS, Field, NotStruckError
from tests.storm.findings import Findings
from tests.storm.judge import judge
from tests.storm.story import DOORS
from tests.storm.toxiproxy import Network
from tests.storm.watch import Watch

PREFIX = "storm."
LOG_PARTITIONS, DOOR_PARTITIONS = 6, 2
TOGETHER = 0.3
"""Chance that the next strike does not wait for recovery."""
RECOVERS_WITHIN, READY_WITHIN, DRAINS_WITHIN = 120.0, 60.0, 600.0
KILLS = ("kill -9", "kill -9 of all")
BAR = SESSION_TIMEOUT + 10.0
"""Seconds: the longest pause after a kill."""
CHANGELOG_SETTINGS = {
    "min.compaction.lag.ms": str(int(10 * SESSION_TIMEOUT * 1000)),  # the least that workers accept
    "segment.ms": "10000",
    "min.cleanable.dirty.ratio": "0.01",
}


class Strike(NamedTuple):
    kind: str
    at: float
    """Seconds since the publisher began."""
    whom: str
    log: int
    """Records of the lead log that no commit covered at that moment."""
    doors: int
    pause: float
    """The longest time (s) in which a partition of the log did not move, until all had recovered."""
    changing: bool
    """Rules were being put in force."""


class Result(NamedTuple):
    brokers: int
    seconds: float
    strikes: list[Strike]
    changes: list[Made]
    findings: Findings
    restarts: Counter[str]
    strange: list[str]
    compactions: int
    removed: float
    """The share of the changelog's records that compaction had removed."""

    @property
    def pause(self) -> float:
        return max((strike.pause for strike in self.strikes if strike.kind in KILLS), default=0.0)

    @property
    def in_a_change(self) -> int:
        return sum(strike.changing for strike in self.strikes)

    @property
    def flawless(self) -> bool:
        return self.findings.flawless and not self.strange


def main() -> int:
    parser = argparse.ArgumentParser(prog="make storm")
    parser.add_argument(
        "--brokers", type=int, choices=(1, 3), action="append", help="1, 3, or both (default)"
    )
    parser.add_argument("--runs", type=int, default=1, help="of the whole matrix")
    parser.add_argument("--events", type=int, default=500_000, help="at least, per run")
    parser.add_argument("--leads", type=int, default=50_000, help="people")
    parser.add_argument("--identifiers", type=int, default=3, help="of a person, at most (to 6)")
    parser.add_argument("--rate", type=int, default=4_000, help="events a second")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rule-changes", type=int, default=8, help="put in force meanwhile (to 20)")
    parser.add_argument("--faults", nargs="*", help=f"only these kinds: {', '.join(KINDS)}")
    parser.add_argument("--times", type=int, default=2, help="how often each kind strikes")
    parser.add_argument("--logs", type=Path, help="folder in which the workers' logs stay")
    given = parser.parse_args()
    # So that brokers, workers and proxies end with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for kind in given.faults or ():
        if kind not in KINDS:
            parser.error(f"no such fault: {kind}")
    seed = given.seed if given.seed is not None else int(time.time())
    results = []
    for run in range(given.runs):
        for brokers in given.brokers or (1, 3):
            tell(f"\n== run {run + 1} of {given.runs}, {brokers} broker{'s' * (brokers > 1)}, seed {seed} ==")
            result = storm(given, brokers, seed)
            show(result)
            results.append(result)
            seed += 1
    sum_up(results)
    return 0 if all(result.flawless for result in results) else 1


# -- one run ----------------------------------------------------------------------------------------


def storm(given: argparse.Namespace, brokers: int, seed: int) -> Result:
    rng = random.Random(seed)
    with (
        tempfile.TemporaryDirectory(prefix="scorer-storm-") as temporary,
        KafkaCluster(brokers, compiler="full", outer=True, tell=tell) as cluster,
        Network(cluster.outer_ports, Path(temporary) / "toxiproxy.log") as network,
    ):
        folder = Path(temporary)
        changes = draw_changes(random.Random(f"{seed} rules"), folder / "rules", given.rule_changes)
        settings = Settings(bootstrap=cluster.bootstrap, topic_prefix=PREFIX, session_timeout=SESSION_TIMEOUT)
        broker = Broker(settings)
        prepare(settings)
        behind = Settings(bootstrap=cluster.outer_bootstrap, topic_prefix=PREFIX)
        workers = [Worker("one", behind, folder / "one", static=False)]
        workers.append(Worker("two", settings, folder / "two", static=True))
        if brokers == 1:
            workers.append(Worker("three", settings, folder / "three", static=False))
        partitions = {LOG: LOG_PARTITIONS} | dict.fromkeys(DOORS, DOOR_PARTITIONS)
        groups = f"{PREFIX}scorer-intake", f"{PREFIX}scorer-score"
        cleaned = [cluster.data(node) / "cleaner-offset-checkpoint" for node in cluster.node_ids]
        with (
            kept_logs(workers, given.logs and given.logs / f"{brokers}-{seed}"),
            Crew(workers) as crew,
            Watch(broker, partitions, groups, cleaned) as watch,
            Changing(settings, changes[1:], random.Random(f"{seed} applying")) as changing,
        ):
            if not watch.until_covered({(LOG, n): 1 for n in range(LOG_PARTITIONS)}, READY_WITHIN):
                raise RuntimeError("not ready: " + workers[0].last_words())
            began = time.monotonic()
            publisher = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.storm.publisher", settings.bootstrap, PREFIX),
                    *("--seed", str(seed), "--leads", str(given.leads), "--rate", str(given.rate)),
                    *("--identifiers", str(given.identifiers)),
                ],
                cwd=ROOT,
            )
            try:
                field = Field(cluster, crew, network, rng)
                strikes = strike_all(given, field, watch, began, publisher, changing)
                changing.finish()
                wait_for_events(given, watch, publisher)
                publisher.send_signal(signal.SIGTERM)
                if publisher.wait(180):
                    raise RuntimeError(f"the publisher ended with {publisher.returncode}")
            finally:
                publisher.kill()
            seconds = time.monotonic() - began
            tell(f"{seconds:6.0f} s  draining")
            until_swept(crew)
            drain(watch, crew, settings, folder)
            compactions = len(watch.compactions)
        tell(f"{time.monotonic() - began:6.0f} s  judging")
        ends, there = changelog(broker)
        findings = judge(settings, changes)
        tell(f"{time.monotonic() - began:6.0f} s  judged")
        causes = Counter(cause for worker in workers for cause in worker.causes())
        for cause, count in causes.most_common():
            tell(f"  {count} times a worker ended by itself: {cause[:160]}")
        return Result(
            brokers,
            seconds,
            strikes,
            changing.made,
            findings,
            crew.restarts,
            crew.strange,
            compactions,
            1 - there / ends if ends else 0.0,
        )


@contextmanager
def kept_logs(workers: list[Worker], folder: Path | None) -> Iterator[None]:
    """Also those of a run that fails."""
    try:
        yield
    finally:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for worker in workers:
                shutil.copyfile(worker.log, folder / f"{worker.name}.log")


def prepare(settings: Settings) -> None:
    flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
    counts = [f"--partitions={LOG}={LOG_PARTITIONS}", *(f"--partitions={d}={DOOR_PARTITIONS}" for d in DOORS)]
    for command in (["topics", "apply", *counts], ["rules", "apply", str(RULES)]):
        if cli.run([*command, *flags]):
            raise RuntimeError(f"scorer {' '.join(command)} failed")
    Cluster(settings.kafka).alter(PREFIX + CHANGELOG, CHANGELOG_SETTINGS)


def strike_all(
    given: argparse.Namespace,
    field: Field,
    watch: Watch,
    began: float,
    publisher: subprocess.Popen[bytes],
    changing: Changing,
) -> list[Strike]:
    """Rules change meanwhile, evenly spread over the strikes."""
    left = list(given.faults or KINDS) * given.times
    count = len(left)
    field.rng.shuffle(left)
    strikes: list[Strike] = []
    time.sleep(5.0)
    while left:
        if publisher.poll() is not None:
            raise RuntimeError(f"the publisher ended with {publisher.returncode}")
        changing.release(1 - (len(left) - 1) / count)
        kind = left.pop()
        standing = watch.now()
        at = time.monotonic()
        under_way = changing.under_way
        try:
            whom = KINDS[kind](field)
        except NotStruckError as error:
            tell(f"  {kind}: {error}; again later")
            left.insert(0, kind)
            continue
        together = field.rng.random() < TOGETHER and bool(left)
        if together:
            time.sleep(field.rng.uniform(0.0, 2.0))
        elif not watch.until_covered(watch.now().ends, RECOVERS_WITHIN):
            words = "\n".join(worker.last_words() for worker in field.crew.workers)
            raise RuntimeError(f"no recovery within {RECOVERS_WITHIN:.0f} s from {kind}\n{words}")
        pause = watch.longest_pause(at)
        uncommitted = standing.uncommitted(log=True), standing.uncommitted(log=False)
        strike = Strike(kind, at - began, whom, *uncommitted, pause, under_way or changing.under_way)
        mark = "" if sum(uncommitted) else " (does not count: everything was committed)"
        tell(
            f"{strike.at:6.0f} s  {kind:28} {whom:20} uncommitted: {strike.log:6,} of the log,"
            f" {strike.doors:6,} of the doors; {'more follows' if together else f'pause {pause:4.1f} s'}"
            + mark
        )
        if mark:
            left.insert(0, kind)
        else:
            strikes.append(strike)
            time.sleep(field.rng.uniform(0.0, 2.0))
    return strikes


def wait_for_events(given: argparse.Namespace, watch: Watch, publisher: subprocess.Popen[bytes]) -> None:
    while publisher.poll() is None:
        ends = watch.now().ends
        if sum(end for (topic, _), end in ends.items() if topic != LOG) >= given.events:
            return
        time.sleep(1.0)


def until_swept(crew: Crew) -> None:
    """Every lead has passed the last change of rules."""
    deadline = time.monotonic() + DRAINS_WITHIN
    while len(set().union(*(worker.swept() for worker in crew.workers))) < LOG_PARTITIONS:
        if time.monotonic() > deadline:
            raise RuntimeError("idle leads have not passed the last change of rules")
        time.sleep(0.5)


def drain(watch: Watch, crew: Crew, settings: Settings, folder: Path) -> None:
    """Everything published is scored, and everybody has stopped cleanly."""
    if not watch.until_covered(watch.now().ends, DRAINS_WITHIN):
        raise RuntimeError("what was published was not scored in time")
    for worker in crew.workers:
        with worker.lock:
            worker.stop()
    # Clock records went on until the last of them stopped; nobody appends any more.
    last = Worker("last", settings, folder / "last", static=False)
    last.start("--only", "score")
    try:
        if not watch.until_covered(watch.now().ends, DRAINS_WITHIN):
            raise RuntimeError("the log was not scored to its end: " + last.last_words())
        last.stop()
    finally:
        last.kill()


def changelog(broker: Broker) -> tuple[int, int]:
    """(records ever written to the changelog, records still there)."""
    ranges = broker.ranges(CHANGELOG)
    there = sum(1 for number, span in ranges.items() for _ in broker.messages(CHANGELOG, number, span))
    return sum(span.end for span in ranges.values()), there


# -- the report -------------------------------------------------------------------------------------


def show(result: Result) -> None:
    found = result.findings
    kinds = Counter(strike.kind for strike in result.strikes)
    tell(
        f"{result.seconds:.0f} s, {len(result.strikes)} strikes of {len(kinds)} kinds,"
        f" {min(kinds.values(), default=0)} or more of each; workers started again:"
        f" {', '.join(f'{count} {why}' for why, count in result.restarts.items())}"
    )
    tell(
        f"changelog compacted {result.compactions} times meanwhile,"
        f" {result.removed:.0%} of its records removed"
    )
    tell(
        f"{found.records:,} records in the doors, {found.dead:,} dead letters,"
        f" {found.facts:,} facts in the log ({found.repeated:,} read twice), {found.leads:,} leads,"
        f" {found.accounts:,} accounts,"
        f" {found.outcomes:,} outcomes ({found.by_time:,} by time alone, {found.duplicates:,} said twice)"
    )
    tell(
        f"{found.people:,} people, {found.merged:,} leads became part of another,"
        f" {found.forwarded:,} facts forwarded"
    )
    announced = ", ".join(f"{found.announced[number]:,} by {name}" for number, name in enumerate(ANNOUNCE))
    tell(
        f"rules changed {len(result.changes)} times, with {result.in_a_change} strikes meanwhile and the"
        f" command killed {sum(made.killed for made in result.changes)} times; outcomes that this alone"
        f" brought about: {announced}; {found.alone:,} leads beside the oracle ({found.ties} left out),"
        f" {found.unheard:,} crossings kept quiet"
    )
    tell(
        f"people taken for others {found.mismatched}, lost {found.lost},"
        f" double-counted {found.double_counted}, outcomes missing {found.missing},"
        f" invented {found.invented}, dead letters wrong {found.wrong_letters},"
        f" clocks wrong {found.wrong_clocks}, wrong by the rules {found.wrong_rules};"
        f" longest pause after a kill {result.pause:.1f} s (bar {BAR:.0f})"
    )
    for line in (*found.examples, *result.strange):
        tell("  " + line)


def sum_up(results: list[Result]) -> None:
    report("storm_runs", len(results), "runs")
    report("storm_faults", sum(len(result.strikes) for result in results), "strikes")
    report("storm_lost", sum(result.findings.lost for result in results), "records and leads")
    report("storm_double_counted", sum(result.findings.double_counted for result in results), "leads")
    report("storm_missing_outcomes", sum(result.findings.missing for result in results), "outcomes")
    # Of people with several names: what each was counts once in the lead that they have become.
    report("merge_lost", sum(result.findings.lost for result in results), "records and leads")
    report("merge_double_counted", sum(result.findings.double_counted for result in results), "leads")
    report("identity_mismatches", sum(result.findings.mismatched for result in results), "people")
    report("storm_rule_changes", sum(len(result.changes) for result in results), "rule files")
    wrong = sum(result.findings.wrong_rules for result in results)
    report("storm_rule_change_mismatches", wrong, "leads and outcomes")
    report("storm_longest_pause_s", round(max(result.pause for result in results), 1), "s")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        tell(f"{error.message}; {error.hint}")
        sys.exit(2)
