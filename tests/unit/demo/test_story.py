"""The generator: the same seed tells the same story, and intake understands all of its history."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime

import pytest

from scorer.demo.story import NONSENSE, NONSENSE_EVERY, Act, Story
from scorer.demo.traces import encode
from scorer.domain.record import Fact, decode_record
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.registry import Registry

NOW = 1_795_000_000_000
DAY = 86_400_000
MINUTE = 60.0


@pytest.fixture(scope="module")
def intake() -> Intake:
    return Intake(Identity("secret"), Registry.load().max_log_bytes)


def acts_until(story: Story, seconds: float) -> list[Act]:
    return list(itertools.takewhile(lambda act: act.at < seconds, story.acts()))


def test_the_same_seed_tells_the_same_story() -> None:
    one, other = Story(7), Story(7)
    assert list(one.history(NOW)) == list(other.history(NOW))
    assert acts_until(one, MINUTE) == acts_until(other, MINUTE)
    assert one.people == other.people


def test_another_seed_tells_another() -> None:
    assert acts_until(Story(7), MINUTE) != acts_until(Story(8), MINUTE)
    assert list(Story(7).history(NOW)) != list(Story(8).history(NOW))


def test_history_passes_intake_and_is_in_order(intake: Intake) -> None:
    times = []
    doors = [(topic.name, topic.type_matcher()) for topic in Registry.load().doors]
    for event in Story(1).history(NOW):
        door = next(name for name, matches in doors if matches(event["type"]))
        fact = decode_record(intake(door, encode(event), NOW)[0][1])
        assert isinstance(fact, Fact)
        times.append(fact.time)
    assert times == sorted(times)
    assert NOW - 100 * DAY < times[0] < NOW - 60 * DAY
    assert times[-1] < NOW


def test_names_and_addresses_never_get_past_intake(intake: Intake) -> None:
    story = Story(1)
    for event in story.history(NOW):
        if event["type"] == "profile.updated":
            assert {"email", "first_name", "last_name"} <= event["data"].keys()
            (_, value), *_ = intake("lead.profile.v1", encode(event), NOW)
            person = story.people[event["data"]["user_id"]]
            assert person.last_name.encode() not in value
            name, _, domain = event["data"]["email"].partition("@")
            assert name.encode() not in value
            fact = decode_record(value)
            assert isinstance(fact, Fact)
            assert "@" not in str(fact.properties)
            assert fact.account == f"@{domain}"  # the company


def test_now_and_then_something_is_nonsense() -> None:
    nonsense = [act.nonsense for act in acts_until(Story(1), MINUTE) if act.trace is None]
    assert len(nonsense) == int(MINUTE // NONSENSE_EVERY)
    assert set(nonsense) == set(NONSENSE)


def test_acts_come_in_order_and_at_a_pace_that_can_be_followed() -> None:
    acts = acts_until(Story(3), 10 * MINUTE)
    assert [act.at for act in acts] == sorted(act.at for act in acts)
    per_minute = Counter(int(act.at // MINUTE) for act in acts)
    assert min(per_minute.values()) >= 3 * MINUTE
    assert max(per_minute.values()) <= 15 * MINUTE


def test_the_first_minute_has_each_kind_of_event() -> None:
    kinds = {act.trace.type for act in acts_until(Story(1), MINUTE) if act.trace is not None}
    assert kinds >= {
        "page.viewed",
        "email.opened",
        "email.clicked",
        "app.trial_started",
        "app.task_created",
        "booking.created",
        "booking.canceled",
        "profile.updated",
        "social.clicked",
        "feedback.accepted",
        "feedback.rejected",
    }


def test_a_moved_call_is_a_pair() -> None:
    acts = [act for act in acts_until(Story(1), MINUTE) if act.trace and act.trace.data.get("rescheduled")]
    assert acts
    for person in {act.person.user_id: act.person for act in acts if act.person}.values():
        pair = [act.trace.type for act in acts if act.person == person and act.trace]
        assert pair == ["booking.canceled", "booking.created"]


def test_nobody_has_two_lives() -> None:
    story = Story(2)
    acts_until(story, 5 * MINUTE)
    names = [person.name for person in story.people.values()]
    assert len(names) > 200
    assert len(set(names)) == len(names)


def test_history_is_counted_back_from_the_instant_given() -> None:
    shift = 12_345_678
    for early, late in zip(Story(1).history(NOW), Story(1).history(NOW + shift), strict=True):
        moved = datetime.fromisoformat(late["time"]) - datetime.fromisoformat(early["time"])
        assert moved.total_seconds() == shift / 1000
