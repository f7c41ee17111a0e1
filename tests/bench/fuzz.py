"""The collector under fuzzing: how much it was asked, and how often it failed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from scorer.dev.kafka import KafkaCluster
from scorer.settings import Settings
from tests.bench.figures import report, tell
from tests.fuzz.run import run

SEEDS = range(1, 9)
REQUESTS = 25_000
"""Of each seed."""
EXAMPLES = 5
"""Of schemathesis, for each operation, mode and seed."""


def requests() -> None:
    """``fuzz_requests`` and ``fuzz_server_errors``: what no answer may be, tracebacks, deaths."""
    total, errors = 0, 0
    with KafkaCluster() as kafka, tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=f"fuzz-{seed}.", lead_secret="bench")
            found = run(settings, Path(folder, str(seed)), seed, REQUESTS, EXAMPLES)
            statuses = ", ".join(f"{status} {count}" for status, count in sorted(found.statuses.items()))
            tell(f"seed {seed}: {found.requests} requests, {len(found.faults)} faults; {statuses}")
            for fault in found.faults:
                tell(fault)
            total += found.requests
            errors += len(found.faults)
    report("fuzz_requests", total, "requests")
    report("fuzz_server_errors", errors, "errors")
