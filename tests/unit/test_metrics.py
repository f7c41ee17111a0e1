"""The metrics' page, and what is kept in plain numbers before it gets there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from scorer import metrics
from scorer.tally import Tally
from scorer.worker.told import Named

ROOT = Path(__file__).resolve().parents[2]
UNITS = ("_seconds", "_bytes")
UNBOUNDED = {"lead", "id", "email", "account", "offset", "session"}


def defined() -> dict[str, MetricWrapperBase]:
    return {name: one for name, one in vars(metrics).items() if isinstance(one, MetricWrapperBase)}


def test_the_page_is_what_make_reference_makes_of_the_file() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "metrics-page"], capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs" / "metrics.md").read_text("utf-8") == made.stdout


def test_every_metric_has_a_name_of_ours_and_a_sentence() -> None:
    for one in defined().values():
        assert one._name.startswith("scorer_"), one._name
        assert one._documentation.endswith("."), one._name
        assert "|" not in one._documentation, one._name
        assert not one._name.endswith(("_total", "_count", "_sum", "_bucket")), one._name


def test_no_label_is_of_a_lead() -> None:
    for one in defined().values():
        assert not UNBOUNDED & set(one._labelnames), one._name


def test_a_histogram_names_its_unit() -> None:
    for one in defined().values():
        if isinstance(one, Histogram):
            assert one._name.endswith((*UNITS, "_points")), one._name


BOUNDS = (0.0, 0.5, 1.0, 10.0)


@given(st.lists(st.tuples(st.floats(-5, 20), st.integers(1, 5)), max_size=30))
def test_a_tally_counts_as_the_histogram_itself(values: list[tuple[float, int]]) -> None:
    registry = CollectorRegistry()
    slow = Histogram("slow", "One at a time.", buckets=BOUNDS, registry=registry)
    fast = Histogram("fast", "All at once.", buckets=BOUNDS, registry=registry)
    tally = Tally(BOUNDS)
    for number, (value, count) in enumerate(values):
        tally.add(value, count)
        for _ in range(count):
            slow.observe(value)
        if number % 7 == 0:
            tally.tell(fast)
    tally.tell(fast)
    for bound in (*BOUNDS, float("inf")):
        labels = {"le": "+Inf" if bound == float("inf") else str(bound)}
        assert registry.get_sample_value("fast_bucket", labels) == registry.get_sample_value(
            "slow_bucket", labels
        )
    found, wanted = (registry.get_sample_value(f"{name}_sum") for name in ("fast", "slow"))
    assert found is not None
    assert wanted is not None
    assert abs(found - wanted) < 1e-6


def test_names_of_the_rule_file_are_cut_off() -> None:
    registry = CollectorRegistry()
    counter = Counter("named", "By rule.", ["kind", "rule"], registry=registry)
    named = Named(counter, most=2)
    for rule in ("a", "b", "c", "d", "a"):
        named.of("x", rule).inc()
    named.of("y", "b").inc()

    def value(kind: str, rule: str) -> float | None:
        return registry.get_sample_value("named_total", {"kind": kind, "rule": rule})

    assert value("x", "a") == 2
    assert value("x", "b") == 1
    assert value("x", metrics.OTHER) == 2
    assert value("x", "c") is None
    assert value("y", "b") == 1
