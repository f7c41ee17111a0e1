"""The demonstration's publishers, upon a real collector: what the story tells is what is taken."""

from __future__ import annotations

import itertools
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from scorer.demo.keys import make_keys
from scorer.demo.lanes import Answer
from scorer.demo.publisher import Publisher
from scorer.demo.roster import VISITOR, Roster
from scorer.demo.senders import Senders, Sent
from scorer.demo.story import NONSENSE, Act, Story
from scorer.domain.record import Fact, decode_record
from scorer.errors import UserError
from scorer.wire.identity import Identity
from tests.unit.collector.asking import NOON, Asked

MINUTE = 60.0
SCORED = ("kind", "path", "form", "network", "rescheduled", "plan", "reason", "job", "employees", "need")
"""Some properties that rules read."""
WAYS = {
    "/v1/identify",
    "/v1/track",
    "/v1/pixel/page.gif",
    "/v1/pixel/opens.",
    "/v1/link/clicks.",
    "/v1/hooks/mail",
    "/v1/hooks/calls",
    "/v1/hooks/demos",
    "/v1/hooks/crm",
}


class World:
    def __init__(self, folder: Path, seed: int) -> None:
        self.story = Story(seed)
        keys = make_keys()
        path = folder / "keys.yaml"
        keys.write(path)
        self.asked = Asked(path.read_text())
        self.roster = Roster(self.story.people, Identity("secret"))
        self.senders = Senders(
            keys, self.story.event_id, lambda person: self.roster.lead_of("user_id", person.user_id)
        )

    async def send(self, sent: Sent) -> tuple[int, Any]:
        reply = await self.asked(sent.path, sent.body, _lower(sent.headers), sent.method)
        is_json = reply.headers.get("content-type") == "application/json"
        return reply.status, reply.json if is_json else None

    def facts(self, since: int) -> list[tuple[str, Fact]]:
        found = [
            (key.decode(), decode_record(value)) for _, value, key, _ in self.asked.producer.records[since:]
        ]
        return [(key, record) for key, record in found if isinstance(record, Fact)]


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    monkeypatch.chdir(tmp_path)  # its secrets are files beside the keys file
    return World(tmp_path, getattr(request, "param", 1))


@pytest.mark.parametrize("world", [1, 2], indirect=True)
async def test_every_trace_arrives_as_itself_and_at_its_lead(world: World) -> None:
    acts = list(itertools.takewhile(lambda act: act.at < MINUTE, world.story.acts()))
    digests, ways = set(), set[str]()
    for act in acts:
        if act.person is None or act.trace is None:
            continue
        now = NOON + int(act.at * 1000)
        world.asked.now = now / 1000
        before = len(world.asked.producer.records)
        sent = world.senders.sent(act.person, act.trace, now)
        status, told = await world.send(sent)
        assert status in {200, 302}, told
        assert told is None or not told.get("refused"), told
        ways.add(next((way for way in WAYS if sent.path.startswith(way)), sent.path))
        ((lead, fact),) = world.facts(before)
        assert world.roster.name_of(lead) == act.person.name
        assert fact.type == act.trace.type
        assert now - 1_000 < fact.time <= now + 1
        expected = {name: act.trace.data[name] for name in SCORED if name in act.trace.data}
        if "link" in act.trace.data:
            assert fact.properties["link"].endswith(act.trace.data["link"])
        assert {name: fact.properties.get(name) for name in expected} == expected
        assert fact.digest not in digests, "one event was taken for another"
        digests.add(fact.digest)
    assert ways == WAYS, "each way into the collector is used, and no other"


async def test_all_nonsense_is_refused_and_each_kind_for_a_reason_of_its_own(world: World) -> None:
    reasons = set()
    for what in NONSENSE:
        status, told = await world.send(world.senders.nonsense(what, NOON))
        assert 400 <= status < 500
        reasons.add(told["refused"][0]["code"] if "refused" in told else told["code"])
    assert len(reasons) == len(NONSENSE)
    assert world.asked.producer.records == []


async def test_a_visitor_is_nobody_of_the_story(world: World) -> None:
    anna = world.roster.lead_of("email", "anna@example.com")
    assert world.roster.name_of(anna) == VISITOR


class FakeLanes:
    def __init__(self, answer: Answer) -> None:
        self.answers: deque[tuple[Sent, Answer]] = deque()
        self._answer = answer

    def send(self, whose: str, request: Sent) -> None:
        self.answers.append((request, self._answer))


def played(world: World, answer: Answer, nonsense: bool) -> tuple[int, list[str]]:
    taken: list[int] = []
    refused: list[str] = []

    class OneAct:
        def acts(self) -> Any:
            story = world.story.acts()
            act = next(act for act in story if (act.trace is None) == nonsense)
            return iter([act._replace(at=0.0), Act(1e9, None, None)])

    lanes: Any = FakeLanes(answer)
    story: Any = OneAct()
    publisher = Publisher(story, world.senders, lanes, 1.0, lambda: taken.append(1), refused.append)
    publisher.start()
    publisher.publish_due()
    return len(taken), refused


async def test_what_becomes_of_requests_is_counted(world: World) -> None:
    assert played(world, Answer(200, (), ""), nonsense=False) == (1, [])
    assert played(world, Answer(400, ("not_json",), ""), nonsense=True) == (0, ["not_json"])
    assert played(world, Answer(404, (), ""), nonsense=True) == (0, ["404"])


async def test_a_demonstration_whose_own_events_are_refused_is_broken_and_says_so(world: World) -> None:
    with pytest.raises(UserError, match="answered 400: no lead"):
        played(world, Answer(400, ("no_lead",), "no lead"), nonsense=False)
    with pytest.raises(UserError, match="answered 200: one was refused"):
        played(world, Answer(200, ("no_lead",), "one was refused"), nonsense=False)
    with pytest.raises(UserError, match="took what is nonsense"):
        played(world, Answer(200, (), ""), nonsense=True)
