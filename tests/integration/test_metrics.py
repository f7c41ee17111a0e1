"""What a running worker and a running collector serve at /metrics, against docs/metrics.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scorer.cli.options import default_rules
from scorer.settings import Settings
from tests.bench.road import WorkerProcess, wait_until
from tests.bench.workload import APP, BOOKING, PAGE
from tests.integration.road_running import prepare_road
from tests.support.collecting import BASIC, Client, CollectorProcess, track
from tests.support.intake import Publisher, event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kafka_fixtures import RunningKafka

PAGE_OF_METRICS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
OTHERS = ("python_", "process_")
"""What Prometheus' library says of any Python process."""
ROW = re.compile(r"^\| `(scorer_\w+)` \| (\w+) \| ([^|]*) \|", re.MULTILINE)


class Row(NamedTuple):
    type: str
    labels: frozenset[str]


def documented() -> dict[str, Row]:
    return {
        name: Row(type_, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, type_, labels in ROW.findall(PAGE_OF_METRICS.read_text("utf-8"))
    }


def check(text: str) -> set[str]:
    """Fails where something served is not on the page, or not as there; returns the names with samples."""
    rows = documented()
    found = set()
    for family in text_string_to_metric_families(text):
        if family.name.startswith(OTHERS):
            continue
        name = family.name + ("_total" if family.type == "counter" else "")
        assert name in rows, f"{name} is served and not in docs/metrics.md"
        assert family.documentation, f"{name} has no HELP"
        assert family.type == rows[name].type, name
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == rows[name].labels, sample
            found.add(name)
    return found


def missing(text: str, names: Iterable[str]) -> set[str]:
    return set(names) - check(text)


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


def busy(worker: WorkerProcess, stage: str) -> float:
    """Seconds that the worker's loop has told for a stage."""
    return worker.metrics()["scorer_worker_loop_seconds_total"][(stage,)]


def publish(settings: Settings) -> None:
    publisher = Publisher(settings)
    for number in range(20):
        lead = f"lead-{number}"
        publisher.send(PAGE, event(PAGE, lead))
        publisher.send(APP, event(APP, lead, type="app.project_created", data={}))
        publisher.send(BOOKING, event(BOOKING, lead, type="booking.created", data={"kind": "call"}))
    publisher.send(PAGE, b"no JSON")
    publisher.flush()


def test_whatever_is_served_is_on_the_page(settings: Settings, tmp_path: Path) -> None:
    prepare_road(settings, default_rules())
    with (
        WorkerProcess(settings, tmp_path / "worker") as worker,
        CollectorProcess(settings, tmp_path / "collector") as collector,
    ):
        collector.ready()
        wait_until(worker.ready, 60, "the worker is ready")
        with Client(collector.port) as client:
            for number in range(5):
                assert client("/v1/track", track(number), BASIC).status == 200
            assert client("/v1/track", track(9)).status == 401
        publish(settings)

        def said() -> bool:
            served = worker.metrics()
            newest = served.get("scorer_score_rules_newest_version", {}).get((), 0)
            return worker.total("scorer_score_outcome_seconds_count") > 0 and newest == 1

        wait_until(said, 60, "outcomes are acknowledged")
        # Every series of the worker, but for what has not happened.
        never = {
            "scorer_score_faults_total",
            "scorer_score_dead_letters_total",
            "scorer_score_changed_by_grade_total",
            "scorer_worker_backpressure_seconds_total",
        }
        theirs = {name for name in documented() if not name.startswith("scorer_collector_")} - never
        wait_until(lambda: not missing(worker.page("/metrics"), theirs), 60, "all of them are told")
        told = "scorer_score_qualified_by_rule_total"
        wait_until(lambda: worker.total(told) >= 20, 60, "every qualified outcome is told")
        served = worker.metrics()
        assert sum(served["scorer_score_outcomes_total"].values()) >= 20
        assert served["scorer_intake_rejected_total"][(PAGE, "not_json")] == 1
        assert served["scorer_score_rules_partitions"]
        assert served["scorer_worker_rebalances_total"][("score",)] >= 1
        latency = sum(served["scorer_score_latency_seconds_count"].values())
        assert 60 <= latency <= sum(served["scorer_score_facts_total"].values())
        for stage in ("step", "intake", "poll", "wait"):
            # Told once a second: what was published last may not be in them yet.
            wait_until(lambda stage=stage: busy(worker, stage) > 0, 60, f"time spent in {stage}")
        assert served["scorer_worker_ready"][()] == 1
        assert all(size > 0 for size in served["scorer_score_state_bytes"].values())

        mine = {name for name in documented() if name.startswith("scorer_collector_")} | {"scorer_build_info"}

        def theirs_told() -> bool:
            return not missing(collector.status("/metrics")[1], mine)

        wait_until(theirs_told, 30, "all of the collector's are told")
        text = collector.status("/metrics")[1]
        assert 'scorer_collector_request_seconds_count{source="segment"} 5.0' in text
        assert 'scorer_collector_refused_requests_total{code="unknown_key"} 1.0' in text
        assert not re.search(r"^scorer_(score|intake|worker)", text, re.MULTILINE)
