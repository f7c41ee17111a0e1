"""What a change of the rules alone brings about is told by the chosen policy, and what follows fits to it."""

from __future__ import annotations

import msgspec
import pytest

from scorer.domain.clock import pack
from scorer.domain.model import Compare, Disqualification, HalfLife, Matcher, Model, Move, Score, Threshold
from scorer.domain.partition import LogPartition
from scorer.domain.record import (
    ANNOUNCE_ALL,
    ANNOUNCE_NONE,
    ANNOUNCE_UPWARD,
    Bind,
    Clock,
    Door,
    Doors,
    Fact,
    Record,
    encode_record,
)
from scorer.domain.state import PartitionState
from tests.property.machine import Message
from tests.property.people import lead_id
from tests.unit.domain.world import DAY, HOUR, NOW, OPENED, Make, World, award, model
from tests.worker.score_world import rules_record

VISITOR, USER = lead_id("a", 1), lead_id("u", 1)
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


def test_who_comes_back_to_less_than_is_believed_is_told_to_have_fallen(world: Make) -> None:
    ann = world(model(award(30, decay=HalfLife(DAY)))).clock(0)
    ann.opened(0).profile(0, role="student").clock(HOUR)
    out = model(award(30, decay=HalfLife(DAY)), disqualifications=(OUT,))
    ann.rules(out, version=2, announce=ANNOUNCE_NONE).clock(9 * DAY)
    ann.profile(9 * DAY, role="teacher")
    assert [kind for kind, _, _ in ann.told] == ["qualified", "disqualified"]


@pytest.mark.parametrize("staged", [False, True])
def test_who_was_ruled_out_unannounced_and_is_back_as_before_is_not_told_again(
    world: Make, *, staged: bool
) -> None:
    ann = world(model(award(30), staged=staged)).clock(0)
    ann.opened(0).profile(0, role="student").clock(HOUR)
    before = ann.told
    out = model(award(30), staged=staged, disqualifications=(OUT,))
    ann.rules(out, version=2, announce=ANNOUNCE_NONE).clock(DAY)
    ann.profile(DAY, role="teacher").clock(2 * DAY)
    assert ann.told == before


@pytest.mark.parametrize("waiting", [{"dwell": HOUR}, {"cooling_off": 30 * DAY}])
def test_what_has_to_wait_is_not_told_when_the_waiting_is_over(world: Make, waiting: dict[str, int]) -> None:
    def rules(points: float) -> Model:
        threshold = Threshold(20.0, 15.0, **waiting)
        return msgspec.structs.replace(model(award(points)), threshold=threshold)

    ann = world(rules(30)).clock(0)
    ann.opened(0).clock(2 * HOUR).rules(rules(1), version=2)
    assert [kind for kind, _, _ in ann.told] == ["qualified", "disqualified"]
    ann.rules(rules(30), version=3, announce=ANNOUNCE_NONE).clock(60 * DAY)
    assert [kind for kind, _, _ in ann.told] == ["qualified", "disqualified"]


@pytest.mark.parametrize("told", ["rose", "fell"])
def test_what_was_told_of_either_counts_when_two_are_one(told: str) -> None:
    """Visitor and user; one of them was moved unannounced, and the other is as it always was."""
    up, down = (10, 30) if told == "rose" else (30, 10)
    machine = LogPartition(PartitionState(), {}, lambda _: None)
    log: list[tuple[bytes | None, Record]] = [
        (None, Doors(1, [Door(1, 0, "activity.email.v1", 0)])),
        (None, rules_record(model(award(up)), 1)),
        (None, Clock(pack({1: NOW}))),
        (VISITOR, Fact(OPENED, NOW, NOW, 0, -1, b"1" * 8, "1", "t", {})),
        (USER, Fact("page.viewed", NOW, NOW, 0, -1, b"2" * 8, "2", "t", {})),
        (None, rules_record(model(award(down)), 2, ANNOUNCE_NONE)),
        (USER, Bind(VISITOR, NOW, 0, 0)),
        (None, Clock(pack({1: NOW + DAY}))),
        (None, rules_record(model(award(up)), 3)),
    ]
    offset = 0
    for key, record in log:
        waiting = [(key, encode_record(record))]
        while waiting:
            machine.apply([Message(offset, *waiting.pop(0))])
            waiting += machine.sends
            machine.sends = []
            offset += 1
        for lead in list(machine.leads):
            machine.touch(lead)
    kinds = [one.topic for one in machine.outcomes if "qualified" in one.topic]
    assert kinds == ([] if told == "rose" else ["lead.qualified.v1"])
