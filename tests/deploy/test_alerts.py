"""Prometheus' rules: what they ask for exists, each alert has its cases and its page, and promtool agrees."""

from __future__ import annotations

import itertools
import re
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from deploy.prometheus import make
from deploy.prometheus.rule import Alert, Recorded
from deploy.prometheus.timing import PRODUCTION, shortened, text
from scorer import metrics
from scorer.cli import scorer
from tests.deploy.alert_cases import FILES, cases, promtool, with_both_cases
from tests.support.prometheus import tool

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ALERTS = {alert.name: alert for alert in make.alerts()}
SHORTENED = shortened(60)
_METRIC = re.compile(r"\bscorer_\w+")
_RECORDED = re.compile(r"\bscorer:\w+:\w+")
COUNTED = re.compile(r"partitions\)|:workers")
"""Whole numbers, which are shown as they are."""
needs_promtool = pytest.mark.skipif(tool("promtool") is None, reason="there is no promtool: make prometheus")


# -- the file ------------------------------------------------------------------------------------------


def test_the_file_is_what_the_python_beside_it_makes() -> None:
    assert RULES.read_text() == make.rendered(), "make alerts"


@needs_promtool
@pytest.mark.parametrize("timing", [PRODUCTION, SHORTENED], ids=["production", "shortened"])
def test_prometheus_takes_the_rules(timing: Any, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(make.rendered(timing))
    checked = promtool("check", "rules", tmp_path / "rules.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "SUCCESS" in checked.stdout


@needs_promtool
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_cases_hold(path: Path) -> None:
    run = promtool("test", "rules", path)
    assert run.returncode == 0, run.stdout + run.stderr


@needs_promtool
def test_a_case_that_does_not_hold_is_noticed(tmp_path: Path) -> None:
    """An alert that looks at another series than it should."""
    rules = make.rendered()
    broken = rules.replace("scorer_score_faults_total unless", "scorer_score_position unless")
    assert broken != rules
    (tmp_path / "rules.yaml").write_text(broken)
    file = yaml.safe_load(next(path for path in FILES if path.stem == "causes").read_text())
    file["tests"] = [case for case in file["tests"] if case["name"].startswith("ScorerCodeFails fires")]
    file["rule_files"] = ["rules.yaml"]
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(file))
    run = promtool("test", "rules", tmp_path / "cases.yaml")
    assert run.returncode == 1
    assert "ScorerCodeFails" in run.stdout + run.stderr


# -- every alert ---------------------------------------------------------------------------------------


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    for name in ALERTS:
        fires = [case for case, firing in cases() if case.startswith(f"{name} fires") and name in firing]
        quiet = [case for case, firing in cases() if case.startswith(f"{name} stays quiet")]
        assert fires, f"{name}: no case in which it fires"
        assert quiet, f"{name}: no case in which it stays quiet"
        loud = [case for case, firing in cases() if case.startswith(f"{name} stays quiet") and name in firing]
        assert not loud
    assert with_both_cases() == ALERTS.keys()


def test_every_case_is_of_an_alert_that_there_is() -> None:
    for case, firing in cases():
        assert case.split()[0] in ALERTS, case
        assert firing <= ALERTS.keys(), case


@pytest.mark.parametrize("alert", ALERTS.values(), ids=lambda alert: alert.name)
def test_an_alert_says_in_words_what_is_broken(alert: Alert) -> None:
    assert alert.severity in {"page", "ticket"}
    assert 20 < len(re.sub(r"{{.*?}}", "", alert.summary)) < 110
    assert alert.description.strip().endswith(".")
    assert "scorer_" not in alert.summary + alert.description, "nobody knows metrics by heart at night"
    for shown in re.findall(r"{{[^}]*\$value[^}]*}}", alert.summary):
        assert "humanize" in shown or "count" in alert.expr or COUNTED.search(alert.expr) or " lt " in shown


@pytest.mark.parametrize("alert", ALERTS.values(), ids=lambda alert: alert.name)
def test_an_alert_leads_to_its_page_in_the_runbook(alert: Alert) -> None:
    section = sections()[alert.name]
    address = alert.yaml("docs/runbook.md")["annotations"]["runbook_url"]
    assert address == f"docs/runbook.md#{alert.name.lower()}"
    first = section.strip().splitlines()[0]
    assert first.startswith("**Page.**" if alert.severity == "page" else "**Ticket.**")
    wanted = ["Look", "Do", "Why"] + (["How bad", "Wake"] if alert.severity == "page" else [])
    for word in wanted:
        assert f"- **{word}:**" in section, f"{alert.name} does not say: {word}"


def test_the_runbook_has_no_page_of_an_alert_that_is_gone() -> None:
    assert sections().keys() == ALERTS.keys()


def sections() -> dict[str, str]:
    parts = re.split(r"^## (\w+)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# -- what is named exists ------------------------------------------------------------------------------


@cache
def exported() -> frozenset[str]:
    """Names of all series that are served."""
    found: set[str] = set()
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name = metric._name
            if isinstance(metric, Histogram):
                found |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
            else:
                found.add(f"{name}_total" if metric._type == "counter" else name)
    return frozenset(found)


def recorded() -> set[str]:
    rules = itertools.chain.from_iterable(make.groups().values())
    return {rule.name for rule in rules if isinstance(rule, Recorded)}


@pytest.mark.parametrize("group", make.groups().values(), ids=make.groups().keys())
def test_rules_ask_for_series_that_there_are(group: list[Recorded | Alert]) -> None:
    before: set[str] = set()
    for rule in group:
        assert set(_METRIC.findall(rule.expr)) <= exported(), rule.name
        assert set(_RECORDED.findall(rule.expr)) <= recorded(), rule.name
        if isinstance(rule, Recorded):
            # What is recorded further down is a whole evaluation old.
            used = set(_RECORDED.findall(rule.expr)) - {rule.name}
            assert used <= before, rule.name
            before.add(rule.name)


def test_the_boundaries_of_the_promises_are_boundaries_of_buckets() -> None:
    rules = RULES.read_text()
    for name, le in re.findall(r'(scorer_\w+)_bucket{le="([\d.]+)"}', rules):
        buckets = next(
            metric._upper_bounds
            for metric in vars(metrics).values()
            if isinstance(metric, Histogram) and metric._name == name
        )
        assert le in {str(float(bound)) for bound in buckets}


def test_labels_that_rules_ask_for_exist() -> None:
    labels = {
        metric._name: set(metric._labelnames) | {"le", "job", "instance"}
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
    }
    for name, matchers in re.findall(r"\b(scorer_\w+){([^}]*)}", RULES.read_text()):
        metric = re.sub(r"_(bucket|sum|count|total)$", "", name)
        known = labels.get(metric) or labels[name]
        assert set(re.findall(r"(\w+)(?:=|!)", matchers)) <= known, name


def test_the_runbook_names_series_and_labels_that_there_are() -> None:
    for name in _METRIC.findall(RUNBOOK):
        assert name in exported(), name
    for name in _RECORDED.findall(RUNBOOK):
        assert name in recorded(), name


def test_commands_of_the_runbook_exist() -> None:
    named = re.findall(r"`scorer ([a-z][^`]*)`", " ".join(RUNBOOK.split()))
    assert len(named) > 10
    for words in named:
        command: click.Command = scorer
        rest = words.split()
        context = click.Context(command)
        while rest and isinstance(command, click.Group) and not rest[0].startswith("-"):
            found = command.get_command(context, rest[0])
            if found is None:
                break
            command, rest = found, rest[1:]
        assert command is not scorer, words
        options = {option for parameter in command.params for option in parameter.opts}
        for word in rest:
            if word.startswith("--"):
                assert word in options, f"scorer {words}"


def test_settings_of_the_runbook_exist() -> None:
    from scorer.settings import Settings

    for name in re.findall(r"`SCORER_([A-Z_]+)`", RUNBOOK):
        assert name.lower() in Settings.__struct_fields__, name


# -- shorter -------------------------------------------------------------------------------------------


def test_shortened_rules_are_the_same_rules() -> None:
    assert [alert.name for alert in make.alerts(SHORTENED)] == list(ALERTS)


def test_as_many_seconds_of_outage_fire_as_in_production() -> None:
    usual, short = PRODUCTION.fast, SHORTENED.fast
    assert usual.rate * usual.budget * usual.long == pytest.approx(short.rate * short.budget * short.long)


def test_durations_are_written_as_prometheus_does() -> None:
    assert [text(seconds) for seconds in (90, 60, 3600, 86_400, 7 * 86_400)] == [
        "90s",
        "1m",
        "1h",
        "1d",
        "7d",
    ]
