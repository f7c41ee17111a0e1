"""The score app on the demo's broker: no topic creation, no compaction, no topic ids."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from scorer.broker import Broker
from scorer.demo.embedded import PARTITIONS, EmbeddedBroker
from scorer.domain.partition import FAULTS_IN_A_ROW
from scorer.settings import Settings
from scorer.wire.registry import LOG, Registry
from scorer.worker.score_app import build_score_app
from scorer.worker.supervise import supervise
from scorer.worker.transport import ChunkedApp
from tests.integration.score_running import check_equal, dead_in, publish
from tests.worker.score_faults import Planted, bad_facts
from tests.worker.score_world import make_log


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with EmbeddedBroker() as embedded:
        settings = Settings(
            bootstrap=embedded.bootstrap,
            topic_prefix="e.",
            data_dir=tmp_path,
            broker_profile="embedded",
            checkpoint_interval=0.1,
        )
        embedded.create([topic.full_name("e.") for topic in Registry.load().topics.values()])
        yield settings


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[ChunkedApp]:
    app = build_score_app(settings)
    stop = asyncio.Event()
    task = asyncio.create_task(supervise([app], stop))
    try:
        yield app
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another thread or process
            await asyncio.sleep(0.05)


def has_scored(app: ChunkedApp, ends: dict[int, int]) -> bool:
    machines = {number: partition.machine for number, partition in app.owner._partitions().items()}
    swept = all(machine.unswept is None for machine in machines.values())
    return swept and {number: machine.state.position for number, machine in machines.items()} == ends


async def test_restarts_and_restores(settings: Settings, tmp_path: Path) -> None:
    broker = Broker(settings)
    log = make_log(41, 900, 40, PARTITIONS)
    for life in range(2):
        publish(broker, [part[len(part) * life // 2 : len(part) * (life + 1) // 2] for part in log])
        ends = {number: span.end for number, span in broker.ranges(LOG).items()}
        async with running(settings) as app:
            await until(lambda: has_scored(app, ends))  # noqa: B023
            assert app.owner.problems() == []
        if life == 0:
            shutil.rmtree(tmp_path / "leads")
    check_equal(broker)


async def test_the_readiness_says_which_command_is_missing(settings: Settings) -> None:
    async with running(msgspec.structs.replace(settings, app_id="other")) as app:
        await until(lambda: len(app.owner.problems()) == PARTITIONS)
        assert app.owner.problems()[0] == "partition 0 knows no doors: run `scorer topics apply`"
        publish(Broker(settings), make_log(42, 10, 2, PARTITIONS))
        await until(lambda: not app.owner.problems())


async def test_a_partition_goes_on_after_a_fault_and_stops_after_many(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker(settings)
    log = make_log(43, 900, 40, PARTITIONS, changes=False, garbage=False)
    few = bad_facts(log[0], range(10, 100, 30))
    many = bad_facts(log[1], range(20, 20 + FAULTS_IN_A_ROW))
    Planted(monkeypatch, {*few, *many})
    publish(broker, log)
    ends = {number: span.end for number, span in broker.ranges(LOG).items()}
    async with running(settings) as app:

        def settled() -> bool:
            machines = {number: partition.machine for number, partition in app.owner._partitions().items()}
            ready = {number for number, machine in machines.items() if machine.state.position == ends[number]}
            return ready == {0, 2, 3} and ["stopped" in why for why in app.owner.problems()] == [True]

        await until(settled)
        assert "partition 1 stopped: 20 records in a row failed" in app.owner.problems()[0]
        assert len(app.owner.leads) > 0
    dead = {(partition, offset) for partition, offset, *_ in dead_in(broker)}
    assert dead == {(0, offset) for offset in few.values()}
