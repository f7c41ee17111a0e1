"""SCORER_TRACING=propagate: an outcome carries the context of the record that brought it about."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from scorer.domain.partition import LogPartition
from scorer.domain.state import PartitionState
from scorer.wire.registry import LOG, OUTCOMES
from scorer.worker.tracing import PlainDoors, TracedDoors
from tests.worker.fake_kafka import Cluster
from tests.worker.score_process import Disks, Process, said
from tests.worker.score_world import LogRecord, Message, make_log

if TYPE_CHECKING:
    from collections.abc import Sequence

Headers = tuple[tuple[str, bytes], ...]


def context(number: int) -> Headers:
    return (("traceparent", b"00-%032x-%016x-01" % (number + 1, number + 1)),)


def traced(log: Sequence[LogRecord], contexts: Sequence[Headers]) -> Cluster:
    cluster = Cluster()
    for (key, value), headers in zip(log, contexts, strict=True):
        cluster.append(LOG, 0, key, value, [("other", b"x"), *headers])
    return cluster


def causes(log: Sequence[LogRecord], contexts: Sequence[Headers]) -> dict[tuple[bytes, bytes], Headers]:
    """Slow and obvious: the records one by one through one machine."""
    machine = LogPartition(PartitionState(), {}, lambda _: None)
    found: dict[tuple[bytes, bytes], Headers] = {}
    for offset, (record, headers) in enumerate(zip(log, contexts, strict=True)):
        machine.outcomes = []
        machine.apply([Message(offset, *record)])
        for outcome in machine.outcomes:
            by_record = json.loads(outcome.value)["data"]["cause"] in {"activity", "merge"}
            found[outcome.key, outcome.value] = headers if by_record else ()
    return found


def told(cluster: Cluster) -> dict[tuple[bytes, bytes], Headers]:
    return {
        (record.key or b"", record.value or b""): tuple(record.headers)
        for topic in OUTCOMES
        for record in cluster.records(topic, 0)
    }


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
async def test_an_outcome_has_the_context_of_the_record_that_brought_it_about(share: float) -> None:
    (log,) = make_log(7, 900, 40, changes=False)
    rng = random.Random(8)
    contexts = [context(number) if rng.random() < share else () for number in range(len(log))]
    cluster = traced(log, contexts)
    process = Process(cluster, Disks(), traced=True)
    await process.start()
    await process.finish(rng)
    found = told(cluster)
    assert found == causes(log, contexts)
    assert any(found.values()) == bool(share)
    assert not all(found.values())  # of time there is none


async def test_the_bytes_are_those_without_tracing_whatever_the_records_carry() -> None:
    (log,) = make_log(9, 900, 40)
    contexts = [context(number) if number % 3 else () for number in range(len(log))]
    outcomes, states, dead = [], [], []
    for on in (True, False):
        cluster = traced(log, contexts)
        process = Process(cluster, Disks(), traced=on)
        await process.start()
        await process.finish(random.Random(1))
        outcomes.append(said(cluster))
        states.append(process.agent.partitions[0].machine.state)
        dead.append(cluster.records("dead.letters.v1", 0))
        assert any(told(cluster).values()) == on
    assert outcomes[0] == outcomes[1]
    assert states[0] == states[1]
    assert [one.value for one in dead[0]] == [one.value for one in dead[1]]


async def test_an_invalid_context_changes_nothing() -> None:
    (log,) = make_log(10, 300, 20, changes=False)
    cluster = traced(log, [(("traceparent", b"anna.secret@example.com"),)] * len(log))
    process = Process(cluster, Disks(), traced=True)
    await process.start()
    await process.finish()
    assert told(cluster)
    assert not any(told(cluster).values())


# -- doors --------------------------------------------------------------------------------------------


class Record(NamedTuple):
    offset: int
    value: bytes | None
    headers: Any = ()


class Lane:
    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes, Headers]] = []

    def append(self, key: bytes, value: bytes, headers: Headers = ()) -> None:
        self.sent.append((key, value, tuple(headers)))

    def extend(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        self.sent += [(key, value, ()) for key, value in records]


def doubled(topic: str, value: bytes | None, received: int, door: int, offset: int) -> Any:
    return ((b"lead-%d" % offset, value), (b"other-%d" % offset, value))


def test_a_door_s_contexts_go_to_the_log_in_the_records_order() -> None:
    inside = json.dumps({"traceparent": context(3)[0][1].decode()}).encode()
    records = [
        Record(5, b"a"),
        Record(6, b"b", context(1)),
        Record(7, b"c", (("traceparent", b"wrong"),)),
        Record(9, inside),
        Record(10, inside, context(2)),
        Record(11, None),
    ]
    wanted: list[Headers] = [(), context(1), (), context(3), context(2), ()]
    for doors, carried in ((TracedDoors(doubled), wanted), (PlainDoors(doubled), [()] * 6)):  # type: ignore[arg-type]
        intake = doors.reading(records)  # type: ignore[arg-type]
        made = [one for r in records for one in intake("t", r.value, 0, 1, r.offset)]
        lane: Any = Lane()
        doors.give(lane, made)
        assert lane.sent == [
            (b"%s-%d" % (name, r.offset), r.value, headers)
            for r, headers in zip(records, carried, strict=True)
            for name in (b"lead", b"other")
        ]
    # Of a chunk without any, nothing stays of the one before.
    later = TracedDoors(doubled)  # type: ignore[arg-type]
    later.reading(records)  # type: ignore[arg-type]
    assert later.reading([Record(6, b"b")]) is doubled  # type: ignore[list-item]
