"""Asks a Prometheus what a panel asks, with variables and macros in their place as Grafana puts them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

Json = Mapping[str, Any]
POINTS: Final = 240
"""Of a graph, at most about."""
NICE: Final = (
    1,
    2,
    5,
    10,
    15,
    20,
    30,
    60,
    120,
    300,
    600,
    900,
    1200,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LEGEND: Final = re.compile(r"\{\{(\w+)\}\}")
TIMEOUT: Final = 30.0  # seconds


class Series(NamedTuple):
    name: str
    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]
    """Time (Unix) and value; one point where the panel asks for now."""


class Mark(NamedTuple):
    """What an annotation says."""

    at: float
    name: str
    text: str
    color: str


class Refused(Exception):  # noqa: N818 - what it is
    """Prometheus can't make anything of a query."""


@dataclass(frozen=True)
class Prometheus:
    url: str
    """Such as http://127.0.0.1:9090."""
    scrape: float = 15
    """s, from one scrape to the next, as the data source says."""

    def panel(self, panel: Json, since: float, until: float) -> list[Series]:
        """All series of a panel, in the order of its queries. Raises ``Refused``, ``OSError``."""
        return [one for target in panel["targets"] for one in self.target(panel, target, since, until)]

    def target(self, panel: Json, target: Json, since: float, until: float) -> list[Series]:
        step = step_of(until - since, panel.get("interval"), self.scrape)
        query = substituted(target["expr"], step, until - since, self.scrape)
        if target["instant"]:
            found = self.ask("query", query=query, time=until)
        else:
            # As Grafana does, so that the same instants are asked for again and again.
            start, end = since // step * step, until // step * step
            found = self.ask("query_range", query=query, start=start, end=end, step=step)
        told = [
            Series(named(target["legendFormat"], one["metric"]), one["metric"], _points(one)) for one in found
        ]
        return buckets(told) if target["format"] == "heatmap" else told

    def marks(self, board: Json, since: float, until: float) -> list[Mark]:
        """Instants at which an annotation begins."""
        step = step_of(until - since, None, self.scrape)
        start, end = since // step * step, until // step * step
        found = []
        for one in board["annotations"]["list"]:
            query = substituted(one["expr"], step, until - since, self.scrape)
            for series in self.ask("query_range", query=query, start=start, end=end, step=step):
                labels = series["metric"]
                last = 0.0
                for at, _ in _points(series):
                    if at - last > step:
                        found.append(
                            Mark(at, one["name"], named(one["textFormat"], labels), one["iconColor"])
                        )
                    last = at
        return found

    def ask(self, path: str, **parameters: str | float) -> list[dict[str, Any]]:
        """The series of one of Prometheus' answers."""
        request = Request(f"{self.url}/api/v1/{path}", urlencode(parameters).encode())  # noqa: S310 - its own
        try:
            with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except HTTPError as error:
            with error:
                raise Refused(f"{parameters['query']}: {error.read().decode(errors='replace')}") from error
        return result


def step_of(span: float, fastest: str | None, scrape: float) -> int:
    """Seconds from point to point: a round number, no smaller than a panel's own or the scrapes' distance."""
    least = max(span / POINTS, scrape, seconds(fastest) if fastest else 0)
    return next((one for one in NICE if one >= least), NICE[-1])


def substituted(query: str, step: float, span: float, scrape: float) -> str:
    """With every variable set to All."""
    rate = max(step + scrape, 4 * scrape)
    values = {
        "$__rate_interval": f"{rate:.0f}s",
        "$__interval": f"{step:.0f}s",
        "$__range": f"{span:.0f}s",
        "$job": ".*",
        "$instance": ".*",
    }
    for name, value in values.items():
        query = query.replace(name, value)
    return query


def seconds(duration: str) -> float:
    """Of such as 1m."""
    return float(duration[:-1]) * _SECONDS[duration[-1]]


def named(legend: str, labels: Mapping[str, str]) -> str:
    return _LEGEND.sub(lambda found: labels.get(found[1], ""), legend)


def buckets(told: Sequence[Series]) -> list[Series]:
    """What each bucket holds alone, the smallest first."""
    rising = sorted(told, key=lambda one: float(one.labels["le"]))
    found = []
    below: dict[float, float] = {}
    for one in rising:
        now = dict(one.points)
        alone = [(at, max(value - below.get(at, 0), 0)) for at, value in now.items()]
        found.append(Series(one.name, one.labels, alone))
        below = now
    return found


def _points(one: Json) -> list[tuple[float, float]]:
    """Without those that are no number, which Grafana does not draw either."""
    raw = one["values"] if "values" in one else [one["value"]]
    return [(float(at), float(value)) for at, value in raw if not isnan(float(value))]
