"""Every metric of the system: its name, its type and what it means, once.

Set a metric per chunk or per second, never per record, and keep the labelled child
(``X.labels(...)``) instead of looking it up each time.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call] # a second sample per counter that nobody here asks for

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
RESTORE_LEFT = Gauge(
    "scorer_restore_left_records",
    "Changelog offsets still to be read before scoring goes on; 0: none.",
)

# -- collector: from HTTP to the lead log. Summed over its processes. -------------------------------

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
