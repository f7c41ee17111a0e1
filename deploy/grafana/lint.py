"""What a dashboard must have for a stranger to read it, and a query for it to mean what it seems to.

It judges the JSON as Grafana reads it, and knows nothing of how that was made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from deploy.grafana.lint_queries import of_query

Json = Mapping[str, Any]
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH: Final = 24
COLOURED: Final = frozenset({"stat", "gauge", "bargauge"})
LEAST_SAY: Final = 20
"""Characters of a description that says something."""


def problems(boards: Sequence[Json]) -> list[str]:
    """All that is wrong, a line each: which dashboard, which panel, what."""
    found = []
    for board in boards:
        found += [f"{board['title']}: {fault}" for fault in _of_board(board)]
    for what in ("uid", "title"):
        found += [f"{value}: {what} of several dashboards" for value in _twice(one[what] for one in boards)]
    return found


def panels(board: Json) -> list[Json]:
    """Those with queries; not headings."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def _of_board(board: Json) -> Iterator[str]:
    if not board.get("description"):
        yield "has no description"
    if board.get("timezone") != "browser":
        yield "times are not those of whoever looks"
    variables = {one["name"]: one for one in board["templating"]["list"]}
    if variables.get("datasource", {}).get("type") != "datasource":
        yield "the data source can't be chosen"
    for name, one in variables.items():
        if one["type"] == "query" and one.get("allValue") != ".*":
            yield f"variable {name}: All must match every value"
    if not any(
        link["type"] == "dashboards" and set(link["tags"]) <= set(board["tags"]) for link in board["links"]
    ):
        yield "no links to the dashboards of its tag"
    shown = board["panels"]
    for value in _twice(panel["id"] for panel in shown):
        yield f"panel id {value} is there twice"
    for value in _twice(panel["title"] for panel in panels(board)):
        yield f"the title {value!r} is there twice"
    yield from _grid(shown)
    for mark in board["annotations"]["list"]:
        everywhere = {name: one for name, one in variables.items() if name != "instance"}
        for fault in of_query(mark["expr"], mark["textFormat"], everywhere):
            yield f"annotation {mark['name']!r}: {fault}"
    if not board["annotations"]["list"]:
        yield "no annotations"
    for panel in panels(board):
        for fault in _of_panel(panel, variables):
            yield f"{panel['title']!r}: {fault}"


def _grid(shown: Sequence[Json]) -> Iterator[str]:
    for panel in shown:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > WIDTH or min(place["w"], place["h"]) < 1:
            yield f"{panel['title']!r} is not within the grid"
    for one, other in combinations(shown, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        if not apart:
            yield f"{one['title']!r} and {other['title']!r} overlap"


def _of_panel(panel: Json, variables: Mapping[str, Any]) -> Iterator[str]:
    say = panel.get("description", "")
    if len(say) < LEAST_SAY or not say.endswith("."):
        yield "no description, in sentences"
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] == "heatmap":
        defaults = {"unit": panel["options"]["yAxis"].get("unit")}
    if not defaults.get("unit"):
        yield "no unit"
    if panel["datasource"] != DATASOURCE:
        yield "its data source is not the dashboard's"
    targets = panel["targets"]
    if not targets:
        yield "no query"
    for value in _twice(target["refId"] for target in targets):
        yield f"query {value} is there twice"
    for target in targets:
        legend = target.get("legendFormat", "")
        if not legend or legend == "__auto":
            yield f"query {target['refId']} has no legend"
        if target["datasource"] != DATASOURCE:
            yield f"query {target['refId']} has a data source of its own"
        for fault in of_query(target["expr"], legend, variables):
            yield f"query {target['refId']}: {fault}"
    yield from _colours(panel, defaults, targets)


def _colours(panel: Json, defaults: Json, targets: Sequence[Json]) -> Iterator[str]:
    if panel["type"] not in COLOURED:
        style = defaults.get("custom", {}).get("thresholdsStyle", {}).get("mode", "off")
        if style != "off" and len(defaults.get("thresholds", {}).get("steps", ())) <= 1:
            yield "draws thresholds and has none"
        return
    steps = defaults.get("thresholds", {}).get("steps", ())
    if not steps or steps[0]["value"] is not None:
        yield "no colour for any value"
    values = [step["value"] for step in steps[1:]]
    if values != sorted(values):
        yield "thresholds do not rise"
    if not all(target["instant"] for target in targets):
        yield "asks for a range, whose last value may be an hour old"
    if panel["type"] == "stat":
        nothing = [
            one["options"]["result"]
            for one in defaults.get("mappings", ())
            if one["type"] == "special" and one["options"]["match"] == "null+nan"
        ]
        if not any(one.get("text") and one.get("color") == "red" for one in nothing):
            yield "no data does not look bad"


def _twice(values: Any) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]
