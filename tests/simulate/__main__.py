"""``python -m tests.simulate``: many seeds on all cores, then the planted bugs; or one seed again.

python -m tests.simulate --seeds 500 --first 20000
python -m tests.simulate --seed 54       # one, step by step
"""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from tests.bench.figures import report, tell
from tests.simulate.checks import ViolationError
from tests.simulate.planted import BUGS, SEEDS, Caught, hunt
from tests.simulate.world import Report, simulate

LOOK = 0.5
"""Seconds between two looks at the progress."""
SHOWN = 5
"""Failing seeds that are told of at length."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one alone and print every step")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    _quiet()
    if options.seed is not None:
        return replay(options.seed)
    with multiprocessing.get_context("fork").Pool(options.jobs, _quiet) as pool:
        clean = many(
            pool.imap_unordered(_bare, range(options.first, options.first + options.seeds), 4), options
        )
        caught = planted(pool.imap(hunt, BUGS))
    return 0 if clean and caught else 1


def _quiet() -> None:
    """The workers' own log lines would be many; and what is allocated at the start stays."""
    logging.disable(logging.CRITICAL)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _bare(seed: int) -> tuple[Report, float]:
    """Without the trace, which is long, and what can't travel between processes; processor seconds used."""
    began = time.process_time()
    result = simulate(seed)
    found = result.violation
    bare = None if found is None else ViolationError(found.check, found.detail)
    return result._replace(trace=[], violation=bare), time.process_time() - began


# -- one seed -------------------------------------------------------------------------------------


def replay(seed: int) -> int:
    """Every step of it; the same each time."""
    result = simulate(seed)
    for at, *words in result.trace:
        print(f"{at:9.3f}", *words)  # noqa: T201 - a command talks to its user
    table(result.counts)
    print(f"seed {seed}: {result.violation or 'clean'}")  # noqa: T201
    return 1 if result.violation else 0


# -- many -----------------------------------------------------------------------------------------


def many(reports: Iterator[tuple[Report, float]], options: argparse.Namespace) -> bool:
    """Whether all were clean."""
    began = looked = time.monotonic()
    counts: Counter[str] = Counter()
    failed: list[Report] = []
    done = crashes = 0
    used = 0.0
    bar = sys.stderr.isatty()
    for result, took in islice(reports, options.seeds):
        done += 1
        used += took
        crashes += result.crashes
        counts += result.counts
        if result.violation is not None:
            failed.append(result)
            if len(failed) <= SHOWN:
                tell(f"\nseed {result.seed}: {result.violation}")
                tell(f"  again, step by step: make simulate ARGS='--seed {result.seed}'")
        now = time.monotonic()
        if bar and now - looked > LOOK:
            looked = now
            share = done / options.seeds
            line = f"{'#' * round(30 * share):30} {done:,} of {options.seeds:,} seeds"
            print(f"\r{line}, {crashes / (now - began):,.0f} crashes/s", end="", file=sys.stderr, flush=True)  # noqa: T201
    seconds = time.monotonic() - began
    if bar:
        tell("")
    tell(f"{done:,} seeds in {seconds:.0f} s, {crashes:,} crashes, {len(failed)} seeds failed")
    tell(f"{used:.0f} s of processors used: {crashes / used:.0f} crashes per second of one")
    table(counts)
    report("simulated_seeds", done - len(failed), "seeds")
    report("simulated_crashes_per_s", round(crashes / seconds), "crashes/s")
    if failed:
        tell("failed: " + " ".join(str(result.seed) for result in failed))
    return not failed


def table(counts: Counter[str]) -> None:
    """How often each thing happened."""
    for name, number in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        tell(f"  {number:12,}  {name}")


def planted(hunted: Iterator[Caught]) -> bool:
    """Whether all bugs were caught."""
    caught = 0
    for one in hunted:
        if one.check:
            caught += 1
            tell(
                f"  planted: {one.bug}: caught in seed {one.seed} by '{one.check}', seeds needed: {one.seeds}"
            )
        else:
            tell(f"  planted: {one.bug}: NOT CAUGHT in {SEEDS} seeds")
    report("planted_bugs_caught", caught, "bugs")
    return caught == len(BUGS)


if __name__ == "__main__":
    raise SystemExit(main())
