"""The oracle, the worker's engine and the job of the peers in Python give the same answers, without Kafka."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from operator import attrgetter

import pytest

from scorer.domain.lead import QUALIFIED, Lead
from scorer.domain.model import encode_model
from scorer.domain.partition import LogPartition
from scorer.domain.reading import total
from scorer.domain.record import Clock, Doors, Fact, Rules, decode_record, encode_record
from scorer.domain.state import PartitionState
from scorer.wire.partitioner import partition_of
from tests.bench import workload
from tests.bench.engine import small_rules
from tests.bench.peers import job, states
from tests.bench.peers.log import CLOSING, TAIL, TAILS, Input, make
from tests.bench.peers.oracle import Answer, Oracle, differences
from tests.bench.road import PARTITIONS
from tests.bench.workload import Entry

FACTS = 20_000
DAILY = 200
"""A hundred days: people fall silent, fade, and come back."""
LEADS = 1_000


@pytest.fixture(scope="module")
def made() -> Input:
    stream = workload.events(FACTS + TAILS * TAIL, leads=LEADS, partitions=PARTITIONS, daily=DAILY)
    return make(stream, FACTS, workload.planned_doors())


@pytest.fixture(scope="module")
def wanted(made: Input) -> dict[str, Answer]:
    oracle = Oracle()
    oracle.apply(everything(made))
    return oracle.answers(CLOSING)


def everything(made: Input) -> Iterator[Entry]:
    yield from made.main
    for tail in made.tails:
        yield from tail


def no_lead(key: bytes) -> Lead | None:
    return None


def test_the_workload_asks_for_everything(made: Input, wanted: dict[str, Answer]) -> None:
    assert sum(entry.key is not None for entry in made.main) == made.facts == FACTS
    assert [sum(entry.key is not None for entry in tail) for tail in made.tails] == [TAIL] * TAILS
    assert any(answer.outcomes > 2 for answer in wanted.values())
    assert any(answer.qualified for answer in wanted.values())
    assert any(answer.total < 0 for answer in wanted.values())
    assert any(answer.opened == 0 for answer in wanted.values())


def test_the_worker_s_engine_gives_the_oracle_s_answers(made: Input, wanted: dict[str, Answer]) -> None:
    model = encode_model(small_rules())
    first = [Doors(1, workload.planned_doors()), Rules(1, "0" * 16, model)]
    log = defaultdict(list)
    for partition in range(PARTITIONS):
        for offset, record in enumerate(first):
            log[partition].append(Entry(partition, offset, None, encode_record(record)))
    for entry in everything(made):
        log[entry.partition].append(entry)
    found: dict[str, Answer] = {}
    for entries in log.values():
        assert [*map(attrgetter("offset"), entries)] == [*range(len(entries))]
        machine = LogPartition(PartitionState(), {}, no_lead)
        machine.apply(entries)
        for key, lead in machine.leads.items():
            opened = [times[-1] for times in lead.newest.values()]
            points = total(machine.rules, lead, CLOSING)
            status = lead.status == QUALIFIED
            found[key.decode()] = Answer(points, opened[0] if opened else 0, status, lead.seq)
    assert differences(found, wanted) == []


def test_the_peers_job_gives_the_oracle_s_answers(made: Input, wanted: dict[str, Answer]) -> None:
    leads: dict[str, job.State] = {}
    clocks: dict[int, int] = defaultdict(int)
    outcomes = 0
    for entry in everything(made):
        record = decode_record(entry.value or b"")
        if isinstance(record, Clock):
            clocks[entry.partition] = max(clocks[entry.partition], job.through(record))
        elif isinstance(record, Fact):
            key = (entry.key or b"").decode()
            stepped = job.step(leads.get(key), key, record, clocks[entry.partition])
            if stepped is not None:
                leads[key] = stepped[0]
                outcomes += len(stepped[1])
    assert differences({key: states.answer(state) for key, state in leads.items()}, wanted) == []
    assert outcomes == sum(state["out"] for state in leads.values())


def test_a_prefix_is_answered_from_the_prefix_alone(made: Input, wanted: dict[str, Answer]) -> None:
    oracle = Oracle()
    oracle.apply(made.main, {0: 500, 3: 200})
    prefix = oracle.answers(CLOSING)
    assert {partition_of(name.encode(), PARTITIONS) for name in prefix} == {0, 3}
    assert differences(prefix, wanted)


def test_what_differs_is_told() -> None:
    one = {"a": Answer(1.0, 5, False, 0), "b": Answer(2.0, 0, False, 0)}
    assert differences(one, one | {"a": Answer(1.0 + 5e-7, 5, False, 0)}) == []
    for other in (Answer(1.1, 5, False, 0), Answer(1.0, 6, False, 0), Answer(1.0, 5, True, 0)):
        assert [line[0] for line in differences(one, one | {"a": other})] == ["a"]
    assert differences(one, {"a": one["a"]}) == ["b: nobody's"]
    assert differences({"a": one["a"]}, one) == ["b: missing"]
