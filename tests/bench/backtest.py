"""``backtest_events_per_s`` and ``backtest_rss_mb``: two rule files over recorded events, and a report.

A file of its own size: ``SCORER_BENCH_EVENTS=200000 make bench ARGS=backtest_events_per_s``.
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
from typing import TYPE_CHECKING

from tests.bench import workload
from tests.bench.figures import ROOT, report, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 5_000_000
CONVERTED_EVERY = 400
"""Of so many events one says that its lead has converted."""
JOBS = 2
LOOK_EVERY = 0.25
"""Seconds between two looks at the processes' memory."""
_MB = 1 << 20


def figures() -> None:
    """Both at once: the whole command, from its start to its report, by the clock on the wall."""
    count = int(os.environ.get("SCORER_BENCH_EVENTS", EVENTS))
    rules = ROOT / "bench" / "rules-full.yaml"
    with tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        events, change = Path(folder, "events.jsonl"), Path(folder, "change.yaml")
        change.write_text(rules.read_text("utf-8").replace("points: +15", "points: +12"), "utf-8")
        tell(f"backtest: writing {count:,} events")
        with events.open("wb") as file:
            file.writelines(_lines(count))
        command = [sys.executable, "-m", "scorer", "backtest", str(events), "--rules", str(rules)]
        command += ["--change", str(change), "--jobs", str(JOBS), "--out", str(Path(folder, "report.json"))]
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
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    each = used / count * 1e6
    tell(f"backtest: {took:.1f} s; {used:.1f} processor seconds, {each:.0f} a million events")
    report("backtest_events_per_s", round(count / took), "events/s")
    report("backtest_rss_mb", round(watch.peak / _MB), "MB")


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
