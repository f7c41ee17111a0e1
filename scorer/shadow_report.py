"""How the rules that are tried compare with those in force, over all leads and since the trial began.

Read from copies of the states that the workers have made durable. A lead that has become part of another is
counted with that one.
"""

from __future__ import annotations

from array import array
from collections import Counter
from heapq import nlargest
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scorer.domain.explaining import STATUS
from scorer.domain.lead import QUALIFIED
from scorer.domain.outcomes import instant
from scorer.domain.reading import total
from scorer.state_copy import copies

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.broker import Broker
    from scorer.domain.lead import Lead, Shadow
    from scorer.domain.rules import RuleSet
    from scorer.state_copy import Copy
    from scorer.worker.score_partition import ScorePartition

NAMED: Final = 10
"""Leads that are named, of each kind."""
DAY: Final = 86_400_000


class Quantiles(msgspec.Struct, frozen=True):
    """Points below which a tenth, half and nine tenths of the leads are."""

    tenth: float
    median: float
    nine_tenths: float


class Told(msgspec.Struct):
    """Outcomes since the trial began."""

    qualified: int = 0
    disqualified: int = 0
    leads: int = 0
    """That were, or would have been, told to be qualified."""


class Named(msgspec.Struct, frozen=True):
    lead: str
    live: float
    """Points."""
    shadow: float


class Report(msgspec.Struct):
    """``leads`` are those that have a shadow; points are read at each partition's clock."""

    live: str
    """Fingerprints of the rules in force,"""
    shadow: str
    """and of those that are tried."""
    live_name: str = ""
    shadow_name: str = ""
    through: str = ""
    """The instant up to which all partitions have been scored; RFC 3339."""
    leads: int = 0
    failed: int = 0
    """Leads for which our own code failed under the rules that are tried: not in the figures."""
    unreached: int = 0
    """Partitions that have not come to the beginning of the trial."""
    statuses: dict[str, dict[str, int]] = {}
    """Status by the rules in force -> status by those that are tried -> leads."""
    told: Told = msgspec.field(default_factory=Told)
    would: Told = msgspec.field(default_factory=Told)
    """What would have been told."""
    both: int = 0
    """Leads told to be qualified by both; of them"""
    earlier: int = 0
    later: int = 0
    """by the rules that are tried, and"""
    median_days_earlier: float | None = None
    """how much earlier (negative: later) in the middle."""
    points: Quantiles | None = None
    shadow_points: Quantiles | None = None
    difference: Quantiles | None = None
    """Points of the shadow less those of the lead."""
    newly: list[Named] = []
    """Qualified only by the rules that are tried, those with the most points of their shadow first."""
    no_longer: list[Named] = []
    """Qualified only by those in force, those with the most points first."""


encode_report = msgspec.json.Encoder().encode


def report(
    broker: Broker, live: str, shadow: str, moved: Callable[[int], None], named: int = NAMED
) -> Report:
    """``live``, ``shadow``: fingerprints. ``moved`` gets how many records and leads were read.

    Raises ``UserError`` where Kafka does not answer or a topic is missing.
    """
    compared = _Compared(Report(live, shadow), named)
    for copy in copies(broker, moved):
        if copy.partition is None or not compared.begin(copy.partition):
            compared.report.unreached += 1
            continue
        _compare(copy, copy.partition, compared, moved)
    return compared.finish()


class _Row(NamedTuple):
    points: float
    named: Named


class _Compared:
    """Running figures."""

    def __init__(self, report: Report, named: int) -> None:
        self.report = report
        self._count = named
        self._statuses: Counter[tuple[str, str]] = Counter()
        self._live, self._shadow, self._difference = array("d"), array("d"), array("d")
        self._earlier = array("d")
        self._newly: list[_Row] = []
        self._no_longer: list[_Row] = []
        self._through: int | None = None

    def begin(self, partition: ScorePartition) -> bool:
        """Whether the partition has come to these rules."""
        rules, clock = partition.machine.rules, partition.machine.state.clock
        if rules.shadow is None or rules.shadow.fingerprint != self.report.shadow:
            return False
        self.report.live_name, self.report.shadow_name = rules.model.name, rules.shadow.model.name
        self._through = clock if self._through is None else min(self._through, clock)
        return True

    def add(self, rules: RuleSet, beside: RuleSet, key: bytes, lead: Lead, shadow: Shadow, at: int) -> None:
        found = self.report
        if shadow.failed:
            found.failed += 1
            return
        found.leads += 1
        self._statuses[STATUS[lead.status], STATUS[shadow.lead.status]] += 1
        live, other = total(rules, lead, at), total(beside, shadow.lead, at)
        self._live.append(live)
        self._shadow.append(other)
        self._difference.append(other - live)
        self._count_told(shadow)
        if (lead.status == QUALIFIED) == (shadow.lead.status == QUALIFIED):
            return
        name = Named(key.decode(), live, other)
        if lead.status == QUALIFIED:
            self._no_longer = self._most([*self._no_longer, _Row(live, name)])
        else:
            self._newly = self._most([*self._newly, _Row(other, name)])

    def _most(self, rows: list[_Row]) -> list[_Row]:
        """Bounded: no more than twice as many as are named."""
        if len(rows) <= 2 * self._count:
            return rows
        return nlargest(self._count, rows, key=_points)

    def _count_told(self, shadow: Shadow) -> None:
        found = self.report
        found.told.qualified += shadow.live_qualified
        found.told.disqualified += shadow.live_disqualified
        found.told.leads += bool(shadow.live_first)
        found.would.qualified += shadow.qualified
        found.would.disqualified += shadow.disqualified
        found.would.leads += bool(shadow.first)
        if shadow.first and shadow.live_first:
            found.both += 1
            found.earlier += shadow.first < shadow.live_first
            found.later += shadow.first > shadow.live_first
            self._earlier.append((shadow.live_first - shadow.first) / DAY)

    def finish(self) -> Report:
        found = self.report
        for (live, shadow), count in sorted(self._statuses.items()):
            found.statuses.setdefault(live, {})[shadow] = count
        found.through = "" if self._through is None else instant(self._through)
        if self._earlier:
            found.median_days_earlier = _quantile(sorted(self._earlier), 0.5)
        if self._live:
            found.points, found.shadow_points = _quantiles(self._live), _quantiles(self._shadow)
            found.difference = _quantiles(self._difference)
        found.newly = [row.named for row in nlargest(self._count, self._newly, key=_points)]
        found.no_longer = [row.named for row in nlargest(self._count, self._no_longer, key=_points)]
        return found


def _compare(
    copy: Copy, partition: ScorePartition, compared: _Compared, moved: Callable[[int], None]
) -> None:
    machine = partition.machine
    rules, beside = machine.rules, machine.rules.shadow
    if beside is None:
        return
    for keys in copy.leads():
        for key in keys:
            machine.touch(key)
            lead = machine.get(key)
            if lead is not None and lead.since and lead.shadow is not None:
                at = max(lead.clock, lead.shadow.lead.clock, machine.state.clock - rules.model.grace)
                compared.add(rules, beside, key, lead, lead.shadow, at)
        copy.forget()
        moved(len(keys))


def _points(row: _Row) -> float:
    return row.points


def _quantiles(values: array[float]) -> Quantiles:
    ordered = sorted(values)
    return Quantiles(_quantile(ordered, 0.1), _quantile(ordered, 0.5), _quantile(ordered, 0.9))


def _quantile(ordered: list[float], share: float) -> float:
    """The value at that share of the way, between two of them where it lies between."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
