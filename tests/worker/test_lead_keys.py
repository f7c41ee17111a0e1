"""No fact in the log whose key is not in its topic; no outcome in front of an earlier one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from scorer.domain.outcomes import Outcome
from scorer.wire.registry import ERASED, LEAD_KEYS, MERGED, QUALIFIED
from scorer.wire.sealing import LeadKey, Wrap, new_key, seal
from scorer.worker.lead_keys import LeadKeys
from scorer.worker.opening import Opener, OpeningOutbox
from tests.worker.fake_kafka import Cluster, FakeKafka

if TYPE_CHECKING:
    from scorer.domain.lead import Sealed

ANNA, BEN = b"lead-anna", b"lead-ben"
VALUE = b'{"id":"%d","data":{"sequence":1}}'


class Table:
    """A ``KeyTable`` that is as far behind as a test wants."""

    def __init__(self) -> None:
        self.wrap = Wrap("secret")
        self.keys: dict[tuple[bytes, bytes], LeadKey] = {}
        self.coming: list[LeadKey] = []
        self.caught = 0
        self.failure: Exception | None = None
        self.changed = lambda *_: None

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def caught_up(self) -> None:
        self.caught += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        for key in self.coming:
            self.add(key)
        self.coming = []

    def add(self, key: LeadKey, *, deleted: bool = False) -> None:
        if deleted:
            del self.keys[key.lead, key.id]
        else:
            self.keys[key.lead, key.id] = key
        self.changed(key.lead, key.id, deleted)

    def get(self, lead: bytes) -> LeadKey | None:
        return next((key for key in self.keys.values() if key.lead == lead), None)

    def find(self, lead: bytes, key_id: bytes) -> bytes | None:
        key = self.keys.get((lead, key_id))
        return None if key is None else key.key


@pytest.fixture
def table() -> Table:
    return Table()


# -- intake -------------------------------------------------------------------------------------------


class Making:
    def __init__(self, table: Table) -> None:
        self.cluster = Cluster()
        self.open = asyncio.Event()
        self.failure: Exception | None = None
        self.errors: list[BaseException] = []
        self.forgotten: list[bytes] = []
        kafka = FakeKafka(self.cluster, self.gate)
        self.keys = LeadKeys(table, self.errors.append)  # type: ignore[arg-type]
        self.keys.forget = self.forgotten.append
        self.keys.write_to([kafka.lane(LEAD_KEYS, number) for number in range(3)])

    async def gate(self, where: str) -> None:
        if where.startswith("before"):
            await self.open.wait()
            if self.failure is not None:
                raise self.failure

    def written(self) -> list[bytes | None]:
        return [one.key for number in range(3) for one in self.cluster.records(LEAD_KEYS, number)]


async def test_what_is_sealed_with_a_new_key_waits_until_the_key_is_safe(table: Table) -> None:
    making = Making(table)
    await making.keys.start()
    done: list[str] = []
    making.keys.then(lambda: done.append("nothing sealed"))
    assert done == ["nothing sealed"], "and at once"
    key = making.keys.key_of(ANNA)
    making.keys.then(lambda: done.append("sealed"))
    making.keys.then(lambda: done.append("later"))
    await asyncio.sleep(0.01)
    assert (done, making.written()) == (["nothing sealed"], [])
    assert making.keys.key_of(ANNA) == key
    making.open.set()
    await making.keys.settled()
    assert done == ["nothing sealed", "sealed", "later"]
    assert making.written() == [key.name]
    making.keys.then(lambda: done.append("with the same key"))
    assert done[-1] == "with the same key"


async def test_a_key_made_while_others_wait_is_waited_for(table: Table) -> None:
    making = Making(table)
    await making.keys.start()
    done: list[tuple[str, int]] = []
    making.keys.key_of(ANNA)
    making.keys.then(lambda: done.append(("anna", len(making.written()))))
    await asyncio.sleep(0.01)
    for lead in (BEN, b"lead-c", b"lead-d"):
        making.keys.key_of(lead)
    making.keys.then(lambda: done.append(("others", len(making.written()))))
    making.open.set()
    await making.keys.settled()
    assert [name for name, _ in done] == ["anna", "others"]
    assert done[1][1] == 4


async def test_a_key_that_cannot_be_written_ends_the_process_before_the_fact(table: Table) -> None:
    making = Making(table)
    await making.keys.start()
    done: list[str] = []
    making.failure = RuntimeError("no")
    making.open.set()
    making.keys.key_of(ANNA)
    making.keys.then(lambda: done.append("sealed"))
    with pytest.raises(RuntimeError, match="no"):
        await making.keys.settled()
    assert (done, making.errors) == ([], [making.failure])


async def test_keys_of_the_topic_are_used_and_deleted_ones_are_not(table: Table) -> None:
    making = Making(table)
    await making.keys.start()
    known = new_key(ANNA)
    table.add(known)
    assert making.keys.key_of(ANNA) == known
    mine = making.keys.key_of(BEN)
    table.add(mine)
    assert making.keys.key_of(BEN) == mine
    table.add(mine, deleted=True)
    assert making.forgotten == [BEN]
    assert making.keys.key_of(BEN) != mine


# -- outcomes -----------------------------------------------------------------------------------------


class Telling:
    def __init__(self, table: Table) -> None:
        self.cluster = Cluster()
        opener = Opener(("email", "name"), table)  # type: ignore[arg-type]
        self.outbox = OpeningOutbox(FakeKafka(self.cluster), 0, 4, 4, opener)

    def said(self, topic: str = QUALIFIED) -> list[object]:
        values = [msgspec.json.decode(one.value or b"") for one in self.cluster.records(topic, 0)]
        return [(value["id"], value["data"].get("person")) for value in values]


def outcome(number: int, sealed: dict[str, Sealed] | None = None, topic: str = QUALIFIED) -> Outcome:
    return Outcome(topic, b"lead-%d" % number, VALUE % number, sealed)


def sealed(key: LeadKey, **texts: str) -> dict[str, Sealed]:
    return {field: (1, seal(key, field, text)) for field, text in texts.items()}


async def test_outcomes_carry_the_fields_asked_for(table: Table) -> None:
    key = new_key(ANNA)
    table.add(key)
    telling = Telling(table)
    person = sealed(key, name='Anna "A"', email="anna@example.com", phone="1")
    others = [outcome(3, person, MERGED), outcome(4, None, ERASED)]
    telling.outbox.send([outcome(1, person), outcome(2), *others], [], [])
    await telling.outbox.flush()
    assert telling.said() == [("1", {"email": "anna@example.com", "name": 'Anna "A"'}), ("2", None)]
    assert (telling.said(MERGED), telling.said(ERASED)) == ([("3", None)], [("4", None)])
    assert table.caught == 0


async def test_a_key_on_its_way_is_waited_for_and_nobody_overtakes(table: Table) -> None:
    key, late = new_key(ANNA), new_key(BEN)
    table.add(key)
    telling = Telling(table)
    telling.outbox.send([outcome(1), outcome(2, sealed(late, name="Ben")), outcome(3)], [], [])
    telling.outbox.send([outcome(4, sealed(key, name="Anna"))], [], [])
    table.coming = [late]
    await telling.outbox.flush()
    assert telling.said() == [("1", None), ("2", {"name": "Ben"}), ("3", None), ("4", {"name": "Anna"})]
    assert table.caught == 1


async def test_without_the_key_the_field_is_left_out(table: Table) -> None:
    key, gone = new_key(ANNA), new_key(ANNA)
    table.add(key)
    telling = Telling(table)
    both = sealed(gone, name="Anna") | sealed(key, email="anna@example.com")
    telling.outbox.send([outcome(1, both), outcome(2, sealed(gone, name="Anna"))], [], [])
    await telling.outbox.flush()
    assert telling.said() == [("1", {"email": "anna@example.com"}), ("2", None)]
    assert telling.cluster.records(QUALIFIED, 0)[1].value == VALUE % 2


async def test_a_checkpoint_learns_why_outcomes_could_not_be_sent(table: Table) -> None:
    telling = Telling(table)
    table.failure = RuntimeError("no")
    telling.outbox.send([outcome(1, sealed(new_key(ANNA), name="Anna"))], [], [])
    with pytest.raises(RuntimeError, match="no"):
        await telling.outbox.flush()
    assert telling.said() == []
