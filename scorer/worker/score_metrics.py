"""A partition's counters and gauges, labelled once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

from prometheus_client import Counter, Gauge

from scorer import metrics
from scorer.domain.counters import Counters
from scorer.worker.score_partition import ScorePartition

_COUNTERS: dict[str, Counter] = {
    "records": metrics.SCORE_RECORDS,
    "facts": metrics.SCORE_FACTS,
    "duplicates": metrics.SCORE_DUPLICATES,
    "late": metrics.SCORE_LATE,
    "skipped": metrics.SCORE_REDELIVERED,
    "undecodable": metrics.SCORE_UNDECODABLE,
    "timers": metrics.SCORE_TIMERS,
    "leads_created": metrics.SCORE_LEADS_CREATED,
    "evicted_ids": metrics.SCORE_EVICTED_IDS,
    "machines": metrics.SCORE_MACHINES,
    "forwarded": metrics.SCORE_FORWARDED,
    "merged": metrics.SCORE_MERGED,
    "refused": metrics.SCORE_LINKS_REFUSED,
    "accounts_created": metrics.SCORE_ACCOUNTS_CREATED,
    "members_refused": metrics.SCORE_MEMBERS_REFUSED,
    "erased": metrics.SCORE_ERASED,
    "shunned": metrics.SCORE_SHUNNED,
    "shadow_failed": metrics.SCORE_TRIAL_FAILED,
}
_TRIAL: tuple[tuple[str, str], ...] = (
    ("live", "qualified"),
    ("live", "disqualified"),
    ("shadow", "qualified"),
    ("shadow", "disqualified"),
)
"""(rules, outcome): counted as ``rules_outcome``."""


_LOOKUPS: Mapping[str, Counter] = {
    "found_older": metrics.SCORE_LEAD_LOOKUPS.labels("older"),
    "found_stored": metrics.SCORE_LEAD_LOOKUPS.labels("stored"),
    "found_none": metrics.SCORE_LEAD_LOOKUPS.labels("new"),
}


class PartitionMetrics:
    def __init__(self, number: int) -> None:
        self._label = label = str(number)
        self._children = [(name, counter.labels(label)) for name, counter in _COUNTERS.items()]
        for rules, outcome in _TRIAL:
            child = metrics.SCORE_TRIAL_OUTCOMES.labels(label, rules, outcome)
            self._children.append((f"{rules}_{outcome}", child))
        self._of: Counters | None = None
        self._last: dict[str, int] = {}
        self._looked = dict.fromkeys(_LOOKUPS, 0)
        self._gauges: list[Gauge] = []
        self.swept = metrics.SCORE_SWEPT.labels(label)
        self.durable_position = self._gauge(metrics.SCORE_DURABLE_POSITION)
        self.stopped = self._gauge(metrics.SCORE_STOPPED)
        self._position = self._gauge(metrics.SCORE_POSITION)
        self._clock = self._gauge(metrics.SCORE_CLOCK)
        self._timers = self._gauge(metrics.SCORE_WAITING_TIMERS)
        self._cached = self._gauge(metrics.SCORE_CACHED_LEADS)
        self._unswept = self._gauge(metrics.SCORE_UNSWEPT)
        self._next_timer = self._gauge(metrics.SCORE_NEXT_TIMER)
        self._unsaved = self._gauge(metrics.SCORE_UNSAVED_LEADS)
        self._rules = self._gauge(metrics.SCORE_RULES_VERSION)
        self._durable_at = self._gauge(metrics.CHECKPOINT_AT)
        self.lag_records = self._gauge(metrics.SCORE_LAG_RECORDS)
        self.lag_seconds = self._gauge(metrics.SCORE_LAG_SECONDS)
        self.state_bytes = self._gauge(metrics.SCORE_STATE_BYTES)

    def _gauge(self, gauge: Gauge) -> Gauge:
        self._gauges.append(gauge)
        return gauge.labels(self._label)

    def forget(self) -> None:
        """The partition is another's: here its gauges would stand still for ever. Counters go on counting."""
        for gauge in self._gauges:
            with suppress(KeyError):
                gauge.remove(self._label)

    def durable(self, position: int | None = None) -> None:
        """All that is applied is durable; ``position``: the log's next offset, where it has moved."""
        self._durable_at.set(time.time())
        if position is not None:
            self.durable_position.set(position)

    def update(self, partition: ScorePartition) -> None:
        """Once per checkpoint. The machine's counters start at zero with each machine."""
        machine = partition.machine
        if machine.counters is not self._of:
            self._of, self._last = machine.counters, {}
        for name, child in self._children:
            value: int = getattr(machine.counters, name)
            child.inc(value - self._last.get(name, 0))
            self._last[name] = value
        for name, child in _LOOKUPS.items():
            value = getattr(partition, name)
            child.inc(value - self._looked[name])
            self._looked[name] = value
        self._position.set(machine.state.position)
        self._clock.set(machine.state.clock / 1000)
        self._timers.set(len(machine.timers))
        self._next_timer.set(machine.timers.next_due / 1000)
        self._rules.set(machine.state.version)
        self._unsaved.set(partition.unsaved)
        self._cached.set(partition.cached)
        self._unswept.set(machine.unswept is not None)
