"""The leads' keys on disk: read once, forgotten for good."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka.errors import KafkaConnectionError

from scorer.errors import CannotContinue
from scorer.storage import key_table as module
from scorer.storage.key_table import STALE_AFTER, KeyTable
from scorer.storage.rocks import RocksFolder
from scorer.wire.registry import LEAD_KEYS
from scorer.wire.sealing import LeadKey, Wrap, new_key
from tests.worker.fake_kafka import Cluster, FakeKafka

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from scorer.storage.ports import Bounds

ANNA, BEN = b"lead-anna", b"lead-ben"
WRAP = Wrap("secret")


class Topic(FakeKafka):
    """The topic of keys, in memory, with two partitions; counts what is read of it."""

    read_records = 0
    broken = 0

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def partitions(self, topic: str) -> int:
        return 2

    async def bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, Bounds]:
        if self.broken:
            self.broken -= 1
            raise KafkaConnectionError("no broker")
        bounds = await super().bounds(topic, partitions)
        self.read_records += sum(end - start for start, end in bounds.values())
        return bounds


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = Cluster()
        self.now = 1_000_000.0
        self.errors: list[BaseException] = []
        self.tables: list[KeyTable] = []

    def write(self, key: LeadKey, partition: int = 0, wrap: Wrap = WRAP) -> bytes:
        value = wrap.close(key)
        self.cluster.append(LEAD_KEYS, partition, key.name, value)
        return value

    def delete(self, key: LeadKey, partition: int = 0) -> None:
        self.cluster.append(LEAD_KEYS, partition, key.name, None)

    def table(self) -> KeyTable:
        table = KeyTable(
            Topic(self.cluster),
            partial(RocksFolder(self.folder).open, "test"),
            WRAP,
            on_error=self.errors.append,
            clock=lambda: self.now,
        )
        self.tables.append(table)
        return table

    async def opened(self) -> KeyTable:
        table = self.table()
        await table.open()
        await table.caught_up()
        return table

    def files_hold(self, value: bytes) -> bool:
        return any(value in path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.001)
    world = World(tmp_path / "keys")
    yield world
    for table in world.tables:
        if table._disk is not None:
            await table.close()
    assert world.errors == []


async def test_a_key_is_found_by_its_lead_and_by_its_id(world: World) -> None:
    keys = [new_key(ANNA), new_key(ANNA), new_key(BEN), new_key(ANNA + b"2")]
    for number, key in enumerate(keys):
        world.write(key, number // 2)
    table = await world.opened()
    assert table.get(ANNA) == keys[1], "the newest"
    assert table.get(BEN) == keys[2]
    assert table.get(b"nobody") is None
    assert table.get(b"lead") is None
    for key in keys:
        assert table.find(key.lead, key.id) == key.key
    assert table.find(BEN, keys[0].id) is None


async def test_what_stood_in_the_topic_has_been_read(world: World) -> None:
    table = await world.opened()
    key = new_key(ANNA)
    world.write(key)
    await table.caught_up()
    assert table.get(ANNA) == key
    world.delete(key)
    await table.caught_up()
    assert table.get(ANNA) is table.find(ANNA, key.id) is None


async def test_a_restart_reads_on_and_a_wiped_disk_reads_anew(world: World) -> None:
    key = new_key(ANNA)
    world.write(key)
    first = await world.opened()
    await first.close()
    world.cluster.compact(LEAD_KEYS, 0)
    again = await world.opened()
    assert again._meta.following == {0: 1, 1: 0}
    assert again.get(ANNA) == key
    await again.close()
    for path in sorted(world.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    anew = await world.opened()
    assert anew.get(ANNA) == key


async def test_two_apps_share_one_and_the_last_closes_it(world: World) -> None:
    world.write(new_key(ANNA))
    table = await world.opened()
    await table.open()
    await table.close()
    assert table.get(ANNA) is not None
    await table.close()
    with pytest.raises(RuntimeError):
        table.get(ANNA)


async def test_a_deleted_key_leaves_the_files(world: World) -> None:
    keys = [new_key(b"lead-%d" % number) for number in range(200)]
    values = [world.write(key) for key in keys]
    table = await world.opened()
    await table.close()  # what was in memory is in a file
    table = await world.opened()
    assert all(world.files_hold(value) for value in values)
    for key in keys[:3]:
        world.delete(key)
    await until_purged(table)
    assert [world.files_hold(value) for value in values[:5]] == [False, False, False, True, True]
    assert table.find(keys[3].lead, keys[3].id) == keys[3].key


async def test_a_crash_before_the_files_are_rewritten_is_made_good(world: World) -> None:
    key = new_key(ANNA)
    value = world.write(key)
    table = await world.opened()
    table._purged = world.now  # so that the next time is not now
    world.delete(key)
    await table.caught_up()
    await table.close()
    assert table._meta.unpurged
    await until_purged(await world.opened())
    assert not world.files_hold(value)


async def until_purged(table: KeyTable) -> None:
    async with asyncio.timeout(20):
        await table.caught_up()
        while table._meta.unpurged:  # noqa: ASYNC110 - nobody sets an event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("why", ["unread for long", "another topic", "a topic cut short"])
async def test_a_store_that_may_have_missed_deletions_is_not_trusted(world: World, why: str) -> None:
    key, kept = new_key(ANNA), new_key(BEN)
    value = world.write(key)
    await (await world.opened()).close()
    world.delete(key)
    world.write(kept)
    records = world.cluster.records(LEAD_KEYS, 0)
    if why == "unread for long":
        world.now += STALE_AFTER + 1
        del records[:2]  # compacted, and the deletion itself forgotten
    elif why == "another topic":
        world.cluster.recreate(LEAD_KEYS)
    else:
        world.cluster.expire(LEAD_KEYS, 0, 2)
    table = await world.opened()
    assert table.find(ANNA, key.id) is None
    assert not world.files_hold(value)
    assert (table.get(BEN) == kept) == (why != "another topic")


async def test_without_a_broker_it_waits_and_after_too_long_it_gives_up(world: World) -> None:
    table = await world.opened()
    source = table._source
    assert isinstance(source, Topic)
    source.broken = 3
    key = new_key(ANNA)
    world.write(key)
    await table.caught_up()
    assert table.get(ANNA) == key
    world.now += STALE_AFTER + 1
    with pytest.raises(CannotContinue):
        await table.caught_up()
    while not world.errors:  # noqa: ASYNC110 - the background finds out as well
        await asyncio.sleep(0.01)
    world.errors.clear()


async def test_an_opening_that_failed_may_be_tried_again(world: World) -> None:
    key = new_key(ANNA)
    world.write(key)
    table = world.table()
    source = table._source
    assert isinstance(source, Topic)
    source.broken = 1
    with pytest.raises(KafkaConnectionError):
        await table.open()
    await table.open()
    await table.caught_up()
    assert table.get(ANNA) == key
    await table.close()
    assert table._disk is None, "closed as often as it was opened"


async def test_keys_of_another_secret_open_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    mine, foreign = new_key(ANNA), new_key(ANNA)
    world.write(mine)
    world.write(foreign, wrap=Wrap("another"))
    world.cluster.append(LEAD_KEYS, 0, b"no key", b"value")
    world.cluster.append(LEAD_KEYS, 0, None, b"value")
    table = await world.opened()
    assert table.get(ANNA) == mine
    assert table.find(ANNA, foreign.id) is None
    assert sum("SCORER_LEAD_SECRET" in line for line in caplog.messages) == 1
