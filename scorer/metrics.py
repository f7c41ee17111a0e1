"""Every metric of the system: its name, its type, its labels and what it means, once.

Set a metric per chunk or per second, never per record, and keep the labelled child
(``X.labels(...)``) instead of looking it up each time. The unit is the end of a name: ``_seconds`` (an
instant is in seconds since 1970), ``_bytes``; without one it is a number of what the name says.

No label's values grow with the data: none is of a lead, and names that come from a rule file are cut off
after ``NAMES`` of them. ``make reference`` writes docs/metrics.md from this file.
"""

from __future__ import annotations

import platform
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call] # a second sample per counter that nobody here asks for

PARTS: Final = {
    "scorer_build": "Both",
    "scorer_worker": "Worker: the process",
    "scorer_intake": "Worker: intake, from the doors to the lead log",
    "scorer_score": "Worker: score, from the lead log to outcomes",
    "scorer_checkpoint": "Worker: checkpoints and restores of the score side",
    "scorer_collector": "Collector, summed over its processes",
}
"""How a metric's name begins -> what it is of. Other names belong to the part before theirs."""

NAMES: Final = 200
"""Of rules, bands, stages and grades that have a label's value of their own; further ones count as
``OTHER``. A rule file may be changed any number of times while a worker runs."""
OTHER: Final = "other"

FRESH: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200)
"""Seconds from an event to what comes of it: a second is what is promised, hours are an outage."""
ANSWERED: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds until somebody who waits is answered."""

BUILD_INFO = Gauge(
    "scorer_build_info",
    "1, with what runs as its labels; compiled is yes where the engine is compiled.",
    ["version", "python", "compiled"],
    multiprocess_mode="livemax",
)


def tell_build(version: str, *, compiled: bool) -> None:
    """Once, in each process that serves metrics."""
    BUILD_INFO.labels(version, platform.python_version(), "yes" if compiled else "no").set(1)


# -- the worker's process -------------------------------------------------------------------------

WORKER_READY = Gauge(
    "scorer_worker_ready",
    "1: what it owns is restored and goes on, as /readyz says; 0: it is not, and /readyz says why.",
)
WORKER_LOOP_SECONDS = Counter(
    "scorer_worker_loop_seconds",
    "Where time goes. On the event loop: decode (an estimate from a sample of records), step (the engine),"
    " send (handing what is said to Kafka's client), encode (cuts of checkpoints), sweep, intake (the doors'"
    " records), other (Kafka's client, Faust, housekeeping) and wait (nothing to do, or no processor to do it"
    " on) add up to one second a second. On threads of their own, beside it: poll (processor time of fetching"
    " records), checkpoint (writing to the local store).",
    ["stage"],
)
WORKER_BACKPRESSURE_SECONDS = Counter(
    "scorer_worker_backpressure_seconds",
    "Time in which nothing more was fetched because too much was in memory that is not yet acknowledged or"
    " durable.",
    ["part"],
)
WORKER_REBALANCES = Counter(
    "scorer_worker_rebalances",
    "Assignments of partitions by the consumer group, the first included.",
    ["part"],
)
WORKER_PARTITIONS = Gauge(
    "scorer_worker_partitions",
    "Partitions assigned: of the lead log (part score), of the doors (part intake).",
    ["part"],
)
WORKER_APPEND_SECONDS = Histogram(
    "scorer_worker_append_seconds",
    "From handing a batch to Kafka's client until all in-sync replicas have it.",
    ["topic"],
    buckets=ANSWERED,
)

# -- intake: from the doors to the lead log -------------------------------------------------------

INTAKE_RECORDS = Counter(
    "scorer_intake_records",
    "Records read from a door, dead letters included.",
    ["door"],
)
INTAKE_REJECTED = Counter(
    "scorer_intake_rejected",
    "Records of a door that went to dead letters, by reason.",
    ["door", "reason"],
)
INTAKE_NEWEST = Gauge(
    "scorer_intake_newest_seconds",
    "Append time (Unix) of the newest record read from a door since the worker started: a door that always"
    " has events and stands still is a source that has fallen silent.",
    ["door"],
)
INTAKE_READ_THROUGH = Gauge(
    "scorer_intake_read_through_seconds",
    "Time (Unix) through which a door partition has been read and everything read acknowledged.",
    ["door", "partition"],
)
INTAKE_BACKLOG = Gauge(
    "scorer_intake_backlog_records",
    "Offsets of a door partition that are not yet read and acknowledged.",
    ["door", "partition"],
)
INTAKE_UNNUMBERED = Gauge(
    "scorer_intake_unnumbered_partitions",
    "Door partitions that are not read because `scorer topics apply` has not numbered them.",
)
INTAKE_PENDING_BYTES = Gauge(
    "scorer_intake_pending_bytes",
    "Appended to the lead log or dead letters and not yet acknowledged.",
)
INTAKE_LEAD_KEYS = Counter(
    "scorer_intake_lead_keys",
    "Keys made to seal what a lead says of its person.",
)

# -- score: from the lead log to outcomes ---------------------------------------------------------

SCORE_RECORDS = Counter(
    "scorer_score_records",
    "Records of the lead log applied, control records included.",
    ["partition"],
)
SCORE_FACTS = Counter(
    "scorer_score_facts",
    "Facts that changed a lead.",
    ["partition"],
)
SCORE_DUPLICATES = Counter(
    "scorer_score_duplicates",
    "Facts left out because they had been applied before: same door offset, or a publisher's retry.",
    ["partition"],
)
SCORE_LATE = Counter(
    "scorer_score_late_facts",
    "Facts of a time that the partition's clock less the grace had passed already: they count at their own"
    " time, but what time alone decides was decided without them.",
    ["partition"],
)
SCORE_REDELIVERED = Counter(
    "scorer_score_redelivered",
    "Records left out because the lead was ahead of them after a restart.",
    ["partition"],
)
SCORE_UNDECODABLE = Counter(
    "scorer_score_undecodable",
    "Log records that went to dead letters because they are none.",
    ["partition"],
)
SCORE_DEAD_LETTERS = Counter(
    "scorer_score_dead_letters",
    "Records of the lead log that went to dead letters, by reason.",
    ["reason"],
)
SCORE_FAULTS = Counter(
    "scorer_score_faults",
    "Records at which our own code failed.",
    ["partition"],
)
SCORE_TIMERS = Counter(
    "scorer_score_timers",
    "Timers fired.",
    ["partition"],
)
SCORE_TIMER_LATE_SECONDS = Histogram(
    "scorer_score_timer_late_seconds",
    "How long after its instant and the grace a timer fired; those of one chunk of records count with their"
    " mean.",
    buckets=FRESH,
)
SCORE_LATENCY_SECONDS = Histogram(
    "scorer_score_latency_seconds",
    "From the time that a door or the collector received an event until it was scored and what it brings"
    " about handed to Kafka. The events of a chunk count with the time of its first; imports are left out.",
    buckets=FRESH,
)
SCORE_OUTCOME_SECONDS = Histogram(
    "scorer_score_outcome_seconds",
    "The same until Kafka has acknowledged the outcomes: one observation for each chunk and topic of"
    " outcomes.",
    buckets=FRESH,
)
SCORE_OUTCOMES = Counter(
    "scorer_score_outcomes",
    "Outcomes sent: lead.qualified, lead.disqualified, lead.stage, lead.merged, lead.erased,"
    " account.qualified, account.disqualified; by cause (activity, time, rules, import, merge or none) and"
    f" reason: the rule that decided, score for the total alone; at most {NAMES} reasons, then other.",
    ["outcome", "cause", "reason"],
)
SCORE_REQUALIFIED = Counter(
    "scorer_score_requalified",
    "Qualified outcomes of leads of which an outcome had been sent before; with stages, a change of stage is"
    " one.",
)
SCORE_TOP_RULES = Counter(
    "scorer_score_qualified_by_rule",
    f"Qualified outcomes, by the rule that has contributed most points; at most {NAMES} rules, then other.",
    ["rule"],
)
SCORE_POINTS = Histogram(
    "scorer_score_points",
    "Total points of leads that have changed, at the checkpoint after it. From a sample of each checkpoint,"
    " weighted so that the count is that of changed leads; it is no census of all leads. There is no sum,"
    " since points may be below zero.",
    buckets=(-50, -20, -10, -5, 0, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 500),
)
SCORE_BANDS = Counter(
    "scorer_score_changed_by_band",
    f"Leads that have changed, by their band then; sampled like scorer_score_points; at most {NAMES} bands.",
    ["band"],
)
SCORE_STAGES = Counter(
    "scorer_score_changed_by_stage",
    "Leads that have changed, by their stage then; sampled like scorer_score_points.",
    ["stage"],
)
SCORE_GRADES = Counter(
    "scorer_score_changed_by_grade",
    f"Leads that have changed, by a score's grade then; sampled like scorer_score_points; at most {NAMES}"
    " grades over all scores. None where the rules have no grades.",
    ["score", "grade"],
)
SCORE_LEADS_CREATED = Counter(
    "scorer_score_leads_created",
    "Leads seen for the first time.",
    ["partition"],
)
SCORE_EVICTED_IDS = Counter(
    "scorer_score_evicted_ids",
    "Publishers' event ids forgotten before their 24 hours: raise `dedupe` in the rule file.",
    ["partition"],
)
SCORE_MACHINES = Counter(
    "scorer_score_machine_opens",
    "Opens and clicks that were a machine's, and counted as no reader's.",
    ["partition"],
)
SCORE_FORWARDED = Counter(
    "scorer_score_forwarded",
    "Facts passed on to the lead that theirs has become part of.",
    ["partition"],
)
SCORE_MERGED = Counter(
    "scorer_score_merged",
    "Leads that have become part of another.",
    ["partition"],
)
SCORE_TRIAL_OUTCOMES = Counter(
    "scorer_score_trial_outcomes",
    "Outcomes of leads while rules are tried: told by the rules in force (live), and what those that are"
    " tried would have told (shadow).",
    ["partition", "rules", "outcome"],
)
SCORE_TRIAL_FAILED = Counter(
    "scorer_score_trial_failed",
    "Leads for which our own code failed under the rules that are tried.",
    ["partition"],
)
SCORE_ACCOUNTS_CREATED = Counter(
    "scorer_score_accounts_created",
    "Accounts that a lead has been the first to belong to.",
    ["partition"],
)
SCORE_MEMBERS_REFUSED = Counter(
    "scorer_score_account_members_refused",
    "Reports of leads that their account has no room for: look for a domain that is no company's.",
    ["partition"],
)
SCORE_ERASED = Counter(
    "scorer_score_erased",
    "Leads whose person was forgotten.",
    ["partition"],
)
SCORE_SHUNNED = Counter(
    "scorer_score_shunned",
    "Facts passed over because their person was forgotten.",
    ["partition"],
)
SCORE_UNOPENED = Counter(
    "scorer_score_unopened_fields",
    "Sealed fields that an outcome was sent without, because their key is deleted.",
)
SCORE_LINKS_REFUSED = Counter(
    "scorer_score_links_refused",
    "Links that would give one person more identifiers than the rules allow: look for a shared device, or"
    " an integration that sends the same identifier for everybody.",
    ["partition"],
)
SCORE_SWEPT = Counter(
    "scorer_score_swept",
    "Idle leads taken past a change of rules or the end of an import.",
    ["partition"],
)
SCORE_POSITION = Gauge(
    "scorer_score_position",
    "Next offset of the lead log.",
    ["partition"],
)
SCORE_DURABLE_POSITION = Gauge(
    "scorer_score_durable_position",
    "Offset of the lead log from which a restart would go on.",
    ["partition"],
)
SCORE_LAG_RECORDS = Gauge(
    "scorer_score_lag_records",
    "Records of the lead log that are not yet applied.",
    ["partition"],
)
SCORE_LAG_SECONDS = Gauge(
    "scorer_score_lag_seconds",
    "While records are waiting: how long ago the one applied last was appended to the lead log. 0: none"
    " waits.",
    ["partition"],
)
SCORE_RULES_VERSION = Gauge(
    "scorer_score_rules_version",
    "Version of the rules in force in the partition; 0: none yet.",
    ["partition"],
)
SCORE_RULES_PARTITIONS = Gauge(
    "scorer_score_rules_partitions",
    "Partitions in which these rules are in force; the series of rules that are in force nowhere are gone.",
    ["version", "fingerprint"],
)
SCORE_RULES_NEWEST = Gauge(
    "scorer_score_rules_newest_version",
    "Newest version in lead.rules.v1, looked at every 30 s: a partition with an older one has yet to reach"
    " it.",
)
SCORE_RULES_WRITTEN = Gauge(
    "scorer_score_rules_newest_seconds",
    "When (Unix) the newest version was written to lead.rules.v1: the age of the rule file.",
)
SCORE_DOOR_CLOCK = Gauge(
    "scorer_score_door_clock_seconds",
    "Time (Unix) through which the lead log says that a door partition has been read; of this worker's"
    " partitions the one that is furthest behind. The earliest of them holds scorer_score_clock_seconds."
    " 0: nobody has said so yet.",
    ["door", "door_partition"],
)
SCORE_CLOCK = Gauge(
    "scorer_score_clock_seconds",
    "Time (Unix) through which every door has been read, as the log partition says; timers wait for it.",
    ["partition"],
)
SCORE_WAITING_TIMERS = Gauge(
    "scorer_score_waiting_timers",
    "Timers in memory, which are the next ones; some may be of the past and do nothing.",
    ["partition"],
)
SCORE_NEXT_TIMER = Gauge(
    "scorer_score_next_timer_seconds",
    "When (Unix) the earliest timer in memory is due, the grace not counted; 0: there is none. Earlier than"
    " now by more than the grace and some seconds: timers wait, for the clock.",
    ["partition"],
)
SCORE_LEAD_LOOKUPS = Counter(
    "scorer_score_lead_lookups",
    "Leads that were looked for because they were not in the newer half of the cache: found in the older"
    " half (older), in a checkpoint under way or on disk (stored), or nowhere (new). What is missing to"
    " scorer_score_records was found at once.",
    ["found"],
)
SCORE_UNSAVED_LEADS = Gauge(
    "scorer_score_unsaved_leads",
    "Changed leads in memory that are not durable.",
    ["partition"],
)
SCORE_STATE_BYTES = Gauge(
    "scorer_score_state_bytes",
    "Files of the local copy of the changelog.",
    ["partition"],
)
SCORE_PENDING_BYTES = Gauge(
    "scorer_score_pending_bytes",
    "Outcomes, views and changelog records handed to Kafka's client and not yet acknowledged.",
)
SCORE_CACHED_LEADS = Gauge(
    "scorer_score_cached_leads",
    "Decoded leads in memory.",
    ["partition"],
)
SCORE_STOPPED = Gauge(
    "scorer_score_stopped",
    "1: the partition goes no further because too many of its records failed; the log says why.",
    ["partition"],
)
SCORE_UNSWEPT = Gauge(
    "scorer_score_unswept",
    "1: idle leads are being taken past a change of rules or the end of an import.",
    ["partition"],
)
CHECKPOINT_AT = Gauge(
    "scorer_checkpoint_newest_seconds",
    "When (Unix) all that was applied by then was last known to be durable.",
    ["partition"],
)
CHECKPOINT_SECONDS = Histogram(
    "scorer_checkpoint_seconds",
    "From the cut until it is durable, of one partition.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
CHECKPOINT_CUT_SECONDS = Histogram(
    "scorer_checkpoint_cut_seconds",
    "The synchronous part of a checkpoint of one partition: nothing else runs meanwhile.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)
CHECKPOINT_LEADS = Counter(
    "scorer_checkpoint_leads",
    "Changed leads made durable.",
)
CHANGELOG_BYTES = Counter(
    "scorer_changelog_bytes",
    "Keys and values sent to the changelog.",
)
TAKEOVER_SECONDS = Gauge(
    "scorer_takeover_seconds",
    "The last assignment: from its arrival until its partitions were restored and ready.",
)
RESTORED = Counter(
    "scorer_restored_records",
    "Changelog records read to restore local state.",
)
RESTORE_PLANNED = Gauge(
    "scorer_restore_planned_records",
    "Changelog offsets that the restore under way, or the last one, had to read.",
)
RESTORE_LEFT = Gauge(
    "scorer_restore_left_records",
    "Changelog offsets still to be read before scoring goes on; 0: none.",
)

# -- collector: from HTTP to the lead log. Summed over its processes. -------------------------------

COLLECTOR_REQUEST_SECONDS = Histogram(
    "scorer_collector_request_seconds",
    "From a request's head until its answer is handed to the connection, by the kind of the key (- for"
    " requests without one of ours): cloudevents, segment, snippet, pixel, a vendor's name and so on.",
    ["source"],
    buckets=ANSWERED,
)
COLLECTOR_REFUSED = Counter(
    "scorer_collector_refused_requests",
    "Requests refused as a whole, by the code that the answer names.",
    ["code"],
)
COLLECTOR_BUFFER_BYTES = Gauge(
    "scorer_collector_buffer_bytes",
    "Taken and not yet acknowledged by Kafka, at most: where scorer_collector_pending_bytes reaches it,"
    " requests are answered with 503.",
    multiprocess_mode="livesum",
)

COLLECTOR_REQUESTS = Counter(
    "scorer_collector_requests",
    "Requests answered, by the publisher's key (- for none of ours) and status.",
    ["key", "status"],
)
COLLECTOR_EVENTS = Counter(
    "scorer_collector_events",
    "Events of requests: accepted (acknowledged by Kafka), unknown (answered with 503) or why not.",
    ["key", "outcome"],
)
COLLECTOR_LEAD_KEYS = Counter(
    "scorer_collector_lead_keys",
    "Keys for sealed fields made: leads of whom nothing was sealed before.",
)
COLLECTOR_ACKNOWLEDGED_SECONDS = Histogram(
    "scorer_collector_acknowledged_seconds",
    "From taking an event until Kafka has acknowledged it, of a sample of requests.",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
COLLECTOR_PENDING_BYTES = Gauge(
    "scorer_collector_pending_bytes",
    "Taken and not yet acknowledged by Kafka.",
    multiprocess_mode="livesum",
)
COLLECTOR_CONNECTIONS = Gauge(
    "scorer_collector_connections",
    "Open connections of clients.",
    multiprocess_mode="livesum",
)
COLLECTOR_READY = Gauge(
    "scorer_collector_ready_processes",
    "Processes that take events.",
    multiprocess_mode="livesum",
)
