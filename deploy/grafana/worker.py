"""A worker, or all of them: what holds it up, and whether it is safe to end it."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards import Board, Row, wide
from deploy.grafana.expressions import or_nothing, or_zero
from deploy.grafana.parts import ANY_IS_BAD, BAD, COUNT, DIM, GOOD, MIND, Graph, Tile
from deploy.grafana.worker_keeping import DURABLE, LEADS, PARTITION, RULES, TIMERS, of, rates, worst

NOW: Final = (
    Tile(
        title="Ready",
        say="Worker processes that have restored what they own and score.",
        query=of.total("sum", "scorer_worker_ready"),
        name="ready",
        unit="short",
        steps=((None, BAD), (1, GOOD)),
        decimals=0,
    ),
    Tile(
        title="Clock behind",
        say="How far the slowest partition's clock is behind now. Timers wait for it. Its door is in the"
        " graph of door clocks.",
        query=of.age("scorer_score_clock_seconds"),
        name="behind",
        unit="s",
        steps=((None, GOOD), (10, MIND), (60, BAD)),
        decimals=1,
    ),
    Tile(
        title="Waiting in the lead log",
        say="Records of the lead log that are not yet applied. What a worker can't work off grows here.",
        query=of.total("sum", "scorer_score_lag_records"),
        name="records",
        unit="short",
        steps=((None, GOOD), (100_000, MIND), (10_000_000, BAD)),
    ),
    Tile(
        title="Oldest checkpoint",
        say="How long ago all that a partition had applied was last durable. A restart goes on from there."
        " Normal are a few seconds.",
        query=of.age("scorer_checkpoint_newest_seconds"),
        name="age",
        unit="s",
        steps=((None, GOOD), (30, MIND), (120, BAD)),
        decimals=1,
    ),
    Tile(
        title="Left to restore",
        say="Changelog records still to be read before scoring goes on. 0: nothing is being restored.",
        query=of.total("sum", "scorer_restore_left_records"),
        name="records",
        unit="short",
        steps=((None, GOOD), (1, MIND)),
    ),
    Tile(
        title="Stopped or failing",
        say="Stopped partitions, and records of this time range at which our own code failed. Anything but"
        " 0 is a bug: the worker's log says more.",
        query=f"{of.total('sum', 'scorer_score_stopped')}"
        f" + ({or_zero(of.gained('scorer_score_faults_total'), of.workers)})",
        name="stopped or failed",
        unit="short",
        steps=ANY_IS_BAD,
        decimals=0,
    ),
)
FLOW: Final = (
    Graph(
        title="Read from doors",
        say="Records a second that intake reads, by door, those that become dead letters included.",
        queries={"{{door}}": of.rate("scorer_intake_records_total", by=("door",))},
        unit="eps",
        stack=True,
    ),
    Graph(
        title="Applied from the lead log",
        say="Records a second: all of them, control records included, and those that changed a lead.",
        queries=rates(records="scorer_score_records_total", facts="scorer_score_facts_total"),
        unit="eps",
    ),
    Graph(
        title="Left out, or late",
        say="Facts a second that changed nothing, and why: a duplicate is a publisher's second try,"
        " redelivered is what a restart reads twice. Late facts count, but what time alone decides was"
        " decided without them.",
        queries=rates(
            duplicates="scorer_score_duplicates_total",
            redelivered="scorer_score_redelivered_total",
            late="scorer_score_late_facts_total",
            undecodable="scorer_score_undecodable_total",
            of_the_forgotten="scorer_score_shunned_total",
            forgotten_event_ids="scorer_score_evicted_ids_total",
        ),
        unit="eps",
    ),
    Graph(
        title="Dead letters, by reason",
        say="Records that could not be used and are kept, in each interval: of the doors, and of the lead"
        " log.",
        queries={
            "door: {{reason}}": or_nothing(
                of.gained("scorer_intake_rejected_total", by=("reason",), over="$__interval"),
                of.workers,
                "reason",
            ),
            "lead log: {{reason}}": of.gained(
                "scorer_score_dead_letters_total", by=("reason",), over="$__interval"
            ),
        },
        unit=COUNT,
        bars=True,
        stack=True,
        fastest="1m",
    ),
)
FRESH: Final = (
    Graph(
        title="From event to score",
        say="From being received until scored, and until Kafka has the outcome, for those with one.",
        queries={
            "scored, 99.9%": of.quantile(0.999, "scorer_score_latency_seconds"),
            "scored, 50%": of.quantile(0.5, "scorer_score_latency_seconds"),
            "outcome acknowledged, 99%": of.quantile(0.99, "scorer_score_outcome_seconds"),
        },
        unit="s",
        log=True,
        limit=1,
        width=24,
    ),
    Graph(
        title="Door clocks: how far behind",
        say="Through when each door has been read, as the lead log knows it. The highest line is the door"
        " that holds every timer: its intake worker, or that door's broker, is what to look at. Told every"
        " 5 s, so teeth of 5 s are normal.",
        queries={"{{door}}": of.age("scorer_score_door_clock_seconds", by=("door",))},
        unit="s",
    ),
    Graph(
        title="Door partitions more than 10 s behind",
        say="How far behind intake is with a partition of a door, the ten worst: which one it is that holds"
        " its door's clock.",
        queries={
            "{{door}} {{partition}}": or_nothing(
                f"{worst(of.age('scorer_intake_read_through_seconds', 'min', ('door', 'partition')))} > 10",
                of.workers,
                "door",
                "none",
            )
        },
        unit="s",
    ),
    Graph(
        title="Waiting before intake",
        say="Records in each door that intake has not read and acknowledged. A door that grows has more"
        " coming in than its workers take, or none of them has it.",
        queries={"{{door}}": of.total("sum", "scorer_intake_backlog_records", ("door",))},
        unit="short",
        stack=True,
    ),
    Graph(
        title="Newest record of a door, age",
        say="How long ago the newest record of each door was written. A line that rises where it never did"
        " is a source that has fallen silent.",
        queries={"{{door}}": of.age("scorer_intake_newest_seconds", "min", ("door",))},
        unit="s",
    ),
    Graph(
        title="Waiting in the lead log, seconds",
        say="How old the record is that was applied last, where more of them wait. The ten worst partitions.",
        queries={"partition {{partition}}": worst(of.total("max", "scorer_score_lag_seconds", PARTITION))},
        unit="s",
    ),
    Graph(
        title="Waiting in the lead log, records",
        say="Records not yet applied. The ten worst partitions: one line far above is one busy lead or one"
        " slow worker, all of them together are too few workers.",
        queries={"partition {{partition}}": worst(of.total("max", "scorer_score_lag_records", PARTITION))},
        unit="short",
    ),
)
TIME: Final = (
    Graph(
        title="Where the event loop's time goes",
        say="100% is one worker's whole time, and wait is what it has to spare. A worker whose wait is"
        " nearly 0 is at its limit.",
        queries={
            "{{stage}}": of.rate("scorer_worker_loop_seconds_total", by=("stage",), stage="!~poll|checkpoint")
        },
        unit="percentunit",
        stack=True,
        colors={"wait": DIM},
    ),
    Graph(
        title="Beside the loop, and held back",
        say="Share of one worker's time: fetching and the local store, which have threads of their own; and"
        " how long nothing was fetched because too much was not yet acknowledged or durable. That is Kafka"
        " or the disk being slow.",
        queries={
            "thread: {{stage}}": of.rate(
                "scorer_worker_loop_seconds_total", by=("stage",), stage="~poll|checkpoint"
            ),
            "held back: {{part}}": or_nothing(
                of.rate("scorer_worker_backpressure_seconds_total", by=("part",)), of.workers, "part"
            ),
        },
        unit="percentunit",
    ),
    Graph(
        title="Kafka's answer to what is sent",
        say="From handing a batch to Kafka's client until all in-sync replicas have it, 99 of 100, by topic.",
        queries={"{{topic}}": of.quantile(0.99, "scorer_worker_append_seconds", ("topic",))},
        unit="s",
        log=True,
    ),
    Graph(
        title="Processors in use",
        say="Of each worker. Its loop can use one, its threads a little more.",
        queries={
            "{{instance}}": f"sum by (instance) (rate({of('process_cpu_seconds_total')}[$__rate_interval]))"
        },
        unit="short",
    ),
)
BOARD: Final = Board(
    uid="scorer-worker",
    title="Scorer: worker",
    say="What workers are busy with, what they wait for, and what is safe on disk.",
    since="now-1h",
    instances="scorer_worker_ready",
    rows=(
        Row("Now", NOW),
        Row("What flows", FLOW),
        Row("How fresh", FRESH),
        Row("Where time goes", TIME),
        Row("What is safe", wide(8, *DURABLE)),
        Row("What time alone decides", TIMERS),
        Row("Leads", wide(8, *LEADS)),
        Row("Rules", RULES),
    ),
)
