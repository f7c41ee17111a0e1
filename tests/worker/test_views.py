"""The topics of views end up with what their owner would show, whoever else has written to them."""

from __future__ import annotations

import pytest

from scorer.domain.outcomes import score_view
from scorer.wire.registry import ACCOUNT_SCORE, CHANGELOG, IDENTITY, SCORE
from scorer.worker.checkpoint import LOOK_EVERY
from scorer.worker.supervise import CannotContinue
from tests.worker.fake_kafka import Cluster, Crash
from tests.worker.score_process import Disks, Process, publish
from tests.worker.score_world import make_log

LOG_ = make_log(3, 300, 20)


def newest(cluster: Cluster, topic: str = SCORE) -> dict[bytes | None, bytes | None]:
    return {record.key: record.value for record in cluster.records(topic, 0)}


def wanted(process: Process) -> dict[bytes | None, bytes | None]:
    """By the leads as they stand."""
    machine = process.agent.partitions[0].machine
    keys = [key for key, _ in process.agent.partitions[0].store.leads()]
    leads = {key: machine.get(key) for key in keys}
    return {key: score_view(machine.rules, key.decode(), lead) for key, lead in leads.items() if lead}


async def working(cluster: Cluster, disks: Disks, generation: int = 1) -> Process:
    if generation == 1:
        publish(cluster, LOG_)
    process = Process(cluster, disks)
    await process.start(generation=generation)
    return process


async def test_a_former_owners_late_views_are_shown_again_by_the_next() -> None:
    cluster, disks = Cluster(), Disks()
    first = await working(cluster, disks)
    await first.finish()
    good = newest(cluster)
    await first.agent.close()
    key = next(key for key in good if key)
    for topic in (SCORE, IDENTITY, ACCOUNT_SCORE):
        cluster.append(topic, 0, b"stranger", b"late")
    cluster.append(SCORE, 0, key, b"late")
    end = cluster.end(SCORE, 0)
    second = await working(cluster, Disks(), 2)
    await second.finish()
    assert newest(cluster) == {**good, b"stranger": None}
    assert newest(cluster, IDENTITY)[b"stranger"] is newest(cluster, ACCOUNT_SCORE)[b"stranger"] is None
    assert {record.key for record in cluster.records(SCORE, 0)[end:]} == {key, b"stranger"}


async def test_views_of_a_checkpoint_that_came_to_nothing_are_shown_again() -> None:
    cluster, disks = Cluster(), Disks()
    first = await working(cluster, disks)
    first.feed(count=250)

    async def die(name: str) -> None:
        if name == f"before {CHANGELOG}":
            raise Crash

    first.kafka.gate = die
    with pytest.raises(Crash):
        await first.agent.checkpoint()
    shown = set(newest(cluster))
    second = await working(cluster, disks, 2)
    assert second.agent.partitions[0].shown.again[0] == shown
    second.feed(count=10)
    await second.agent.checkpoint()
    second_views = {record.key for record in cluster.records(SCORE, 0)[len(shown) :]}
    assert shown <= second_views
    for key in shown - set(wanted(second)):
        assert newest(cluster)[key] is None  # not known again yet, and it will be
    await second.finish()
    assert newest(cluster) == wanted(second)


async def test_a_fault_in_our_own_code_does_not_forget_what_is_to_be_shown_again() -> None:
    cluster, disks = Cluster(), Disks()
    first = await working(cluster, disks)
    await first.finish()
    good = newest(cluster)
    await first.agent.close()
    key = next(key for key in good if key)
    cluster.append(SCORE, 0, key, b"late")
    second = await working(cluster, disks, 2)
    partition = second.agent.partitions[0]
    offset = partition.machine.state.position
    partition.fault(offset)
    await second.agent._recover(second.agent._owned[0])
    await second.agent.checkpoint()
    assert newest(cluster) == good


async def test_whoever_shows_finds_out_that_somebody_else_does() -> None:
    cluster, disks = Cluster(), Disks()
    process = await working(cluster, disks)
    process.feed(count=100)
    await process.agent.checkpoint()
    cluster.append(SCORE, 0, b"lead-1", b"late")
    process.feed(count=100)
    with pytest.raises(CannotContinue, match=r"another writer: partition 0 of lead\.score\.v1"):
        await process.agent.checkpoint()


async def test_somebody_elses_views_are_noticed_although_there_is_nothing_to_show() -> None:
    cluster, disks = Cluster(), Disks()
    process = await working(cluster, disks)
    await process.finish()
    cluster.append(IDENTITY, 0, b"lead-1", b"late")
    partition = process.agent.partitions[0]
    partition._position_stored = -1  # as when a clock record has come
    await process.agent.checkpoint()
    partition._position_stored = -1
    process.now += LOOK_EVERY + 1
    process.agent.membership._ticked = process.now
    with pytest.raises(
        CannotContinue, match=r"partition 0 of lead\.identity\.v1 ends at offset 1 instead of 0"
    ):
        await process.agent.checkpoint()
