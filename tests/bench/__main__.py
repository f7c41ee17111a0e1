"""``python -m tests.bench [NAME...]``: the figures named, or all of them; see docs/benchmarks.md."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.bench import (
    alerts,
    backtest,
    capacity,
    collector,
    collector_struck,
    demo,
    engine,
    explain,
    fuzz,
    latency,
    metering,
    poison,
    restore,
    rolling,
    rule_file,
    rule_tests,
    snippet,
    trust,
    worker,
)
from tests.bench.figures import tell

if TYPE_CHECKING:
    from collections.abc import Callable

BENCHES: dict[str, Callable[[], None]] = {
    "engine_events_per_s": engine.full,
    "engine_events_per_s_1000_rules": engine.thousand,
    "engine_events_per_s_6_rules": engine.small,
    "worker_events_per_s": worker.full,
    "worker_events_per_s_6_rules": worker.small,
    "intake_events_per_s": worker.intake,
    "forwarded_cost_ratio": worker.forwarded,
    "shadow_cost_ratio": worker.shadow,
    "metrics_cost_ratio": metering.cost,
    "poison_cost_intake": poison.intake,
    "poison_cost_worker": poison.worker,
    "poison_door_per_s": poison.door,
    "latency_p50_ms": latency.figures,
    "explain_p99_ms": explain.now,
    "explain_mismatches": trust.explain_mismatches,
    "rule_change_mismatches": trust.rule_change_mismatches,
    "restore_leads_per_s": restore.figures,
    "rss_mb_5m_leads": restore.many,
    "rolling_restart_pause_s": rolling.figures,
    "capacity_model_error_ratio": capacity.figures,
    "rule_mutants_caught_ratio": rule_tests.mutants_caught,
    "engine_cost_ratio_full_rules": engine.default_rules,
    "check_2000_rules_s": rule_file.check,
    "diagnostics_gallery": rule_file.broken,
    "backtest_events_per_s": backtest.figures,
    "backtest_events_per_s_full_rules": backtest.full_rules,
    "snippet_gzip_bytes": snippet.size,
    "collector_requests_per_s": collector.requests,
    "collector_batch_events_per_s": collector.batches,
    "collector_p99_ms": collector.latency,
    "collector_soak_growth_mb": collector.soak,
    "acknowledged_missing": collector_struck.missing,
    "alerts_tested": alerts.tested_by_promtool,
    "fuzz_requests": fuzz.requests,
    "demo_first_qualified_s": demo.first_qualified,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        tell(f"no such figure: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
        return 2
    for name in names or BENCHES:
        BENCHES[name]()
    return 0


sys.exit(main(sys.argv[1:]))
