"""Late and future records, and what time alone does."""

from __future__ import annotations

from math import log2

import pytest

from scorer.domain.model import (
    Absent,
    All,
    Compare,
    Disqualification,
    HalfLife,
    LinearDecay,
    Matcher,
    Recent,
    Standing,
)
from tests.unit.domain.world import CLICKED, DAY, HOUR, MINUTE, OPENED, SECOND, VIEWED, Make, award, model

NOT_OPENED = Absent(Matcher((OPENED,)), 60 * DAY)
NOTHING_VIEWED = Absent(Matcher((VIEWED,)), 60 * DAY)
STUDENT = Disqualification(
    "idle student", All((Compare("role", "equals", ("student",)), NOT_OPENED, NOTHING_VIEWED)), "no prospect"
)


def test_a_late_record_is_granted_as_of_its_own_time(world: Make) -> None:
    ann = world(model(award(10, decay=HalfLife(DAY)), award(0, CLICKED, id="clicks")))
    ann.clock(0).fact(CLICKED, 2 * DAY).opened(DAY)
    assert ann.total(2 * DAY) == pytest.approx(5)


def test_a_late_record_crosses_at_the_leads_clock(world: Make) -> None:
    ann = world(model(award(25), award(0, CLICKED, id="clicks")))
    ann.clock(0).fact(CLICKED, HOUR).opened(MINUTE)
    assert ann.told == [("qualified", HOUR, "score")]


def test_a_record_dated_ahead_moves_the_leads_clock_and_fires_no_timer(world: Make) -> None:
    ann = world(model(award(21, decay=HalfLife(DAY))))
    ann.clock(0).opened(0).fact(CLICKED, 5 * DAY)
    assert ann.told == [("qualified", 0, "score")]


def test_what_time_alone_did_before_a_record_waits_for_the_clock(world: Make) -> None:
    ann = world(model(award(21, decay=HalfLife(DAY))))
    ann.clock(0).opened(0).fact(CLICKED, 5 * DAY).clock(5 * DAY + 2_000)
    assert ann.told == [("qualified", 0, "score"), ("disqualified", 5 * DAY, "score")]


def test_decay_alone_disqualifies_at_the_computed_millisecond(world: Make) -> None:
    ann = world(model(award(24, decay=HalfLife(30 * DAY))))
    due = int(30 * DAY * log2(24 / 15)) + 1
    ann.clock(0).opened(0).clock(due + 1_999)
    assert ann.told == [("qualified", 0, "score")]
    ann.clock(due + 2_000)
    assert ann.told == [("qualified", 0, "score"), ("disqualified", due, "score")]


def test_an_idle_lead_crosses_at_its_own_instant_however_late_the_clock_comes(world: Make) -> None:
    ann = world(model(award(24, decay=HalfLife(DAY))))
    ann.clock(0).opened(0).clock(400 * DAY)
    assert ann.told[1] == ("disqualified", int(DAY * log2(24 / 15)) + 1, "score")


def test_a_fading_penalty_qualifies(world: Make) -> None:
    ann = world(model(award(30), award(-20, CLICKED, id="careers", decay=HalfLife(DAY))))
    ann.clock(0).fact(CLICKED, 0).opened(0)
    assert ann.told == []
    ann.clock(2 * DAY)
    assert ann.told == [("qualified", DAY + 1, "score")]


def test_linear_decay_counts_midnights_of_the_models_zone(world: Make) -> None:
    ann = world(model(award(20, decay=LinearDecay(0.25, 1)), time_zone="Asia/Tokyo"))
    ann.clock(0).opened(0)  # 00:06:40 in Tokyo
    midnight = DAY - 6 * MINUTE - 40 * SECOND
    assert [ann.total(at) for at in (0, midnight - 1, midnight, 2 * DAY, 30 * DAY)] == [20, 20, 15, 10, 0]


def test_linear_decay_disqualifies_at_midnight(world: Make) -> None:
    ann = world(model(award(24, decay=LinearDecay(0.5, 2)), time_zone="Asia/Tokyo"))
    ann.clock(0).opened(0).clock(10 * DAY)
    assert ann.told == [
        ("qualified", 0, "score"),
        ("disqualified", 2 * DAY - 6 * MINUTE - 40 * SECOND, "score"),
    ]


def test_a_student_created_a_second_ago_is_not_disqualified(world: Make) -> None:
    ann = world(model(disqualifications=(STUDENT,)))
    ann.clock(0).profile(0, role="Student").clock(SECOND).fact(CLICKED, SECOND).clock(DAY)
    assert ann.told == []


def test_an_idle_student_is_disqualified_after_the_window(world: Make) -> None:
    ann = world(model(disqualifications=(STUDENT,)))
    ann.clock(0).profile(0, role="student").opened(DAY).clock(61 * DAY + 1_999)
    assert ann.told == []
    ann.clock(61 * DAY + 2_000)
    assert ann.told == [("disqualified", 61 * DAY, "idle student")]


def test_nobody_is_inactive_before_every_door_has_been_heard_of(world: Make) -> None:
    ann = world(model(disqualifications=(STUDENT,)))
    ann.profile(0, role="student").fact(CLICKED, 300 * DAY)
    assert ann.told == []


def test_an_activity_still_unread_when_the_window_ended_prevents_the_absence(world: Make) -> None:
    ann = world(model(disqualifications=(STUDENT,)))
    ann.clock(0).profile(0, role="student").clock(59 * DAY).opened(59 * DAY + HOUR).clock(90 * DAY)
    assert ann.told == []


def test_a_late_activity_moves_an_absence_window_only_forwards(world: Make) -> None:
    ann = world(model(disqualifications=(STUDENT,)))
    ann.clock(0).profile(0, role="student").opened(10 * DAY).opened(5 * DAY).clock(100 * DAY)
    assert ann.told == [("disqualified", 70 * DAY, "idle student")]


def test_recent_activity_counts_until_its_window_has_passed(world: Make) -> None:
    busy = Standing("busy", "engagement", Recent(Matcher((OPENED,)), DAY, 2), 25)
    ann = world(model(standings=(busy,)))
    ann.clock(0).opened(0).opened(HOUR).clock(10 * DAY)
    assert ann.told == [("qualified", HOUR, "score"), ("disqualified", DAY, "score")]


def test_an_edge_ahead_of_which_the_lead_has_records_is_told_at_the_leads_clock(world: Make) -> None:
    absence = Standing("silent", "engagement", Absent(Matcher((CLICKED,)), DAY), -10)
    ann = world(model(award(25), standings=(absence,)))
    ann.clock(0).opened(0).fact(VIEWED, 2 * DAY).clock(DAY + 2_000)
    assert ann.told == [("qualified", 0, "score")]
    assert ann.total(2 * DAY) == 15
    again = world(model(award(25), standings=(absence,), leave=16.0))
    again.clock(0).opened(0).fact(VIEWED, 2 * DAY).clock(DAY + 2_000)
    assert again.told == [("qualified", 0, "score"), ("disqualified", 2 * DAY, "score")]


def test_an_edge_does_not_tell_what_decay_will_do_later(world: Make) -> None:
    """The lead is ahead of the doors' clock: records may still come that keep it up."""
    absence = Standing("silent", "engagement", Absent(Matcher((CLICKED,)), DAY), -1)
    ann = world(model(award(24, decay=HalfLife(DAY)), standings=(absence,)))
    ann.clock(0).opened(0).fact(VIEWED, 2 * DAY).clock(DAY + 2_000)
    assert ann.told == [("qualified", 0, "score")]
    ann.clock(2 * DAY + 2_000)
    assert ann.told == [("qualified", 0, "score"), ("disqualified", 2 * DAY, "score")]


def test_between_the_thresholds_nothing_flaps(world: Make) -> None:
    ann = world(model(award(21, decay=HalfLife(DAY)), award(2, CLICKED, id="clicks")))
    ann.clock(0).opened(0).clock(8 * HOUR).fact(CLICKED, 8 * HOUR).clock(9 * HOUR)
    assert ann.told == [("qualified", 0, "score")]
