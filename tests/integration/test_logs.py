"""What worker and collector write while people's data goes through them, whatever breaks."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from scorer.collector.sink import producer_config
from scorer.settings import Settings
from tests.bench.road import WorkerProcess
from tests.integration.road_running import prepare_road, until
from tests.support.collecting import BASIC, BEARER, Client, CollectorProcess, batch, track
from tests.support.intake import Publisher, event, facts, read_dead_letters, read_log
from tests.support.misplaced import MISPLACED, misplaced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka_fixtures import RunningKafka

EMAIL = "activity.email.v1"
RULES = """\
model: Logged
qualify: {enter: above 10, exit: below 5}
scores: {fit: {decay: none}}
rules:
  fit:
    - {rule: Opened, on: email.opened, points: +15}
"""
PERSON = {"email": MISPLACED, "name": "Anna Secretova", "phone": "+49 170 5550123", "ip": "203.0.113.77"}
WORDS = ("anna", "secretova", "example.com", "5550123", "203.0.113", "opaque-lead")
LEAKY = ("tests.integration.leaky",)
"""Bugs of ours in intake and engine; the collector's processes get them as Python starts."""


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORER_LOG_FORMAT", "json")
    monkeypatch.setenv("SCORER_LOG_LEVEL", "debug")
    bugs = tmp_path / "bugs"
    bugs.mkdir()
    (bugs / "sitecustomize.py").write_text("from tests.integration.leaky import plant\nplant()\n")
    monkeypatch.setenv("PYTHONPATH", f"{bugs}:{Path(__file__).parents[2]}")


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> Settings:
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    prepare_road(settings, rules)
    return settings


def lines_of(text: str) -> list[dict[str, Any]]:
    """Every line of a process's output, each of them a whole object."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines)
    return lines


def check_nobody_is_in(text: str, settings: Settings) -> None:
    lowered = text.lower()
    for word in WORDS:
        assert word not in lowered
    leads = {(written.lead or b"").decode() for written, _ in facts(read_log(settings))}
    assert leads
    for lead in leads:
        assert lead not in text


def said(lines: list[dict[str, Any]], beginning: str) -> dict[str, Any]:
    found = [line for line in lines if line["message"].startswith(beginning)]
    assert found, f"nothing begins with {beginning!r}: {[line['message'] for line in lines]}"
    return found[0]


def events(mark: str, count: int) -> Iterator[bytes]:
    """Events of people, every other one with the mark of a bug that will meet it."""
    for number in range(count * 2):
        id_ = f"{MISPLACED}-{mark if number % 2 else 'fine'}-{number}"
        yield event(EMAIL, f"opaque-lead-{number % 7}", type="email.opened", id=id_, data=PERSON)


async def test_a_worker_says_nothing_of_anybody(settings: Settings, tmp_path: Path) -> None:
    publisher = Publisher(settings)
    values = [*misplaced(), *events("intake-bug", 30), *events("engine-bug", 6)]
    # After them some that are taken, in every partition: then what our own code met becomes a dead letter.
    last = (f"opaque-lead-last-{number}" for number in range(20))
    values += [event(EMAIL, lead, type="email.opened", data=PERSON) for lead in last]
    for value in values:
        publisher.send(EMAIL, value, MISPLACED, partition=0)
    publisher.flush()
    folder = tmp_path / "worker"
    with WorkerProcess(settings, folder, checkpoint=0.2, program=LEAKY) as worker:
        await until(
            lambda: sum(one.origin.reason == "engine_error" for one in read_dead_letters(settings)) >= 36,
            "what our code failed on is in the dead letters",
            worker,
        )
        await until(worker.ready, "ready again", worker)
        worker.stop()
    text = worker.log.read_text()
    check_nobody_is_in(text, settings)
    lines = lines_of(text)
    assert {line["component"] for line in lines} == {"worker"}

    started = said(lines, "started: scorer")
    assert started["settings"]["lead_secret"] == "set"
    assert started["parts"] == ["intake", "score"]
    assert said(lines, "assigned partitions: 0-1")["new"] == [0, 1]
    assert said(lines, "scoring partitions 0-1")["positions"].keys() == {"0", "1"}
    assert said(lines, "rules version 1 is in force in 2 of 2")["rules_version"] == 1
    assert said(lines, "intake reads")["doors"][settings.topic_prefix + EMAIL]
    assert said(lines, "stopping: SIGINT")["reason"] == "SIGINT"
    assert said(lines, "paused partitions 0-1")
    assert said(lines, "stopped: what was under way took")["seconds"] < 30

    intake = [line for line in lines if line["logger"] == "scorer.worker.intake_dead"]
    assert (len(intake), intake[-1]["suppressed"]) == (21, 10)
    assert (intake[0]["topic"], intake[0]["partition"]) == (settings.topic_prefix + EMAIL, 0)
    assert (intake[0]["reason"], intake[0]["offset"]) == ("ValueError", len(misplaced()) + 1)
    assert "intake.py" in intake[0]["exception"]
    engine = [line for line in lines if "our code failed at offset" in line["message"]]
    assert engine
    assert all(line["topic"] == "lead.log.v1" and "ValueError" in line["exception"] for line in engine)


def test_a_collector_says_nothing_of_anybody(settings: Settings, tmp_path: Path) -> None:
    with CollectorProcess(settings, tmp_path / "collector", "--processes", "2").ready() as running:
        with Client(running.port) as ask:
            told = {"X-Forwarded-For": "203.0.113.77", "User-Agent": MISPLACED}
            good = track("opaque-lead-1", context={"ip": "203.0.113.77"}, properties=PERSON)
            assert ask("/v1/track", good, BASIC | told).status == 200
            assert (
                ask("/v1/identify", {"userId": "opaque-lead-2", "traits": PERSON}, BASIC | told).status == 200
            )
            assert ask("/v1/batch", batch(range(20)), BASIC | told).status == 200
            for body in (b"{" + MISPLACED.encode(), b"\xff" * 100, json.dumps([PERSON]).encode(), b""):
                assert ask("/v1/track", body, BASIC | told).status >= 400
                assert ask("/v1/events", body, BEARER | told).status >= 400
            assert ask(f"/v1/{MISPLACED}", {}, told, "GET").status == 404
            assert ask("/v1/track", good, {"Authorization": f"Basic {MISPLACED}"}).status == 401
            for number in range(60):
                id_ = f"{MISPLACED}-intake-bug-{number}"
                assert (
                    ask("/v1/track", track(1, messageId=id_, properties=PERSON), BASIC | told).status == 400
                )
            assert ask("/v1/track", track(2), BASIC).status == 200
        for raw in (
            b"GET /%s HTTP/9.9\r\n\r\n",
            b"%s\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: %s\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", running.port), 5) as connection:
                connection.sendall(raw % MISPLACED.encode())
                connection.recv(1000)
        running.stop()
    text = running.output()
    check_nobody_is_in(text, settings)
    lines = lines_of(text)
    assert {line["component"] for line in lines} == {"collector"}
    assert said(lines, "started: scorer")["keys"] == 2
    assert said(lines, "listening on http://127.0.0.1:")["port"] == running.port
    assert said(lines, "ready")
    assert said(lines, "stopping: SIGTERM")
    assert said(lines, "stopped: what was under way took")["exit_code"] == 0
    faults = [line for line in lines if line["message"].startswith("our code failed on an event")]
    rest = [line for line in lines if "suppressed" in line]
    assert len(faults) + sum(line["suppressed"] for line in rest) == 60
    assert all(line["key"] == "web" and "ValueError" in line["exception"] for line in faults)


async def test_librdkafka_s_own_words_are_lines_of_the_same_log(caplog: pytest.LogCaptureFixture) -> None:
    producer = Producer(producer_config(Settings(bootstrap="127.0.0.1:1").kafka))

    def told() -> list[str]:
        producer.poll(0.01)
        return [one.getMessage() for one in caplog.records if one.name == "librdkafka"]

    await until(lambda: bool(told()), "librdkafka has said something")
    assert "127.0.0.1:1" in told()[0]
    assert {one.levelname for one in caplog.records if one.name == "librdkafka"} == {"WARNING"}
