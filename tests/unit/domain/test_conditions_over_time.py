"""Segments, standing points, disqualification and the way back."""

from __future__ import annotations

from scorer.domain.model import (
    Absent,
    Any,
    Compare,
    Disqualification,
    InSegment,
    Matcher,
    Not,
    Recent,
    Segment,
    Standing,
)
from tests.unit.domain.world import CLICKED, DAY, HOUR, OPENED, VIEWED, Make, award, model

ACTIVE = Segment("active", Recent(Matcher((OPENED,)), 7 * DAY, 2))
UK = Compare("country", "equals", ("UK",))
UNSUBSCRIBED = Compare("unsubscribed", "equals", (True,))


def test_entering_and_leaving_a_segment_award(world: Make) -> None:
    entered = award(5, "segment.entered:active", id="welcome")
    left = award(-2, "segment.left:active", id="farewell")
    ann = world(model(entered, left, segments=(ACTIVE,)))
    ann.clock(0).opened(0).opened(DAY)
    assert ann.total(DAY) == 5
    ann.opened(2 * DAY).opened(2 * DAY)
    assert ann.total(2 * DAY) == 5
    ann.clock(30 * DAY)
    assert ann.total(30 * DAY) == 3
    ann.opened(30 * DAY).opened(30 * DAY)
    assert ann.total(30 * DAY) == 8


def test_entering_a_segment_can_qualify(world: Make) -> None:
    ann = world(model(award(21, "segment.entered:active", id="welcome"), segments=(ACTIVE,)))
    ann.clock(0).opened(0).opened(DAY)
    assert ann.told == [("qualified", DAY, "score")]


def test_leaving_a_segment_by_time_awards_at_that_instant(world: Make) -> None:
    ann = world(model(award(21, "segment.left:active", id="win back"), segments=(ACTIVE,)))
    ann.clock(0).opened(0).opened(DAY).clock(60 * DAY)
    assert ann.told == [("qualified", 7 * DAY, "score")]


def test_a_segment_may_use_one_before_it(world: Make) -> None:
    keen = Segment("keen", Any((InSegment("active"), UK)))
    points = Standing("keen", "fit", InSegment("keen"), 3)
    ann = world(model(segments=(ACTIVE, keen), standings=(points,)))
    ann.clock(0).profile(0, country="UK")
    assert ann.total(0) == 3
    ann.profile(1, country=None)
    assert ann.total(1) == 0
    ann.opened(2).opened(2)
    assert ann.total(2) == 3


def test_standing_points_come_and_go_with_an_attribute(world: Make) -> None:
    ann = world(model(award(0), standings=(Standing("country", "fit", UK, 1),)))
    ann.clock(0).opened(0)
    assert ann.total(0) == 0
    ann.profile(1, country="uk")
    assert ann.total(1) == 1
    ann.profile(2, country="DE")
    assert ann.total(2) == 0


def test_an_older_profile_update_does_not_replace_a_newer(world: Make) -> None:
    ann = world(model(standings=(Standing("country", "fit", UK, 1),)))
    ann.clock(0).profile(HOUR, country="UK").profile(0, country="DE", city="Bonn")
    assert ann.total(HOUR) == 1
    ann.profile(HOUR, country="DE")
    assert ann.total(HOUR) == 0


def test_a_removed_attribute_stays_removed(world: Make) -> None:
    ann = world(model(standings=(Standing("no country", "fit", Not((Compare("country", "exists"),)), 1),)))
    ann.clock(0).profile(HOUR, country=None).profile(0, country="UK")
    assert ann.total(HOUR) == 1


def test_an_attribute_that_is_too_long_is_not_taken(world: Make) -> None:
    ann = world(model(standings=(Standing("country", "fit", UK, 1),)))
    ann.clock(0).profile(0, country="UK")
    for long in ("x" * 1_025, ["x" * 600, "y" * 423], ["x" * 1_024], ["é" * 1_020, "ab", 1]):
        ann.profile(1, country=long, city=long)
        assert ann.total(1) == 1
    for fits in ("x" * 1_024, ["x" * 600, "y" * 422], ["DE", 1, True]):
        ann.profile(1, country=fits)
        assert ann.total(1) == 0
        ann.profile(1, country="UK")
        assert ann.total(1) == 1


def test_a_disqualified_lead_does_not_qualify(world: Make) -> None:
    rule = Disqualification("unsubscribed", UNSUBSCRIBED, "asked to be left alone")
    ann = world(model(award(25), disqualifications=(rule,)))
    ann.clock(0).profile(0, unsubscribed=True).opened(1)
    assert ann.told == [("disqualified", 0, "unsubscribed")]


def test_a_qualified_lead_is_disqualified_once(world: Make) -> None:
    rule = Disqualification("unsubscribed", UNSUBSCRIBED, "asked to be left alone")
    ann = world(model(award(25), award(-20, CLICKED, id="clicks"), disqualifications=(rule,)))
    ann.clock(0).opened(0).profile(1, unsubscribed=True).fact(CLICKED, 2)
    assert ann.told == [("qualified", 0, "score"), ("disqualified", 1, "unsubscribed")]


def test_the_first_rule_of_the_file_disqualifies(world: Make) -> None:
    rules = [Disqualification(name, UNSUBSCRIBED, "left") for name in ("first", "second")]
    ann = world(model(disqualifications=tuple(rules)))
    ann.clock(0).profile(0, unsubscribed=True)
    assert ann.told == [("disqualified", 0, "first")]


def test_a_lead_that_comes_back_qualifies_again(world: Make) -> None:
    rule = Disqualification("idle", Absent(Matcher((OPENED,)), 30 * DAY), "silent")
    ann = world(model(award(25), disqualifications=(rule,)))
    ann.clock(0).opened(0).clock(40 * DAY).opened(40 * DAY)
    assert ann.told == [
        ("qualified", 0, "score"),
        ("disqualified", 30 * DAY, "idle"),
        ("qualified", 40 * DAY, "score"),
    ]


def test_another_rule_that_still_holds_disqualifies_in_its_turn(world: Make) -> None:
    idle = Disqualification("idle", Absent(Matcher((OPENED,)), 30 * DAY), "silent")
    left = Disqualification("unsubscribed", UNSUBSCRIBED, "left")
    ann = world(model(award(25), disqualifications=(idle, left)))
    ann.clock(0).profile(0).clock(40 * DAY).profile(40 * DAY, unsubscribed=True).opened(40 * DAY)
    assert ann.told == [("disqualified", 30 * DAY, "idle"), ("disqualified", 40 * DAY, "unsubscribed")]


def test_without_requalification_a_lead_stays_disqualified(world: Make) -> None:
    rule = Disqualification("idle", Absent(Matcher((OPENED,)), 30 * DAY), "silent", requalify=False)
    ann = world(model(award(25), disqualifications=(rule,)))
    ann.clock(0).fact(VIEWED, 0).clock(40 * DAY).opened(40 * DAY)
    assert ann.told == [("disqualified", 30 * DAY, "idle")]
