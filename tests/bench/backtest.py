"""``backtest_events_per_s``: two rule files over recorded events of which the truth is known, and a report.

With it come ``backtest_rss_mb``, and ``backtest_planted_missed``: what of that truth the report lacks.
``backtest_events_per_s_full_rules``: thirty rules instead of nine, of which several concern each event. Files
of another size: ``SCORER_BENCH_EVENTS=200000 make bench ARGS=backtest_events_per_s``.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scorer.backtest.report import Landmark, Report, decode_report
from tests.bench import workload
from tests.bench.figures import ROOT, report, tell
from tests.support import planted_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EVENTS = 5_000_000
CONVERTED_EVERY = 400
"""Of so many events one says that its lead has converted."""
JOBS = 2
VISITS, PER_LEAD = 20, 22
"""Of a planted lead: visits, and events at least, of which there are more than enough then."""
ACTIVE = 0.5
"""Days in which it does all that it does: so few that hardly a Monday falls between. Half-way, those who have
done less are those who have more before them, and that would tell buyers, too."""
THRESHOLD = 12.0
"""Above it a planted lead converts more often."""
LOOK_EVERY = 0.25
"""Seconds between two looks at the processes' memory."""
_MB = 1 << 20


def full_rules() -> None:
    """The whole command, from its start to its report, by the clock on the wall."""
    count = _count()
    rules = ROOT / "bench" / "rules-full.yaml"
    run = _run("backtest", _lines(count), rules.read_text("utf-8"), "points: +15", "points: +12")
    report("backtest_events_per_s_full_rules", round(run.events / run.seconds), "events/s")
    tell(f"backtest: {run.peak / _MB:.0f} MB at the peak")


def figures() -> None:
    """Events of which it is known what makes leads convert, twice: by what rules say, and by a threshold."""
    count = _count()
    effects = _planted(count, planted_events.by_effect)
    said = {rule.rule: rule.verdict for rule in effects.landmark.rules}
    expected = {
        **dict.fromkeys(planted_events.PREDICTIVE, "tells buyers"),
        planted_events.WARNING: "tells non-buyers",
        **dict.fromkeys(planted_events.IDLE, "tells nothing"),
    }
    wrong = {rule: said[rule] for rule, verdict in expected.items() if said[rule] != verdict}
    tell(f"planted: verdicts {said}")
    jump = _planted(count, planted_events.by_threshold(THRESHOLD))
    best = jump.landmark.best
    found = best is not None and best.interval is not None
    found = found and best.interval.low <= THRESHOLD <= best.interval.high
    tell(f"planted: threshold {THRESHOLD}, found {best}")
    report("backtest_planted_missed", len(wrong) + (not found), "verdicts and thresholds")
    runs = (effects, jump)
    report("backtest_events_per_s", round(min(run.events / run.seconds for run in runs)), "events/s")
    report("backtest_rss_mb", round(max(run.peak for run in runs) / _MB), "MB")


def _planted(count: int, rate: planted_events.Rate) -> _Run:
    stories = planted_events.stories(count // PER_LEAD, rate, seed=11, active=ACTIVE, visits=VISITS)
    messages = (planted_events.message(number, told) + b"\n" for number, told in enumerate(stories))
    # The change is worth more for the page about prices.
    return _run("planted", islice(messages, count), planted_events.BUSY_RULES, "points: +5}", "points: +8}")


class _Run(NamedTuple):
    events: int
    seconds: float
    """By the clock on the wall."""
    peak: int
    """Bytes that all processes had resident together."""
    told: Report

    @property
    def landmark(self) -> Landmark:
        if self.told.today.landmark is None:
            raise RuntimeError("the backtest has read nobody")
        return self.told.today.landmark


def _count() -> int:
    return int(os.environ.get("SCORER_BENCH_EVENTS", EVENTS))


def _run(name: str, lines: Iterable[bytes], rules: str, points: str, others: str) -> _Run:
    """The whole command, from start to report; the change has ``others`` in the place of ``points``."""
    with tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        events, out = Path(folder, "events.jsonl"), Path(folder, "report.json")
        today, change = Path(folder, "today.yaml"), Path(folder, "change.yaml")
        today.write_text(rules, "utf-8")
        change.write_text(rules.replace(points, others), "utf-8")
        tell(f"{name}: writing the events")
        count = 0
        with events.open("wb") as file:
            for line in lines:
                file.write(line)
                count += 1
        command = [sys.executable, "-m", "scorer", "backtest", str(events), "--rules", str(today)]
        command += ["--change", str(change), "--jobs", str(JOBS), "--out", str(out)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            watch = _Memory(process.pid)
            watch.start()
            code = process.wait()
            watch.over.set()
            watch.join()
        took = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if code:
            raise RuntimeError(f"the backtest ended with {code}")
        told = decode_report(out.read_bytes())
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    each = used / count * 1e6
    tell(f"{name}: {count:,} events, {took:.1f} s; {used:.1f} processor seconds, {each:.1f} a million events")
    return _Run(count, took, watch.peak, told)


def _lines(count: int) -> Iterator[bytes]:
    for number, event in enumerate(islice(workload.events(count), count), 1):
        if number % CONVERTED_EVERY == 0:
            event = event._replace(type="feedback.converted", topic=workload.FEEDBACK, data={})  # noqa: PLW2901
        yield workload.message(event) + b"\n"


class _Memory(threading.Thread):
    """The most that a process and its children have had resident together."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.over = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self.over.wait(LOOK_EVERY):
            self.peak = max(self.peak, sum(map(_resident, [self._pid, *_children(self._pid)])))


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident(pid: int) -> int:
    """Bytes; 0 where the process has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize()
