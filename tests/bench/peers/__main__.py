"""``python -m tests.bench.peers``: see the package, and docs/performance.md for what came of it."""

from __future__ import annotations

import argparse
import sys

from tests.bench.figures import tell
from tests.bench.peers import table
from tests.bench.peers.run import Comparison, make_task
from tests.bench.peers.systems import systems
from tests.bench.road import benchmark_kafka

EVENTS, ROUNDS, FAUST_SECONDS = 1_000_000, 3, 30.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("names", nargs="*", help="systems to run; all of them where none is named")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--faust-seconds", type=float, default=FAUST_SECONDS, help="how long Faust may take")
    parser.add_argument("--workers", type=int, default=1, help="processes of this worker, in one group")
    options = parser.parse_args(arguments)
    known = systems(options.faust_seconds, options.workers)
    chosen = [system for system in known if not options.names or system.name in options.names]
    unknown = set(options.names) - {system.name for system in known}
    if unknown:
        parser.error(f"no such system: {', '.join(sorted(unknown))}")
    with benchmark_kafka() as bootstrap:
        comparison = Comparison(bootstrap, make_task(bootstrap, options.events), chosen)
        comparison.run(options.rounds)
    table.show(comparison.results)
    table.keep(comparison.results)
    table.report_all(comparison.results)
    failed = [results.label for results in comparison.results.values() if results.failure]
    if failed:
        tell(f"without a figure: {', '.join(failed)}")
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
