"""What is promised, and how fast the part that may go wrong is used up.

A ratio is recorded per window: of what happened in it, the part (0..1) that was not as promised. It is
missing where nothing happened, and then no alert can fire: see the causes for what stands still
altogether.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.prometheus.rule import Alert, Recorded
from deploy.prometheus.timing import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.prometheus.timing import Timing, Window

LEAST: Final = 10
"""Broken promises in the long window, at least. A system that scores twenty events an hour has used the
budget of an hour with its first slow one; ten of them are a pattern, and at 10,000 events an hour no
hindrance."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    name: str
    """In names of recorded series."""
    alert: str
    """Name of the one that pages; the slow one is that and ForDays."""
    share: float
    """Of what is promised: 0.999."""
    bad: tuple[str, ...]
    """How many were not as promised: {w} is the window. Where there are two countings, the worse one
    counts."""
    total: tuple[str, ...]
    what: str
    """What was not as promised, in the plural, to begin a sentence with."""
    promise: str
    meaning: str


def _late(histogram: str, le: str) -> tuple[str, str]:
    total = f"sum(increase({histogram}_count[{{w}}]))"
    return f'({total} - sum(increase({histogram}_bucket{{{{le="{le}"}}}}[{{w}}])))', total


_SCORES = _late("scorer_score_latency_seconds", "1.0")
_TIMERS = _late("scorer_score_timer_late_seconds", "5.0")

OBJECTIVES: Final = (
    Objective(
        name="scores_late",
        alert="ScorerScoresLate",
        share=0.999,
        bad=(_SCORES[0],),
        total=(_SCORES[1],),
        what="Scores come late",
        promise="99.9% of events are scored within a second of being received",
        meaning="Sales hears later of leads that are ready. Nothing is lost.",
    ),
    Objective(
        name="timers_late",
        alert="ScorerTimersLate",
        share=0.999,
        bad=(_TIMERS[0],),
        total=(_TIMERS[1],),
        what="Timers fire late",
        promise="99.9% of what time alone decides is said within 5 seconds",
        meaning="Leads who have faded or fallen silent are still shown as they were. Nothing is lost.",
    ),
    Objective(
        name="events_unacknowledged",
        alert="ScorerEventsUnacknowledged",
        share=0.9995,
        # Events whose sender was told to come back, or was told nothing; and requests that were answered so
        # before anybody looked for events in them. A pixel's request is answered well all the same: hence
        # both.
        bad=(
            'sum(increase(scorer_collector_events_total{{outcome="unknown"}}[{w}]))',
            'sum(increase(scorer_collector_requests_total{{status=~"5.."}}[{w}]))',
        ),
        total=(
            'sum(increase(scorer_collector_events_total{{outcome=~"accepted|unknown"}}[{w}]))',
            # What its sender got wrong (4xx) is neither kept nor broken as a promise.
            'sum(increase(scorer_collector_requests_total{{status!~"4.."}}[{w}]))',
        ),
        what="The collector turns events away",
        promise="99.95% of events sent to the collector are acknowledged",
        meaning="Senders that try again will deliver; browsers that are closed and pixels do not, and their"
        " events are lost.",
    ),
)


def rules(timing: Timing) -> Iterator[Recorded | Alert]:
    for objective in OBJECTIVES:
        yield from _recorded(objective, timing)
        yield from _alerts(objective, timing)


def _recorded(objective: Objective, timing: Timing) -> Iterator[Recorded]:
    lengths: dict[str, int] = {}
    for window in (timing.fast, timing.medium, timing.slow):
        # Both 6h are the same in production; shortened, the longer one is the one that pages by its length.
        lengths.setdefault(window.short_name, window.short)
        lengths.setdefault(window.name, window.long)
    for name, seconds in lengths.items():
        yield Recorded(f"scorer:{objective.name}:ratio_{name}", _ratio(objective, seconds))
    for window in (timing.fast, timing.medium, timing.slow):
        yield Recorded(f"scorer:{objective.name}:count_{window.name}", _count(objective, window.long))


def _ratio(objective: Objective, seconds: int) -> str:
    # Nothing divided by nothing is left out: a ratio of no events is none.
    ratios = [f"{bad} / ({total} > 0)" for bad, total in zip(objective.bad, objective.total, strict=True)]
    return _worst(ratios).format(w=text(seconds))


def _count(objective: Objective, seconds: int) -> str:
    return _worst(list(objective.bad)).format(w=text(seconds))


def _worst(exprs: list[str]) -> str:
    if len(exprs) == 1:
        return exprs[0]
    labelled = [
        f'label_replace({expr}, "counting", "{number}", "", "")' for number, expr in enumerate(exprs, 1)
    ]
    return "max(\n  " + "\n  or ".join(labelled) + "\n)"


def _alerts(objective: Objective, timing: Timing) -> Iterator[Alert]:
    budget = 1 - objective.share
    fast, medium, slow = timing.fast, timing.medium, timing.slow

    def burning(window: Window) -> str:
        threshold = f"{min(window.rate * budget * window.budget, 0.99):.6g}"
        series = f"scorer:{objective.name}"
        return (
            f"{series}:ratio_{window.name} > {threshold} and {series}:ratio_{window.short_name} > {threshold}"
            f" and {series}:count_{window.name} >= {LEAST}"
        )

    yield Alert(
        name=objective.alert,
        expr=f"({burning(fast)})\nor\n({burning(medium)})",
        severity="page",
        summary=f"{objective.what}: {{{{ $value | humanizePercentage }}}} of them, and it goes on",
        description=f"""Promised: {objective.promise}. At this rate the part of a month that may go
        wrong is gone within days. {objective.meaning}""",
    )
    yield Alert(
        name=f"{objective.alert}ForDays",
        expr=f"({burning(slow)})\nunless on ()\n({burning(fast)})\nunless on ()\n({burning(medium)})",
        severity="ticket",
        summary=f"{objective.what}: {{{{ $value | humanizePercentage }}}} of them in {slow.name}",
        description=f"""Promised: {objective.promise}. Slowly, but for days, more has gone wrong than
        may. {objective.meaning}""",
    )
