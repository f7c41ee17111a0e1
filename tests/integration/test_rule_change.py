"""Rules change on a real Kafka, workers are killed meanwhile, and every lead is what the oracle says."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from scorer import cli
from scorer.domain.record import Fact, encode_record
from scorer.settings import Settings
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LOG
from scorer.wire.registry import RULES as RULES_TOPIC
from tests.integration.rule_changing import KILLS, run, run_rebuild
from tests.integration.score_running import (
    all_scored,
    leads_in,
    make_topics,
    outcomes_in,
    read,
    until,
    worker,
)
from tests.integration.score_worker import Options

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.kafka_fixtures import RunningKafka


def test_every_lead_is_as_by_the_new_rules_and_told_by_the_chosen_policy(
    kafka: RunningKafka, topic_prefix: str, tmp_path: Path
) -> None:
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, checkpoint_interval=0.2)
    found = run(settings, tmp_path, partitions=6, facts=150, seed=1)
    assert found.mismatches == []
    assert 0 < found.kills <= len(KILLS)  # at work
    assert min(found.changes[policy] for policy in ("all", "upward", "none")) > 3
    assert found.outcomes > 50
    assert found.silent > 5


def test_rules_that_are_rebuilt_have_always_granted(
    kafka: RunningKafka, topic_prefix: str, tmp_path: Path
) -> None:
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, checkpoint_interval=0.2)
    found = run_rebuild(settings, tmp_path, partitions=6, facts=150, seed=1)
    assert found.mismatches == []
    assert 0 < found.kills <= len(KILLS)  # at work
    assert found.outcomes > 20


RULES = """
model: Before
qualify: {enter: above 20, exit: below 15}
scores: {engagement: {decay: none}}
rules:
  engagement:
    - {rule: Opened, on: email.opened, points: +4}
    - {rule: Booked, on: booking.created, points: +12}
"""
AFTER = RULES.replace("Before", "After").replace("+4", "+1").replace("+12", "+30")


def test_a_dry_run_says_how_many_the_change_then_announces(
    kafka: RunningKafka, topic_prefix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(
        bootstrap=kafka.bootstrap,
        topic_prefix=topic_prefix,
        data_dir=tmp_path / "data",
        checkpoint_interval=0.2,
    )
    broker = make_topics(settings, 3)
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    before.write_text(RULES)
    after.write_text(AFTER)
    where = ["--bootstrap", settings.bootstrap, "--topic-prefix", topic_prefix]

    def said(*arguments: str) -> str:
        capfd.readouterr()
        assert cli.run(["rules", "apply", *arguments, *where]) == 0
        return capfd.readouterr().out

    assert "would be the first, version 1" in said("--dry-run", str(before))
    said(str(before))
    rng = random.Random(4)
    now = int(time.time() * 1000)
    with broker.writer() as writer, worker(Options(settings), tmp_path) as running:
        for number in range(1_500):
            lead = b"lead-%d" % rng.randrange(400)
            kind = "booking.created" if rng.random() < 0.15 else "email.opened"
            fact = Fact(kind, now, now, 0, -1, number.to_bytes(8, "big"), f"e{number}", "test", {})
            writer.append(LOG, partition_of(lead, 3), lead, encode_record(fact))
        writer.flush()
        until(lambda: all_scored(broker), [running], "all is scored")

        told = said("--dry-run", str(after))
        assert "would be version 2" in told
        assert "Opened: 4 -> 1 points" in told
        found = re.search(r"Of (\d+) leads, .* all: (\d+) lead.disqualified, (\d+) lead.qualified", told)
        assert found, told
        leads, fallen, risen = map(int, found.groups())
        assert leads == len(leads_in(broker))
        assert min(fallen, risen) > 10
        upward = said("--dry-run", "--announce", "upward", str(after))
        assert upward.splitlines()[-1].endswith(f"announce upward: {risen} lead.qualified")
        assert said("--dry-run", "--announce", "none", str(after)).splitlines()[-1].endswith("none: nothing")
        assert b"rules:2" not in {record.key for record in read(broker, RULES_TOPIC)[0]}

        said("--announce", "upward", str(after))
        until(lambda: all_scored(broker), [running], "all have passed the new rules")
        events = [msgspec.json.decode(outcome.value) for outcome in outcomes_in(broker)]
        by_rules = Counter(one["type"] for one in events if one["data"]["cause"] == "rules")
        assert by_rules == {"lead.qualified": risen}
        assert "already in force: version 2" in said("--dry-run", str(after))
