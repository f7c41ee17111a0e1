"""Checkpoints: their order, what happens meanwhile, and dying between every two of their steps."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from scorer.domain.partition import FAULTS_IN_A_ROW
from scorer.domain.record import encode_record
from scorer.errors import CannotContinue
from scorer.wire.registry import CHANGELOG, DEAD_LETTERS, DISQUALIFIED, LOG, OUTCOMES, QUALIFIED, SCORE
from scorer.worker.cut import CUT, decode_cut, rules_key
from scorer.worker.owned import Limits
from tests.worker.fake_kafka import Cluster, Crash
from tests.worker.score_checks import check_equal
from tests.worker.score_faults import Planted, bad_facts
from tests.worker.score_process import Disks, Process, dead, dead_of, leads, publish, said
from tests.worker.score_world import default_model, make_log, one_pass, rules_record, shown

LOG_ = make_log(1, 400, 12)


class Killer:
    """A gate that dies at the nth effect, and lets every effect be preceded by others' work."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.passed: list[str] = []

    async def __call__(self, name: str) -> None:
        await asyncio.sleep(0)
        if len(self.passed) == self.at:
            raise Crash(name)
        self.passed.append(name)


async def live(cluster: Cluster, disks: Disks, killer: Killer, piece: int = 5, chunk: int = 60) -> Process:
    process = Process(cluster, disks, gate=killer, piece=lambda: piece)
    await process.start()
    while process.feed(count=chunk):
        await process.agent.checkpoint()
    await process.finish()
    return process


async def test_a_run_without_crashes_equals_one_pass() -> None:
    cluster = Cluster()
    publish(cluster, [LOG_[0]])
    process = await live(cluster, Disks(), Killer(None))
    check_equal(cluster, process, LOG_)


async def test_each_step_waits_for_the_one_before() -> None:
    cluster, disks = Cluster(), Disks()
    publish(cluster, LOG_)
    killer = Killer(None)
    process = Process(cluster, disks, gate=killer)
    await process.start()
    process.feed()
    killer.passed.clear()
    stood = process.agent.partitions[0].store.standing
    seen: list[int] = []
    process.kafka.gate = lambda name: watch(name)  # noqa: PLW0108 - defined below

    async def watch(name: str) -> None:
        killer.passed.append(name)
        seen.append(process.agent.partitions[0].store.standing)

    await process.agent.checkpoint()
    steps = list(
        dict.fromkeys(name.removeprefix("before ") for name in killer.passed if name.startswith("before"))
    )
    assert set(steps[:-2]) <= {*OUTCOMES, SCORE, DEAD_LETTERS}
    assert set(steps[:-2]) >= {QUALIFIED, DISQUALIFIED, SCORE, DEAD_LETTERS}
    assert steps[-2:] == [CHANGELOG, "commit"]
    # A view that was told only afterwards might never be: its lead need not change again.
    last_said = max(
        n
        for n, name in enumerate(killer.passed)
        if name in {f"after {topic}" for topic in (*OUTCOMES, SCORE)}
    )
    assert last_said < killer.passed.index(f"before {CHANGELOG}")
    # The local store moves after the changelog has acknowledged, and before the commit.
    assert set(seen[:-2]) == {stood}
    assert seen[-2] == cluster.end(CHANGELOG, 0)


async def test_the_cut_record_is_the_last_of_a_checkpoint_and_names_known_rules() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks())
    await process.start()
    while process.feed(count=97):
        before = cluster.end(CHANGELOG, 0)
        await process.agent.checkpoint()
        written = cluster.records(CHANGELOG, 0)[before:]
        assert written[-1].key == CUT
        keys = [record.key for record in written]
        assert len(keys) == len(set(keys))  # each changed lead once
        views = [record.key for record in cluster.records(SCORE, 0)]
        assert set(views[-len(written) :]) <= set(views)
    known = {record.key for record in cluster.records(CHANGELOG, 0)}
    assert {rules_key(1), rules_key(2)} <= known


async def test_a_score_view_goes_out_at_most_once_per_lead_and_checkpoint() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks())
    await process.start()
    while process.feed(count=150):
        before = cluster.end(SCORE, 0)
        await process.agent.checkpoint()
        keys = [record.key for record in cluster.records(SCORE, 0)[before:]]
        assert keys
        assert len(keys) == len(set(keys))


async def test_no_view_reads_a_lead_by_rules_that_it_has_not_adopted() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks())
    await process.start()
    change = [n for n, (_, value) in enumerate(LOG_[0]) if value[:2] == b"\x95\x03"][1]
    process.feed(count=change + 1)
    await process.agent.checkpoint()
    assert not cluster.records(SCORE, 0)
    await process.finish()
    views = {record.key: msgspec.json.decode(record.value or b"") for record in cluster.records(SCORE, 0)}
    assert set(views) == set(one_pass(LOG_[0]).leads)
    assert {view["data"]["rules"] for view in views.values()} == {
        process.agent.partitions[0].machine.rules.fingerprint
    }


async def test_rule_sets_that_no_lead_needs_are_deleted_after_the_cut_that_drops_them() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks())
    await process.start()
    await process.finish()
    dropping = cluster.end(CHANGELOG, 0)
    assert (rules_key(1), None) not in [(r.key, r.value) for r in cluster.records(CHANGELOG, 0)]
    cluster.append(LOG, 0, None, b"\xc1")  # anything that makes another checkpoint necessary
    process.feed()
    await process.agent.checkpoint()
    written = [(r.key, r.value) for r in cluster.records(CHANGELOG, 0)[dropping:]]
    assert (rules_key(1), None) in written
    assert rules_key(2) not in [key for key, _ in written]
    restarted = Process(cluster, Disks())
    await restarted.start()
    assert set(restarted.agent.partitions[0].machine.rule_sets) == {2}


async def test_processing_goes_on_during_a_checkpoint() -> None:
    """Leads change, are evicted and read again while their cut is under way: nothing of it is lost."""
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks(), limits=Limits(cache_leads=1))

    async def work(_: str) -> None:
        process.feed(count=3)

    await process.start()
    process.kafka.gate = work
    process.kafka.piece = lambda: 3
    while process.feed(count=3):
        await process.agent.checkpoint()
    await process.finish()
    check_equal(cluster, process, LOG_)


async def test_dying_between_any_two_effects_loses_and_repeats_nothing() -> None:
    log = make_log(2, 120, 6)
    effects = Killer(None)
    cluster = Cluster()
    publish(cluster, log)
    await live(cluster, Disks(), effects, 2, 12)
    assert len(effects.passed) > 60
    for at in range(len(effects.passed)):
        cluster, disks = Cluster(), Disks()
        publish(cluster, log)
        with pytest.raises(Crash):
            await live(cluster, disks, Killer(at), 2, 12)
        disks.crash()
        process = await live(cluster, disks, Killer(None))
        check_equal(cluster, process, log)


@pytest.mark.parametrize("seed", range(12))
async def test_any_number_of_crashes_with_disks_lost_and_compaction(seed: int) -> None:
    rng = random.Random(seed)
    log = make_log(seed, 300, 15, partitions=2)
    cluster, disks = Cluster(), Disks()
    publish(cluster, log)
    crashes = 0
    for generation in range(1, 40):
        last = generation == 39
        killer = Killer(None if last else rng.randrange(5, 150))
        process = Process(
            cluster,
            disks,
            gate=killer,
            piece=lambda: rng.randrange(1, 40),
            limits=Limits(cache_leads=rng.randrange(1, 10), overlap=rng.randrange(1, 3)),
        )
        try:
            await process.start((0, 1), generation)
            await process.finish(rng)
            if last or rng.random() < 0.5:
                await process.agent.checkpoint(final=not last)
            break
        except Crash:
            crashes += 1
        for task in process.agent._background.tasks:
            task.cancel()
        if rng.random() < 0.3:
            disks.clear()
        disks.crash()
        if rng.random() < 0.3:
            cluster.compact(CHANGELOG, rng.randrange(2))
    process = Process(cluster, disks)
    await process.start((0, 1), 50)
    await process.finish()
    check_equal(cluster, process, log)


async def test_a_clean_stop_leaves_nothing_to_do_again() -> None:
    cluster, disks = Cluster(), Disks()
    publish(cluster, LOG_)
    first = Process(cluster, disks)
    await first.start()
    first.feed(count=200)
    await first.agent.checkpoint(final=True)
    first.feed(count=10)  # after the final checkpoint nothing is applied any more
    assert cluster.commits == {0: 200}
    await first.agent.close()
    second = Process(cluster, disks)
    await second.start(generation=2)
    assert second.positions == {0: 200}
    assert second.agent.partitions[0].machine.counters.skipped == 0
    await second.finish()
    check_equal(cluster, second, LOG_)


async def test_without_membership_nothing_is_written() -> None:
    """The group has given the partition to somebody else: a last checkpoint would only disturb them."""
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks())
    await process.start()
    process.feed()
    end = cluster.end(CHANGELOG, 0)
    process.group = -1
    await process.agent.checkpoint(final=True)
    assert cluster.end(CHANGELOG, 0) == end


async def test_a_partition_is_not_taken_again_while_a_checkpoint_of_it_is_under_way() -> None:
    """Its store would be restored and overwritten at once."""
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks())
    await process.start()
    process.feed(count=100)
    go_on = asyncio.Event()

    async def wait(name: str) -> None:
        if name == f"after {CHANGELOG}":
            await go_on.wait()

    process.kafka.gate = wait
    under_way = asyncio.create_task(process.agent.checkpoint())
    await asyncio.sleep(0)
    process.group = -1
    lost = asyncio.create_task(process.agent.checkpoint(final=True))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not lost.done()
    go_on.set()
    await asyncio.gather(under_way, lost)
    await process.start(generation=2)
    assert process.positions == {0: 100}
    await process.finish()
    check_equal(cluster, process, LOG_)


async def test_frozen_for_long_it_asks_the_group_before_it_writes() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks())
    await process.start()
    process.feed(count=100)
    process.now += 3600.0
    await process.agent.checkpoint()  # it was not missed
    process.feed(count=100)
    process.kafka.member = lambda: False
    process.now += 1.0
    process.agent.membership.tick()
    process.now += 3600.0
    process.agent.membership.tick()
    process.now += 1.0
    process.agent.membership.tick()
    end = cluster.end(CHANGELOG, 0)
    with pytest.raises(CannotContinue, match="given to another"):
        await process.agent.checkpoint()
    assert cluster.end(CHANGELOG, 0) == end


async def test_a_second_writer_is_noticed_by_both() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    frozen = Process(cluster, Disks())
    await frozen.start(generation=1)
    frozen.feed(count=100)
    await frozen.agent.checkpoint()
    frozen.feed(count=100)
    owner = Process(cluster, Disks())
    await owner.start(generation=2)
    owner.feed(count=150)
    with pytest.raises(CannotContinue, match="another writer"):
        await frozen.agent.checkpoint()
    with pytest.raises(CannotContinue, match="another writer"):
        await owner.agent.checkpoint()
    healed = Process(cluster, Disks())
    await healed.start(generation=3)
    await healed.finish()
    check_equal(cluster, healed, LOG_)


async def test_back_pressure_waits_for_a_checkpoint() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks(), limits=Limits(unsaved_leads=3))
    await process.start()
    process.feed(count=100)
    waiting = asyncio.create_task(process.agent.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    await process.agent.checkpoint()
    await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("hurry", ["back-pressure", "revocation"])
async def test_partitions_take_turns_unless_somebody_waits(hurry: str) -> None:
    log = make_log(2, 120, 6, partitions=2)
    cluster = Cluster()
    publish(cluster, log)
    process = Process(cluster, Disks(), limits=Limits(unsaved_leads=0, spread=3_600))
    await process.start((0, 1))
    process.feed(0, 20)
    await asyncio.wait_for(process.agent.checkpoint(), 5)  # the first is not put off
    process.feed(0, 10)
    process.feed(1, 1)  # a control record: no lead has changed yet, so nothing waits
    first = process.agent.partitions[0]
    checkpoint = asyncio.create_task(process.agent.checkpoint())
    while first.changed:  # noqa: ASYNC110 - nothing says so
        await asyncio.sleep(0)
    assert process.agent.partitions[1].changed
    assert not checkpoint.done()
    process.feed(1, 50)
    waiter = process.agent.drained() if hurry == "back-pressure" else process.agent.checkpoint(final=True)
    await asyncio.wait_for(waiter, 5)
    await asyncio.wait_for(checkpoint, 5)
    assert not process.agent.partitions[1].changed


async def test_what_has_piled_up_before_a_takeover_is_told_without_taking_turns() -> None:
    log = make_log(2, 120, 6, partitions=2)
    cluster = Cluster()
    publish(cluster, log)
    process = Process(cluster, Disks(), limits=Limits(spread=3_600))
    await process.start((0, 1))
    await asyncio.wait_for(process.agent.checkpoint(), 5)  # nothing has been read yet
    process.feed(0, 50)
    process.feed(1, 50)
    assert await asyncio.wait_for(process.agent.checkpoint(), 5)
    assert not any(one.changed for one in process.agent.partitions.values())


async def test_the_cache_stays_within_its_bound() -> None:
    log = make_log(5, 600, 300, days=0.01)
    cluster = Cluster()
    publish(cluster, log)
    process = Process(cluster, Disks(), limits=Limits(cache_leads=20))
    await process.start()
    most = 0
    while process.feed(count=10):
        await process.agent.checkpoint()
        most = max(most, process.agent.partitions[0].cached)
    assert most <= 2 * (20 + 10)
    await process.finish()
    check_equal(cluster, process, log)


# -- our own code fails -------------------------------------------------------------------------------


async def test_a_record_that_our_code_fails_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    log = make_log(7, 1200, 12, garbage=False, changes=False)
    bad = bad_facts(log[0], range(50, 1000, 150))
    Planted(monkeypatch, set(bad))
    cluster, disks = Cluster(), Disks()
    publish(cluster, log)
    process = Process(cluster, disks)
    await process.start()
    while process.feed(count=40):
        await process.settle()
        await process.agent.checkpoint()
    await process.finish()
    letters = dead(cluster)
    assert {(offset, reason) for _, offset, reason, _, _ in letters} == {
        (offset, "engine_error") for offset in bad.values()
    }
    assert {(key, value) for _, _, _, key, value in letters} == {log[0][offset] for offset in bad.values()}
    # All other records count as if those had never been. (A clock in the place of each keeps the offsets.)
    without = [(None, b"\xc1") if offset in bad.values() else record for offset, record in enumerate(log[0])]
    wanted = one_pass(without)
    assert shown(leads(process.agent)) == shown(wanted.leads)
    assert {one[:3] for one in said(cluster)} == {one[:3] for one in wanted.outcomes}


async def test_too_many_failures_stop_the_partition_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = make_log(8, 500, 40, partitions=2, garbage=False, changes=False)
    bad = bad_facts(log[0], range(100, 100 + FAULTS_IN_A_ROW + 5))
    planted = Planted(monkeypatch, set(bad))
    cluster, disks = Cluster(), Disks()
    publish(cluster, log)
    process = Process(cluster, disks)
    await process.start((0, 1))
    for _ in range(200):
        process.feed(0, 30)
        process.feed(1, 30)
        await process.settle()
        await process.agent.checkpoint()
    assert 0 not in process.positions
    assert [
        problem
        for problem in process.agent.problems()
        if "partition 0 stopped: 20 records in a row" in problem
    ]
    assert process.agent.partitions[1].machine.state.position == len(log[1])  # the other goes on
    assert not dead(cluster)
    await process.agent.checkpoint(final=True)
    await process.agent.close()

    planted.bad = set()  # mended
    mended = Process(cluster, disks)
    await mended.start((0, 1), 2)
    assert mended.agent.problems() == []
    await mended.finish()
    check_equal(cluster, mended, log)


async def test_a_crash_after_a_fault_does_not_lose_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    log = make_log(9, 200, 5, garbage=False, changes=False)
    bad = bad_facts(log[0], range(100, 101))
    offset = next(iter(bad.values()))
    planted = Planted(monkeypatch, set(bad))
    cluster, disks = Cluster(), Disks()
    publish(cluster, log)
    process = Process(cluster, disks)
    await process.start()
    process.feed(count=offset + 1)
    await process.settle()
    process.feed(count=offset + 1)  # passed over; no record has succeeded since
    assert process.agent.partitions[0].machine.state.failing == 1
    await process.agent.checkpoint()
    assert decode_cut(process.agent.partitions[0].store.get(CUT) or b"").position <= offset
    disks.crash()
    planted.bad = set()
    mended = Process(cluster, disks)
    await mended.start(generation=2)
    await mended.finish()
    check_equal(cluster, mended, log)


async def test_a_failing_sweep_stops_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    cluster.append(LOG, 0, None, encode_record(rules_record(default_model(), 3)))
    process = Process(cluster, Disks())
    await process.start()
    while process.feed(count=50):
        await process.agent.checkpoint()

    def evaluate(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("scorer.domain.population.evaluate", evaluate)
    monkeypatch.setattr("scorer.domain.shadowing.adopt", evaluate)
    process.agent.partitions[0].machine.leads = {}
    process.sweep()
    assert any("idle lead" in problem for problem in process.agent.problems())
    end = cluster.end(CHANGELOG, 0)
    await process.agent.checkpoint()
    assert cluster.end(CHANGELOG, 0) == end


async def test_outcomes_of_all_leads_reach_kafka_in_their_order() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = await live(cluster, Disks(), Killer(None))
    assert process
    wanted = one_pass(LOG_[0]).outcomes
    for topic in OUTCOMES:
        assert sorted((o.key, o.value) for o in said(cluster) if o.topic == topic) == sorted(
            (o.key, o.value) for o in wanted if o.topic == topic
        )
    assert dead(cluster) == dead_of(one_pass(LOG_[0]).dead)


async def test_a_lead_of_the_older_generation_is_not_decoded_again() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks(), limits=Limits(cache_leads=100))
    await process.start()
    process.feed(count=100)
    await process.agent.checkpoint()
    partition = process.agent.partitions[0]
    before = dict(partition.machine.leads)
    assert before
    partition.cache_leads = 0
    partition.trim()
    assert not partition.machine.leads
    assert all(partition.machine.get(key) is lead for key, lead in before.items())
