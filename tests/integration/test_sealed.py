"""What identifies a person, sealed: kept, told in outcomes, and forgotten with the key, over a real Kafka."""

from __future__ import annotations

import random
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scorer.broker import Broker
from scorer.cli import run
from scorer.domain.person import decode_sealed
from scorer.domain.record import Fact, decode_record
from scorer.settings import Settings
from scorer.wire.cloudevents import Event
from scorer.wire.identity import Identity
from scorer.wire.registry import CHANGELOG, DISQUALIFIED, IDENTITY, LEAD_KEYS, LOG, QUALIFIED, SCORE
from scorer.wire.sealing import Wrap, parse_key_name, unseal
from tests.bench.road import WorkerProcess
from tests.bench.workload import EMAIL, PROFILE
from tests.integration.road_running import prepare_road, until
from tests.integration.score_running import read
from tests.support.intake import (
    IntakeProcess,
    Publisher,
    end_of,
    event,
    examine,
    ids_in,
    prepare,
    read_dead_letters,
    read_log,
)
from tests.support.misplaced import MISPLACED, misplaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

PEOPLE = 12
FORGOTTEN = range(PEOPLE // 2)
RULES = """\
model: Sealed
qualify: {enter: above 10, exit: below 5}
scores: {fit: {decay: none}}
rules:
  fit:
    - {rule: Opened, on: email.opened, points: +15}
disqualify:
  - {rule: Student, when: {role: student}}
"""
WHO, WRAP = Identity("test"), Wrap("test")
Opened = list[dict[str, str]]


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SCORER_SEALED_FIELDS", "email,name,phone")
    monkeypatch.setenv("SCORER_OPEN_IN_OUTCOMES", "name,email")
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


async def test_a_person_is_told_of_until_the_keys_are_deleted(settings: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    broker = Broker(settings)
    prepare_road(settings, rules)
    publisher = Publisher(settings)

    def say(door: str, type_: str, subject: str | None, **data: Any) -> None:
        publisher.send(door, event(door, "", type=type_, subject=subject, data=data))
        publisher.flush()

    leads = [lead(number) for number in range(PEOPLE)]
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        for number in range(PEOPLE):
            say(EMAIL, "email.opened", None, **person(number), phone=f"+49 {number:09}")
        await until(lambda: len(told(broker, QUALIFIED)) == PEOPLE, "everybody qualifies", worker)
        # The event that qualifies is the one that says who it is.
        assert told(broker, QUALIFIED) == {leads[number]: person(number) for number in range(PEOPLE)}
        check_nothing_readable(broker)
        assert kept(broker) == {one: [known(number)] for number, one in enumerate(leads)}
        assert worker.total("scorer_intake_lead_keys_total") == PEOPLE == len(keys(broker))

        for number in range(PEOPLE):
            say(EMAIL, "email.opened", None, **person(number))
        await until(lambda: facts(broker) == 2 * PEOPLE, "all is in the log", worker)
        assert kept(broker) == {one: [known(number)] for number, one in enumerate(leads)}

        forgotten = delete_keys(broker, [leads[number] for number in FORGOTTEN])
        files = tmp_path / "data" / "keys"
        await until(lambda: not held(files, forgotten), "the keys leave the disk", worker)
        found = kept(broker)
        assert [found[leads[number]] for number in FORGOTTEN] == [[{}]] * len(FORGOTTEN)
        for one in leads:
            say(PROFILE, "profile.updated", one, role="student")
        await until(lambda: len(told(broker, DISQUALIFIED)) == PEOPLE, "everybody is ruled out", worker)
        assert told(broker, DISQUALIFIED) == {
            one: None if number in FORGOTTEN else person(number) for number, one in enumerate(leads)
        }
        assert worker.total("scorer_score_unopened_fields_total") == 2 * len(FORGOTTEN)

        for number in range(PEOPLE):
            say(EMAIL, "email.opened", None, **person(number))
        await until(lambda: facts(broker) == 4 * PEOPLE, "all is in the log", worker)
        assert kept(broker) == {
            one: [{}, person(number)] if number in FORGOTTEN else [known(number)]
            for number, one in enumerate(leads)
        }
        assert len(keys(broker)) == PEOPLE
        worker.stop()
    check_nothing_readable(broker)
    check_replay(settings, told(broker, QUALIFIED).keys(), tmp_path)
    for word in ("@example.net", "Person "):
        assert word not in worker.log.read_text()


@pytest.mark.slow
def test_killed_at_any_moment_intake_leaves_nothing_sealed_that_does_not_open(
    settings: Settings, tmp_path: Path
) -> None:
    prepare(settings, partitions={LOG: 2})
    broker, publisher, rng = Broker(settings), Publisher(settings), random.Random(29)
    environment = {"SCORER_LEAD_SECRET": "test", "SCORER_DATA_DIR": str(tmp_path / "data")}
    said = 0
    for life in range(4):
        with IntakeProcess(settings, tmp_path, **environment) as worker:
            worker.wait_ready()
            made = end_of(settings, LEAD_KEYS)
            for _ in range(300):
                publisher.send(EMAIL, event(EMAIL, "", subject=None, data=person(said)))
                said += 1
            publisher.flush()
            worker.wait_for(partial(more_keys, settings, made))
            time.sleep(rng.random() * 0.05)
            worker.kill()
        if life == 1:
            shutil.rmtree(tmp_path / "data")
    with IntakeProcess(settings, tmp_path, **environment) as worker:
        worker.wait_ready().wait_for(lambda: len(ids_in(settings)) == said)
        worker.stop()
    opened = kept(broker)
    assert len(opened) == said
    for number in range(said):
        assert all(one == person(number) for one in opened[lead(number)])
    found = examine(read_log(settings))
    assert (found.ahead, found.disorder) == ([], [])


async def test_an_address_stands_in_no_log_line_no_metric_and_no_header(
    settings: Settings, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    prepare_road(settings, rules)
    broker = Broker(settings)
    publisher = Publisher(settings)
    values = misplaced()
    for value in values:
        publisher.send(EMAIL, value, MISPLACED)
    publisher.send(EMAIL, event(EMAIL, "", subject=None, type="email.opened", data={"email": MISPLACED}))
    publisher.flush()
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        await until(lambda: len(told(broker, QUALIFIED)) > 0, "the last one qualifies", worker)
        await until(
            lambda: facts(broker) + len(read_dead_letters(settings)) == len(values) + 1, "all", worker
        )
        served = worker.page("/metrics") + "\n".join(worker.problems())
        worker.stop()
    letters = read_dead_letters(settings)
    assert len(letters) > len(values) / 2
    assert {letter.value for letter in letters} <= set(values), "what came is kept as it was"
    for word in ("anna", "example.com"):
        assert word not in served
        assert word not in worker.log.read_text()
        for letter in letters:
            for name, value in letter.headers.items():
                assert word not in name
                assert word.encode() not in value


def person(number: int) -> dict[str, str]:
    return {"email": f"Reader.{number}@example.net", "name": f"Person {number}"}


def known(number: int) -> dict[str, str]:
    return person(number) | {"phone": f"+49 {number:09}"}


def lead(number: int) -> str:
    return WHO.lead_id(Event("1.0", "1", "/", "t", person(number))).decode()


def told(broker: Broker, topic: str) -> dict[str, dict[str, str] | None]:
    """Lead -> what its outcome says of the person."""
    said = [msgspec.json.decode(one.value or b"") for part in read(broker, topic).values() for one in part]
    assert len({one["subject"] for one in said}) == len(said)
    return {one["subject"]: one["data"].get("person") for one in said}


def keys(broker: Broker) -> dict[bytes, bytes]:
    """The record's key -> the value, of keys that are not deleted."""
    newest = {one.key or b"": one.value for part in read(broker, LEAD_KEYS).values() for one in part}
    return {name: value for name, value in newest.items() if value}


def finder(broker: Broker) -> Callable[[bytes, bytes], bytes | None]:
    found = {parse_key_name(name): WRAP.open(name, value) for name, value in keys(broker).items()}
    return lambda *asked: found.get(asked)


def kept(broker: Broker) -> dict[str, Opened]:
    """Lead -> what can be read of each fact with something sealed, in log order."""
    find = finder(broker)
    opened: dict[str, Opened] = {}
    for part in read(broker, LOG).values():
        for one in part:
            record = decode_record(one.value or b"")
            if isinstance(record, Fact) and record.sealed is not None:
                texts = {
                    name: unseal(blob, name, find) for name, blob in decode_sealed(record.sealed).items()
                }
                readable = {name: text for name, text in texts.items() if text is not None}
                opened.setdefault((one.key or b"").decode(), []).append(readable)
    return opened


def facts(broker: Broker) -> int:
    return sum(
        isinstance(decode_record(one.value or b""), Fact)
        for part in read(broker, LOG).values()
        for one in part
    )


def more_keys(settings: Settings, than: int) -> bool:
    return end_of(settings, LEAD_KEYS) > than


def delete_keys(broker: Broker, leads: list[str]) -> list[bytes]:
    """As `scorer erase` does; returns what the records were."""
    deleted = []
    stored = read(broker, LEAD_KEYS)
    with broker.writer() as writer:
        for number, part in stored.items():
            for one in part:
                if (one.key or b"").partition(b"\x1f")[0].decode() in leads:
                    writer.append(LEAD_KEYS, number, one.key, None)
                    deleted.append(one.value or b"")
    assert len(deleted) == len(leads)
    return deleted


def held(folder: Path, values: list[bytes]) -> bool:
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return any(value in content for value in values for content in files)


def check_replay(settings: Settings, leads: Iterable[str], folder: Path) -> None:
    """The same outcomes, which nobody opens."""
    export, outcomes = folder / "log.jsonl", folder / "outcomes.jsonl"
    where = ["--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix]
    assert run(["log", "export", *where, "--output", str(export)]) == 0
    assert run(["replay", str(export), "--outcomes", str(outcomes), "--strict"]) == 0
    lines = [msgspec.json.decode(line) for line in outcomes.read_bytes().splitlines()]
    assert {one["subject"] for one in lines if one["type"] == "lead.qualified"} == set(leads)
    assert not any("person" in one["data"] for one in lines)


def check_nothing_readable(broker: Broker) -> None:
    for topic in (LOG, LEAD_KEYS, CHANGELOG, SCORE, IDENTITY):
        for part in read(broker, topic).values():
            for one in part:
                for word in (b"eader.", b"Person", b"+49"):
                    assert word not in (one.key or b"") + (one.value or b""), topic
