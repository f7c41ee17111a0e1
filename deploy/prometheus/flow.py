"""What comes in: lag, dead letters, sources that are silent, collectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.prometheus.rule import COLLECTORS, Alert, grown, kafka_silent
from deploy.prometheus.timing import text
from scorer.wire.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.prometheus.timing import Timing

DEAD_SHARE: Final = 0.01
"""Of a door's records. One publisher's bad release is more, a few broken clients are less."""
DEAD_LEAST: Final = 20
USUAL_LEAST: Final = 10
"""Events that a source has in a slot, at least, if its silence is to mean something: by chance it is
silent once in 22,000 slots (Poisson), which is once a year."""
BUFFER_SHARE: Final = 0.8
EXPIRED: Final = 0.9
"""Of a door's retention: the records that wait longest are about to be deleted."""


def door_retention() -> int:
    """Seconds for which doors keep records, the shortest of them, as ``schemas/topics`` says."""
    doors = [topic for topic in Registry.load().topics.values() if topic.role == "door"]
    return min(int(topic.config["retention.ms"]) for topic in doors) // 1000


def alerts(timing: Timing) -> Iterator[Alert]:
    yield from _lag(timing)
    yield from _records(timing)
    yield from _sources(timing)
    yield from _collectors(timing)


def _lag(timing: Timing) -> Iterator[Alert]:
    retention = door_retention()
    last = round(EXPIRED * retention)
    ahead = timing.expiry_warning
    yield Alert(
        name="ScorerDoorExpires",
        expr=f"""
        scorer:door_lag:seconds > {last}
        or
        predict_linear(scorer:door_lag:seconds[{text(timing.expiry_slope)}], {ahead}) > {last}
        """,
        hold=timing.page_after,
        severity="page",
        summary="{{ $labels.door }} is about to lose events that nobody has read",
        description=f"""Kafka deletes them {text(retention)} after they came. The oldest one that waits
        is nearly as old, or will be within {text(ahead)}: reading does not catch up. This is the only
        alert after which events are gone for good.""",
    )
    yield Alert(
        name="ScorerLagNotDraining",
        expr=f"""
        scorer:lag:seconds > {timing.lag}
        and deriv(scorer:lag:seconds[{text(timing.lag_slope)}]) >= 0
        unless on () scorer:doors_still:count
        unless on () (max(scorer_score_stopped) == 1)
        unless on () {kafka_silent(timing)}
        """,
        hold=timing.quiet_ticket_after,
        severity="ticket",
        summary="{{ $labels.of }} is {{ $value | humanizeDuration }} behind and does not catch up",
        description="""More comes in than is taken. Scores are as old as this says, and grow older.""",
    )


def _records(timing: Timing) -> Iterator[Alert]:
    window = text(timing.share)
    rejected = f"sum by (door) ({grown('scorer_intake_rejected_total', timing.share)})"
    yield Alert(
        name="ScorerDeadLetters",
        expr=f"""
        {rejected}
        / on (door) sum by (door) ({grown("scorer_intake_records_total", timing.share)})
        > {DEAD_SHARE}
        and on (door) {rejected} >= {DEAD_LEAST}
        """,
        hold=timing.page_after,
        severity="ticket",
        summary="{{ $value | humanizePercentage }} of the records of {{ $labels.door }} can't be used",
        description=f"""So many of the records of the last {window} went to dead letters, with their
        reason. They are kept for 30 days and can be sent again. Most often one publisher has released
        something.""",
    )
    yield Alert(
        name="ScorerCodeFails",
        expr=f"sum by (instance) ({grown('scorer_score_faults_total', timing.share)}) > 0",
        severity="ticket",
        summary="Our own code failed on {{ $value | humanize }} record(s), on {{ $labels.instance }}",
        description="""The record is among the dead letters, the traceback in the worker's log; the
        worker goes on without it. After 20 in a row, or more than 1%, the partition stops.""",
    )


def _sources(timing: Timing) -> Iterator[Alert]:
    read_lately = f"scorer:door_lag:seconds < {timing.read_lately}"
    yield Alert(
        name="ScorerSourceSilent",
        expr=f"""
        {_usual("scorer:door_records:slot", "door", timing)}
        unless on (door) scorer:door_records:slot > 0
        and on (door) {read_lately}
        """,
        hold=timing.page_after,
        severity="ticket",
        summary="{{ $labels.door }} has fallen silent: it has {{ $value | humanize }} events at this time"
        " otherwise",
        description=f"""It has been read to its end, and nobody has written to it for
        {text(timing.slot)}; a week ago and on one of the last three days somebody had at this time.
        What leads do there is not counted.""",
    )
    yield Alert(
        name="ScorerPublisherSilent",
        expr=f"""
        {_usual("scorer:publisher_events:slot", "key", timing)}
        unless on (key) scorer:publisher_events:slot > 0
        and on () min_over_time(scorer:collectors_ready:sum[{text(timing.slot)}]) > 0
        """,
        hold=timing.page_after,
        severity="ticket",
        summary="The collector's key {{ $labels.key }} has fallen silent: it has"
        " {{ $value | humanize }} events at this time otherwise",
        description=f"""The collector takes events, and for {text(timing.slot)} none came under this
        key; a week ago and on one of the last three days there were some at this time. What leads do
        there is not counted.""",
    )


def _usual(series: str, by: str, timing: Timing) -> str:
    """A week ago, where there was enough then and on one of the last three days: on Mondays the last
    Friday.
    """
    days = " or ".join(f"{series} offset {text(n * timing.day)} >= {USUAL_LEAST}" for n in (1, 2, 3))
    return f"(({series} offset {text(timing.week)} >= {USUAL_LEAST}) and on ({by}) ({days}))"


def _collectors(timing: Timing) -> Iterator[Alert]:
    yield Alert(
        name="ScorerNoCollector",
        expr=f"""
        count(last_over_time(scorer_collector_ready_processes[1d]))
        unless on () (sum(scorer_collector_ready_processes) > 0)
        unless on () {kafka_silent(timing)}
        """,
        hold=timing.gone_after,
        severity="page",
        summary="No collector takes events",
        description="""There was one within a day, and now none is ready. Senders are told to come back,
        or reach nobody: what browsers and pixels send meanwhile is lost.""",
    )
    yield Alert(
        name="ScorerCollectorDown",
        expr=f"({COLLECTORS} == 0) and on () (sum(scorer_collector_ready_processes) > 0)",
        hold=timing.ticket_after,
        severity="ticket",
        summary="The collector {{ $labels.instance }} is down; others take its events",
        description="""Its metrics page can't be read. Look why it does not come back.""",
    )
    yield Alert(
        name="ScorerCollectorBufferFull",
        expr=f"""
        sum by (instance) (scorer_collector_pending_bytes)
        / (sum by (instance) (scorer_collector_buffer_bytes) > 0)
        > {BUFFER_SHARE}
        unless on () {kafka_silent(timing)}
        """,
        hold=timing.gone_after,
        severity="ticket",
        summary="The collector {{ $labels.instance }} waits for Kafka: its buffer is"
        " {{ $value | humanizePercentage }} full",
        description="""Kafka acknowledges more slowly than events come in. When the buffer is full,
        senders are answered with 503.""",
    )
