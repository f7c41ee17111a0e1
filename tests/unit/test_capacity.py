"""The arithmetic of `scorer capacity`, beside slow and obvious references, and what the command says."""

from __future__ import annotations

import json
import random
from pathlib import Path
from statistics import mean

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.capacity.costs import MEASURED
from scorer.capacity.load import DAY_S, Load, Shape, usual_leads
from scorer.capacity.plan import TOPICS_LIKE_THE_LOG, plan
from scorer.capacity.popularity import groups, remembered, touched
from scorer.capacity.usage import Rate, usage
from scorer.cli.capacity import command
from scorer.errors import UserError
from scorer.wire.registry import LOG, Registry

DOCS = Path(__file__).parents[2] / "docs" / "capacity.md"
EXPONENTS = st.floats(0, 1.5)


def shares(leads: int, exponent: float) -> list[float]:
    weights = [rank**-exponent for rank in range(1, leads + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


@settings(deadline=None, max_examples=30)
@given(leads=st.integers(1, 5_000), exponent=EXPONENTS)
def test_groups_are_all_leads_and_all_events(leads: int, exponent: float) -> None:
    found = groups(leads, exponent)
    assert sum(group.leads for group in found) == pytest.approx(leads)
    assert sum(group.leads * group.share for group in found) == pytest.approx(1)


@settings(deadline=None, max_examples=30)
@given(leads=st.integers(1, 3_000), exponent=EXPONENTS, events=st.integers(1, 20_000))
def test_leads_touched_are_those_of_a_sum_over_each(leads: int, exponent: float, events: int) -> None:
    exact = sum(1 - (1 - share) ** events for share in shares(leads, exponent))
    # Poisson in the place of a binomial: where few leads make few events, that is a lead's difference.
    assert touched(groups(leads, exponent), events) == pytest.approx(exact, rel=0.01, abs=0.4)


@settings(deadline=None, max_examples=30)
@given(leads=st.integers(1, 3_000), exponent=EXPONENTS, known=st.integers(0, 100_000))
def test_what_leads_remember_is_bounded(leads: int, exponent: float, known: int) -> None:
    found = groups(leads, exponent)
    held = remembered(found, 1_000, known, 256)
    assert touched(found, 1_000) <= held * (1 + 1e-9)
    assert held <= touched(found, 1_000) * 256 * (1 + 1e-9)


def test_leads_touched_are_those_of_a_drawn_second() -> None:
    rng = random.Random(7)
    weights = shares(50_000, 0.9)
    drawn = [len(set(rng.choices(range(50_000), weights, k=1_500))) for _ in range(20)]
    assert touched(groups(50_000, 0.9), 1_500) == pytest.approx(mean(drawn), rel=0.01)


@pytest.mark.parametrize(("leads", "exponent"), [(0.5, 1.0), (10, -1.0)])
def test_no_leads_are_refused(leads: float, exponent: float) -> None:
    with pytest.raises(ValueError, match="exponent"):
        groups(leads, exponent)


def test_usage_by_hand() -> None:
    """One lead: each checkpoint writes it once, and it remembers as much as it may."""
    rate = Rate(events=100, known=1_000_000, workers=2, partitions=4, doors=10, checkpoint=2.0)
    found = usage(rate, groups(1, 0), MEASURED)
    assert found.writes == pytest.approx(0.5)
    assert found.clock_bytes == 2 * 4 * MEASURED.clock_bytes + 4 * 10 * MEASURED.clock_door_bytes
    changelog = 0.5 * (MEASURED.state_bytes + 256 * MEASURED.id_bytes) + 2 * MEASURED.cut_bytes
    assert found.changelog_bytes == pytest.approx(changelog)
    us = 100 * (MEASURED.intake + MEASURED.score) + 0.5 * MEASURED.write + 2 * MEASURED.cut
    us += 8 * MEASURED.clock + 2 * MEASURED.idle
    assert found.cores == pytest.approx(us / 1e6)


@settings(deadline=None, max_examples=30)
@given(events=st.floats(1, 2e10), peak=st.floats(1, 5), used=st.floats(0.5, 0.9))
def test_a_plan_is_enough(events: float, peak: float, used: float) -> None:
    load = Load(events_per_day=events, leads=usual_leads(events), peak=peak)
    found = plan(load, Shape(used=used))
    assert found.worker_cores <= found.workers * used
    assert found.log_partitions >= found.workers
    assert found.workers >= 2
    assert found.brokers >= 3
    assert found.cost.all == pytest.approx(sum(found.cost))
    assert all(part >= 0 for part in found.cost)


@settings(deadline=None, max_examples=30)
@given(events=st.floats(1e5, 5e9), times=st.floats(1.1, 10))
def test_more_events_never_take_less(events: float, times: float) -> None:
    less, more = (plan(Load(events_per_day=n, leads=usual_leads(n))) for n in (events, events * times))
    assert more.workers >= less.workers
    assert more.brokers >= less.brokers
    assert more.collectors >= less.collectors
    assert sum(more.kept_gb.values()) > sum(less.kept_gb.values())


def test_the_log_holds_what_came_in() -> None:
    found = plan(Load(events_per_day=1e9, leads=2e8), Shape(log_days=100, replicas=2))
    assert found.kept_gb["lead log"] == pytest.approx(1e9 * 100 * 2 * MEASURED.log_bytes / 1e9)


def test_nothing_over_http_needs_no_collector() -> None:
    assert plan(Load(events_per_day=1e9, leads=2e8, single=0, batched=0)).collectors == 0


def test_the_documentation_shows_what_the_command_says() -> None:
    answer = CliRunner().invoke(command, [])
    assert answer.exit_code == 0
    shown = "".join(f"    {line}".rstrip() + "\n" for line in answer.output.splitlines())
    assert shown in DOCS.read_text()


def test_json_names_every_part() -> None:
    given_flags = ["--events-per-day", "1e8", "--leads", "3e6", "--core", "10", "--json"]
    answer = CliRunner().invoke(command, given_flags)
    found = json.loads(answer.output)
    assert found["load"]["leads"] == 3e6
    dearer = json.loads(CliRunner().invoke(command, [*given_flags[:-3], "--core", "20", "--json"]).output)
    assert dearer["plan"]["cost"]["collectors"] > found["plan"]["cost"]["collectors"]
    assert dearer["plan"]["cost"]["disk"] == found["plan"]["cost"]["disk"]
    assert set(found["plan"]["kept_gb"]) >= {"lead log", "doors", "changelog", "views"}


def test_more_than_all_events_is_refused() -> None:
    from scorer import cli

    assert cli.run(["capacity", "--single", "0.7", "--batched", "0.6"]) == 2


def test_what_no_installation_takes_is_said() -> None:
    answer = CliRunner().invoke(command, ["--events-per-day", "1e14"])
    assert isinstance(answer.exception, UserError)
    assert "more than one installation" in answer.exception.message


def test_topics_and_retention_are_those_of_the_registry() -> None:
    topics = Registry.load().topics
    like_the_log = [topic for topic in topics.values() if LOG in (topic.name, topic.partitions_of)]
    assert len(like_the_log) == TOPICS_LIKE_THE_LOG
    for name, days in (
        (LOG, Shape().log_days),
        ("activity.page.v1", Shape().door_days),
        ("lead.qualified.v1", Shape().outcome_days),
    ):
        assert float(topics[name].config["retention.ms"]) == days * DAY_S * 1_000
