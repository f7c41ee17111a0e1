"""What the worker said, on a real Kafka and through kills and restarts, is what replay says of its log.

The same bytes, for each lead in the same order: outcomes, and the last score view of every lead.
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from scorer.broker import Broker
from scorer.cli import run
from scorer.domain.model import encode_model
from scorer.history import History
from scorer.rulefile import loads
from scorer.rules_apply import apply as apply_rules
from scorer.settings import Settings
from scorer.wire.identity import Identity
from scorer.wire.registry import LOG, OUTCOMES, SCORE, Registry
from scorer.wire.topic_plan import Wishes
from scorer.wire.topics import apply_topics
from tests.bench.road import WorkerProcess, scored_to_the_end, wait_until
from tests.bench.workload import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

RULES = """
model: Test
grace: 1 second
qualify: {enter: above 20, exit: below 15}
scores:
  fit: {decay: none}
  engagement: {decay: half every 3 seconds}
rules:
  fit:
    - {rule: Chief, when: {job: [CEO]}, points: +8}
    - {rule: Silence, when: {no: email.opened, for: 4 seconds}, points: -3}
  engagement:
    - {rule: Call booked, on: booking.created, points: +25}
    - {rule: Opened, on: email.opened, points: +4}
    - {rule: Careers, on: page.viewed, where: {path: [starts with /careers]}, points: -12}
    - {rule: Active, entering: Active, points: +6}
segments:
  Active: {at least: 3, of: email.opened, within: 6 seconds}
disqualify:
  - rule: Gone
    when: {no: [email.opened, booking.created], for: 7 seconds}
    reason: nothing for a while
"""
CHANGED = (
    RULES.replace("above 20", "above 12").replace("below 15", "below 6").replace("points: +4", "points: +5")
)
LEADS = 60
SECONDS = 14
PER_SECOND = 150


def model(text: str) -> bytes:
    loaded = loads(text)
    assert loaded.model is not None, loaded.diagnostics
    return encode_model(loaded.model)


class Publisher:
    """Events of the moment; some late, some in the near future, some twice, some nonsense."""

    KINDS = (
        (6, "activity.email.v1", "email.opened", {}),
        (2, "activity.page.v1", "page.viewed", {"path": "/careers/now"}),
        (3, "activity.page.v1", "page.viewed", {"path": "/pricing"}),
        (1, "activity.booking.v1", "booking.created", {}),
        (1, "lead.profile.v1", "profile.updated", {"job": "CEO"}),
        (1, "lead.profile.v1", "profile.updated", {"job": None}),
    )

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._rng = random.Random(7)
        self._sent = 0

    def publish(self, seconds: float) -> None:
        began = time.monotonic()
        with self._broker.writer() as writer:
            while (passed := time.monotonic() - began) < seconds:
                for _ in range(int(PER_SECOND * 0.1)):
                    topic, value = self._event(passed)
                    for _ in range(1 + (self._rng.random() < 0.02)):
                        writer.append(topic, self._rng.randrange(4), b"any", value)
                time.sleep(0.1)

    def _event(self, passed: float) -> tuple[str, bytes]:
        rng = self._rng
        weights = [weight for weight, *_ in self.KINDS]
        _, topic, kind, data = rng.choices(self.KINDS, weights)[0]
        if rng.random() < 0.01:
            return topic, b"{nonsense"
        self._sent += 1
        now = int(time.time() * 1000)
        moved = rng.choice((0, 0, 0, 0, -2_500, -40_000, +3_000))
        # Half of the leads fall silent halfway, so that time alone has something to say.
        lead = rng.randrange(LEADS // 2 if passed > SECONDS / 4 else LEADS)
        event = {"specversion": "1.0", "id": f"e{self._sent}", "source": "/test", "type": kind, "data": data}
        return topic, json.dumps(event | {"subject": f"lead-{lead}", "time": rfc3339(now + moved)}).encode()


def history(path: Path) -> Path:
    """Last weeks of some leads, most of whom are heard of again."""
    rng = random.Random(3)
    now = int(time.time() * 1000)
    with path.open("w") as file:
        for number in range(300):
            moment = now - rng.randrange(20_000)
            event = {
                "specversion": "1.0",
                "id": f"h{number}",
                "source": "/history",
                "type": rng.choice(("email.opened", "booking.created")),
                "subject": f"lead-{rng.randrange(LEADS + 20)}",
                "time": rfc3339(moment),
                "data": {},
            }
            file.write(json.dumps(event) + "\n")
    return path


def live(broker: Broker, topics: Iterable[str]) -> Iterator[tuple[bytes, bytes]]:
    for topic in topics:
        for partition, wanted in broker.ranges(topic).items():
            for record in broker.read(topic, partition, wanted):
                yield record.key or b"", record.value or b""


def in_sequence(values: Iterable[bytes]) -> dict[str, list[bytes]]:
    """By lead, in the order of sequence numbers, each once; a repetition has to repeat the bytes."""
    found: dict[str, dict[int, bytes]] = defaultdict(dict)
    for value in values:
        event: dict[str, Any] = json.loads(value)
        number = event["data"]["sequence"]
        assert found[event["subject"]].setdefault(number, value) == value
    return {
        lead: [numbered[number] for number in sorted(numbered)] for lead, numbered in sorted(found.items())
    }


def wait_for_facts(worker: WorkerProcess) -> None:
    def scoring() -> bool:
        return worker.total("scorer_score_facts_total") > 0

    wait_until(scoring, 60, "something is scored")


def settle(worker: WorkerProcess, broker: Broker) -> None:
    wait_until(lambda: scored_to_the_end(worker, broker), 60, f"the log is scored\n{worker.last_words()}")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_live_outcomes_equal_those_of_a_replay(
    kafka: RunningKafka, topic_prefix: str, tmp_path: Path
) -> None:
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")
    apply_topics(settings, Registry.load(), Wishes(partitions={LOG: 3}))
    broker = Broker(settings)
    apply_rules(broker, model(RULES))
    publisher = Publisher(broker)

    with ExitStack() as stack:
        intake = stack.enter_context(WorkerProcess(settings, tmp_path / "intake", "--only", "intake"))

        def start(name: str) -> WorkerProcess:
            # A name that it keeps: the group need not wait for the one before it to time out.
            arguments = ("--only", "score", "--instance", "it")
            return stack.enter_context(WorkerProcess(settings, tmp_path / name, *arguments, checkpoint=0.3))

        first = start("one")
        publisher.publish(SECONDS / 4)
        wait_for_facts(first)
        first.kill()
        publisher.publish(SECONDS / 4)
        imported = History(
            history(tmp_path / "history.jsonl"), Identity(settings.lead_secret), int(time.time() * 1000)
        )
        imported.append(broker, imported.check())
        second = start("one")
        publisher.publish(SECONDS / 4)
        apply_rules(broker, model(CHANGED))
        wait_for_facts(second)
        second.stop()
        # On another disk: everything comes back from the changelog.
        third = start("two")
        publisher.publish(SECONDS / 4)
        settle(third, broker)
        # Time alone goes on: the silent are found out.
        time.sleep(9)
        intake.stop()
        settle(third, broker)
        wait_until(lambda: not third.total("scorer_score_unswept"), 60, "every lead has passed the new rules")
        third.stop()

    export, outcomes, scores = (tmp_path / name for name in ("log.jsonl", "outcomes.jsonl", "scores.jsonl"))
    flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
    assert run(["log", "export", "-o", str(export), *flags]) == 0
    assert run(["replay", str(export), "--strict", "--outcomes", str(outcomes), "--scores", str(scores)]) == 0

    said = in_sequence(value for _, value in live(broker, OUTCOMES))
    replayed = in_sequence(outcomes.read_bytes().splitlines())
    assert said == replayed
    everything = [json.loads(value)["data"] for values in said.values() for value in values]
    assert {one["cause"] for one in everything} == {"activity", "time", "rules", "import"}
    assert {one["reason"] for one in everything} >= {"score", "Gone"} or len(everything) > 100

    # Not by chance: without one booking the replay is another.
    lines = export.read_bytes().splitlines(keepends=True)
    booking = next(place for place, line in enumerate(lines) if b'"type":"booking.created"' in line)
    export.write_bytes(b"".join(lines[:booking] + lines[booking + 1 :]))
    shorter = tmp_path / "shorter.jsonl"
    assert run(["replay", str(export), "--outcomes", str(shorter)]) == 0
    assert in_sequence(shorter.read_bytes().splitlines()) != said

    views = dict(live(broker, (SCORE,)))
    assert sorted(views.values()) == sorted(scores.read_bytes().splitlines())
