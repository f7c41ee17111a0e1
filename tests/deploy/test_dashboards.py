"""The dashboards in the repository are those of their sources, and nothing can be said against them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from deploy.grafana import written
from deploy.grafana.lint import panels, problems
from deploy.grafana.lint_queries import names
from scorer import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
PROVISIONING = Path(written.__file__).parent / "provisioning"


def test_the_dashboards_in_the_repository_are_what_their_sources_say() -> None:
    assert written.stale() == [], "make dashboards"
    assert written.texts() == written.texts()


@pytest.fixture(scope="module")
def boards() -> list[Json]:
    return written.boards()


def test_there_is_nothing_to_find_fault_with(boards: list[Json]) -> None:
    assert problems(boards) == []


def test_every_metric_is_drawn_somewhere(boards: list[Json]) -> None:
    drawn = {
        name
        for board in boards
        for panel in panels(board)
        for target in panel["targets"]
        for name in names(target["expr"])
    }
    ends = ("", "_total", "_bucket")
    drawn.add("scorer_build_info")  # an annotation
    left_out = {
        one._name
        for one in vars(metrics).values()
        if isinstance(one, MetricWrapperBase) and not drawn & {one._name + end for end in ends}
    }
    assert left_out == set()


def test_grafana_finds_the_dashboards_and_the_data_source() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/scorer.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert {path.stem for path in written.FOLDER.glob("*.json")} == {
        board["uid"] for board in written.boards()
    }


# -- and the lint finds what it is for ------------------------------------------------------------


def first(board: Json, kind: str = "stat") -> Json:
    found: Json = next(panel for panel in board["panels"] if panel["type"] == kind)
    return found


def asks(query: str, **more: Any) -> Callable[[Json], object]:
    """The dashboard's first tile asks something else."""
    return lambda board: first(board)["targets"][0].update({"expr": query} | more)


ONE = 'scorer_score_records_total{job=~"$job"}'
WRONG: dict[str, tuple[Callable[[Json], object], str]] = {
    "uid": (lambda board: board.update(uid="scorer-worker"), "uid of several dashboards"),
    "id": (lambda board: first(board).update(id=3), "panel id 3 is there twice"),
    "title": (lambda board: first(board).update(title="Scored within 1 s"), "is there twice"),
    "overlap": (lambda board: first(board)["gridPos"].update(w=7), "overlap"),
    "width": (lambda board: first(board)["gridPos"].update(x=20), "is not within the grid"),
    "unit": (lambda board: first(board)["fieldConfig"]["defaults"].pop("unit"), "no unit"),
    "description": (lambda board: first(board).update(description="Events"), "no description"),
    "legend": (asks('sum (up{job=~"$job"})', legendFormat=""), "has no legend"),
    "legend's label": (
        asks(f"sum (rate({ONE}[$__rate_interval]))", legendFormat="{{partition}}"),
        "the legend names",
    ),
    "colours": (lambda board: first(board)["fieldConfig"]["defaults"].pop("thresholds"), "no colour"),
    "no data": (
        lambda board: first(board)["fieldConfig"]["defaults"].update(mappings=[]),
        "does not look bad",
    ),
    "range": (asks('sum (up{job=~"$job"})', instant=False), "may be an hour old"),
    "source": (
        lambda board: first(board).update(datasource={"type": "prometheus", "uid": "x"}),
        "data source",
    ),
    "variable": (lambda board: board["templating"]["list"].pop(0), "can't be chosen"),
    "links": (lambda board: board.update(links=[]), "no links"),
    "marks": (lambda board: board["annotations"].update(list=[]), "no annotations"),
    "unreadable": (asks("sum (up{)"), "can't be read"),
    "metric": (asks('sum (scorer_score_recods{job=~"$job"})'), "scorer_score_recods is not exported"),
    "label": (asks('sum (scorer_score_position{job=~"$job",door="x"})'), "has no label door"),
    "by": (asks('sum by (door) (scorer_score_position{job=~"$job"})'), "aggregates by door"),
    "job": (asks("sum (scorer_score_position)"), "is not limited to $job"),
    "lines": (asks('scorer_score_position{job=~"$job"}'), "is not aggregated"),
    "counter": (asks(f"sum ({ONE})"), "is a counter"),
    "gauge": (asks('sum (rate(scorer_score_position{job=~"$job"}[$__rate_interval]))'), "a gauge"),
    "window": (asks(f"sum (rate({ONE}[5m]))"), "rate over [5m]"),
    "quantile": (
        asks(
            "histogram_quantile(0.9, sum (rate("
            'scorer_score_latency_seconds_bucket{job=~"$job"}[$__rate_interval])))'
        ),
        "not summed by le",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_lint_finds(name: str, boards: list[Json]) -> None:
    boards = copy.deepcopy(boards)
    plant, said = WRONG[name]
    plant(boards[0])
    assert said in "\n".join(problems(boards))
