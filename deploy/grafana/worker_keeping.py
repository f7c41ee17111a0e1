"""The lower half of the worker's dashboard: what is safe, what time alone decides, leads and rules."""

from __future__ import annotations

from typing import Final

from deploy.grafana.expressions import Scope, or_nothing
from deploy.grafana.parts import BAD, COUNT, Graph

of: Final = Scope("job", "instance")
PARTITION: Final = ("partition",)
MOST: Final = 10
"""Lines of one graph: of a thousand partitions the worst are of interest."""


def worst(query: str, most: int = MOST) -> str:
    return f"topk({most}, {query})"


def quantiles(histogram: str, *by: str) -> dict[str, str]:
    prefix = "".join(f"{{{{{label}}}}}, " for label in by)
    return {
        f"{prefix}99%": of.quantile(0.99, histogram, by),
        f"{prefix}50%": of.quantile(0.5, histogram, by),
    }


def rates(**metrics: str) -> dict[str, str]:
    return {name.replace("_", " "): of.rate(metric) for name, metric in metrics.items()}


def waiting(direction: str) -> str:
    """Timers of the past by how much, s, where they wait for the clock."""
    due = of("scorer_score_next_timer_seconds")
    return f"{direction} (timestamp({due}) - ({due} > 0))"


DURABLE: Final = (
    Graph(
        title="Checkpoints",
        say="From the cut until it is durable, and the cut alone, during which nothing else runs.",
        queries={
            "durable, 99%": of.quantile(0.99, "scorer_checkpoint_seconds"),
            "durable, 50%": of.quantile(0.5, "scorer_checkpoint_seconds"),
            "cut, 99%": of.quantile(0.99, "scorer_checkpoint_cut_seconds"),
        },
        unit="s",
        log=True,
    ),
    Graph(
        title="Not yet durable",
        say="Leads changed in memory since their last checkpoint, and records applied since; a restart"
        " applies them again. A sawtooth is normal.",
        queries={
            "leads": of.total("sum", "scorer_score_unsaved_leads"),
            "records": "sum (clamp_min("
            f"{of('scorer_score_position')} - {of('scorer_score_durable_position')}, 0))",
        },
        unit="short",
    ),
    Graph(
        title="Not yet acknowledged",
        say="Bytes handed to Kafka's client: intake's for the lead log and dead letters, score's outcomes,"
        " views and changelog.",
        queries={
            "intake": of.total("sum", "scorer_intake_pending_bytes"),
            "score": of.total("sum", "scorer_score_pending_bytes"),
        },
        unit="bytes",
    ),
    Graph(
        title="Written to the changelog",
        say="Bytes a second to the changelog, from which another worker would restore.",
        queries={
            "bytes to the changelog": of.rate("scorer_changelog_bytes_total"),
        },
        unit="Bps",
    ),
    Graph(
        title="Leads saved a second",
        say="Changed leads made durable, and idle leads taken past a change of rules.",
        queries=rates(saved="scorer_checkpoint_leads_total", swept="scorer_score_swept_total"),
        unit="short",
    ),
    Graph(
        title="Last takeover",
        say="Seconds from the last assignment's arrival until its partitions were restored and ready: so"
        " long their leads stood still.",
        queries={
            "{{instance}}": of.total("max", "scorer_takeover_seconds", ("instance",)),
        },
        unit="s",
    ),
    Graph(
        title="Restored records",
        say="Changelog records a second read to restore, and how many of this restore are left of those"
        " planned.",
        queries={
            "read a second": of.rate("scorer_restored_records_total"),
            "left": of.total("sum", "scorer_restore_left_records"),
            "planned": of.total("sum", "scorer_restore_planned_records"),
        },
        unit="short",
    ),
    Graph(
        title="Partitions assigned",
        say="Partitions of the lead log (score) and of the doors (intake) that the workers chosen have, and"
        " door partitions that nobody reads until `scorer topics apply` has numbered them.",
        queries={
            "{{part}}": of.total("sum", "scorer_worker_partitions", ("part",)),
            "not numbered": of.total("max", "scorer_intake_unnumbered_partitions"),
        },
        unit="short",
        colors={"not numbered": BAD},
    ),
    Graph(
        title="Rebalances",
        say="Assignments in each interval. Without a deployment they are workers that die or are too slow"
        " to answer.",
        queries={
            "{{part}}": of.gained("scorer_worker_rebalances_total", by=("part",), over="$__interval"),
        },
        unit=COUNT,
        bars=True,
        stack=True,
        fastest="1m",
    ),
)
TIMERS: Final = (
    Graph(
        title="Timers fired",
        say="Instants a second at which time alone decided something.",
        queries=rates(fired="scorer_score_timers_total"),
        unit="short",
    ),
    Graph(
        title="Timers: how late",
        say="After their instant and the grace. The dashed line is the promise, 5 seconds.",
        queries=quantiles("scorer_score_timer_late_seconds"),
        unit="s",
        log=True,
        limit=5,
    ),
    Graph(
        title="Timers in memory",
        say="The next ones of each partition; later ones are on disk.",
        queries={"in memory": of.total("sum", "scorer_score_waiting_timers")},
        unit="short",
    ),
    Graph(
        title="Next timer, from its instant",
        say="Seconds since the earliest timer in memory was due; below 0 it is still to come. Above 0 by"
        " more than the grace and some seconds: timers wait for the clock.",
        queries={"earliest": waiting("max")},
        unit="s",
        floor=False,
    ),
)
LEADS: Final = (
    Graph(
        title="Leads looked for",
        say="Leads a second that were not in the newer half of the cache, by where they were found. Many"
        " stored ones: the cache is too small for who is active.",
        queries={"{{found}}": of.rate("scorer_score_lead_lookups_total", by=("found",))},
        unit="short",
        stack=True,
    ),
    Graph(
        title="Leads in memory",
        say="Decoded leads in memory, by worker.",
        queries={"{{instance}}": of.total("sum", "scorer_score_cached_leads", ("instance",))},
        unit="short",
    ),
    Graph(
        title="Disk and memory",
        say="Files of the local copy of the changelog, by worker, and the memory that its process uses.",
        queries={
            "{{instance}}: disk": of.total("sum", "scorer_score_state_bytes", ("instance",)),
            "{{instance}}: memory": of.total("sum", "process_resident_memory_bytes", ("instance",)),
        },
        unit="bytes",
    ),
    Graph(
        title="New leads and accounts",
        say="Seen for the first time, in each interval.",
        queries={
            "leads": of.gained("scorer_score_leads_created_total", over="$__interval"),
            "accounts": of.gained("scorer_score_accounts_created_total", over="$__interval"),
        },
        unit=COUNT,
        bars=True,
        stack=True,
        fastest="1m",
    ),
    Graph(
        title="Who is who",
        say="In each interval: leads that became part of another, facts passed on to it, links and account"
        " members refused. Many refusals: a shared device, or an integration that sends one identifier for"
        " everybody.",
        queries={
            name: of.gained(metric, over="$__interval")
            for name, metric in {
                "merged": "scorer_score_merged_total",
                "facts passed on": "scorer_score_forwarded_total",
                "links refused": "scorer_score_links_refused_total",
                "account members refused": "scorer_score_account_members_refused_total",
            }.items()
        },
        unit=COUNT,
        bars=True,
        stack=True,
        fastest="1m",
    ),
    Graph(
        title="Forgotten, and sealed",
        say="In each interval: people forgotten, keys made to seal what identifies a person, and sealed"
        " fields that an outcome went without because the key is deleted.",
        queries={
            name: of.gained(metric, over="$__interval")
            for name, metric in {
                "people forgotten": "scorer_score_erased_total",
                "keys made": "scorer_intake_lead_keys_total",
                "fields not opened": "scorer_score_unopened_fields_total",
            }.items()
        },
        unit=COUNT,
        bars=True,
        stack=True,
        fastest="1m",
    ),
)
RULES: Final = (
    Graph(
        title="Rules in force, partitions by version",
        say="Which version of the rules is in force in how many partitions, and the newest that there is."
        " More than one version for long: a partition does not get on.",
        queries={
            "version {{version}} ({{fingerprint}})": of.total(
                "sum", "scorer_score_rules_partitions", ("version", "fingerprint")
            ),
        },
        unit="short",
        stack=True,
    ),
    Graph(
        title="Versions behind, and sweeps",
        say="How many versions the slowest partition is behind the newest, and partitions in which idle"
        " leads are being taken past a change.",
        queries={
            "versions behind": f"{of.total('max', 'scorer_score_rules_newest_version')}"
            f" - {of.total('min', 'scorer_score_rules_version')}",
            "partitions swept": of.total("sum", "scorer_score_unswept"),
        },
        unit="short",
    ),
    Graph(
        title="Age of the rules",
        say="Since when the newest version has been there.",
        queries={"newest version": of.age("scorer_score_rules_newest_seconds", "min")},
        unit="s",
    ),
    Graph(
        title="Rules on trial",
        say="Outcomes in each interval of the rules in force (live) and of those that are tried (shadow);"
        " and leads for which our own code failed under the latter.",
        queries={
            "{{rules}}: {{outcome}}": or_nothing(
                of.gained("scorer_score_trial_outcomes_total", by=("rules", "outcome"), over="$__interval"),
                of.workers,
                "rules",
                "no trial",
            ),
            "failed": of.gained("scorer_score_trial_failed_total", over="$__interval"),
        },
        unit=COUNT,
        bars=True,
        fastest="1m",
    ),
)
