"""The story under the default rules: what a viewer is promised happens, and when."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scorer import rulefile
from scorer.demo.roster import Roster
from scorer.demo.story import Story
from scorer.demo.traces import cloud_event, encode
from scorer.domain.model import encode_model
from scorer.event_lines import EventLines
from scorer.replay import Replay
from scorer.replay.sources import BadLines, EventSource
from scorer.wire.identity import Identity
from scorer.wire.times import date_time

NOW = 1_795_000_000_000
STARTED = NOW + 6_000
"""When traffic begins: a worker takes some seconds to start."""
MINUTE = 60.0
RULES = Path(__file__).parents[3] / "rules" / "default.yaml"


class Seen:
    """What a story of a minute leads to."""

    def __init__(self, seed: int) -> None:
        self.story = Story(seed)
        bad, model = BadLines(), encode_model(rulefile.require(RULES))
        identity = Identity("secret")
        self.roster = Roster(self.story.people, identity)
        source = EventSource(bad, model, EventLines(identity))
        replay = Replay()
        end = STARTED + int(MINUTE * 1000)
        self.outcomes: list[dict[str, Any]] = [
            json.loads(outcome.value)
            for outcomes in replay.run(source.batches(self._lines(), lambda _: None, until=end + 3_000))
            for outcome in outcomes
        ]
        self.views = {standing.lead_id: json.loads(standing.view) for standing in replay.standings()}
        assert bad.count == 0

    def _lines(self) -> Iterator[bytes]:
        for event in self.story.history(NOW):
            yield encode(event)
        for act in self.story.acts():
            if act.at > MINUTE:
                return
            if act.person is not None and act.trace is not None:
                time = STARTED + int(act.at * 1000)
                yield encode(cloud_event(act.trace, act.person.user_id, self.story.event_id(), time))

    def live(self, kind: str) -> list[dict[str, Any]]:
        """Outcomes of this kind after the traffic began, by time."""
        begun = date_time(STARTED)
        return [event for event in self.outcomes if event["type"] == kind and event["time"] >= begun]


@pytest.fixture(scope="module", params=range(1, 6))
def seen(request: pytest.FixtureRequest) -> Seen:
    return Seen(request.param)


def test_the_first_lead_qualifies_within_two_seconds_of_traffic(seen: Seen) -> None:
    first = seen.live("lead.qualified")[0]
    assert first["time"] < date_time(STARTED + 2_000)


def test_some_qualify_and_not_too_many(seen: Seen) -> None:
    assert 10 <= len(seen.live("lead.qualified")) <= len(seen.story.people) / 2


def test_somebody_falls_below_the_exit_threshold_by_cancelling(seen: Seen) -> None:
    fallen = [e for e in seen.live("lead.disqualified") if e["data"]["reason"] == "score"]
    cancelled = [e for e in fallen if any("cancelled" in line["rule"] for line in e["data"]["top"])]
    assert any(event["data"]["cause"] == "activity" for event in cancelled)


def test_somebody_falls_by_time_alone_while_one_watches(seen: Seen) -> None:
    fallen = [
        event
        for event in seen.live("lead.disqualified")
        if event["data"]["cause"] == "time" and event["data"]["reason"] == "score"
    ]
    assert len(fallen) == 1
    assert date_time(STARTED + 10_000) < fallen[0]["time"] < date_time(STARTED + 45_000)


def test_a_student_is_disqualified_by_absence_while_one_watches(seen: Seen) -> None:
    reasons = Counter(
        event["data"]["reason"]
        for event in seen.live("lead.disqualified")
        if event["data"]["cause"] == "time"
    )
    assert any("Student" in reason for reason in reasons)


def test_a_moved_call_changes_nothing(seen: Seen) -> None:
    movers = {
        seen.roster.lead_of("user_id", act.person.user_id)
        for act in _until(seen.story, MINUTE - 15)
        if act.trace is not None and act.trace.data.get("rescheduled")
    }
    assert movers
    told = ["lead.qualified", "lead.stage"]
    for lead in movers:
        assert [e["type"] for e in seen.outcomes if e["subject"] == lead] == told


def test_temperatures_and_stages_of_all_kinds_are_seen(seen: Seen) -> None:
    assert {view["data"]["band"] for view in seen.views.values()} >= {"hot", "cold"}
    assert {view["data"]["stage"] for view in seen.views.values()} >= {"Open", "Qualified", "Unqualified"}


def test_the_past_has_faded(seen: Seen) -> None:
    """Those who were keen months ago are below the threshold today, and not at nothing."""
    engagement = [view["data"]["parts"]["engagement"] for view in seen.views.values()]
    assert sum(1 < points < 12 and points % 1 > 0.05 for points in engagement) > 5


def _until(story: Story, seconds: float) -> Iterator[Any]:
    for act in Story(story.seed).acts():
        if act.at > seconds:
            return
        yield act
