"""What a real Prometheus says over real workers and collectors, with the rules of ``deploy`` made shorter."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

from deploy.prometheus.make import rendered
from tests.support.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from deploy.prometheus.timing import Timing

SCRAPE = 2
"""Seconds between two looks at everybody. On a busy machine a page of metrics takes its time."""
FIRING = 'ALERTS{alertstate="firing"}'


class Fired(NamedTuple):
    """An alert that fired, once from beginning to end. Unix seconds."""

    name: str
    labels: str
    began: float
    ended: float


class Watch(Prometheus):
    """Asks ``jobs``: name -> where their metrics are. Killed at the end of the block."""

    def __init__(self, folder: Path, jobs: Mapping[str, Sequence[str]], timing: Timing) -> None:
        super().__init__(folder, jobs, SCRAPE, rendered(timing))

    def _ask(self, path: str, **query: object) -> Any:
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(query)}", timeout=20) as answer:  # noqa: S310 - our own
            return json.load(answer)["data"]["result"]

    def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series, as of now."""
        return [(one["metric"], float(one["value"][1])) for one in self._ask("query", query=expr)]

    def firing(self) -> dict[str, str]:
        """Name -> what else its labels say, of those that fire now."""
        return {labels["alertname"]: _shown(labels) for labels, _ in self.query(FIRING)}

    def fired(self, since: float, until: float | None = None) -> list[Fired]:
        """All that have fired from then on, each time for itself, in the order in which they began."""
        end = until or time.time()
        found = []
        for series in self._ask("query_range", query=FIRING, start=since, end=end, step=1):
            times = [float(at) for at, _ in series["values"]]
            began = times[0]
            for before, at in zip(times, [*times[1:], float("inf")], strict=True):
                if at - before > 1.5:
                    name = series["metric"]["alertname"]
                    found.append(Fired(name, _shown(series["metric"]), began, before))
                    began = at
        return sorted(found, key=lambda one: one.began)


def _shown(labels: Mapping[str, str]) -> str:
    left_out = {"__name__", "alertname", "alertstate", "job"}
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name not in left_out)
