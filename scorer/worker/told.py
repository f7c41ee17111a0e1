"""Counts what is said of leads: outcomes by what brought them about, and how changed leads stand."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import msgspec

from scorer import metrics
from scorer.tally import Tally
from scorer.wire.registry import QUALIFIED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import Counter as Metric

    from scorer.domain.outcomes import Outcome
    from scorer.domain.partition import Dead

SAMPLE: Final = 25
"""Views of one checkpoint and partition that are looked at."""
NONE: Final = "none"
VERSION: Final = ".v1"


class _Data(msgspec.Struct, gc=False):
    """What is counted of a view; the rest is passed over."""

    total: float = 0.0
    band: str = NONE
    stage: str = NONE
    grades: dict[str, str] = {}


class _View(msgspec.Struct, gc=False):
    data: _Data


_said: Final[Callable[[Outcome], tuple[str, str, str, str]]] = attrgetter("topic", "cause", "reason", "rule")
"""What outcomes are counted by. There are many: together with ``Counter.update`` it needs no code of ours."""

_view = msgspec.json.Decoder(_View).decode


class Named:
    """A counter with a label from the rule file: so many values, and from then on ``other``."""

    def __init__(self, counter: Metric, most: int = metrics.NAMES) -> None:
        self._counter = counter
        self._most = most
        self._children: dict[tuple[str, ...], Metric] = {}
        self._names: set[str] = set()

    def of(self, *values: str) -> Metric:
        """The child of these values; the last of them is the name from the rule file."""
        child = self._children.get(values)
        if child is None:
            *fixed, name = values
            if name not in self._names and len(self._names) >= self._most:
                return self._counter.labels(*fixed, metrics.OTHER)
            self._names.add(name)
            child = self._children[values] = self._counter.labels(*values)
        return child


_OUTCOMES: Final = Named(metrics.SCORE_OUTCOMES)
_TOP_RULES: Final = Named(metrics.SCORE_TOP_RULES)
_BANDS: Final = Named(metrics.SCORE_BANDS)
_STAGES: Final = Named(metrics.SCORE_STAGES)
_GRADES: Final = Named(metrics.SCORE_GRADES)


class Told:
    """Of one partition; what it counts is counted for all of them together, and told by each checkpoint."""

    def __init__(self) -> None:
        self._outcomes: Counter[tuple[str, str, str, str]] = Counter()
        self._again = 0
        self._points = Tally(metrics.SCORE_POINTS._upper_bounds[:-1])  # noqa: SLF001 - named once

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Those of one chunk."""
        self._outcomes.update(map(_said, outcomes))
        for outcome in outcomes:
            if outcome.topic == QUALIFIED:
                self._again += outcome.number > 1

    def dead(self, dead: Sequence[Dead]) -> None:
        for letter in dead:
            metrics.SCORE_DEAD_LETTERS.labels(letter.reason).inc()

    def tell(self, views: Sequence[tuple[bytes, bytes | None]]) -> None:
        """At a checkpoint. ``views``: of the leads that have changed; a sample stands for all of them."""
        for (topic, cause, reason, rule), count in self._outcomes.items():
            _OUTCOMES.of(topic.removesuffix(VERSION), cause or NONE, reason or NONE).inc(count)
            if rule and topic == QUALIFIED:
                _TOP_RULES.of(rule).inc(count)
        metrics.SCORE_REQUALIFIED.inc(self._again)
        self._outcomes.clear()
        self._again = 0
        step = -(-len(views) // SAMPLE)
        looked = [value for _, value in views[:: step or 1] if value is not None]
        if looked:
            self._look(looked, len(views) / len(looked))

    def _look(self, views: Sequence[bytes], weight: float) -> None:
        bands: dict[tuple[str, ...], int] = {}
        stages: dict[tuple[str, ...], int] = {}
        grades: dict[tuple[str, ...], int] = {}
        for value in views:
            data = _view(value).data
            self._points.add(data.total, weight)
            _add(bands, (data.band,))
            _add(stages, (data.stage,))
            for named in data.grades.items():
                _add(grades, named)
        for counter, counts in (_BANDS, bands), (_STAGES, stages), (_GRADES, grades):
            for names, count in counts.items():
                counter.of(*names).inc(count * weight)
        self._points.tell(metrics.SCORE_POINTS)


def _add(counts: dict[tuple[str, ...], int], names: tuple[str, ...]) -> None:
    counts[names] = counts.get(names, 0) + 1
