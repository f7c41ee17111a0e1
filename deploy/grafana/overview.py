"""Is all well? For somebody who has never seen Scorer, in ten seconds."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards import Board, Row
from deploy.grafana.expressions import Scope, or_nothing, or_zero
from deploy.grafana.parts import ANY_IS_BAD, BAD, COUNT, GOOD, MIND, Graph, Tile

all_of: Final = Scope("job")
READ, TAKEN = "scorer_intake_records_total", "scorer_collector_events_total"
ASIDE: Final = ("scorer_intake_rejected_total", "scorer_score_dead_letters_total")
OUTCOMES, QUALIFIED, DISQUALIFIED = "scorer_score_outcomes_total", "lead.qualified", "lead.disqualified"

_answers: Final = f"0 * count ({all_of('scorer_build_info')})"
"""0 where a worker or a collector answers."""
_events: Final = (
    f"sum (rate({all_of(READ)}[$__rate_interval]) or"
    f" rate({all_of(TAKEN, outcome='accepted')}[$__rate_interval]))"
)
_came: Final = (
    f"sum (increase({all_of(READ)}[$__range]) or increase({all_of(TAKEN, outcome='accepted')}[$__range]))"
)
_ready: Final = (
    f"sum ({all_of('scorer_worker_ready')}) / count ({all_of('up')}"
    f" and on (job) {all_of('scorer_worker_ready')})"
)
_taken: Final = f"sum (increase({all_of(TAKEN, outcome='accepted')}[$__range]))"
_answered: Final = f"sum (increase({all_of(TAKEN, outcome='~accepted|unknown')}[$__range]))"

FIRST: Final = (
    Tile(
        title="Events coming in",
        say="Events a second that doors and collectors take now. Red: none at all, so look at the"
        " publishers, then at the collector.",
        query=or_zero(_events, _answers),
        name="events a second",
        unit="eps",
        steps=((None, BAD), (0.001, GOOD)),
        width=6,
        height=5,
    ),
    Tile(
        title="Scores are behind by",
        say="How old the newest event is that surely counts in every score: up to then all doors have been"
        " read and scored. A few seconds are normal, 10 are late. Does it grow by a second each second,"
        " the clock stands still: the worker dashboard shows which door holds it.",
        query=all_of.age("scorer_score_clock_seconds"),
        name="seconds behind",
        unit="s",
        steps=((None, GOOD), (10, MIND), (60, BAD)),
        decimals=1,
        width=6,
        height=5,
    ),
    Tile(
        title="Events set aside",
        say="Share of all events of this time range that could not be used. They are kept as dead letters"
        " with the reason, and `scorer dead-letters` can send them again. Orange from 0.1%, red from 1%.",
        query=or_zero(f"{all_of.gained(*ASIDE)} / ({_came} > 0)", _answers),
        name="share set aside",
        unit="percentunit",
        steps=((None, GOOD), (0.001, MIND), (0.01, BAD)),
        width=6,
        height=5,
    ),
    Tile(
        title="Leads qualified",
        say="How often a lead has become worth a call in this time range. Neither good nor bad by itself; 0"
        " over a long time is odd.",
        query=or_zero(all_of.gained(OUTCOMES, outcome=QUALIFIED), all_of.workers),
        name="qualified",
        unit=COUNT,
        decimals=0,
        width=6,
        height=5,
    ),
)
SECOND: Final = (
    Tile(
        title="Workers ready",
        say="Share of worker processes that have restored their leads and score. Orange: some start,"
        " restore or are gone; the others go on, with their partitions too after a moment.",
        query=_ready,
        name="ready",
        unit="percentunit",
        steps=((None, BAD), (0.5, MIND), (1, GOOD)),
        decimals=0,
    ),
    Tile(
        title="Scored within 1 s",
        say="Share of events in this time range that were scored within a second of being received. The"
        " promise is 99.9%.",
        query=all_of.within("scorer_score_latency_seconds", "1.0", all_of.workers),
        name="within a second",
        unit="percentunit",
        steps=((None, BAD), (0.99, MIND), (0.999, GOOD)),
        decimals=2,
    ),
    Tile(
        title="Timers within 5 s",
        say="Share of what time alone decides, such as a lead that was silent for 30 days, that was decided"
        " within 5 seconds of its instant. The promise is 99.9%.",
        query=all_of.within("scorer_score_timer_late_seconds", "5.0", all_of.workers),
        name="within 5 s",
        unit="percentunit",
        steps=((None, BAD), (0.99, MIND), (0.999, GOOD)),
        decimals=2,
    ),
    Tile(
        title="Collector took",
        say="Share of the good events sent to the collector in this time range that it took for certain."
        " The rest was told to come again (503). The promise is 99.95%.",
        query=f"{_taken} / ({_answered} > 0) or {all_of.collectors} + 1",
        name="taken",
        unit="percentunit",
        steps=((None, BAD), (0.99, MIND), (0.9995, GOOD)),
        decimals=2,
        nobody="no collector",
    ),
    Tile(
        title="Partitions stopped",
        say="Partitions of the lead log that go no further because too many of their records failed in a"
        " row. Leads in them are not scored until somebody has read the worker's log.",
        query=all_of.total("sum", "scorer_score_stopped"),
        name="stopped",
        unit=COUNT,
        steps=ANY_IS_BAD,
        decimals=0,
    ),
    Tile(
        title="Leads disqualified",
        say="How often a lead has stopped being worth a call in this time range, or was sorted out.",
        query=or_zero(all_of.gained(OUTCOMES, outcome=DISQUALIFIED), all_of.workers),
        name="disqualified",
        unit=COUNT,
        decimals=0,
    ),
)
GRAPHS: Final = (
    Graph(
        title="Events a second, by where they come in",
        say="Doors are Kafka topics that publishers write to; collector keys are publishers that send by"
        " HTTP. A colour that ends is a source that has fallen silent.",
        queries={
            "{{door}}": all_of.rate(READ, by=("door",)),
            "collector: {{key}}": all_of.rate(TAKEN, by=("key",), outcome="accepted"),
        },
        unit="eps",
        stack=True,
    ),
    Graph(
        title="From event to score",
        say="How long events took from being received until they were scored: half of them, 99 of 100, and"
        " 999 of 1,000. The dashed line is the promise, a second. Each line of the scale is ten times the"
        " one below.",
        queries={
            f"{share} of events": all_of.quantile(q, "scorer_score_latency_seconds")
            for share, q in (("99.9%", 0.999), ("99%", 0.99), ("50%", 0.5))
        },
        unit="s",
        log=True,
        limit=1,
    ),
    Graph(
        title="Set aside, refused or failed",
        say="Events that did not count, by the reason. Set aside: dead letters, kept"
        " (docs/dead-letters.md); engine_error is a bug of ours, all others are a publisher's. Refused: the"
        " collector said no, and why.",
        queries={
            "set aside: {{reason}}": or_nothing(
                all_of.gained(*ASIDE, by=("reason",), over="$__interval"), _answers, "reason"
            ),
            "refused: {{outcome}}": all_of.gained(
                TAKEN, by=("outcome",), over="$__interval", outcome="!accepted"
            ),
        },
        unit=COUNT,
        bars=True,
        stack=True,
        fastest="1m",
    ),
    Graph(
        title="Qualified and disqualified",
        say="How many leads became worth a call in each interval, and below 0 how many stopped. A step"
        " right after a change of rules (purple line) is what the change did.",
        queries={
            name: or_zero(all_of.gained(OUTCOMES, over="$__interval", outcome=f"lead.{name}"), all_of.workers)
            for name in ("qualified", "disqualified")
        },
        unit=COUNT,
        bars=True,
        fastest="1m",
        down="disqualified",
        colors={"qualified": GOOD, "disqualified": MIND},
    ),
)
BOARD: Final = Board(
    uid="scorer-overview",
    title="Scorer: overview",
    say="Are events flowing, are scores fresh, is anything lost, who qualified.",
    since="now-1h",
    rows=(Row("", FIRST), Row("", SECOND), Row("", GRAPHS)),
)
