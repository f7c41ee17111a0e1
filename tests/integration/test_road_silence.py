"""Nobody is called gone while what they did is still unread: after an outage, and while a door grows.

Leads who go on and leads who fall silent are published at the pace of real time, so that append times
say who was silent for how long. Intake runs in this process, slowly, so that the clock is asked many
times while much is unread; the score worker is a process of its own, and only what it says counts.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from scorer.broker import Broker
from scorer.settings import Settings
from scorer.wire.registry import DISQUALIFIED, QUALIFIED
from tests.bench.road import WorkerProcess
from tests.bench.workload import EMAIL
from tests.integration.road_running import (
    SILENCE,
    Diary,
    check_equal,
    clock,
    command,
    prepare_road,
    said,
    settled,
    until,
)
from tests.support.intake import end_of, intake_here, notice

if TYPE_CHECKING:
    from pathlib import Path

    from scorer.worker.intake_agent import IntakeOwner
    from tests.kafka_fixtures import RunningKafka

pytestmark = pytest.mark.timeout(240)  # on a very busy machine
SLOWLY: dict[str, Any] = {"clock_interval": 0.02, "max_chunk_records": 20}


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> Settings:
    settings = Settings(
        bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, instance="one", checkpoint_interval=0.2
    )
    rules = tmp_path / "rules.yaml"
    rules.write_text(SILENCE)
    prepare_road(settings, rules)
    return settings


@pytest.fixture
def broker(settings: Settings) -> Broker:
    return Broker(settings)


def leads(name: str, number: int, *partitions: int) -> dict[str, int]:
    """Leads, each with a partition of the door to be heard of in."""
    return {f"{name}-{n}": partitions[n % len(partitions)] for n in range(number)}


async def test_after_an_outage_the_backlog_is_read_before_anybody_is_called_gone(
    settings: Settings, broker: Broker, tmp_path: Path
) -> None:
    diary = Diary(settings)
    heard, silent, late = leads("heard", 40, 0, 1), leads("silent", 5, 0, 1), leads("late", 5, 0, 1)
    diary.alive = heard | silent | late
    folder, flags = tmp_path / "worker", ("--instance", "one")
    with WorkerProcess(settings, folder, *flags, checkpoint=0.2) as before:
        await diary.round("email.replied")
        async with diary.rounds():
            await until(lambda: end_of(settings, QUALIFIED) >= 50, "everybody is known", before)
            diary.fall_silent(silent)
            await asyncio.to_thread(before.stop)
            # Now there is no worker. These are heard of once more.
            await diary.round()
            diary.fall_silent(late)
            with WorkerProcess(settings, folder, "--only", "score", *flags, checkpoint=0.2) as after:
                await diary.due([*silent, *late])
                backlog = diary.now
                async with intake_here(settings, **SLOWLY):
                    await until(lambda: end_of(settings, DISQUALIFIED) >= 10, "the silent are gone", after)
                    await until(lambda: clock(after) > backlog, "the backlog is read", after)
                await settled(after, broker)
    found = said(broker)
    check_equal(found, diary.outcomes(settings))
    assert all(len(found[lead]) == 2 for lead in silent | late)


async def test_a_door_that_grows_is_read_before_anybody_is_called_gone(
    settings: Settings, broker: Broker, tmp_path: Path
) -> None:
    diary = Diary(settings)
    stay, move = leads("stay", 30, 0, 1, 2, 3), leads("move", 20, 0, 1, 2, 3)
    silent, late = leads("silent", 5, 0, 1, 2, 3), leads("late", 5, 0, 1, 2, 3)
    diary.alive = stay | move | silent | late
    with WorkerProcess(settings, tmp_path / "worker", "--only", "score", checkpoint=0.2) as score:
        # New partitions are noticed when this test says so.
        async with intake_here(settings, metadata_max_age_ms=600_000, **SLOWLY) as intake:
            await diary.round("email.replied")
            async with diary.rounds():
                await until(lambda: end_of(settings, QUALIFIED) >= 60, "everybody is known", score)
                await asyncio.to_thread(command, settings, "topics", "apply", "--partitions", f"{EMAIL}=6")
                await asyncio.to_thread(diary.publisher.producer.list_topics, broker.name(EMAIL), 10)
                diary.alive |= leads("move", 20, 4, 5) | leads("late", 5, 4, 5)
                diary.fall_silent(silent)
                await diary.round()
                diary.fall_silent(late)
                await diary.due([*silent, *late])
                backlog = diary.now
                assert unread(intake) == {4, 5}, "intake has noticed them too early for this test"
                await notice(intake)
                await until(lambda: not unread(intake), "intake reads all partitions")
                await until(lambda: end_of(settings, DISQUALIFIED) >= 10, "the silent are gone", score)
                await until(lambda: clock(score) > backlog, "the backlog is read", score)
        await settled(score, broker)
    found = said(broker)
    check_equal(found, diary.outcomes(settings))
    assert all(len(found[lead]) == 2 for lead in silent | late)


def unread(intake: IntakeOwner) -> set[int]:
    """Partitions of the grown door that the running worker does not read."""
    return set(range(6)) - {tp.partition for tp in intake._doors if tp.topic.endswith(EMAIL)}
