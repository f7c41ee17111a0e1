"""The forms of the dashboards' queries, worked out by Prometheus' own tool on series made up for it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.grafana.asking import buckets, named, step_of, substituted
from deploy.grafana.expressions import Scope, or_nothing, or_zero
from tests.support.prometheus import tool

if TYPE_CHECKING:
    from collections.abc import Mapping

all_of = Scope("job")
W1, W2 = '{job="scorer-worker",instance="w1"}', '{job="scorer-worker",instance="w2"}'
ALIVE = {f"scorer_worker_ready{W1}": "1x10", f"scorer_worker_ready{W2}": "1x10"}
LETTERS = "scorer_score_dead_letters_total"


def letters(instance: str, reason: str) -> str:
    return f'{LETTERS}{{job="scorer-worker",instance="{instance}",reason="{reason}"}}'


def check(folder: Path, series: Mapping[str, str], query: str, wanted: Mapping[str, float]) -> None:
    """``series``: a sample a minute from 0 on; asked at minute 10, for the ten minutes before."""
    asked = substituted(query, 60, 600, 60)
    test = {
        "rule_files": [],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f"round({asked}, 0.01)",
                        "eval_time": "10m",
                        "exp_samples": [{"labels": name, "value": value} for name, value in wanted.items()],
                    }
                ],
            }
        ],
    }
    path = folder / "test.json"  # JSON is YAML
    path.write_text(json.dumps(test))
    ran = subprocess.run(
        [str(tool("promtool")), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


GAINED = f"round({all_of.gained(LETTERS)})"
BY_REASON = f"round({all_of.gained(LETTERS, by=('reason',))})"


@pytest.mark.parametrize(
    ("series", "query", "wanted"),
    [
        pytest.param({letters("w1", "a"): "3 3 4 4 5 5 5 5 5 5 6"}, GAINED, {"{}": 3}, id="growth alone"),
        pytest.param(
            {letters("w1", "a"): "_x5 1 1 1 1 1"}, GAINED, {"{}": 1}, id="the first one of a series"
        ),
        pytest.param(
            {letters("w1", "a"): "3 3 4 4 5 5 5 5 5 5 5", letters("w2", "b"): "_x7 2 2 2"},
            BY_REASON,
            {'{reason="a"}': 2, '{reason="b"}': 2},
            id="one old, one new",
        ),
        pytest.param(
            {letters("w1", "a"): "7 8 0 1 1 1 1 1 1 1 1"}, GAINED, {"{}": 2}, id="a restart between"
        ),
        pytest.param({}, GAINED, {}, id="nobody counts"),
        pytest.param(ALIVE, or_zero(GAINED, all_of.workers), {"{}": 0}, id="nothing, and somebody is there"),
        pytest.param({}, or_zero(GAINED, all_of.workers), {}, id="nothing, and nobody is there"),
        pytest.param(
            ALIVE, or_nothing(BY_REASON, all_of.workers, "reason"), {'{reason="nothing"}': 0}, id="no reason"
        ),
        pytest.param(
            ALIVE | {letters("w1", "a"): "_x5 1 1 1 1 1"},
            or_nothing(BY_REASON, all_of.workers, "reason"),
            {'{reason="a"}': 1},
            id="a reason, and no other",
        ),
    ],
)
def test_counts(series: Mapping[str, str], query: str, wanted: Mapping[str, float], tmp_path: Path) -> None:
    check(tmp_path, series, query, wanted)


LATENCY = "scorer_score_latency_seconds"
FAST = all_of.within(LATENCY, "1.0", all_of.workers)


def observed(within: str, every: str) -> dict[str, str]:
    return {
        f'{LATENCY}_bucket{{job="scorer-worker",instance="w1",le="1.0"}}': within,
        f'{LATENCY}_count{{job="scorer-worker",instance="w1"}}': every,
    }


@pytest.mark.parametrize(
    ("series", "wanted"),
    [
        pytest.param(ALIVE | observed("0+3x10", "0+4x10"), {"{}": 0.75}, id="three of four"),
        pytest.param(ALIVE | observed("0x10", "0+4x10"), {"{}": 0}, id="none of them"),
        pytest.param(ALIVE | observed("5x10", "5x10"), {"{}": 1}, id="nothing to be late"),
        pytest.param({}, {}, id="nobody is there"),
    ],
)
def test_promises(series: Mapping[str, str], wanted: Mapping[str, float], tmp_path: Path) -> None:
    check(tmp_path, series, FAST, wanted)


def test_ages_are_as_of_the_scrape_and_of_what_is_known(tmp_path: Path) -> None:
    clock = {f"scorer_score_clock_seconds{W1}": "0+60x9 588", f"scorer_score_clock_seconds{W2}": "0x10"}
    check(tmp_path, clock, all_of.age("scorer_score_clock_seconds"), {"{}": 12})


def test_a_panel_asks_in_round_steps_no_closer_than_scrapes() -> None:
    assert step_of(3600, None, 15) == 15
    assert step_of(3600, "1m", 15) == 60
    assert step_of(7 * 86_400, None, 15) == 3600
    assert (
        substituted("rate(x[$__rate_interval]) offset $__interval", 60, 600, 15) == "rate(x[75s]) offset 60s"
    )


def test_buckets_are_taken_apart_and_series_named() -> None:
    from deploy.grafana.asking import Series

    told = [Series(le, {"le": le}, [(0, value)]) for le, value in (("+Inf", 9.0), ("1.0", 2.0), ("5.0", 6.0))]
    assert [(one.name, one.points) for one in buckets(told)] == [
        ("1.0", [(0, 2.0)]),
        ("5.0", [(0, 4.0)]),
        ("+Inf", [(0, 3.0)]),
    ]
    assert named("{{door}}: {{reason}}", {"door": "mail"}) == "mail: "
