"""The bad records of the benchmark are bad, each for the reason that it is counted under."""

from __future__ import annotations

from collections import Counter

import pytest

from scorer.domain.partition import LogPartition
from scorer.domain.state import PartitionState
from scorer.wire.dead_letters import Rejected
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.registry import Registry
from tests.bench import workload
from tests.bench.poison import BAD, GARBAGE, log, messages
from tests.worker.score_world import Message

REGISTRY = Registry.load()


def test_doors_refuse_every_kind_and_nothing_else() -> None:
    intake = Intake(Identity("test"), REGISTRY.max_log_bytes, REGISTRY)
    events = list(workload.events(2_000))
    kinds: Counter[str | None] = Counter()
    for event, made in zip(events, messages(events, 0.1), strict=True):
        kinds[made.bad] += 1
        if made.bad is None:
            assert intake(made.topic, made.value, event.at)
        else:
            with pytest.raises(Rejected) as refused:
                intake(made.topic, made.value, event.at)
            assert refused.value.reason == made.bad
    assert kinds.keys() == {None} | {reason for reason, _ in BAD}
    assert 1_700 < kinds[None] < 1_900


def test_the_log_s_garbage_is_undecodable_and_nothing_else() -> None:
    made = log(workload.events(2_000), workload.planned_doors(), 0.1)
    bad = 0
    for number in {record.partition for record in made}:
        records = [record for record in made if record.partition == number]
        machine = LogPartition(PartitionState(), {}, lambda _: None)
        machine.apply([Message(n, record.key, record.value) for n, record in enumerate(records)])
        assert [one.offset for one in machine.dead] == [n for n, record in enumerate(records) if record.bad]
        bad += len(machine.dead)
    assert len(GARBAGE) * 10 < bad < 300
