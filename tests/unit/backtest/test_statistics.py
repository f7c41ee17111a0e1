"""The statistics of the backtest, against published values and against slow obvious ways to compute them."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import exp, log, sqrt
from random import Random

import pytest

from scorer.backtest import lift, ranking, stratified, thresholds
from scorer.backtest.intervals import quantile, wilson
from scorer.backtest.stratified import Table
from scorer.backtest.thresholds import Crossing


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
        # Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_those_of_the_literature(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_at_the_edges() -> None:
    assert wilson(0, 0) == (0, 1)
    assert wilson(7, 7).high == 1
    assert quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


def _area(scores: list[float], converts: list[bool]) -> float:
    pairs = [
        (1.0 if a > b else 0.5 if a == b else 0.0)
        for a, yes in zip(scores, converts, strict=True)
        if yes
        for b, no in zip(scores, converts, strict=True)
        if not no
    ]
    return sum(pairs) / len(pairs)


def test_the_area_and_its_variance_by_hand() -> None:
    # Converting leads at 3 and 1, others at 2, 1 and 0: (1 + 1 + 1 + 0 + 1/2 + 1) / 6.
    found = ranking.components([3, 1, 2, 1, 0], [True, True, False, False, False])
    assert found is not None
    assert found.area == pytest.approx(4.5 / 6)
    assert found.converted == pytest.approx([1, 0.5])
    assert found.others == pytest.approx([0.5, 0.75, 1])
    # S10 = 0.125, S01 = 0.0625.
    spread = quantile(0.95) * sqrt(0.125 / 2 + 0.0625 / 3)
    assert ranking.area(found).interval == pytest.approx((0.75 - spread, 1))


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_the_share_of_pairs_in_order(seed: int) -> None:
    rng = Random(seed)
    scores = [float(rng.randrange(12)) for _ in range(80)]
    converts = [rng.random() < 0.3 for _ in scores]
    found = ranking.components(scores, converts)
    assert found is not None
    assert found.area == pytest.approx(_area(scores, converts))


def test_the_difference_of_two_scores_that_agree_is_certain() -> None:
    rng = Random(3)
    scores = [rng.random() for _ in range(60)]
    converts = [rng.random() < score for score in scores]
    one = ranking.components(scores, converts)
    other = ranking.components([score * 7 for score in scores], converts)
    none = ranking.components([rng.random() for _ in scores], converts)
    assert one is not None
    assert other is not None
    assert none is not None
    assert ranking.difference(one, other) == (0, (0, 0))
    worse = ranking.difference(one, none)
    assert worse.area < 0
    assert worse.interval.low < worse.area < worse.interval.high


def test_an_area_needs_two_of_each() -> None:
    assert ranking.components([1, 2, 3], [True, False, False]) is None
    assert ranking.components([], []) is None


def test_the_common_odds_ratio_of_one_table_is_its_own() -> None:
    odds = stratified.odds_ratio([Table(10, 90, 5, 95)], 0.95)
    assert odds is not None
    assert odds.ratio == pytest.approx(10 * 95 / (90 * 5))
    # In one stratum the variance is Woolf's: 1/a + 1/b + 1/c + 1/d.
    spread = quantile(0.95) * sqrt(1 / 10 + 1 / 90 + 1 / 5 + 1 / 95)
    middle = log(odds.ratio)
    assert odds.interval == pytest.approx((exp(middle - spread), exp(middle + spread)))


def test_the_common_odds_ratio_of_published_strata() -> None:
    # Berkeley's admissions of 1973 by department: P. J. Bickel, E. A. Hammel and J. W. O'Connell, Science 187
    # (1975): (men admitted, men rejected, women admitted, women rejected). Overall men seem favoured (1.84),
    # by department they are not (0.905).
    departments = [
        Table(512, 313, 89, 19),
        Table(353, 207, 17, 8),
        Table(120, 205, 202, 391),
        Table(138, 279, 131, 244),
        Table(53, 138, 94, 299),
        Table(22, 351, 24, 317),
    ]
    odds = stratified.odds_ratio(departments, 0.95)
    assert odds is not None
    assert odds.ratio == pytest.approx(0.9047, abs=5e-5)
    assert odds.interval == pytest.approx((0.7719, 1.0603), abs=5e-4)
    crude = stratified.odds_ratio([Table(*map(sum, zip(*departments, strict=True)))])
    assert crude is not None
    assert crude.ratio == pytest.approx(1.841, abs=5e-4)


def test_pairs_give_the_ratio_of_discordant_ones() -> None:
    # Matched pairs: the Mantel-Haenszel ratio is that of the discordant ones, McNemar's.
    pairs = [Table(1, 0, 0, 1)] * 30 + [Table(0, 1, 1, 0)] * 12 + [Table(1, 0, 1, 0)] * 50
    odds = stratified.odds_ratio(pairs)
    assert odds is not None
    assert odds.ratio == pytest.approx(30 / 12)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (Table(60, 40, 30, 170), "tells buyers"),
        (Table(10, 190, 60, 140), "tells non-buyers"),
        (Table(500, 1500, 505, 1495), "tells nothing"),
        (Table(3, 20, 30, 170), "too few"),
        (Table(2, 1, 1, 200), "too few"),
        (Table(0, 200, 40, 160), "too few"),
    ],
)
def test_verdicts(table: Table, said: str) -> None:
    assert stratified.verdict([table], stratified.odds_ratio([table])) == said


def test_strata_in_which_all_leads_are_alike_count_for_nothing() -> None:
    alone = Table(900, 100, 0, 0)
    assert stratified.verdict([alone], stratified.odds_ratio([alone])) == "too few"
    assert stratified.verdict([], None) == "too few"


def test_contradictions() -> None:
    assert stratified.contradicts(5, "tells non-buyers")
    assert stratified.contradicts(-5, "tells buyers")
    assert not stratified.contradicts(5, "tells buyers")
    assert not stratified.contradicts(5, "tells nothing")


def test_edges_keep_equal_values_together() -> None:
    assert stratified.edges([0, 0, 0, 0, 1, 2, 3, 4], 4) == [1, 3]
    assert stratified.edges([2, 2, 2]) == []
    assert stratified.edges([]) == []
    assert stratified.edges(range(100), 4) == [25, 50, 75]


def test_a_grid_is_round_and_has_the_threshold() -> None:
    edges = thresholds.grid([0.0, 40.0], 12.5, most=10)
    assert edges == [0, 5, 10, 12.5, 15, 20, 25, 30, 35, 40]
    assert thresholds.grid([], 20.0) == [20]
    assert len(thresholds.grid([-1e6, 1e6], 20.0)) < 250


def _bins(capacity_rises: list[tuple[float | None, float]] | None = None) -> thresholds.Bins:
    scores = [1.0, 2.0, 2.0, 3.0, 4.0, 5.0]
    converts = [False, False, True, False, True, True]
    return thresholds.bins([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], scores, converts, capacity_rises or [], 2.0)


def test_the_curve_counts_what_is_above() -> None:
    points = {point.threshold: point for point in thresholds.curve(_bins())}
    assert (points[2.0].above, points[2.0].converted_above) == (3, 2)
    assert points[2.0].precision == pytest.approx(2 / 3)
    assert points[2.0].recall == pytest.approx(2 / 3)
    assert points[2.0].youden == pytest.approx(2 / 3 - 1 / 3)
    assert points[0.0].above == 6
    assert points[5.0].above == 0


def test_rounding_does_not_lift_a_score_above_a_threshold() -> None:
    assert thresholds.bin_of([20.0], 20.0 + 1e-12) == 0
    assert thresholds.bin_of([20.0], 20.001) == 1


def test_the_weekly_volume_counts_those_that_have_risen() -> None:
    found = _bins([(None, 1.5), (0.5, 3.5), (4.0, 4.5), (5.0, 1.0)])
    weekly = {point.threshold: point.weekly for point in thresholds.curve(found)}
    assert weekly == {0.0: 2, 1.0: 4, 2.0: 2, 3.0: 2, 4.0: 2, 5.0: 0}
    assert found.crossings == Counter({Crossing(0, 2): 1, Crossing(1, 4): 1, Crossing(4, 5): 1})
    assert thresholds.best(found, 2.0) == 2
    assert thresholds.best(found, 100.0) == 0
    assert thresholds.best(found, 0.5) == 5


def test_the_best_threshold_without_a_capacity_is_youdens() -> None:
    assert thresholds.best(_bins(), None) == 3
    empty = thresholds.bins([0.0], [1.0], [False], [], 1.0)
    assert thresholds.best(empty, None) is None
    assert thresholds.bootstrap(empty, None, Random(1)) is None


def test_the_bootstrap_repeats_itself_and_narrows_with_more_leads() -> None:
    rng = Random(5)
    scores = [float(rng.randrange(40)) for _ in range(8_000)]
    converts = [rng.random() < (0.3 if score > 25 else 0.1) for score in scores]
    edges = thresholds.grid(scores, 20.0)
    many = thresholds.bins(edges, scores, converts, [], 1.0)
    few = thresholds.bins(edges, scores[:300], converts[:300], [], 1.0)
    wide, narrow = (thresholds.bootstrap(one, None, Random(7)) for one in (few, many))
    assert narrow == thresholds.bootstrap(many, None, Random(7))
    assert wide is not None
    assert narrow is not None
    assert narrow.low <= 25 <= narrow.high
    assert narrow.high - narrow.low < wide.high - wide.low


@pytest.mark.parametrize("mean", [0, 0.5, 4, 80])
def test_poisson_numbers_have_their_mean_and_variance(mean: float) -> None:
    rng = Random(11)
    drawn = [thresholds.poisson(rng, mean) for _ in range(4_000)]
    average = sum(drawn) / len(drawn)
    variance = sum((one - average) ** 2 for one in drawn) / len(drawn)
    assert average == pytest.approx(mean, abs=4 * sqrt(mean / 4_000) + 1e-9)
    assert variance == pytest.approx(mean, rel=0.15)


def test_tenths_are_of_equal_size_from_the_highest_down() -> None:
    scores = [float(number) for number in range(25)]
    found = lift.tenths(scores, [score >= 20 for score in scores], [b"%d" % number for number in range(25)])
    assert [one.share.leads for one in found] == [2, 3, 2, 3, 2, 3, 2, 3, 2, 3]
    assert (found[0].low, found[0].high, found[0].share.share) == (23, 24, 1)
    assert sum(one.share.converted for one in found) == 5
    assert len(lift.tenths([1.0, 2.0], [True, False], [b"", b""])) == 2
    assert lift.tenths([], [], []) == []


def test_groups_are_counted() -> None:
    found = lift.by_group(["hot", "cold", "hot"], [True, False, False])
    assert found == {"hot": (2, 1), "cold": (1, 0)}
    assert found["hot"].share == 0.5
    assert found["hot"].interval == wilson(1, 2)


def test_ranks_of_equal_values_are_shared() -> None:
    assert ranking.midranks([3, 1, 3, 2]) == [3.5, 1, 3.5, 2]
    for values in product([1.0, 2.0, 3.0], repeat=4):
        assert sum(ranking.midranks(values)) == 10
