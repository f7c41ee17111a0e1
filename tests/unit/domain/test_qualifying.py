"""Dwell, minimum, requirement, cooling-off: what a lead needs beside its total."""

from __future__ import annotations

import msgspec

from scorer.domain.model import Compare, Dated, HalfLife, Matcher, Model, NotSince, Standing
from tests.unit.domain.world import CLICKED, DAY, HOUR, OPENED, VIEWED, Make, award, model

replace = msgspec.structs.replace


def qualifying(rules: Model, **threshold: object) -> Model:
    return replace(rules, threshold=replace(rules.threshold, **threshold))


def test_it_qualifies_when_it_has_been_above_for_the_dwell(world: Make) -> None:
    ann = world(qualifying(model(award(21)), dwell=2 * DAY))
    ann.clock(0).opened(HOUR).clock(3 * DAY)
    assert ann.told == [("qualified", HOUR + 2 * DAY, "score")]


def test_the_dwell_begins_again_when_it_has_been_below(world: Make) -> None:
    rules = model(award(21), award(-10, CLICKED, id="clicks"), award(10, VIEWED, id="views"))
    ann = world(qualifying(rules, dwell=2 * DAY))
    ann.clock(0).opened(HOUR).fact(CLICKED, DAY).fact(VIEWED, DAY + HOUR).clock(10 * DAY)
    assert ann.told == [("qualified", DAY + HOUR + 2 * DAY, "score")]


def test_fading_below_the_entry_breaks_the_dwell(world: Make) -> None:
    # 25 halves in a day: above 20 for 0.32 of it.
    ann = world(qualifying(model(award(25, decay=HalfLife(DAY))), dwell=DAY // 2))
    ann.clock(0).opened(HOUR).clock(10 * DAY)
    assert ann.told == []


def test_a_minimum_of_another_score(world: Make) -> None:
    fit = Standing("country", "fit", Compare("country", "equals", ("US",)), 5)
    ann = world(qualifying(model(award(21), standings=(fit,)), minimum=(("fit", 5.0),)))
    ann.clock(0).opened(HOUR)
    assert ann.told == []
    ann.profile(2 * HOUR, country="US")
    assert ann.told == [("qualified", 2 * HOUR, "score")]
    ann.profile(3 * HOUR, country="DE").clock(DAY)
    assert len(ann.told) == 1, "only the total drops a lead"


def test_a_requirement(world: Make) -> None:
    ann = world(qualifying(model(award(21)), when=Compare("email", "exists")))
    ann.clock(0).opened(HOUR)
    assert ann.told == []
    ann.profile(2 * HOUR, email="ann@example.com")
    assert ann.told == [("qualified", 2 * HOUR, "score")]


def test_a_requirement_that_time_fulfils(world: Make) -> None:
    soon = Dated("renewal", 0, 30 * DAY)
    ann = world(qualifying(model(award(21)), when=soon))
    ann.clock(0).opened(HOUR).profile(HOUR, renewal="2025-08-01").clock(60 * DAY)
    # 2025-08-01 is 46 days and 8:53:20 after the story's start; 30 days before it, and one ms later.
    assert ann.told == [("qualified", 46 * DAY + 32_000_000 - 30 * DAY + 1, "score")]


def test_not_again_while_it_cools_off(world: Make) -> None:
    rules = model(award(21), award(-21, CLICKED, id="clicks"))
    ann = world(qualifying(rules, cooling_off=10 * DAY))
    ann.clock(0).opened(HOUR).fact(CLICKED, DAY).opened(2 * DAY).clock(30 * DAY)
    assert ann.told == [
        ("qualified", HOUR, "score"),
        ("disqualified", DAY, "score"),
        ("qualified", HOUR + 10 * DAY, "score"),
    ]


def test_once_a_month(world: Make) -> None:
    rules = model(award(21), award(-21, CLICKED, id="clicks"))
    ann = world(qualifying(rules, cooling_period="month"))
    ann.clock(0).opened(HOUR).fact(CLICKED, DAY).opened(2 * DAY).clock(60 * DAY)
    # The story begins on 2025-06-15 at 15:06:40; July begins 15 days and 8:53:20 later.
    assert [at for kind, at, _ in ann.told if kind == "qualified"] == [HOUR, 15 * DAY + 32_000_000]


def test_nothing_since(world: Make) -> None:
    held = NotSince(Matcher((CLICKED,)), Matcher((OPENED,)), 2 * DAY)
    ann = world(model(standings=(Standing("held", "fit", held, 21),)))
    ann.clock(0).opened(HOUR).clock(3 * DAY)
    assert ann.told == [("qualified", HOUR + 2 * DAY, "score")]
    ann.fact(CLICKED, 4 * DAY).clock(5 * DAY)
    assert ann.told[1:] == [("disqualified", 4 * DAY, "score")]
    ann.opened(6 * DAY).clock(7 * DAY)
    assert len(ann.told) == 2
    ann.clock(9 * DAY)
    assert ann.told[2:] == [("qualified", 8 * DAY, "score")]
