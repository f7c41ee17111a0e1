"""The report on events of which it is known what makes leads convert."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from scorer.backtest.report import Landmark, Report
from scorer.backtest.reporting import report
from scorer.backtest.running import backtest_events
from scorer.domain.model import encode_model
from scorer.rulefile import loads
from tests.support import planted_events
from tests.support.planted_events import COMPANION, DAY, IDLE, PREDICTIVE, RULES, WARNING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HORIZON = 30 * DAY


@contextmanager
def no_bar(_: str, __: int) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


def encoded(text: str) -> bytes:
    model = loads(text).model
    assert model is not None
    return encode_model(model)


def _report(lines: list[bytes], capacity: float | None = None) -> Report:
    with TemporaryDirectory() as folder:
        path = Path(folder, "events.jsonl")
        path.write_bytes(b"\n".join(lines))
        material = backtest_events(path, [encoded(RULES)], HORIZON, 1, no_bar)
        return report(material, "planted", HORIZON, capacity).report


def _landmark(whole: Report) -> Landmark:
    assert whole.today.landmark is not None
    return whole.today.landmark


@lru_cache
def effects() -> Report:
    return _report(planted_events.lines(4_000, planted_events.by_effect, seed=2))


@lru_cache
def jump(threshold: float) -> list[bytes]:
    return planted_events.lines(4_000, planted_events.by_threshold(threshold), seed=4, active=3)


def test_rules_that_predict_are_found_and_a_warning_too() -> None:
    said = {rule.rule: rule for rule in _landmark(effects()).rules}
    for rule in PREDICTIVE:
        assert said[rule].verdict == "tells buyers"
    assert said[WARNING].verdict == "tells non-buyers"
    assert not any(rule.contradicts for rule in said.values())


def test_rules_that_do_nothing_are_not_praised() -> None:
    said = {rule.rule: rule for rule in _landmark(effects()).rules}
    for rule in IDLE:
        assert said[rule].verdict == "tells nothing"
    assert said["Never"].verdict == "too few"


def test_a_rule_that_goes_along_with_a_good_one_is_not_praised_for_it() -> None:
    (companion,) = (rule for rule in _landmark(effects()).rules if rule.rule == COMPANION)
    # Those who have it do convert twice as often as the others.
    assert companion.having.interval.low > 1.4 * companion.lacking.interval.high
    assert companion.verdict != "tells buyers"
    assert companion.odds_interval is not None
    assert companion.odds_interval.low < 1 < companion.odds_interval.high


@pytest.mark.parametrize("threshold", [8.0, 12.0])
def test_the_interval_of_the_best_threshold_has_the_planted_one(threshold: float) -> None:
    best = _landmark(_report(jump(threshold))).best
    assert best is not None
    assert best.interval is not None
    assert best.interval.low <= threshold <= best.interval.high
    assert best.interval.high - best.interval.low < 8


def test_a_capacity_asks_for_the_lowest_threshold_that_fits() -> None:
    landmark = _landmark(_report(jump(12.0), capacity=30))
    assert landmark.best is not None
    assert landmark.best.by == "capacity"
    above = [point for point in landmark.thresholds if point.above >= landmark.best.above]
    assert max(point.weekly for point in above) <= 30
    below = [point for point in landmark.thresholds if point.above < landmark.best.above]
    assert below[-1].weekly > 30


def test_the_estimated_volume_is_near_the_number_of_announcements() -> None:
    today = effects().today
    assert today.landmark is not None
    # Weeks that have a Monday at their end; nobody is sent back and announced again here.
    weeks = today.weeks[1 : today.landmark.mondays]
    told = sum(week.qualified for week in weeks) / len(weeks)
    assert today.landmark.enter.weekly == pytest.approx(told, rel=0.25)


def test_higher_scores_convert_more() -> None:
    landmark = _landmark(effects())
    assert landmark.area is not None
    assert landmark.area.interval.low > 0.6
    assert landmark.tenths[0].lift > 2
    assert landmark.tenths[-1].lift < 0.7
    assert sum(tenth.converted.of for tenth in landmark.tenths) == landmark.converted.of
    (band,) = landmark.bands.values()
    assert band == landmark.converted


def test_announcements_are_counted_against_conversions() -> None:
    lines = jump(12.0)
    told = _report(lines).today
    assert told.announcements is not None
    assert told.announcements.precision.share > 0.5
    assert told.funnel.converted == sum(b"feedback.converted" in line for line in lines)
    assert told.announcements.recall.count == told.funnel.converted_after
