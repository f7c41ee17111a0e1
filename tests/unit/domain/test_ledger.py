"""The ledger: every line by name, clamps as lines of their own, and figures that stay exact for years."""

from __future__ import annotations

from math import fsum, log2

import pytest

from scorer.domain.model import Compare, FirstLater, HalfLife, LinearDecay, Score, Standing
from tests.unit.domain.world import CLICKED, DAY, HOUR, OPENED, SECOND, Make, award, model


def test_every_contribution_has_its_line(engine: Make) -> None:
    fit = Standing("country", "fit", Compare("country", "equals", ("UK",)), 1)
    ann = engine(
        model(award(FirstLater(1, 2)), award(8, CLICKED, id="clicks", decay=HalfLife(DAY)), standings=(fit,))
    )
    ann.clock(0).profile(0, country="uk").opened(0).opened(0).opened(0).fact(CLICKED, 0)
    assert sorted(ann.lines(DAY)) == [
        ("clicks", "", pytest.approx(4)),
        ("country", "", 1),
        ("opens", "first", 1),
        ("opens", "later", 4),
    ]


def test_a_rules_cap_is_a_line(engine: Make) -> None:
    ann = engine(model(award(10, cap=25)))
    ann.clock(0).opened(0).opened(0).opened(0)
    assert ann.lines(0) == [("opens", "", 30), ("opens", "cap", -5)]


def test_a_negative_rules_cap_clamps_from_below(engine: Make) -> None:
    ann = engine(model(award(-10, cap=-15)))
    ann.clock(0).opened(0).opened(0)
    assert ann.lines(0) == [("opens", "", -20), ("opens", "cap", 5)]


def test_caps_and_floors_of_scores_and_total_are_lines(engine: Make) -> None:
    scores = (Score("fit", floor=0), Score("engagement", weight=2, cap=12))
    ann = engine(model(award(-5, id="misfit", score="fit"), award(15, id="opens"), scores=scores, cap=20))
    ann.clock(0).opened(0)
    assert ann.lines(0) == [
        ("misfit", "", -5),
        ("opens", "", 30),
        ("floor", "fit", 5),
        ("cap", "engagement", -6),
        ("cap", "total", -4),
    ]


def test_what_rounding_does_is_no_cap(engine: Make) -> None:
    """Points are added up in one order for the score, and in another for the lines."""
    kinds = (OPENED, CLICKED, "page.viewed")
    rules = [award(points, kind, id=kind) for points, kind in zip((0.1, 0.2, 0.3), kinds, strict=True)]
    ann = engine(model(*rules, scores=(Score("fit"), Score("engagement", cap=100))))
    ann.clock(0)
    for kind in reversed(kinds):
        ann.fact(kind, 0)
    assert [line[:2] for line in ann.lines(0)] == [(kind, "") for kind in kinds]


def test_a_cap_holds_the_value_of_now_not_what_was_granted(world: Make) -> None:
    ann = world(model(award(10, decay=HalfLife(DAY), cap=15)))
    ann.clock(0).opened(0).opened(0)
    assert [ann.total(at) for at in (0, DAY, 2 * DAY)] == [15, pytest.approx(10), pytest.approx(5)]


def test_a_capped_value_crosses_when_it_has_decayed_below_its_cap(world: Make) -> None:
    ann = world(model(award(20, decay=HalfLife(DAY), cap=21)))
    ann.clock(0).opened(0).opened(0).opened(0).opened(0).clock(30 * DAY)
    assert ann.told == [("qualified", 0, "score"), ("disqualified", int(DAY * log2(80 / 15)) + 1, "score")]


@pytest.mark.parametrize("years", [1, 10])
def test_short_half_lives_stay_exact_over_years(world: Make, years: int) -> None:
    """A second's half-life over a year is 31 million half-lives: far past what one landmark can hold."""
    quick = award(8, id="quick", decay=HalfLife(SECOND))
    slow = award(4, id="slow", decay=HalfLife(1000 * DAY))
    ann = world(model(quick, slow, enter=1000.0, leave=900.0))
    last = years * 365 * DAY
    ann.clock(0).opened(0).opened(last // 3).opened(last - DAY).opened(last - SECOND).opened(last)
    expected = (
        12
        + fsum(4 * 2 ** (-(last - at) / (1000 * DAY)) for at in (0, last // 3, last - DAY, last - SECOND))
        + 4
    )
    assert ann.total(last) == pytest.approx(expected, rel=1e-9)


def test_a_late_grant_of_ages_ago_is_nothing_and_harms_nothing(world: Make) -> None:
    ann = world(model(award(8, decay=HalfLife(SECOND))))
    ann.clock(0).opened(300 * DAY).opened(0).opened(-DAY)
    assert ann.total(300 * DAY) == pytest.approx(8, abs=1e-12)


def test_many_small_grants_add_up(world: Make) -> None:
    ann = world(model(award(0.1, decay=HalfLife(HOUR)), enter=1000.0, leave=900.0))
    ann.clock(0)
    for minute in range(240):
        ann.opened(minute * 60 * SECOND)
    at = 239 * 60 * SECOND
    assert ann.total(at) == pytest.approx(fsum(0.1 * 2 ** (-minute / 60) for minute in range(240)), rel=1e-12)


def test_linear_decay_ends_at_nothing(engine: Make) -> None:
    ann = engine(model(award(10, decay=LinearDecay(0.4, 1))))
    ann.clock(0).opened(0)
    assert [fsum(value for _, _, value in ann.lines(days * DAY)) for days in range(4)] == [
        10,
        6,
        pytest.approx(2),
        0,
    ]
