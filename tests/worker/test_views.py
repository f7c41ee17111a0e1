"""The topics of views end up with what their owner would show, whoever else has written to them."""

from __future__ import annotations

import pytest

from scorer.domain.outcomes import score_view
from scorer.wire.registry import ACCOUNT_SCORE, CHANGELOG, IDENTITY, SCORE
from scorer.worker.checkpoint import LOOK_EVERY
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
    second.feed(count=1)
    await second.agent.checkpoint()
    assert len(cluster.records(SCORE, 0)) <= len(shown) + 1  # it knows less than they show, as yet
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


async def test_what_somebody_else_shows_meanwhile_is_shown_again_by_the_next_checkpoint() -> None:
    cluster, disks = Cluster(), Disks()
    process = await working(cluster, disks)
    process.feed(count=250)
    await process.agent.checkpoint()
    key = next(iter(wanted(process)))
    cluster.append(SCORE, 0, key, b"late")
    cluster.append(SCORE, 0, b"\0cut", b"nobody's view")
    await process.finish()
    await process.agent.checkpoint()
    assert newest(cluster) == wanted(process) | {b"\0cut": b"nobody's view"}
    await process.agent.close()
    again = await working(cluster, disks, 2)
    assert not any(again.agent.partitions[0].shown.again)


async def test_somebody_elses_views_are_noticed_although_there_is_nothing_to_show() -> None:
    cluster, disks = Cluster(), Disks()
    process = await working(cluster, disks)
    await process.finish()
    key = next(iter(wanted(process)))
    cluster.append(IDENTITY, 0, key, b"late")
    partition = process.agent.partitions[0]
    process.now += LOOK_EVERY + 1
    process.agent.membership._ticked = process.now
    for _ in range(2):
        partition._position_stored = -1  # as when a clock record has come
        await process.agent.checkpoint()
    assert newest(cluster, IDENTITY) == {key: None}


async def test_only_so_many_are_shown_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, disks = Cluster(), Disks()
    process = await working(cluster, disks)
    await process.finish()
    good = newest(cluster)
    await process.agent.close()
    for key in good:
        cluster.append(SCORE, 0, key, b"late")
    monkeypatch.setattr("scorer.worker.views.AT_ONCE", 4)
    second = await working(cluster, disks, 2)
    await second.agent.checkpoint()
    assert list(newest(cluster).values()).count(b"late") == len(good) - 4
    await second.agent.close()  # nothing is forgotten
    third = await working(cluster, disks, 3)
    while third.agent.partitions[0].changed:
        await third.agent.checkpoint()
    assert newest(cluster) == good


async def test_views_that_are_lost_are_no_reason_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    cluster, disks = Cluster(), Disks()
    process = await working(cluster, disks)
    process.feed(count=250)
    await process.agent.checkpoint(final=True)
    await process.agent.close()
    del cluster.topics[SCORE, 0][5:]
    second = await working(cluster, disks, 2)
    assert "views are lost" in caplog.text
    await second.finish()
