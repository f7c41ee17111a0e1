"""Sealed fields over HTTP: first the key, then what it seals, then the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from scorer.collector.process import check
from scorer.collector.sealing import Sealing
from scorer.collector.stores import remove_unused
from scorer.domain.person import decode_sealed
from scorer.domain.record import Fact, decode_record
from scorer.errors import UserError
from scorer.settings import Settings
from scorer.storage.rocks import RocksFolder
from scorer.wire.cloudevents import Event
from scorer.wire.identity import Identity
from scorer.wire.partitioner import partition_of
from scorer.wire.sealing import SAID_FOR, LeadKey, Wrap, new_key, parse_key_name, unseal
from tests.support.intake import eventually
from tests.unit.collector.asking import BASIC, CRM_KEY, Asked

if TYPE_CHECKING:
    from pathlib import Path

KEYS, LOG = "p.lead.key.v1", "p.lead.log.v1"
BEARER = {"authorization": f"Bearer {CRM_KEY}", "content-type": "application/cloudevents+json"}
WHO = Identity("secret")


class Table:
    """A ``KeyTable`` that reads the topic when a test says so."""

    def __init__(self) -> None:
        self.wrap = Wrap("secret")
        self.keys: dict[bytes, LeadKey] = {}
        self.changed: Any = lambda *_: None

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def caught_up(self) -> None:
        pass

    def get(self, lead: bytes) -> LeadKey | None:
        return self.keys.get(lead)

    def read(self, key: LeadKey) -> None:
        self.keys[key.lead] = key
        self.changed(key.lead, key.id, False)

    def delete(self, lead: bytes) -> None:
        key = self.keys.pop(lead)
        self.changed(lead, key.id, True)


class Sealed:
    """A collector in this process that seals addresses and names."""

    def __init__(self) -> None:
        self.table = Table()

    async def start(self, deadline: float = 60.0) -> Sealed:
        self.asked = Asked(seal=self._sealing, deadline=deadline)
        await self.sealing.start()
        return self

    def _sealing(self, sink: Any, identity: Identity) -> Sealing:
        table: Any = self.table
        self.sealing = Sealing(["email", "name"], table, sink, KEYS, identity.names_somebody)
        self.sealing.partitions = 3
        return self.sealing

    async def identify(self, name: str = "Anna", user: str = "1", **more: Any) -> int:
        body = {"messageId": f"m-{name}", "userId": user, "traits": {"name": name}, **more}
        return (await self.asked("/v1/identify", body, BASIC)).status

    async def track(self, name: str = "Anna", user: str = "1") -> int:
        body = {"messageId": "t", "userId": user, "event": "Task Created", "properties": {"name": name}}
        return (await self.asked("/v1/track", body, BASIC)).status

    async def booked(self, user: str = "1") -> int:
        event = {"specversion": "1.0", "id": "e", "source": "/crm", "type": "booking.created"}
        body = {**event, "data": {"user_id": user, "name": "Anna"}}
        return (await self.asked("/v1/events", body, BEARER)).status

    def topics(self) -> list[str]:
        """Of the records sent so far, in order."""
        return [topic for topic, *_ in self.asked.producer.records]

    def written(self) -> list[LeadKey]:
        """Keys of the topic."""
        found = []
        for topic, value, name, partition in self.asked.producer.records:
            if topic == KEYS:
                parsed, key = parse_key_name(name), self.table.wrap.open(name, value)
                assert parsed is not None
                assert key is not None
                assert partition == partition_of(parsed[0], 3)
                found.append(LeadKey(*parsed, key))
        return found

    def kept(self) -> list[dict[str, str | None] | None]:
        """Of each fact sent so far, what can be read with the keys of the topic."""
        keys = {(key.lead, key.id): key.key for key in [*self.written(), *self.table.keys.values()]}
        found: list[dict[str, str | None] | None] = []
        for topic, value, _, _ in self.asked.producer.records:
            record = decode_record(value) if topic == LOG else None
            if isinstance(record, Fact):
                found.append(None if record.sealed is None else opened(record.sealed, keys))
        return found


def opened(sealed: bytes, keys: dict[tuple[bytes, bytes], bytes]) -> dict[str, str | None]:
    def find(of: bytes, key_id: bytes) -> bytes | None:
        return keys.get((of, key_id))

    return {field: unseal(one, field, find) for field, one in decode_sealed(sealed).items()}


async def turns() -> None:
    """All that waits for nothing but the event loop has been done."""
    for _ in range(50):
        await asyncio.sleep(0)


def lead(user: str = "1") -> bytes:
    return WHO.lead_id(Event("1.0", "1", "/", "t", {"user_id": user}))


@pytest.fixture
async def sealed() -> Sealed:
    return await Sealed().start()


# -- the order ------------------------------------------------------------------------------------------


async def test_a_new_key_is_acknowledged_before_the_fact_is_sent_and_the_fact_before_the_answer(
    sealed: Sealed,
) -> None:
    producer = sealed.asked.producer
    producer.silent = True
    answer = asyncio.create_task(sealed.identify())
    await turns()
    assert (sealed.topics(), answer.done()) == ([KEYS], False)
    producer.poll_once()
    await turns()
    assert (sealed.topics(), answer.done()) == ([KEYS, LOG], False)
    producer.silent = False
    assert await answer == 200
    assert sealed.kept() == [{"name": "Anna"}]
    assert (sealed.asked.sink.pending_bytes, sealed.asked.sink.pending_records) == (0, 0)


async def test_another_request_sealed_with_a_key_on_its_way_waits_for_it_too(sealed: Sealed) -> None:
    producer = sealed.asked.producer
    producer.silent = True
    answers = [asyncio.create_task(sealed.identify(name)) for name in ("Anna", "Ann")]
    other = asyncio.create_task(sealed.track(user="2", name=""))
    await turns()
    assert sealed.topics() == [KEYS, LOG], "one key, and whoever needs none does not wait"
    producer.silent = False
    assert await asyncio.gather(*answers, other) == [200] * 3
    assert len(sealed.written()) == 1
    assert sealed.kept() == [None, {"name": "Anna"}, {"name": "Ann"}]


async def test_with_a_key_of_the_topic_nothing_waits(sealed: Sealed) -> None:
    sealed.table.read(new_key(lead()))
    assert await sealed.identify() == 200
    assert (sealed.topics(), sealed.kept()) == ([LOG], [{"name": "Anna"}])


async def test_a_batch_seals_a_text_once_and_sends_its_keys_together(sealed: Sealed) -> None:
    events = [
        {"type": "track", "event": "x", "userId": f"u{number % 3}", "properties": {"name": f"P{number % 3}"}}
        for number in range(9)
    ]
    assert (await sealed.asked("/v1/batch", {"batch": events}, BASIC)).status == 200
    assert sealed.topics() == [KEYS] * 3 + [LOG] * 9
    assert sealed.kept() == [{"name": "P0"}, {"name": "P1"}, {"name": "P2"}] + [None] * 6


# -- when something breaks ------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", [KEYS, LOG])
async def test_what_was_not_taken_counts_as_not_said(sealed: Sealed, failing: str) -> None:
    """Whoever was told to come again says all of it again, and it is sealed again."""
    sealed.asked.producer.error_of = failing
    assert await sealed.track() == 503
    assert sealed.asked.producer.lost == [failing], "without its key no fact is sent"
    sealed.asked.producer.error_of = None
    assert await sealed.track() == 200
    assert sealed.kept()[-1] == {"name": "Anna"}
    assert await sealed.track() == 200
    assert sealed.kept()[-1] is None, "said, and in the log"


async def test_while_nobody_knows_whether_a_text_is_in_the_log_it_is_sealed_again(sealed: Sealed) -> None:
    sealed.table.read(new_key(lead()))
    sealed.asked.producer.silent = True
    answers = [asyncio.create_task(sealed.track()) for _ in range(2)]
    await turns()
    sealed.asked.producer.silent = False
    assert await asyncio.gather(*answers) == [200, 200]
    assert sealed.kept() == [{"name": "Anna"}] * 2


@pytest.mark.parametrize("backwards", [False, True])
async def test_of_texts_said_at_once_none_counts_as_the_last(sealed: Sealed, *, backwards: bool) -> None:
    """Whichever is acknowledged first: the next is sealed, or the lead might be told of under the other."""
    sealed.table.read(new_key(lead()))
    assert await sealed.track("Anna") == 200
    producer = sealed.asked.producer
    producer.silent = True
    answers = [asyncio.create_task(sealed.track(name)) for name in ("Ann", "Anna")]
    await turns()
    if backwards:
        producer.turn_round()
    for _ in range(2):
        producer.poll_once(1)
        await asyncio.sleep(0.01)
    assert await asyncio.gather(*answers) == [200, 200]
    producer.silent = False
    for name in ("Anna", "Ann", "Ann"):
        assert await sealed.track(name) == 200
    names = [one and one["name"] for one in sealed.kept()]
    assert names == ["Anna", "Ann", "Anna", "Anna", "Ann", None]


async def test_without_word_of_the_key_the_answer_is_503_in_time_and_the_fact_is_not_sent() -> None:
    sealed = await Sealed().start(deadline=0.2)
    sealed.asked.producer.silent = True
    assert await sealed.identify() == 503
    assert sealed.topics() == [KEYS]
    assert await sealed.booked("2") == 503
    sealed.asked.producer.silent = False
    await eventually(lambda: not sealed.asked.sink.pending_records)
    assert sealed.topics() == [KEYS], "what was refused has sent nothing, no key either"
    assert [await sealed.identify(), await sealed.booked("2")] == [200, 200]
    assert sealed.kept() == [{"name": "Anna"}] * 2


async def test_a_request_of_which_nothing_is_taken_makes_no_key(sealed: Sealed) -> None:
    """Kafka has gone while its body was on its way, say."""
    sealed.sealing.begin()
    unused = sealed.sealing.key_of(lead())
    assert await sealed.identify() == 200
    (written,) = sealed.written()
    assert written.id != unused.id
    assert sealed.kept() == [{"name": "Anna"}]


# -- erasure --------------------------------------------------------------------------------------------


async def test_a_deleted_key_seals_nothing_more_and_the_text_is_sealed_anew(sealed: Sealed) -> None:
    assert await sealed.track() == 200
    (first,) = sealed.written()
    assert await sealed.track() == 200
    sealed.table.read(first)
    sealed.table.delete(lead())
    assert await sealed.track() == 200
    (_, second) = sealed.written()
    assert second.id != first.id
    assert sealed.kept() == [{"name": "Anna"}, None, {"name": "Anna"}]


async def test_a_key_deleted_before_its_own_record_was_read_here_is_gone_too(sealed: Sealed) -> None:
    assert await sealed.track() == 200
    (first,) = sealed.written()
    sealed.table.keys[lead()] = first  # what stands in front of the tombstone, compacted away
    sealed.table.delete(lead())
    assert await sealed.track() == 200
    assert len(sealed.written()) == 2


async def test_what_is_on_its_way_while_the_key_is_deleted_does_not_count_as_said(sealed: Sealed) -> None:
    sealed.table.read(new_key(lead()))
    sealed.asked.producer.silent = True
    answer = asyncio.create_task(sealed.track())
    await turns()
    other = asyncio.create_task(sealed.track(user="2", name=""))
    await turns()
    sealed.table.delete(lead())
    sealed.asked.producer.silent = False
    assert await asyncio.gather(answer, other) == [200, 200]
    assert await sealed.track() == 200
    assert sealed.kept() == [{"name": None}, None, {"name": "Anna"}], "the first opens no more"


async def test_the_newest_key_of_several_processes_is_the_one_in_use(sealed: Sealed) -> None:
    assert await sealed.track("Anna") == 200
    (mine,) = sealed.written()
    theirs = new_key(lead())
    sealed.table.read(mine)
    sealed.table.read(theirs)
    assert await sealed.track("Ann") == 200
    assert sealed.written() == [mine]
    assert sealed.kept() == [{"name": "Anna"}, {"name": "Ann"}]


async def test_a_text_is_said_again_after_an_hour(sealed: Sealed) -> None:
    for later in (0, SAID_FOR / 1000 - 1, SAID_FOR / 1000):
        sealed.asked.now += later
        await sealed.track()
        sealed.asked.now -= later
    assert sealed.kept() == [{"name": "Anna"}, None, {"name": "Anna"}]


# -- on disk --------------------------------------------------------------------------------------------


def test_stores_of_processes_that_are_no_more_are_removed(tmp_path: Path) -> None:
    folder = RocksFolder(tmp_path / "keys")
    names = ["collector-0", "collector-1", "collector-12", "intake"]
    for name in names:
        folder.open(name).close()
    held = folder.open("collector-7")

    def left(**changes: Any) -> list[str]:
        remove_unused(Settings(data_dir=tmp_path, **changes))
        return sorted(path.name for path in (tmp_path / "keys").iterdir())

    assert left(sealed_fields="email", collector_processes=13) == sorted([*names, "collector-7"])
    assert left(sealed_fields="email", collector_processes=2) == [
        "collector-0",
        "collector-1",
        "collector-7",
        "intake",
    ], "what another process has open stays"
    held.close()
    assert left() == ["intake"]


def test_fields_that_can_not_be_sealed_are_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="SCORER_SEALED_FIELDS: company"):
        check(Settings(collector_keys=tmp_path, sealed_fields="company"))
