"""What becomes of leads, for owners of the rule file. It counts outcomes; `scorer insights` counts leads."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards import Board, Row, wide
from deploy.grafana.expressions import DAY, Scope, or_nothing, or_zero
from deploy.grafana.parts import COUNT, GOOD, MIND, PLAIN, Bars, Graph, Heat, Tile

all_of: Final = Scope("job")
OUTCOMES, QUALIFIED, DISQUALIFIED = "scorer_score_outcomes_total", "lead.qualified", "lead.disqualified"
NEW, MACHINES = "scorer_score_leads_created_total", "scorer_score_machine_opens_total"
POINTS: Final = "scorer_score_points_bucket"
_workers: Final = all_of.workers


def most(query: str, count: int = 10) -> str:
    return f"sort_desc (topk ({count}, {query}))"


def daily(metric: str, label: str, **labels: str) -> str:
    """In the 24 hours before each instant."""
    return or_nothing(all_of.gained(metric, by=(label,), over=DAY, **labels), _workers, label)


def counted(title: str, say: str, query: str, name: str) -> Tile:
    return Tile(title=title, say=say, query=or_zero(query, _workers), name=name, unit=COUNT, decimals=0)


def step(name: str, query: str) -> str:
    """One bar of the funnel: a series of that name."""
    return f'label_replace({or_zero(query, _workers)}, "step", "{name}", "", "")'


NOW: Final = (
    counted(
        "New leads",
        "People seen for the first time in this time range. Visitors who say later who they are count once"
        " more when they become part of somebody known.",
        all_of.gained(NEW),
        "new",
    ),
    counted(
        "Qualified",
        "How often a lead became worth a call in this time range.",
        all_of.gained(OUTCOMES, outcome=QUALIFIED),
        "qualified",
    ),
    counted(
        "Of them with a past",
        "Those of the qualified of whom something had been said before: that they were qualified, no longer"
        " were, or had changed their stage.",
        all_of.gained("scorer_score_requalified_total"),
        "with a past",
    ),
    counted(
        "Disqualified",
        "How often a lead stopped being worth a call, or was sorted out.",
        all_of.gained(OUTCOMES, outcome=DISQUALIFIED),
        "disqualified",
    ),
    counted(
        "Machine opens ignored",
        "Opens and clicks by mail scanners and prefetching proxies: they gave nobody points.",
        all_of.gained(MACHINES),
        "ignored",
    ),
    Tile(
        title="Rule file",
        say="Version of the rules in force everywhere. Below the newest version, some partitions have yet"
        " to reach it; the worker dashboard shows them. Purple lines in the graphs are changes.",
        query=all_of.total("min", "scorer_score_rules_version"),
        name="version",
        unit="none",
        decimals=0,
        texts={"0": "none yet"},
    ),
)
FLOW: Final = (
    Bars(
        title="Funnel",
        say="What this time range has seen: people who are new, how often one became worth a call, and how"
        " often one stopped. They are not the same people: who is new today may qualify next month.",
        query=f"{step('1. new leads', all_of.gained(NEW))}"
        f" or {step('2. qualified', all_of.gained(OUTCOMES, outcome=QUALIFIED))}"
        f" or {step('3. disqualified', all_of.gained(OUTCOMES, outcome=DISQUALIFIED))}",
        name="{{step}}",
        unit=COUNT,
    ),
    Bars(
        title="Score distribution",
        say="Totals of leads that have changed in this time range, each time they did: a number on the axis"
        " is the upper end of its bar. A sample that stands for all changes, no census of all leads.",
        query=f"sum by (le) (increase({all_of(POINTS)}[$__range]))",
        name="{{le}}",
        unit=COUNT,
        buckets=True,
        width=16,
    ),
    Graph(
        title="Qualified per day, by what brought it about",
        say="In the 24 hours before each point. activity: something the lead did; time: something it did"
        " not do, or a penalty that faded; rules: a change of the rule file; import and merge: what became"
        " known later.",
        queries={"{{cause}}": daily(OUTCOMES, "cause", outcome=QUALIFIED)},
        unit=COUNT,
        stack=True,
    ),
    Graph(
        title="Disqualified per day, by reason",
        say="In the 24 hours before each point, by the rule that decided; score: the points fell below the"
        " exit threshold.",
        queries={"{{reason}}": daily(OUTCOMES, "reason", outcome=DISQUALIFIED)},
        unit=COUNT,
        stack=True,
    ),
)
WHY: Final = (
    Bars(
        title="Rules that qualify",
        say="Qualified leads of this time range by the rule that had given them most points, the ten first.",
        query=most(all_of.gained("scorer_score_qualified_by_rule_total", by=("rule",))),
        name="{{rule}}",
        unit=COUNT,
        color=GOOD,
    ),
    Bars(
        title="Reasons that disqualify",
        say="Disqualified leads of this time range by the rule that decided, the ten first; score: the"
        " points fell below the exit threshold.",
        query=most(all_of.gained(OUTCOMES, by=("reason",), outcome=DISQUALIFIED)),
        name="{{reason}}",
        unit=COUNT,
        color=MIND,
    ),
    Bars(
        title="Stages that leads are in",
        say="Leads that have changed in this time range, by the stage that they were in then, each time.",
        query=most(all_of.gained("scorer_score_changed_by_stage_total", by=("stage",))),
        name="{{stage}}",
        unit=COUNT,
    ),
    Bars(
        title="Bands: hot, warm, cold",
        say="Leads that have changed in this time range, by the temperature that the rules give them,"
        " each time.",
        query=most(all_of.gained("scorer_score_changed_by_band_total", by=("band",))),
        name="{{band}}",
        unit=COUNT,
    ),
    Bars(
        title="Grades",
        say="Leads that have changed in this time range, by the grade of each score, each time.",
        query=most(all_of.gained("scorer_score_changed_by_grade_total", by=("score", "grade")), 12),
        name="{{score}} {{grade}}",
        unit=COUNT,
    ),
    Bars(
        title="Where events come in",
        say="Events of this time range by door, a Kafka topic, or by the collector's key.",
        query=most(
            f"{all_of.gained('scorer_intake_records_total', by=('door',))}"
            f" or {all_of.gained('scorer_collector_events_total', by=('key',), outcome='accepted')}"
        ),
        name="{{door}}{{key}}",
        unit=COUNT,
    ),
)
TIME: Final = (
    Heat(
        title="Scores over time",
        say="Totals of leads that have changed, at each time: the brighter, the more. A bright band that"
        " moves after a purple line is what a change of rules did.",
        query=f"sum by (le) (increase({all_of(POINTS)}[$__interval]))",
        unit="short",
        fastest="1m",
    ),
    Graph(
        title="Machine opens ignored per day",
        say="In the 24 hours before each point. A jump is a mailing to companies whose scanners open"
        " everything.",
        queries={"ignored": or_zero(all_of.gained(MACHINES, over=DAY), _workers)},
        unit=COUNT,
        colors={"ignored": PLAIN},
    ),
    Graph(
        title="New leads per day",
        say="In the 24 hours before each point.",
        queries={"new": or_zero(all_of.gained(NEW, over=DAY), _workers)},
        unit=COUNT,
    ),
    Graph(
        title="Changes of stage per day, and all other outcomes",
        say="In the 24 hours before each point: what has been said of leads and of companies.",
        queries={"{{outcome}}": daily(OUTCOMES, "outcome", outcome="!~lead.qualified|lead.disqualified")},
        unit=COUNT,
    ),
)
BOARD: Final = Board(
    uid="scorer-marketing",
    title="Scorer: marketing",
    say="Who qualified, why, and how points are spread.",
    since="now-7d",
    rows=(Row("", NOW), Row("", FLOW), Row("Why", wide(8, *WHY)), Row("Over time", TIME)),
)
