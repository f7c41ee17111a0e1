"""Rules are tried beside those in force on a real Kafka: compared, silent, and put in force."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from scorer import cli
from scorer.domain.explaining import Explanation, decode_explanation
from scorer.domain.lead import QUALIFIED, decode_lead
from scorer.domain.model import decode_model, encode_model, fingerprint
from scorer.domain.reading import total
from scorer.domain.record import Fact, Rules, decode_record, encode_record
from scorer.domain.rules import build_model
from scorer.rulefile import require
from scorer.settings import Settings
from scorer.wire.asking import ask
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LOG
from scorer.wire.times import milliseconds
from tests.bench.road import WorkerProcess
from tests.integration.score_running import (
    DEADLINE,
    all_scored,
    leads_in,
    make_topics,
    outcomes_in,
    read,
)
from tests.worker.score_world import by_lead, one_pass

if TYPE_CHECKING:
    from pathlib import Path

    from scorer.broker import Broker
    from tests.kafka_fixtures import RunningKafka

PARTITIONS = 3
RULES = """
model: Before
qualify: {enter: above 20, exit: below 15}
scores: {engagement: {decay: half every 10 days}}
rules:
  engagement:
    - {rule: Opened, on: email.opened, points: +4}
    - {rule: Booked, on: booking.created, points: +12}
"""
TRIED = """
model: Tried
qualify: {enter: above 10, exit: below 5}
scores: {engagement: {decay: half every 20 days}}
rules:
  engagement:
    - {rule: Opened, on: email.opened, points: +2}
    - {rule: Booked, on: booking.created, points: +30, cap: 60}
"""


class Publisher:
    """Facts of some leads, now."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._rng = random.Random(4)
        self._made = 0

    def publish(self, count: int) -> None:
        now = int(time.time() * 1000)
        with self._broker.writer() as writer:
            for _ in range(count):
                self._made += 1
                number, lead = self._made, b"lead-%d" % self._rng.randrange(300)
                kind = "booking.created" if self._rng.random() < 0.1 else "email.opened"
                fact = Fact(kind, now, now, 0, -1, number.to_bytes(8, "big"), f"e{number}", "test", {})
                writer.append(LOG, partition_of(lead, PARTITIONS), lead, encode_record(fact))


def wait_until_scored(broker: Broker, worker: WorkerProcess) -> None:
    deadline = time.monotonic() + DEADLINE
    while not all_scored(broker):
        assert time.monotonic() < deadline, worker.last_words()
        time.sleep(0.1)


def without_shadows(value: bytes | None) -> bytes:
    """A log record; nothing is tried beside rules that it puts in force."""
    record = decode_record(value or b"")
    if not isinstance(record, Rules) or decode_model(record.model).shadow is None:
        return value or b""
    model = encode_model(msgspec.structs.replace(decode_model(record.model), shadow=None))
    return encode_record(msgspec.structs.replace(record, model=model, fingerprint=fingerprint(model)))


def test_rules_are_tried_on_the_same_events_in_silence_and_put_in_force(  # noqa: PLR0915 - one story
    kafka: RunningKafka, topic_prefix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)
    broker = make_topics(settings, PARTITIONS)
    before, tried = tmp_path / "before.yaml", tmp_path / "tried.yaml"
    before.write_text(RULES)
    tried.write_text(TRIED)
    where = ["--bootstrap", settings.bootstrap, "--topic-prefix", topic_prefix]

    def said(*arguments: str, code: int = 0) -> str:
        capfd.readouterr()
        assert cli.run([*arguments, *where]) == code
        told = capfd.readouterr()
        return told.err if code else told.out

    assert "no rules are in force yet" in said("shadow", "start", str(tried), code=2)
    said("rules", "apply", str(before))
    assert "nothing to try" in said("shadow", "start", str(before), code=1)
    assert "no rules are tried" in said("shadow", "report", code=1)
    publisher = Publisher(broker)
    with WorkerProcess(settings, tmp_path / "worker", "--only", "score", checkpoint=0.2) as worker:
        publisher.publish(500)
        assert "tried from now on" in said("shadow", "start", str(tried))
        assert "already tried" in said("shadow", "start", str(tried))
        publisher.publish(500)
        worker.kill()
    publisher.publish(300)
    with WorkerProcess(settings, tmp_path / "worker", "--only", "score", checkpoint=0.2) as worker:
        wait_until_scored(broker, worker)

        states = {key: decode_lead(state) for key, state in leads_in(broker).items()}
        shadows = {key: lead.shadow for key, lead in states.items() if lead.shadow is not None}
        assert len(shadows) == len(states) > 200
        found = msgspec.json.decode(said("shadow", "report", "--json", "--leads", "1000"))
        assert (found["live_name"], found["shadow_name"]) == ("Before", "Tried")
        assert (found["leads"], found["failed"], found["unreached"]) == (len(states), 0, 0)
        newly = {
            key.decode()
            for key, lead in states.items()
            if shadows[key].lead.status == QUALIFIED != lead.status
        }
        assert {one["lead"] for one in found["newly"]} == newly
        assert len(newly) > 5
        assert found["would"]["qualified"] == sum(one.qualified for one in shadows.values()) > 10
        assert found["told"]["qualified"] == sum(one.live_qualified for one in shadows.values()) > 10
        assert "Qualified only by the rules that are tried" in said("shadow", "report")
        told = worker.metrics()["scorer_score_trial_outcomes_total"]
        for which in ("live", "shadow"):
            assert any(told[labels] for labels in told if {which, "qualified"} < {*labels})

        # It sends nothing: what was told is what would have been told without it, to the byte.
        log = [[(one.key, without_shadows(one.value)) for one in part] for part in read(broker, LOG).values()]
        alone = by_lead([outcome for part in log for outcome in one_pass(part).outcomes])
        assert by_lead(outcomes_in(broker)) == alone

        one = explained(worker, next(iter(newly)))
        assert one.shadow is not None
        assert (one.shadow.rules.name, one.shadow.status) == ("Tried", "qualified")
        assert sum(line.points for line in one.shadow.ledger) == one.shadow.total

        before_it = len(outcomes_in(broker))
        assert "leads keep what they have been granted" in said("shadow", "promote", "--announce", "upward")
        wait_until_scored(broker, worker)
        events = [msgspec.json.decode(outcome.value) for outcome in outcomes_in(broker)]
        by_change = [event for event in events if event["data"]["cause"] == "rules"]
        assert {event["subject"] for event in by_change} == newly
        assert {event["type"] for event in by_change} == {"lead.qualified"}
        assert len(events) == before_it + len(newly)
        rules = build_model(require(tried))
        for key in states:
            now = explained(worker, key.decode())
            assert now.shadow is None
            assert now.rules.name == "Tried"
            points = total(rules, shadows[key].lead, milliseconds(now.at))
            assert now.total == pytest.approx(points, abs=1e-6)
        assert "no rules are tried" in said("shadow", "stop", code=1)


def explained(worker: WorkerProcess, lead: str) -> Explanation:
    reply = ask(worker.address, lead, timeout=DEADLINE)
    assert reply.status == 200
    return decode_explanation(reply.body)
