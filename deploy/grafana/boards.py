"""A dashboard around its panels: where each stands, its variables, the way to the others, what marks time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.expressions import STEP, Scope
from deploy.grafana.parts import SOURCE, WIDTH, Part

TAG: Final = "scorer"
SEEN: Final = "1h"
"""Rules and versions that were there at any time in the hour before are no news: a worker has restarted."""


@dataclass(frozen=True)
class Row:
    """A heading, and panels below it, side by side as long as they fit."""

    title: str
    parts: Sequence[Part]


@dataclass(frozen=True, kw_only=True)
class Board:
    uid: str
    """Also the name of its file."""
    title: str
    say: str
    since: str
    """What it shows at first, such as now-1h."""
    instances: str | None = None
    """A metric that each process of its kind serves, where one of them can be chosen."""
    rows: Sequence[Row]

    def build(self) -> models.Dashboard:
        built = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.say)
            .tags([TAG])
            .readonly()
            .timezone("browser")
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .time(self.since, "now")
            .refresh("30s" if self.since != "now-7d" else "5m")
            .variables(self._variables())
            .annotations(_annotations())
            .link(
                dashboard.DashboardLink("Scorer")
                .type(models.DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .as_dropdown(False)  # noqa: FBT003 - one click
                .include_vars(False)  # noqa: FBT003 - a worker is no collector
                .keep_time(True)  # noqa: FBT003
            )
            .build()
        )
        built.panels = list(placed(self.rows))
        return built

    def _variables(self) -> list[Any]:
        jobs = "label_values(scorer_build_info, job)"
        found: list[Any] = [
            dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
            _choice("job", "Job", jobs),
        ]
        if self.instances is not None:
            every = Scope("job")(self.instances)
            found.append(_choice("instance", "Process", f"label_values({every}, instance)"))
        return found


def placed(rows: Sequence[Row]) -> list[models.Panel | models.RowPanel]:
    """Headings and panels from the top, numbered in their order."""
    found: list[models.Panel | models.RowPanel] = []
    y = 0
    for row in rows:
        if row.title:
            heading = dashboard.Row(row.title).id(len(found) + 1).build()
            heading.grid_pos = models.GridPos(h=1, w=WIDTH, x=0, y=y)
            found.append(heading)
            y += 1
        x = tallest = 0
        for part in row.parts:
            if x + part.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            panel = part.panel()
            panel.id_val = len(found) + 1
            panel.grid_pos = models.GridPos(h=part.height, w=part.width, x=x, y=y)
            found.append(panel)
            x, tallest = x + part.width, max(tallest, part.height)
        y += tallest
    return found


def wide(width: int, *parts: Part) -> list[Part]:
    """The same, of another width."""
    return [replace(part, width=width) for part in parts]


def _choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query({"query": query, "refId": name})
        .datasource(SOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)  # noqa: FBT003
        .include_all(True)  # noqa: FBT003
        .all_value(".*")
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


# -- what marks time --------------------------------------------------------------------------------


class _Marked(models.AnnotationQuery):
    """Grafana knows more of an annotation than its SDK."""

    def __init__(self, name: str, query: str, title: str, color: str) -> None:
        super().__init__(name=name, datasource=SOURCE, enable=True, icon_color=color, expr=query)
        self._more = {"titleFormat": name, "textFormat": title, "step": "60s", "useValueForTime": False}

    def to_json(self) -> dict[str, object]:
        return super().to_json() | self._more


class _Marks:
    """A builder for those."""

    def __init__(self, marked: _Marked) -> None:
        self._marked = marked

    def build(self) -> models.AnnotationQuery:
        return self._marked


def _annotations() -> list[Any]:
    return [
        _Marks(
            _Marked(
                "Rules changed",
                _news("scorer_score_rules_partitions", "version", "fingerprint"),
                "version {{version}}, fingerprint {{fingerprint}}",
                "purple",
            )
        ),
        _Marks(
            _Marked(
                "Deployed",
                _news("scorer_build_info", "job", "version", "compiled"),
                "{{job}} {{version}}, compiled: {{compiled}}",
                "yellow",
            )
        ),
    ]


def _news(metric: str, *labels: str) -> str:
    """Label values that were nowhere in the hour before."""
    one = Scope("job")(metric)
    by = f"group by ({', '.join(labels)})"
    return f"{by} ({one}) unless {by} (last_over_time({one}[{SEEN}] offset {STEP}))"
