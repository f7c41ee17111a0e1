"""The cases of Prometheus' rules, as ``promtool test rules`` reads them: deploy/prometheus/tests."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from deploy.prometheus import make
from tests.support.prometheus import tool

FILES = sorted((Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "tests").glob("*.yaml"))
_FIRING = re.compile(r'alertname="(\w+)"')


class Case(NamedTuple):
    name: str
    """Begins with the alert's: "ScorerX fires ..." or "ScorerX stays quiet ..."."""
    firing: frozenset[str]
    """The alerts that fire in it at some time."""


@cache
def cases() -> tuple[Case, ...]:
    found = []
    for path in FILES:
        for case in yaml.safe_load(path.read_text())["tests"]:
            labels = [one["labels"] for test in case["promql_expr_test"] for one in test["exp_samples"]]
            found.append(Case(case["name"], frozenset(_FIRING.findall(" ".join(labels)))))
    return tuple(found)


def with_both_cases() -> set[str]:
    """Alerts with a case in which they fire and one in which they do not."""
    fires = {name for name, firing in cases() for one in firing if name.startswith(f"{one} fires")}
    return {
        alert.name
        for alert in make.alerts()
        if any(name.startswith(f"{alert.name} fires") for name in fires)
        and any(name.startswith(f"{alert.name} stays quiet") for name, _ in cases())
    }


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(tool("promtool")), *map(str, arguments)], capture_output=True, text=True, check=False
    )
