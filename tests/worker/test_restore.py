"""Taking partitions over: what is restored, what is healed, and when a worker refuses to start."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from scorer.domain.record import decode_record
from scorer.domain.state import decode_state, encode_state
from scorer.errors import CannotContinue
from scorer.storage.ports import Bounds
from scorer.wire.registry import CHANGELOG, LOG
from scorer.worker.cut import (
    CUT,
    STAMP_BYTES,
    decode_cut,
    epoch_headers,
    epoch_of,
    next_epoch,
    read_stamp,
    rules_key,
)
from scorer.worker.score_topics import check_changelog
from tests.worker.fake_kafka import Cluster, Crash, FakeDisk
from tests.worker.score_checks import check_equal
from tests.worker.score_process import Disks, Process, publish
from tests.worker.score_world import make_log, one_pass

LOG_ = make_log(3, 300, 20)


async def scored(cluster: Cluster, disks: Disks, count: int = 200, generation: int = 1) -> Process:
    """A worker that has scored some records and stopped."""
    if not cluster.records(LOG, 0):
        publish(cluster, LOG_)
    process = Process(cluster, disks)
    await process.start(generation=generation)
    process.feed(count=count)
    await process.agent.checkpoint(final=True)
    await process.agent.close()
    return process


async def restarted(
    cluster: Cluster, disks: Disks, generation: int = 2, *, from_log_start: bool = False
) -> Process:
    process = Process(cluster, disks, from_log_start=from_log_start)
    await process.start(generation=generation)
    return process


async def refused(cluster: Cluster, disks: Disks) -> str:
    """What the worker says instead of starting."""
    with pytest.raises(CannotContinue) as refusal:
        await restarted(cluster, disks)
    assert refusal.value.hint
    return str(refusal.value)


# -- starting -------------------------------------------------------------------------------------


async def test_a_first_start_writes_an_epoch_cut_at_zero() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = await restarted(cluster, Disks())
    assert process.positions == {0: 0}
    (record,) = cluster.records(CHANGELOG, 0)
    assert record.key == CUT
    cut = decode_cut(record.value or b"")
    assert cut.position == 0
    assert cut.epoch == epoch_of(record.headers) > 0


@pytest.mark.parametrize("disk", ["kept", "lost", "older"])
async def test_scoring_goes_on_where_the_newest_cut_stands(disk: str) -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks, 80)
    older = dict(disks[0].content)
    await scored(cluster, disks, 120, generation=2)
    if disk == "lost":
        disks.clear()
    elif disk == "older":
        disks[0].content = older
    process = await restarted(cluster, disks, 3)
    assert process.positions == {0: 200}
    await process.finish()
    check_equal(cluster, process, LOG_)


async def test_a_restart_in_front_of_any_record_keeps_the_whole_partition_state() -> None:
    log = make_log(11, 60, 8)
    log[0].insert(30, (b"lead-1", b"\xc1"))
    kinds = set()
    for offset, (_, value) in enumerate(log[0]):
        try:
            kinds.add(type(decode_record(value)).__name__)
        except Exception:  # noqa: BLE001 - garbage is a kind as well
            kinds.add("garbage")
        cluster, disks = Cluster(), Disks()
        publish(cluster, log)
        process = await scored(cluster, disks, offset) if offset else None
        assert process or not offset
        before = one_pass_state(log[0][:offset])
        second = await restarted(cluster, disks)
        state = second.agent.partitions[0].machine.state
        assert encode_state(state) == before
        await second.finish()
        check_equal(cluster, second, log)
    assert kinds == {"Fact", "Clock", "Doors", "Rules", "ImportBegin", "ImportEnd", "garbage"}


def one_pass_state(log: Sequence[tuple[bytes | None, bytes]]) -> bytes:
    from scorer.domain.partition import LogPartition
    from scorer.domain.state import PartitionState
    from tests.worker.score_world import Message

    machine = LogPartition(PartitionState(), {}, lambda _: None)
    machine.apply([Message(n, *record) for n, record in enumerate(log)])
    return encode_state(machine.state)


async def test_partitions_come_and_go() -> None:
    log = make_log(12, 300, 20, partitions=3)
    cluster, ours, theirs = Cluster(), Disks(), Disks()
    publish(cluster, log)
    first = Process(cluster, ours)
    await first.start((0, 1, 2), 1)
    for number in (0, 1, 2):
        first.feed(number, 70)
    await first.agent.checkpoint(final=True)
    second = Process(cluster, theirs)
    await first.start((1,), 2)
    await second.start((0, 2), 2)
    for process in (first, second):
        while sum(process.feed(number, 20) for number in list(process.positions)):
            await process.agent.checkpoint()
        await process.agent.checkpoint(final=True)
    await first.start((0, 1, 2), 3)
    assert first.positions == {n: len(log[n]) for n in range(3)}
    await first.finish()
    check_equal(cluster, first, log)


async def test_an_assignment_that_is_over_before_the_restore_is_left() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks)
    process = Process(cluster, Disks())

    async def move_on(_: str) -> None:
        process.group = 9

    process.kafka.gate = move_on
    end = cluster.end(CHANGELOG, 0)
    await process.agent.assigned((0,), 1)
    assert cluster.end(CHANGELOG, 0) == end
    process.agent.apply(0, 0, [])
    assert process.agent.problems()
    await process.agent.assigned((0,), 9)
    assert process.agent.start_positions() == {0: 200}


# -- leads ahead of the cut -----------------------------------------------------------------------


async def test_leads_ahead_of_the_cut_keep_their_newest_timers() -> None:
    """Died after some leads were sent and before the cut: those skip what they know, timers included."""
    for sent in (1, 2, 5, 8, 11):
        cluster, disks = Cluster(), Disks()
        publish(cluster, LOG_)
        process = Process(cluster, disks, piece=lambda: sent)  # noqa: B023
        await process.start()
        process.feed(count=150)
        await process.agent.checkpoint()
        process.feed(count=150)

        async def die(name: str) -> None:
            if name == f"after {CHANGELOG}":
                raise Crash

        process.kafka.gate = die
        with pytest.raises(Crash):
            await process.agent.checkpoint()
        torn = cluster.records(CHANGELOG, 0)[-sent:]
        disks.crash()
        if sent % 2:
            disks.clear()
        second = await restarted(cluster, disks)
        assert second.positions == {0: 150}
        waiting = {(due, key) for due, key in second.agent.partitions[0].store.timers()}
        for record in torn:
            wake, _ = read_stamp(record.value or b"")
            mine = [due for due, key in waiting if key == record.key]
            assert (wake in mine) == bool(wake)
            assert len(mine) == bool(wake) or not sent % 2  # a kept disk may have passed ones as well
        await second.finish()
        check_equal(cluster, second, LOG_)


# -- epochs ---------------------------------------------------------------------------------------


def test_epochs_rise_whatever_the_generation() -> None:
    first = next_epoch(0, 5)
    second = next_epoch(first, 1)
    assert 0 < first < second < next_epoch(second, -1)
    assert next_epoch(first, 1) != next_epoch(first, 2)
    assert epoch_of(epoch_headers(second)) == second
    assert epoch_of([("epoch", b"short"), ("other", b"12345678")]) == 0


async def test_what_a_former_owner_overwrote_is_healed_before_anything_is_consumed() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks)
    old = epoch_headers(epoch_of(cluster.records(CHANGELOG, 0)[-1].headers))
    good = {r.key: r.value for r in cluster.records(CHANGELOG, 0)}
    await scored(cluster, disks, 50, generation=2)
    good |= {r.key: r.value for r in cluster.records(CHANGELOG, 0)}
    key = next(key for key in good if key and key.startswith(b"lead"))
    stale = STAMP_BYTES * b"\0" + b"\x90"
    cluster.append(CHANGELOG, 0, key, stale, old)
    cluster.append(CHANGELOG, 0, b"stranger", stale, old)
    cluster.append(CHANGELOG, 0, rules_key(1), None, old)
    cluster.append(CHANGELOG, 0, CUT, good[CUT], old)
    for lost in (True, False):
        if lost:
            disks.clear()
        end = cluster.end(CHANGELOG, 0)
        process = await restarted(cluster, disks, 3)
        healed = {r.key: r.value for r in cluster.records(CHANGELOG, 0)[end:]}
        assert process.positions == {0: 250}
        if lost:
            assert set(healed) == {key, b"stranger", rules_key(1), CUT}
        else:
            assert set(healed) == {CUT}  # once is enough
        assert cluster.records(CHANGELOG, 0)[-1].key == CUT
        newest = {r.key: r.value for r in cluster.records(CHANGELOG, 0)}
        assert newest[key] == good[key]
        assert newest[b"stranger"] is None
        assert newest[rules_key(1)] == good[rules_key(1)]
        await process.agent.close()
    cluster.compact(CHANGELOG, 0)
    process = await restarted(cluster, Disks(), 4)
    await process.finish()
    check_equal(cluster, process, LOG_)


@pytest.mark.parametrize("disk_kept", [True, False])
async def test_nothing_is_healed_with_a_state_that_compaction_may_have_left_behind(
    *, disk_kept: bool
) -> None:
    """Everybody was away for longer than the compaction lag while a former owner's record stood there."""
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks)
    old = epoch_headers(epoch_of(cluster.records(CHANGELOG, 0)[-1].headers))
    await scored(cluster, disks, 50, generation=2)
    key = next(r.key for r in reversed(cluster.records(CHANGELOG, 0)) if r.key[:1] > CUT[:1])
    cluster.append(CHANGELOG, 0, key, STAMP_BYTES * b"\0" + b"\x90", old)
    cluster.compact(CHANGELOG, 0)
    process = Process(cluster, disks if disk_kept else Disks(), cleaned_before=lambda: 1)
    if disk_kept:  # it has read the good state in time
        await process.start(generation=3)
        await process.finish()
        check_equal(cluster, process, LOG_)
        return
    with pytest.raises(
        CannotContinue, match=r"overwrote the state of 1 keys .* compaction has removed it"
    ) as refusal:
        await process.start(generation=3)
    assert "--from-log-start" in refusal.value.hint


async def test_a_good_state_that_has_been_read_is_no_reason_to_doubt_it() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks)
    old = epoch_headers(epoch_of(cluster.records(CHANGELOG, 0)[-1].headers))
    await scored(cluster, disks, 50, generation=2)
    cluster.compact(CHANGELOG, 0)
    key = next(r.key for r in reversed(cluster.records(CHANGELOG, 0)) if r.key[:1] > CUT[:1])
    cluster.append(CHANGELOG, 0, key, STAMP_BYTES * b"\0" + b"\x90", old)
    process = Process(cluster, Disks(), cleaned_before=lambda: 1)
    await process.start(generation=3)
    await process.finish()
    check_equal(cluster, process, LOG_)


async def test_healing_survives_dying_in_the_middle_of_it() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks)
    old = epoch_headers(epoch_of(cluster.records(CHANGELOG, 0)[-1].headers))
    await scored(cluster, disks, 50, generation=2)
    for n in range(12):
        cluster.append(CHANGELOG, 0, b"lead-%d" % n, None, old)
    for _ in range(3):
        process = Process(cluster, disks, piece=lambda: 5)

        async def die(name: str) -> None:
            if name == f"after {CHANGELOG}":
                raise Crash

        process.kafka.gate = die
        with pytest.raises(Crash):
            await process.start(generation=3)
        disks.crash()
    process = await restarted(cluster, disks, 3)
    await process.finish()
    check_equal(cluster, process, LOG_)


async def test_somebody_who_writes_during_the_takeover_is_noticed() -> None:
    cluster = Cluster()
    await scored(cluster, Disks())
    process = Process(cluster, Disks())

    async def interfere(name: str) -> None:
        if name == f"before {CHANGELOG}":
            process.kafka.gate = lambda _: nothing()
            cluster.append(CHANGELOG, 0, b"lead-1", None, epoch_headers(1))

    async def nothing() -> None: ...

    process.kafka.gate = interfere
    with pytest.raises(CannotContinue, match="another writer"):
        await process.start(generation=2)


async def test_another_owners_first_start_during_ours_is_not_taken_for_a_broken_changelog() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = Process(cluster, Disks())
    ask = process.kafka.bounds
    asked = 0

    async def bounds(topic: str, partitions: Sequence[int]) -> dict[int, Bounds]:
        nonlocal asked
        asked += topic == CHANGELOG
        if asked == 2 and topic == CHANGELOG:  # we have restored nothing, there was nothing
            await restarted(cluster, Disks(), 2)
        return await ask(topic, partitions)

    process.kafka.bounds = bounds  # type: ignore[method-assign]
    with pytest.raises(CannotContinue, match="another writer"):
        await process.start(generation=1)


# -- refusals -------------------------------------------------------------------------------------


async def test_refuses_an_empty_changelog_where_the_group_has_committed() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks)
    cluster.recreate(CHANGELOG)
    for disk in ("kept", "lost"):
        if disk == "lost":
            disks.clear()
        assert "the scores are lost" in await refused(cluster, disks)


async def test_refuses_a_changelog_with_leads_and_no_cut() -> None:
    cluster = Cluster()
    await scored(cluster, Disks())
    records = cluster.records(CHANGELOG, 0)
    cluster.topics[CHANGELOG, 0] = [record for record in records if record.key != CUT]
    assert "no cut record" in await refused(cluster, Disks())


async def test_scores_anew_when_changelog_and_commits_are_gone() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks)
    cluster.recreate(CHANGELOG)
    cluster.commits.clear()
    process = await restarted(cluster, disks)
    assert process.positions == {0: 0}
    assert not list(process.agent.partitions[0].store.leads())
    await process.finish()
    check_equal(cluster, process, LOG_)


async def test_refuses_a_log_whose_start_has_expired_before_the_first_start() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    cluster.expire(LOG, 0, 40)
    assert "starts at offset 40" in await refused(cluster, Disks())
    process = await restarted(cluster, Disks(), from_log_start=True)
    assert process.positions == {0: 40}
    assert one_pass(LOG_[0][40:], start=40).state.position == 40 + len(LOG_[0][40:])


async def test_refuses_a_log_that_expired_beyond_the_position() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks, 100)
    cluster.expire(LOG, 0, 100)
    await (await restarted(cluster, disks)).agent.close()
    cluster.expire(LOG, 0, 110)
    assert "10 records expired" in await refused(cluster, disks)
    with pytest.raises(CannotContinue):
        await restarted(cluster, Disks(), from_log_start=True)


async def test_refuses_a_log_that_ends_before_the_position() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks, 200)
    cluster.topics[LOG, 0] = cluster.records(LOG, 0)[:199]
    assert "ends at 199" in await refused(cluster, disks)


@pytest.mark.parametrize("lost", [False, True])
async def test_refuses_a_log_that_ends_before_a_leads_fence(*, lost: bool) -> None:
    """Leads were sent and the cut was not; then the log lost its end."""
    cluster, disks = Cluster(), Disks()
    publish(cluster, LOG_)
    process = Process(cluster, disks, piece=lambda: 3)
    await process.start()
    process.feed(count=100)
    await process.agent.checkpoint()
    process.feed(count=100)

    async def die(name: str) -> None:
        if name == f"after {CHANGELOG}":
            raise Crash

    process.kafka.gate = die
    with pytest.raises(Crash):
        await process.agent.checkpoint()
    disks.crash()
    if lost:
        disks.clear()
    fence = max(read_stamp(record.value or b"")[1] for record in cluster.records(CHANGELOG, 0)[-3:])
    cluster.topics[LOG, 0] = cluster.records(LOG, 0)[:fence]
    assert f"taken in offset {fence}" in await refused(cluster, disks)


async def test_refuses_a_log_that_was_created_again() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks, 50)
    cluster.recreate(LOG)
    publish(cluster, LOG_)
    assert "created again" in await refused(cluster, disks)


async def test_a_local_store_of_another_changelog_is_wiped() -> None:
    """The changelog was re-created and scored further by another machine: this disk is of no use."""
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks, 150)
    stood = cluster.end(CHANGELOG, 0)
    cluster.recreate(CHANGELOG)
    cluster.commits.clear()
    others = Disks()
    for generation, count in enumerate((250, 5, 5, 5), 2):
        await scored(cluster, others, count, generation)
    assert cluster.end(CHANGELOG, 0) > stood
    process = await restarted(cluster, disks)
    await process.finish()
    check_equal(cluster, process, LOG_)


async def test_a_local_store_ahead_of_its_changelog_is_wiped() -> None:
    cluster, disks = Cluster(), Disks()
    await scored(cluster, disks, 100)
    short = list(cluster.records(CHANGELOG, 0))
    await scored(cluster, disks, 50, generation=2)
    cluster.topics[CHANGELOG, 0] = short  # an election took the newest records back
    process = await restarted(cluster, disks)
    assert process.positions == {0: 100}
    await process.finish()
    check_equal(cluster, process, LOG_)


@pytest.mark.parametrize(
    ("setting", "value", "complaint"),
    [
        ("cleanup.policy", "compact,delete", "cleanup.policy"),
        ("min.compaction.lag.ms", "99999", "at least 100000"),
        ("delete.retention.ms", "86400000", "7 days"),
    ],
)
def test_refuses_a_changelog_that_may_forget(setting: str, value: str, complaint: str) -> None:
    good = {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": "100000",
        "delete.retention.ms": "604800000",
    }
    check_changelog(good, 10.0)
    with pytest.raises(CannotContinue, match=complaint):
        check_changelog({**good, setting: value}, 10.0)


# -- sweeping -------------------------------------------------------------------------------------


async def test_a_sweep_goes_on_after_a_restart_where_it_was() -> None:
    log = make_log(13, 900, 600, changes=True)
    for seed in range(4):
        rng = random.Random(seed)
        cluster, disks = Cluster(), Disks()
        publish(cluster, log)
        process = Process(cluster, disks)
        await process.start()
        while process.feed(count=200):
            await process.agent.checkpoint()
        touched = 0
        for generation in range(2, 30):
            partition = process.agent.partitions[0]
            if rng.random() < 0.7:
                touched += partition.sweep(50) if partition.sweepable else 0
                process.agent._owned[0].outbox.send(*partition.drain())
            if rng.random() < 0.7:
                await process.agent.checkpoint()
            if rng.random() < 0.5:
                disks.crash()
                process = await restarted(cluster, disks, generation)
        await process.finish()
        check_equal(cluster, process, log)
        assert touched


async def test_the_end_of_a_sweep_is_made_durable_though_no_record_comes() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = await restarted(cluster, Disks())
    await process.finish()
    cut = decode_cut([r for r in cluster.records(CHANGELOG, 0) if r.key == CUT][-1].value or b"")
    assert not decode_state(cut.state).milestones
    end = cluster.end(CHANGELOG, 0)
    await process.agent.checkpoint()
    assert cluster.end(CHANGELOG, 0) == end


async def test_a_sweep_waits_until_every_older_lead_is_on_disk() -> None:
    cluster = Cluster()
    publish(cluster, LOG_)
    process = await restarted(cluster, Disks())
    while process.feed(count=50):
        assert not process.agent.sweeping
    assert process.agent.partitions[0].machine.unswept
    await process.agent.checkpoint()
    assert process.agent.sweeping


def test_the_state_of_a_cut_can_be_read_back() -> None:
    state = one_pass(LOG_[0]).state
    assert encode_state(decode_state(encode_state(state))) == encode_state(state)


def test_a_fake_disk_loses_what_was_not_flushed() -> None:
    """The tests above rest on it."""
    disk = FakeDisk()
    batch = disk.batch()
    batch.put(b"a", b"")
    disk.write(batch, log=False)
    disk.crash()
    assert disk.get(b"a") is None


async def test_a_sweep_leaves_leads_alone_that_are_ahead_of_the_cut() -> None:
    """Torn: some leads know rules that come after the cut. Sweeping for older ones is not to age them."""
    log = make_log(14, 400, 12)
    changes = [n for n, (_, value) in enumerate(log[0]) if value[:2] == b"\x95\x03"]
    assert len(changes) == 2
    for sent in range(1, 13, 2):
        cluster, disks = Cluster(), Disks()
        publish(cluster, log)
        process = Process(cluster, disks, piece=lambda: sent)  # noqa: B023
        await process.start()
        process.feed(count=changes[1])
        await process.agent.checkpoint()
        process.feed()

        async def die(name: str) -> None:
            if name == f"after {CHANGELOG}":
                raise Crash

        process.kafka.gate = die
        with pytest.raises(Crash):
            await process.agent.checkpoint()
        disks.crash()
        second = await restarted(cluster, disks)
        assert second.positions == {0: changes[1]}
        while second.agent.sweeping:
            second.sweep()
            await second.agent.checkpoint()
        await second.finish()
        check_equal(cluster, second, log)


async def test_a_milestone_during_a_sweep_starts_it_again() -> None:
    """A cursor counts for the milestone it was walking for: leads in front of it have not passed the next."""
    log = make_log(15, 300, 250)
    change = [n for n, (_, value) in enumerate(log[0]) if value[:2] == b"\x95\x03"][1]
    cluster, disks = Cluster(), Disks()
    publish(cluster, log)
    process = await restarted(cluster, disks)
    process.feed(count=change)
    await process.agent.checkpoint()
    partition = process.agent.partitions[0]
    assert partition.sweep(5) == 5
    process.feed()
    process.agent._owned[0].outbox.send(*partition.drain())
    await process.agent.checkpoint()
    process = await restarted(cluster, disks, 3)
    await process.finish()
    check_equal(cluster, process, log)
