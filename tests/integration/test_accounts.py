"""Companies whose people look around under several names, over a real Kafka, with a worker that is killed."""

from __future__ import annotations

import random
from math import fsum
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scorer.broker import Broker
from scorer.cli import run
from scorer.settings import Settings
from scorer.wire.registry import ACCOUNT_DISQUALIFIED, ACCOUNT_QUALIFIED, ACCOUNT_SCORE, SCORE
from tests.bench.road import WorkerProcess
from tests.bench.workload import APP, EMAIL, PAGE, PROFILE
from tests.integration.road_running import prepare_road, until
from tests.integration.score_running import check_equal, newest, read
from tests.support.intake import Publisher, event

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

COMPANIES = 12
PEOPLE = 5
"""Of each company, one of them with an address of his own, who says where he works."""
RULES = """\
model: Companies
scores: {fit: {decay: none}}
rules:
  fit:
    - {rule: Opened, on: email.opened, points: +1}
    - {rule: Viewed, on: page.viewed, points: +2}
    - {rule: Used, on: app.task_created, points: +4}
    - {rule: Boss, when: {role: boss}, points: +20}
    - {rule: Wants a job, on: page.viewed, where: {path: starts with /careers}, points: -100}
accounts: {score: best 3, enter: above 40, exit: below 30, decay: none}
"""


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


async def test_a_company_is_worth_a_call_when_its_people_are(settings: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    broker = Broker(settings)
    prepare_road(settings, rules, log_partitions=4)
    publisher, rng = Publisher(settings), random.Random(8)
    records = [one for company in range(COMPANIES) for one in told_of(company)]
    rng.shuffle(records)
    # Two bosses, and what five people do: 22 is what a boss counts that has looked around, 7 anybody else.
    wanted = {domain(company): (22.0 + 22.0 + 7.0, 5) for company in range(COMPANIES)}
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        send(publisher, records[: len(records) // 2])
        await until(lambda: len(scores(broker)) >= COMPANIES // 2, "some companies have a score", worker)
        worker.kill()
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        send(publisher, records[len(records) // 2 :])
        await until(lambda: scores(broker) == wanted, "all companies have the whole score", worker)
        assert told(broker, ACCOUNT_QUALIFIED) == {domain(company): 1 for company in range(COMPANIES)}
        assert told(broker, ACCOUNT_DISQUALIFIED) == {}
        # One of the two bosses of every other company says that he has left it.
        left = range(0, COMPANIES, 2)
        send(publisher, [(PROFILE, "profile.updated", boss(one) | {"account_id": ""}) for one in left])
        now = wanted | {domain(company): (22.0 + 7.0 + 7.0, 4) for company in left}
        await until(lambda: scores(broker) == now, "who has left counts no more", worker)
        # Nobody buys who looks for a job there.
        send(publisher, [(PAGE, "page.viewed", boss(one, 1) | {"path": "/careers"}) for one in left])
        now |= {domain(company): (7.0 + 7.0 + 7.0, 4) for company in left}
        await until(lambda: scores(broker) == now, "less than nothing is nothing", worker)
        await until(lambda: len(told(broker, ACCOUNT_DISQUALIFIED)) == len(left), "they are dropped", worker)
        worker.stop()
    check_equal(broker)
    for view in newest(broker, ACCOUNT_SCORE).values():
        assert fsum(one["points"] for one in view["data"]["top"]) == view["data"]["score"]
    check_replay(settings, broker, tmp_path)


def domain(company: int) -> str:
    return f"company-{company}.example"


def told_of(company: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Door, type and data of all that is said of its people."""
    records: list[tuple[str, str, dict[str, Any]]] = []
    for number in range(PEOPLE):
        name = f"{company}-{number}"
        user, mail = {"user_id": f"user-{name}"}, {"email": f"p{number}@{domain(company)}"}
        if number == 0:
            mail = {"email": f"p{name}@gmail.com"}
            records.append((PROFILE, "profile.updated", user | {"account_id": domain(company)}))
        records.append((EMAIL, "email.opened", mail))
        records.append((PROFILE, "profile.linked", user | mail))
        if number < 2:
            records.append((PROFILE, "profile.updated", user | {"role": "boss"}))
            records += [(EMAIL, "email.opened", mail)]
        else:
            records += [(PAGE, "page.viewed", user), (APP, "app.task_created", user)]
    return records


def boss(company: int, number: int = 0) -> dict[str, str]:
    return {"user_id": f"user-{company}-{number}"}


def send(publisher: Publisher, records: list[tuple[str, str, dict[str, Any]]]) -> None:
    for door, kind, data in records:
        publisher.send(door, event(door, "", type=kind, subject=None, data=data))
    publisher.flush()


def scores(broker: Broker) -> dict[str, tuple[float, int]]:
    return {
        key: (view["data"]["score"], view["data"]["people"])
        for key, view in newest(broker, ACCOUNT_SCORE).items()
    }


def told(broker: Broker, topic: str) -> dict[str, int]:
    """Account -> how often it was told, repetitions aside."""
    found: dict[str, set[str]] = {}
    for records in read(broker, topic).values():
        for record in records:
            found.setdefault((record.key or b"").decode(), set()).add(
                msgspec.json.decode(record.value or b"")["id"]
            )
    return {key: len(ids) for key, ids in found.items()}


def check_replay(settings: Settings, broker: Broker, folder: Path) -> None:
    """An export of the log says the same of every company, and nothing identifies anybody."""
    export, found = folder / "log.jsonl", folder / "outcomes.jsonl"
    where = ["--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix]
    assert run(["log", "export", *where, "--output", str(export)]) == 0
    assert run(["replay", str(export), "--outcomes", str(found), "--strict"]) == 0
    again = {line for line in found.read_bytes().splitlines() if b'"account.' in line}
    said = {
        record.value
        for topic in (ACCOUNT_QUALIFIED, ACCOUNT_DISQUALIFIED)
        for records in read(broker, topic).values()
        for record in records
    }
    assert again == said
    assert b"gmail.com" not in export.read_bytes()
    assert b"p1@" not in export.read_bytes()
    assert len(read(broker, SCORE)) == 4
