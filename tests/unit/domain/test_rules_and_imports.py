"""What control records do to leads: rule sets that change points, imported history."""

from __future__ import annotations

from math import log2

import pytest

from scorer.domain.model import (
    Absent,
    Compare,
    Disqualification,
    FirstLater,
    HalfLife,
    Matcher,
    Once,
    Recent,
    Segment,
    Standing,
)
from tests.unit.domain.world import DAY, HISTORY, HOUR, OPENED, SECOND, Make, award, model

IDLE = Disqualification("idle", Absent(Matcher((OPENED,)), 30 * DAY), "silent")


def test_new_points_apply_to_old_grants(world: Make) -> None:
    ann = world(model(award(FirstLater(1, 2))))
    ann.clock(0).opened(0).opened(0).opened(0)
    assert ann.total(0) == 5
    ann.rules(model(award(FirstLater(10, 7))), version=2)
    assert ann.total(0) == 24
    assert ann.told == [("qualified", 0, "score")]


def test_a_lower_or_equal_version_is_ignored(world: Make) -> None:
    ann = world(model(award(1)))
    ann.rules(model(award(2)), version=5).rules(model(award(3)), version=5).rules(model(award(4)), version=4)
    ann.clock(0).opened(0)
    assert ann.total(0) == 2


def test_an_idle_lead_is_judged_as_of_the_rules_record(world: Make) -> None:
    ann = world(model(award(10, decay=HalfLife(10 * DAY))))
    ann.clock(0).opened(0).clock(DAY + 2_000)
    ann.rules(model(award(40, decay=HalfLife(10 * DAY))), version=2)
    ann.clock(2 * DAY)
    assert ann.told == [("qualified", DAY, "score")]


def test_a_timer_due_between_two_rule_sets_fires_under_the_first(world: Make) -> None:
    ann = world(model(award(10, decay=HalfLife(DAY))))
    ann.clock(0).opened(0)
    ann.rules(model(award(30, decay=HalfLife(DAY))), version=2).clock(10 * DAY)
    ann.rules(model(award(5, decay=HalfLife(DAY))), version=3).clock(20 * DAY)
    assert ann.told == [("qualified", 0, "score"), ("disqualified", DAY + 1, "score")]


def test_a_new_definition_starts_from_nothing(world: Make) -> None:
    ann = world(model(award(10)))
    ann.clock(0).opened(0).opened(0)
    ann.rules(model(award(10, limit=Once())), version=2)
    assert ann.total(0) == 0
    ann.opened(1).opened(1)
    assert ann.total(1) == 10


@pytest.mark.parametrize(
    ("window", "points"),
    [(Recent(Matcher((OPENED,)), 10 * DAY, 1), 10), (Absent(Matcher((OPENED,)), 10 * DAY), 0)],
    ids=["recent", "absent"],
)
def test_a_window_that_needs_fewer_activities_reads_the_newest(
    world: Make, window: Recent | Absent, points: int
) -> None:
    """The lead has kept three times; of these only the newest counts from now on."""
    ann = world(model(standings=(Standing("keen", "fit", Recent(Matcher((OPENED,)), 10 * DAY, 3), 10),)))
    ann.clock(0).opened(0).opened(DAY)
    ann.rules(model(standings=(Standing("keen", "fit", window, 10),)), version=2)
    ann.clock(30 * DAY).opened(30 * DAY)
    assert ann.total(30 * DAY) == points


def test_a_new_window_starts_at_the_rules_record(world: Make) -> None:
    ann = world(model(award(1)))
    ann.clock(0).opened(0).clock(50 * DAY + 2_000)
    ann.rules(model(award(1), disqualifications=(IDLE,)), version=2).clock(100 * DAY)
    assert ann.told == [("disqualified", 80 * DAY, "idle")]


def test_a_rules_record_can_grant_after_a_long_silence(world: Make) -> None:
    """Many thousand half-lives after the lead's last record: more than one landmark can hold."""
    farewell = award(8, "segment.left:uk", id="farewell", decay=HalfLife(SECOND))
    british = Segment("uk", Compare("country", "equals", ("UK",)))
    ann = world(model(award(8, decay=HalfLife(SECOND)), farewell, segments=(british,)))
    ann.clock(0).profile(0, country="UK").opened(0).clock(300 * DAY + 2_000)
    german = Segment("uk", Compare("country", "equals", ("DE",)))
    ann.rules(model(award(8, decay=HalfLife(SECOND)), farewell, segments=(german,)), version=2)
    assert ann.total(300 * DAY) == pytest.approx(8)


def test_a_lead_is_open_again_when_its_disqualification_is_taken_from_the_file(world: Make) -> None:
    ann = world(model(award(25), disqualifications=(IDLE,)))
    ann.clock(0).opened(0).clock(50 * DAY + 2_000)
    ann.rules(model(award(25)), version=2)
    assert ann.told == [
        ("qualified", 0, "score"),
        ("disqualified", 30 * DAY, "idle"),
        ("qualified", 50 * DAY, "score"),
    ]


def test_imported_history_is_judged_once_at_its_end(world: Make) -> None:
    ann = world(model(award(25, decay=HalfLife(DAY)), disqualifications=(IDLE,)))
    ann.clock(0).import_begins()
    for line, day in enumerate((-90, -50, -10)):
        ann.opened(day * DAY, door=HISTORY, offset=line)
    assert ann.told == []
    ann.import_ends().clock(30 * DAY)
    assert ann.told == [("disqualified", 20 * DAY, "idle")]
    assert ann.total(0) == pytest.approx(25 * (2**-10 + 2**-50 + 2**-90))


def test_imported_history_can_qualify_as_of_the_clock(world: Make) -> None:
    ann = world(model(award(25)))
    ann.clock(0).import_begins().opened(-DAY, door=HISTORY, offset=0).import_ends()
    assert ann.told == [("qualified", -2_000, "score")]
    assert [one.cause for one in ann.outcomes] == ["import"]


def test_an_import_run_again_changes_nothing(world: Make) -> None:
    ann = world(model(award(10)))
    ann.clock(0)
    for _ in range(2):
        ann.import_begins().opened(-DAY, door=HISTORY, offset=0).opened(
            -HOUR, door=HISTORY, offset=1
        ).import_ends()
    assert ann.total(0) == 20


def test_timers_of_imported_leads_wait_for_the_end(world: Make) -> None:
    ann = world(model(award(24, decay=HalfLife(DAY)), award(1, "app.x", id="x")))
    ann.clock(0).opened(0).import_begins().opened(-DAY, door=HISTORY, offset=0).clock(5 * DAY)
    assert ann.told == [("qualified", 0, "score")]
    ann.import_ends()
    assert ann.told == [("qualified", 0, "score"), ("disqualified", 5 * DAY - 2_000, "score")]


@pytest.mark.parametrize("duplicate", [False, True], ids=["nothing between", "a retry between"])
def test_a_lead_has_its_timer_after_an_import(world: Make, duplicate: bool) -> None:
    ann = world(model(award(24, decay=HalfLife(DAY))))
    ann.clock(0).fact("app.x", 0, id="same")
    ann.import_begins().opened(HOUR, door=HISTORY, offset=0).import_ends()
    if duplicate:
        ann.fact("app.x", 0, id="same")
    ann.clock(5 * DAY)
    assert ann.told == [
        ("qualified", HOUR, "score"),
        ("disqualified", HOUR + int(DAY * log2(24 / 15)) + 1, "score"),
    ]
