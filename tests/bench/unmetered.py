"""The `scorer` command without metrics: what ``metrics_cost_ratio`` is measured against.

Prometheus' classes are replaced before anything of ours makes one, and with them what is measured only in
order to be told. What stays are the plain counters in the engine, which replay and rule tests have too, and
two readings of the clock for each batch that is sent.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import prometheus_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorer.storage.ports import Incoming
    from scorer.worker.score_agent import ScoreAgent


class Nothing:
    """Takes every call and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._upper_bounds = (float("inf"),)

    def __call__(self, *_: Any, **__: Any) -> Nothing:
        return self

    def __getattr__(self, _: str) -> Nothing:
        return self


class NoMeter(Nothing):
    """In the place of ``ScoreMeter``."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()
        self.spent: dict[str, float] = {}

    def apply(self, agent: ScoreAgent, number: int, start: int, records: Sequence[Incoming]) -> None:
        agent.apply(number, start, records)


def main() -> None:
    prometheus_client.Counter = prometheus_client.Gauge = prometheus_client.Histogram = Nothing  # type: ignore[assignment,misc]
    from scorer import cli
    from scorer.worker import outbox, owned, process, score_app

    outbox.Told = Nothing  # type: ignore[assignment,misc]
    owned.PartitionMetrics = Nothing  # type: ignore[assignment,misc]
    process.LoopTime = Nothing  # type: ignore[assignment,misc]
    score_app.ScoreMeter = NoMeter  # type: ignore[assignment,misc]
    score_app.MEASURE_EVERY = 1e9
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
