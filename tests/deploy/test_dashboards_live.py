"""What the dashboards ask, asked of a real Prometheus that watches a running Scorer."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from deploy.grafana import written
from deploy.grafana.asking import Prometheus, Series
from deploy.grafana.lint import panels
from deploy.grafana.lint_queries import names
from deploy.grafana.preview import pages
from scorer.settings import Settings
from scorer.wire.registry import DISQUALIFIED, QUALIFIED
from tests.bench.figures import report
from tests.deploy.watched import SCRAPE, Watched, wait_for, watched
from tests.support.intake import end_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

Json = dict[str, Any]
PATIENCE = 60.0  # seconds until everything has happened at least once
SPAN = 300.0
"""s: a time range that begins before anything was there."""
OF_THE_RANGE = (
    *("Leads qualified", "Leads disqualified", "Events set aside"),
    *("Scored within 1 s", "Timers within 5 s", "Collector took"),
)
"""Tiles that have something to say of the time range with nobody left."""


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")


@pytest.fixture
def running(settings: Settings, tmp_path: Path) -> Iterator[Watched]:
    with watched(settings, tmp_path) as scorer:
        yield scorer


@pytest.fixture
def boards() -> dict[str, Json]:
    return {board["uid"]: board for board in written.boards()}


def asked(running: Watched, panel: Json, target: Json | None = None) -> list[Series]:
    now = time.time()
    prometheus = Prometheus(running.url, SCRAPE)
    if target is None:
        return prometheus.panel(panel, now - SPAN, now)
    return prometheus.target(panel, target, now - SPAN, now)


def silent(running: Watched, boards: dict[str, Json]) -> list[tuple[str, str, str]]:
    """Dashboard, panel and query of each query that returns no data."""
    return [
        (uid, panel["title"], target["refId"])
        for uid, board in boards.items()
        for panel in panels(board)
        for target in panel["targets"]
        if not any(series.points for series in asked(running, panel, target))
    ]


def tile(running: Watched, board: Json, title: str) -> float | None:
    """The number that it shows; None: no data."""
    found = asked(running, next(panel for panel in panels(board) if panel["title"] == title))
    return found[0].points[-1][1] if found else None


def not_exported(running: Watched, boards: dict[str, Json]) -> set[str]:
    """Names in queries that nobody serves."""
    served = running.exported().keys() | {"up"}
    queries = [
        *(
            target["expr"]
            for board in boards.values()
            for panel in panels(board)
            for target in panel["targets"]
        ),
        *(mark["expr"] for board in boards.values() for mark in board["annotations"]["list"]),
    ]
    families = {
        re.sub("_(bucket|count|sum)$", "", name) if name not in served else name
        for query in queries
        for name in names(query)
    }
    return families - served


def about(value: float | None, wanted: int) -> bool:
    """Prometheus guesses what was between its samples and the ends of the range: to some percent."""
    return value is not None and wanted > 0 and abs(value - wanted) <= max(0.08 * wanted, 2)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_panel_answers_tiles_say_what_kafka_says_and_nothing_looks_well_with_nobody_there(
    running: Watched, boards: dict[str, Json], settings: Settings, tmp_path: Path
) -> None:
    deadline = time.monotonic() + PATIENCE
    while (quiet := silent(running, boards)) and time.monotonic() < deadline:
        time.sleep(1)
    every = sum(len(panels(board)) for board in boards.values())
    report("panels_answering_ratio", round(1 - len({one[:2] for one in quiet}) / every, 4), "ratio")
    assert quiet == []
    assert not_exported(running, boards) == set()
    drawn = pages(Prometheus(running.url, SCRAPE), tmp_path / "pages", time.time(), SPAN / 60)
    assert [path.stem for path in drawn] == list(boards)
    assert not [path.stem for path in drawn if "No data" in path.read_text(encoding="utf-8")]

    running.traffic.stop()
    overview, collector = boards["scorer-overview"], boards["scorer-collector"]
    for title, topic in (("Leads qualified", QUALIFIED), ("Leads disqualified", DISQUALIFIED)):
        wait_for(
            lambda title=title, topic=topic: about(tile(running, overview, title), end_of(settings, topic)),
            lambda title=title, topic=topic: (title, tile(running, overview, title), end_of(settings, topic)),
        )
    assert (tile(running, overview, "Events set aside") or 0) > 0

    takes = "Processes that take events"
    assert tile(running, collector, takes) == 1
    running.collector.stop()
    wait_for(lambda: tile(running, collector, takes) is None, lambda: "a worker looks like a collector")
    for worker in running.workers:
        worker.kill()
    now = [
        panel["title"]
        for panel in panels(overview)
        if panel["type"] == "stat" and panel["title"] not in OF_THE_RANGE
    ]
    wait_for(
        lambda: not any(tile(running, overview, title) is not None for title in now),
        lambda: {title: tile(running, overview, title) for title in now},
    )
