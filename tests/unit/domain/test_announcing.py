"""What a change of the rules alone brings about is told by the chosen policy, and what follows fits to it."""

from __future__ import annotations

import pytest

from scorer.domain.model import Compare, Disqualification, HalfLife, Matcher, Move, Score
from scorer.domain.record import ANNOUNCE_ALL, ANNOUNCE_NONE, ANNOUNCE_UPWARD
from tests.unit.domain.world import DAY, HOUR, Make, World, award, model

LOW, HIGH = model(award(10)), model(award(30))
OUT = Disqualification("student", Compare("role", "equals", ("student",)), "no budget")


def changed(world: Make, announce: int, *, up: bool = True) -> World:
    """A lead of 10 points of the 20 it needs, or of 30, that other rules take to the other side."""
    before, after = (LOW, HIGH) if up else (HIGH, LOW)
    ann = world(before).clock(0)
    ann.opened(0).clock(HOUR)
    return ann.rules(after, version=2, announce=announce)


@pytest.mark.parametrize("announce", [ANNOUNCE_ALL, ANNOUNCE_UPWARD])
def test_who_rises_is_told_unless_nothing_is(world: Make, announce: int) -> None:
    ann = changed(world, announce)
    assert [kind for kind, _, _ in ann.told] == ["qualified"]


def test_who_rises_unannounced_falls_unannounced(world: Make) -> None:
    ann = changed(world, ANNOUNCE_NONE).clock(DAY)
    assert ann.told == []
    assert ann.total(DAY) == 30
    ann.rules(LOW, version=3).clock(2 * DAY)
    assert ann.told == []
    ann.opened(2 * DAY).opened(2 * DAY)
    assert [kind for kind, _, _ in ann.told] == ["qualified"]


def test_who_falls_unannounced_is_not_announced_twice(world: Make) -> None:
    ann = changed(world, ANNOUNCE_UPWARD, up=False).clock(DAY)
    assert [kind for kind, _, _ in ann.told] == ["qualified"]
    ann.opened(DAY).opened(DAY).opened(DAY)
    assert ann.total(DAY) == 40
    assert [kind for kind, _, _ in ann.told] == ["qualified"]  # as everybody has known all along
    ann.rules(model(award(1)), version=3)
    assert [kind for kind, _, _ in ann.told] == ["qualified", "disqualified"]


def test_numbers_go_on_without_a_gap(world: Make) -> None:
    ann = changed(world, ANNOUNCE_NONE, up=False).clock(DAY)
    ann.rules(HIGH, version=3, announce=ANNOUNCE_NONE).rules(model(award(1)), version=4)
    assert [one.number for one in ann.outcomes] == [1, 2]
    assert [kind for kind, _, _ in ann.told] == ["qualified", "disqualified"]


def test_whom_new_rules_rule_out_silently_is_told_once_it_matters(world: Make) -> None:
    ann = world(HIGH).clock(0)
    ann.opened(0).profile(0, role="student").clock(HOUR)
    ann.rules(model(award(30), disqualifications=(OUT,)), version=2, announce=ANNOUNCE_NONE).clock(DAY)
    assert [kind for kind, _, _ in ann.told] == ["qualified"]
    ann.profile(DAY, role="teacher")  # back, and above the threshold as everybody thinks
    assert [kind for kind, _, _ in ann.told] == ["qualified"]
    ann.profile(DAY, role="student")
    assert [kind for kind, _, _ in ann.told] == ["qualified", "disqualified"]


def test_what_time_did_before_the_change_is_told_whatever_the_policy(world: Make) -> None:
    ann = world(model(award(30, decay=HalfLife(DAY)))).clock(0)
    ann.opened(0)
    ann.rules(model(award(60, decay=HalfLife(DAY))), version=2, announce=ANNOUNCE_NONE).clock(10 * DAY)
    assert ann.told == [("qualified", 0, "score"), ("disqualified", 2 * DAY + 1, "score")]


def test_stages_are_told_from_where_they_were_known(world: Make) -> None:
    moves = (Move("accepted", on=Matcher(("feedback.accepted",)), to="Contacted"),)
    ann = world(model(award(10), staged=True, moves=moves, scores=(Score("fit"), Score("engagement"))))
    ann.clock(0)
    ann.opened(0).clock(HOUR)
    ann.rules(model(award(30), staged=True, moves=moves), version=2, announce=ANNOUNCE_NONE)
    assert ann.told == []
    ann.fact("feedback.accepted", HOUR)
    (moved,) = ann.outcomes
    assert (moved.type, moved.more["previous"], moved.more["stage"]) == ("lead.stage", "Open", "Contacted")
