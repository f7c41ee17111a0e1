"""People whom nobody knows whole: a mail provider, a web page, an app and a calendar, over a real Kafka."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scorer.broker import Broker
from scorer.cli import run
from scorer.cli.progress import progress
from scorer.domain.model import encode_model
from scorer.domain.record import ANNOUNCE_ALL
from scorer.rulefile import loads
from scorer.rules_rebuild import rebuild
from scorer.settings import Settings
from scorer.wire.cloudevents import Event
from scorer.wire.identity import Identity
from scorer.wire.registry import IDENTITY, MERGED, SCORE
from tests.bench.road import WorkerProcess
from tests.bench.workload import APP, BOOKING, EMAIL, PAGE, PROFILE
from tests.integration.road_running import prepare_road, until
from tests.integration.score_running import check_equal, newest, read
from tests.support.intake import Publisher, event

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

PEOPLE = 40
RULES = """\
model: People
qualify: {enter: above 60, exit: below 10}
scores: {fit: {decay: none}}
rules:
  fit:
    - {rule: Opened, on: email.opened, points: +1}
    - {rule: Viewed, on: page.viewed, points: +2}
    - {rule: Used, on: app.task_created, points: +4}
    - {rule: Booked, on: booking.created, points: +8}
    - {rule: Came forward, on: profile.linked, points: +16}
    - {rule: Boss, when: {role: boss}, points: +32}
"""
TOTAL = 63.0
WHO = Identity("test")


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


async def test_whoever_comes_forward_whenever_is_one_lead(settings: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    broker = Broker(settings)
    prepare_road(settings, rules, log_partitions=4)
    publisher = Publisher(settings)
    rng = random.Random(6)
    wanted = {lead("user_id", number): TOTAL for number in range(PEOPLE)}
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        for number in range(PEOPLE):
            records = told_of(number)
            rng.shuffle(records)
            for door, changes in records:
                publisher.send(door, event(door, "", subject=None, **changes))
            publisher.flush()
        await until(lambda: scores(broker) == wanted, "everybody is one lead with the whole score", worker)
        assert worker.total("scorer_score_merged_total") == 2 * PEOPLE
        assert worker.total("scorer_score_links_refused_total") == 0
        worker.stop()
    check_equal(broker)
    known = ends(broker)
    for number in range(PEOPLE):
        user = lead("user_id", number)
        assert {known[lead(kind, number)] for kind in ("email", "anonymous_id")} == {user}
    merged = [msgspec.json.decode(value) for value in values(broker, MERGED)]
    assert len({one["subject"] for one in merged}) == len({one["id"] for one in merged}) > PEOPLE
    assert {one["data"]["into"] for one in merged} <= wanted.keys()
    check_replay(settings, wanted, tmp_path)


def told_of(number: int) -> list[tuple[str, dict[str, Any]]]:
    """Door, and what is said there of a person."""
    mail, visit, user = (own(kind, number) for kind in ("email", "anonymous_id", "user_id"))
    return [
        (EMAIL, {"type": "email.opened", "data": mail}),
        (PAGE, {"type": "page.viewed", "data": visit}),
        (APP, {"type": "app.task_created", "data": user}),
        (BOOKING, {"type": "booking.created", "data": mail}),
        (PROFILE, {"type": "profile.linked", "data": visit | user}),
        (PROFILE, {"type": "profile.updated", "data": user | mail | {"role": "boss"}}),
    ]


def own(kind: str, number: int) -> dict[str, str]:
    return {kind: f"{number}@example.net" if kind == "email" else f"{kind}-{number}"}


def lead(kind: str, number: int) -> str:
    return WHO.lead_id(Event("1.0", "1", "/", "t", own(kind, number))).decode()


def scores(broker: Broker) -> dict[str, float]:
    """Those that the view has now."""
    return {key: view["data"]["total"] for key, view in newest(broker, SCORE).items()}


def values(broker: Broker, topic: str) -> list[bytes]:
    return [record.value or b"" for records in read(broker, topic).values() for record in records]


def ends(broker: Broker) -> dict[str, str]:
    """Lead -> where the view of who is who leads to."""
    said = [msgspec.json.decode(value) for value in values(broker, IDENTITY)]
    into = {one["subject"]: one["data"]["into"] for one in said}
    found = {}
    for lead_id in into:
        end = lead_id
        while into.get(end):
            end = into[end]
        found[lead_id] = end
    return found


def check_replay(settings: Settings, wanted: dict[str, float], folder: Path) -> None:
    """An export of the log gives the same scores."""
    export, found = folder / "log.jsonl", folder / "scores.jsonl"
    where = ["--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix]
    assert run(["log", "export", *where, "--output", str(export)]) == 0
    assert run(["replay", str(export), "--scores", str(found), "--strict"]) == 0
    lines = [msgspec.json.decode(line) for line in found.read_bytes().splitlines()]
    assert {one["subject"]: one["data"]["total"] for one in lines} == wanted


PEOPLE_REBUILT = 16
CHANGED = (
    RULES.replace("on: email.opened", "on: [email.opened, email.replied]")
    .replace("on: app.task_created", "on: [app.task_created, app.task_closed]")
    .replace("on: profile.linked, points: +16", "on: profile.linked, points: +18, limit: once")
)


async def test_people_who_come_together_while_rules_are_rebuilt_have_their_whole_past(
    settings: Settings, tmp_path: Path
) -> None:
    """Whoever is merged before, meanwhile or after: every rule that has changed counts all."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    loaded = loads(CHANGED).model
    assert loaded is not None
    broker = Broker(settings)
    prepare_road(settings, rules, log_partitions=4)
    publisher = Publisher(settings)
    rng = random.Random(8)
    told = [(number, records) for number in range(PEOPLE_REBUILT) for records in told_of(number)]
    rng.shuffle(told)
    wanted = {lead("user_id", number): TOTAL + 2 for number in range(PEOPLE_REBUILT)}
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker, ThreadPoolExecutor(1) as pool:
        changing = None
        for place, (_, (door, changes)) in enumerate(told):
            publisher.send(door, event(door, "", subject=None, **changes))
            publisher.flush()
            if place == len(told) // 3:
                await until(lambda: len(scores(broker)) > PEOPLE_REBUILT, "many are known", worker)
                changing = pool.submit(rebuild, broker, encode_model(loaded), ANNOUNCE_ALL, progress)
            await asyncio.sleep(0.03)
        assert changing is not None
        await until(changing.done, "the rules are rebuilt", worker)
        assert changing.result().leads > 0
        await until(lambda: scores(broker) == wanted, "everybody is one lead with the whole score", worker)
        worker.stop()
    check_equal(broker)
