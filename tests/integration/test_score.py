"""The score app on a real Kafka: killed, wiped, doubled and refused."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from scorer.broker import Broker
from scorer.domain.lead import Lead
from scorer.settings import Settings
from scorer.wire.cluster import Cluster
from scorer.wire.registry import CHANGELOG, LOG
from scorer.worker.cut import epoch_headers
from scorer.worker.score_app import build_score_app
from scorer.worker.supervise import supervise
from tests.integration.score_running import (
    Worker,
    all_scored,
    check_equal,
    make_topics,
    publish,
    scored_positions,
    until,
    worker,
)
from tests.integration.score_worker import Options
from tests.kafka_fixtures import RunningKafka
from tests.worker.score_world import make_log

PARTITIONS = 3


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> Settings:
    return Settings(
        bootstrap=kafka.bootstrap,
        topic_prefix=topic_prefix,
        data_dir=tmp_path / "data",
        instance="one",  # a restart within the session gets its partitions back at once
        checkpoint_interval=0.2,
    )


@pytest.fixture
def broker(settings: Settings) -> Broker:
    return make_topics(settings, PARTITIONS)


def slices(
    log: list[list[tuple[bytes | None, bytes]]], count: int
) -> list[list[list[tuple[bytes | None, bytes]]]]:
    """The log in so many parts, one after the other."""
    return [
        [part[len(part) * n // count : len(part) * (n + 1) // count] for part in log] for n in range(count)
    ]


def test_stopped_cleanly_and_wiped_it_goes_on_where_it_was(
    settings: Settings, broker: Broker, tmp_path: Path
) -> None:
    first, second, third = slices(make_log(21, 1500, 60, PARTITIONS), 3)
    options = Options(settings)
    publish(broker, first)
    with worker(options, tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        running.stop()
    stood = scored_positions(broker)
    publish(broker, second)
    with worker(options, tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        running.stop()
    assert all(scored_positions(broker)[number] > at for number, at in stood.items())
    shutil.rmtree(settings.data_dir)
    publish(broker, third)
    with worker(options, tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        assert "restored" in running.said
        running.stop()
    check_equal(broker)


def test_killed_at_random_instants_nothing_is_lost_or_counted_twice(
    settings: Settings, broker: Broker, tmp_path: Path
) -> None:
    rng = random.Random(22)
    parts = slices(make_log(22, 4000, 120, PARTITIONS), 8)
    options = Options(settings, cache_leads=10)
    for n, part in enumerate(parts[:-1]):
        with worker(options, tmp_path) as running:
            scored = scored_positions(broker)
            publish(broker, part)
            # It dies some time after it has begun with this part.
            until(lambda: scored_positions(broker) != scored, [running])  # noqa: B023
            if rng.random() < 0.5:
                publish(broker, slices(parts[-1], 16)[n])
        if rng.random() < 0.4:
            shutil.rmtree(settings.data_dir)
    with worker(options, tmp_path) as running:
        until(lambda: all_scored(broker), [running])
    check_equal(broker)


def test_two_workers_share_and_hand_over(settings: Settings, broker: Broker, tmp_path: Path) -> None:
    import msgspec

    parts = slices(make_log(23, 2400, 90, PARTITIONS), 4)

    def of(name: str) -> Options:
        return Options(
            msgspec.structs.replace(settings, instance=None, data_dir=tmp_path / name, session_timeout=6)
        )

    publish(broker, parts[0])
    with worker(of("a"), tmp_path) as first:
        until(lambda: all_scored(broker), [first])
        with worker(of("b"), tmp_path) as second:
            until(
                lambda: (tmp_path / "b" / "leads").exists() and any((tmp_path / "b" / "leads").iterdir()),
                [first, second],
            )
            publish(broker, parts[1])
            until(lambda: all_scored(broker), [first, second])
            first.stop()
            publish(broker, parts[2])
            until(lambda: all_scored(broker), [second])
            with worker(of("a"), tmp_path) as third:
                publish(broker, parts[3])
                until(lambda: "Worker ready" in third.said and all_scored(broker), [second, third])
                second.stop()
                third.stop()
    check_equal(broker)


def test_a_second_writer_ends_the_worker_and_the_next_one_heals(
    settings: Settings, broker: Broker, tmp_path: Path
) -> None:
    first, second = slices(make_log(24, 600, 30, PARTITIONS), 2)
    options = Options(settings)
    publish(broker, first)
    with worker(options, tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        with broker.writer() as writer:
            for number in range(PARTITIONS):
                writer.append(CHANGELOG, number, b"lead-1", b"", [(n, v or b"") for n, v in epoch_headers(1)])
        publish(broker, second)
        assert running.ended() == 70
        assert "another writer" in running.said
    with worker(options, tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        assert "sent again the good state of 1 keys" in running.said
        running.stop()
    check_equal(broker)


def test_frozen_past_its_session_it_does_no_harm(settings: Settings, broker: Broker, tmp_path: Path) -> None:
    import msgspec

    def of(name: str) -> Options:
        return Options(
            msgspec.structs.replace(settings, instance=None, data_dir=tmp_path / name, session_timeout=6)
        )

    parts = slices(make_log(25, 1500, 60, PARTITIONS), 3)
    publish(broker, parts[0])
    with worker(of("a"), tmp_path) as frozen:
        until(lambda: all_scored(broker), [frozen])
        publish(broker, parts[1])
        frozen.signal(signal.SIGSTOP)
        with worker(of("b"), tmp_path) as other:
            until(lambda: all_scored(broker), [other])
            frozen.signal(signal.SIGCONT)
            publish(broker, parts[2])
            settled_with(broker, [frozen, other], of, tmp_path)
    check_equal(broker)


def settled_with(broker: Broker, running: list[Worker], of, tmp_path: Path) -> None:  # noqa: ANN001
    """As a supervisor would: whoever has ended with 70 is started again, until all is scored."""
    names = ["a", "b"]
    alive = list(running)
    try:

        def done() -> bool:
            for n, one in enumerate(alive):
                if not one.alive:
                    assert one.ended() == 70, one.said
                    alive[n] = Worker(of(names[n]), tmp_path)
            return all_scored(broker)

        until(done)
    finally:
        for one in alive:
            one.kill()


# -- refusals -------------------------------------------------------------------------------------


def refusal(options: Options, folder: Path) -> str:
    with worker(options, folder) as running:
        assert running.ended() == 70
        return running.said


def test_refuses_a_changelog_that_compacts_too_soon(
    settings: Settings, broker: Broker, tmp_path: Path
) -> None:
    Cluster(settings.kafka).alter(broker.name(CHANGELOG), {"min.compaction.lag.ms": "99000"})
    assert "min.compaction.lag.ms is 99000" in refusal(Options(settings), tmp_path)


def test_refuses_when_the_changelog_was_deleted(settings: Settings, broker: Broker, tmp_path: Path) -> None:
    publish(broker, make_log(26, 200, 10, PARTITIONS))
    with worker(Options(settings), tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        running.stop()
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    admin.delete_topics([broker.name(CHANGELOG)])[broker.name(CHANGELOG)].result(20)
    until(lambda: broker.name(CHANGELOG) not in admin.list_topics(timeout=10).topics)
    make_topics(settings, PARTITIONS)
    assert "the scores are lost" in refusal(Options(settings), tmp_path)


@pytest.mark.parametrize("scoring", [False, True])
def test_ends_when_the_log_is_deleted(
    settings: Settings, broker: Broker, tmp_path: Path, scoring: bool
) -> None:
    first, second = slices(make_log(29, 400, 10, PARTITIONS), 2)
    publish(broker, first)
    name = broker.name(LOG)
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    with worker(Options(settings), tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        if scoring:  # so that there is something to commit
            publish(broker, second)
        admin.delete_topics([name])[name].result(20)
        assert running.ended() == 70
        assert f"{name} is not there: it was deleted" in running.said
        assert "Traceback" not in running.said


def test_waits_for_its_topics(settings: Settings, tmp_path: Path) -> None:
    with worker(Options(settings), tmp_path) as running:
        until(lambda: "run `scorer topics apply`" in running.said, [running])
        broker = make_topics(settings, PARTITIONS)
        publish(broker, make_log(27, 100, 10, PARTITIONS))
        until(lambda: all_scored(broker), [running])
        running.stop()
    check_equal(broker)


# -- embedding ------------------------------------------------------------------------------------


async def test_an_embedding_program_reads_leads(settings: Settings, broker: Broker) -> None:
    publish(broker, make_log(28, 300, 20, PARTITIONS))
    app = build_score_app(settings)
    stop = asyncio.Event()
    running = asyncio.create_task(supervise([app], stop))
    try:
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(all_scored, broker):
                assert not running.done()
                await asyncio.sleep(0.1)
        assert app.owner.problems() == []
        leads = app.owner.leads
        assert isinstance(leads["lead-1"], Lead)
        assert leads["lead-1"] is not leads["lead-1"]  # copies: nobody changes a score from outside
        assert "nobody" not in leads
        assert leads.owns("lead-1")
        assert len(leads) == len(list(leads)) > 10
    finally:
        stop.set()
        await running
    assert scored_positions(broker) == {n: span.end for n, span in broker.ranges(LOG).items()}
