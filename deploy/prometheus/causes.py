"""What stands still: of Kafka, workers, partitions and the clock. Worth a page or a ticket of its own.

One trouble is to make one page. Whatever stands still while Kafka is silent, or because a partition has
stopped, stays quiet here; its own alert comes when the first is over and it still stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.prometheus.rule import (
    KAFKA_SILENT,
    NO_WORKER,
    STOPPED,
    WORKERS,
    Alert,
    Recorded,
    kafka_silent,
)
from deploy.prometheus.timing import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.prometheus.timing import Timing


def recorded(timing: Timing) -> Iterator[Recorded]:
    silent, still, slot = text(timing.silent), text(timing.still), text(timing.slot)
    yield Recorded(
        KAFKA_SILENT,
        f"""
        count(
          sum by (job, instance) (increase(scorer_worker_append_seconds_count[{silent}])) == 0
          and on (job, instance) scorer_worker_partitions{{part="intake"}} > 0
        )
        """,
    )
    yield Recorded(
        "scorer:door_lag:seconds",
        # A worker that has given a partition away goes on showing how far it had come: the newest holds.
        """
        time() - min by (door) (
          max by (door, partition) (scorer_intake_read_through_seconds)
        )
        """,
    )
    yield Recorded(
        "scorer:lag:seconds",
        """
        label_replace(scorer:door_lag:seconds, "of", "$1", "door", "(.*)")
        or label_replace(max(scorer_score_lag_seconds), "of", "lead.log.v1", "", "")
        """,
    )
    yield Recorded("scorer:door_clock:seconds", "min by (door) (scorer_score_door_clock_seconds)")
    yield Recorded(
        "scorer:door_still:seconds",
        f"""
        (time() - scorer:door_clock:seconds > {timing.behind})
        and (scorer:door_clock:seconds - scorer:door_clock:seconds offset {still} < 1)
        """,
    )
    yield Recorded("scorer:doors_still:count", "count(scorer:door_still:seconds)")
    yield Recorded(
        "scorer:door_records:slot", f"sum by (door) (increase(scorer_intake_records_total[{slot}]))"
    )
    yield Recorded(
        "scorer:publisher_events:slot",
        f'sum by (key) (increase(scorer_collector_events_total{{outcome="accepted"}}[{slot}]))',
    )
    yield Recorded("scorer:collectors_ready:sum", "sum(scorer_collector_ready_processes)")


def alerts(timing: Timing) -> Iterator[Alert]:
    yield from _kafka(timing)
    yield from _workers(timing)
    yield from _partitions(timing)
    yield from _clock(timing)


def _kafka(timing: Timing) -> Iterator[Alert]:
    yield Alert(
        name="ScorerKafkaSilent",
        expr=f"{KAFKA_SILENT} > 0",
        hold=timing.page_after,
        severity="page",
        summary="Kafka acknowledges nothing that {{ $value }} worker(s) send",
        description="""Nothing is scored and nothing is lost: records wait in the doors. The collector
        answers 503 as long as it lasts. Workers end after 40 seconds without an answer, and are started
        again.""",
    )


def _workers(timing: Timing) -> Iterator[Alert]:
    yield Alert(
        name="ScorerNoWorker",
        expr=NO_WORKER,
        hold=timing.gone_after,
        severity="page",
        summary="No worker answers: nothing is scored",
        description="""Not one worker's metrics page can be read. Records wait in the doors and are not
        lost; nobody is qualified until a worker runs.""",
    )
    yield Alert(
        name="ScorerWorkerDown",
        expr=f"({WORKERS} == 0) unless on () {NO_WORKER}",
        hold=timing.ticket_after,
        severity="ticket",
        summary="The worker {{ $labels.instance }} is down; the others do its work",
        description="""Its partitions have gone to other workers. Look whether they keep up, and why it
        does not come back.""",
    )
    yield Alert(
        name="ScorerWorkerNotReady",
        expr=f"""
        scorer_worker_ready == 0
        unless on (instance) {STOPPED}
        unless on (instance) scorer_restore_left_records > 0
        unless on () {kafka_silent(timing)}
        """,
        hold=timing.quiet_ticket_after,
        severity="ticket",
        summary="The worker {{ $labels.instance }} runs, but is not ready",
        description="""It answers, restores nothing and does not score. Its page /readyz says what it
        waits for, a line each: often a command that was never run.""",
    )
    still, slow = text(timing.restore_still), text(timing.restore_slow)
    yield Alert(
        name="ScorerRestoreStuck",
        expr=f"""
        (
          (scorer_restore_left_records > 0 and changes(scorer_restore_left_records[{still}]) == 0)
          or
          (min_over_time(scorer_restore_left_records[{slow}]) > 0
           and scorer_restore_left_records offset {slow} > 0)
        )
        unless on () {kafka_silent(timing)}
        """,
        hold=timing.restore_still,
        severity="page",
        summary="The worker {{ $labels.instance }} does not get done restoring:"
        " {{ $value | humanize }} records are left",
        description="""Its partitions are scored by nobody until it is. Their records wait in the lead
        log and are not lost.""",
    )


def _partitions(timing: Timing) -> Iterator[Alert]:
    yield Alert(
        name="ScorerPartitionStopped",
        expr="max by (partition, instance) (scorer_score_stopped) == 1",
        severity="page",
        summary="Partition {{ $labels.partition }} of the lead log is scored no further",
        description="""Too many of its records failed in our own code, 20 in a row or 1 in 100, so it
        stopped rather than put them all aside. Leads of this partition keep the scores they have;
        nothing is lost.""",
    )
    yield Alert(
        name="ScorerPartitionsNotScored",
        expr=f"""
        count(
          count by (partition) (max_over_time(scorer_checkpoint_newest_seconds[1d]) > 0)
          unless count by (partition) (scorer_checkpoint_newest_seconds > 0)
        )
        unless on () {NO_WORKER}
        unless on () (max(scorer_restore_left_records) > 0)
        """,
        hold=timing.gone_after,
        severity="page",
        summary="{{ $value }} partition(s) of the lead log are scored by nobody",
        description="""Workers run, but none of them has these partitions. Leads of theirs keep the
        scores they have; their records wait in the lead log and are not lost.""",
    )
    yield Alert(
        name="ScorerCheckpointOld",
        expr=f"""
        max by (job, instance) (
          time() - (scorer_checkpoint_newest_seconds > 0) > {timing.durable}
          unless on (instance, partition) {STOPPED}
        )
        unless on () {kafka_silent(timing)}
        """,
        hold=timing.page_after,
        severity="page",
        summary="The worker {{ $labels.instance }} has made nothing durable for"
        " {{ $value | humanizeDuration }}",
        description="""It goes on scoring in memory, until that is full. If it ended now, all of this
        time would be scored again by another; nothing would be lost or told twice.""",
    )
    yield Alert(
        name="ScorerRulesNotReached",
        expr=f"""
        count(
          min by (partition) (scorer_score_rules_version unless on (instance, partition) {STOPPED})
          < on () group_left () max(scorer_score_rules_newest_version)
        )
        unless on () {kafka_silent(timing)}
        """,
        hold=timing.quiet_ticket_after,
        severity="ticket",
        summary="{{ $value }} partition(s) still score by older rules than the newest",
        description="""Leads are judged by different rules, by the partition they happen to be in.
        `scorer rules apply` did not reach all of them, or they are behind.""",
    )


def _clock(timing: Timing) -> Iterator[Alert]:
    unnumbered = "(max(scorer_intake_unnumbered_partitions) > 0)"
    all_still = "(scorer:doors_still:count == on () count(scorer:door_clock:seconds))"
    yield Alert(
        name="ScorerDoorUnnumbered",
        expr="max(scorer_intake_unnumbered_partitions) > 0",
        hold=timing.page_after,
        severity="page",
        summary="{{ $value }} door partition(s) are not read: `scorer topics apply` has to be run",
        description="""A topic was created or has grown without it. Its events wait, and so does
        whatever time alone decides, for all leads.""",
    )
    yield Alert(
        name="ScorerIntakeStopped",
        expr=f"""
        {all_still}
        unless on () {unnumbered}
        unless on () {kafka_silent(timing)}
        """,
        hold=timing.page_after,
        severity="page",
        summary="No door is read: the clock stands still",
        description="""No worker takes events in from Kafka's topics. They wait there for seven days.
        What comes over the collector is scored; whatever time alone decides waits.""",
    )
    yield Alert(
        name="ScorerClockStandsStill",
        expr=f"""
        scorer:door_still:seconds
        unless on () {all_still}
        unless on () {kafka_silent(timing)}
        """,
        hold=timing.page_after,
        severity="page",
        summary="The clock stands still: {{ $labels.door }} holds it"
        "{{ if lt $value 1e9 }}, for {{ $value | humanizeDuration }}{{ end }}",
        description="""Some partition of this door is not read to its end, and until it is, nobody can
        be called silent or faded: no timer fires, for any lead. Events are scored meanwhile.""",
    )
