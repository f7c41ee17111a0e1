"""Reading what is new: what is taken from a record, and topics that are not what they were."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.broker import Broker, Range, Stored
from scorer.domain.record import ACCOUNT, Answer, Erase, Fact, Rules, encode_record
from scorer.errors import UserError
from scorer.insights import feed as feeding
from scorer.insights.feed import Feed
from scorer.insights.reading import KIND_OF, TOPICS, Forgetting, Moving, noted_of, told_of
from scorer.insights.store import Store
from scorer.insights.words import LONGEST
from scorer.settings import Settings
from scorer.wire.registry import LOG, MERGED, QUALIFIED, Registry
from tests.unit.insights.test_figures import KEY, dump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# -- records ------------------------------------------------------------------------------------------


def fact(properties: dict[str, Any]) -> bytes:
    return encode_record(Fact("page.viewed", 5, 7, 1, 0, b"12345678", "e", "/", properties))


@pytest.mark.parametrize(
    ("properties", "source"),
    [
        ({"utm.source": "mail", "utm_source": "ads"}, "ads"),
        ({"campaign.source": " mail \n"}, "mail"),
        ({"source": "crm", "utm_source": ""}, "crm"),
        ({"source": 7}, "7"),
        ({"source": True}, None),
        ({"source": ["a"]}, None),
        ({"source": "\x1b[31mred\0"}, "[31mred"),
        ({"source": "x" * 500}, "x" * LONGEST),
        ({"resource": "mail"}, None),
        ({}, None),
    ],
)
def test_where_a_source_is_from(properties: dict[str, Any], source: str | None) -> None:
    noted = noted_of(b"ann", fact(properties))
    assert noted == ("ann", 5, 7, None, None, source)


def test_what_else_is_noted_of_the_log() -> None:
    assert noted_of(b"ann", encode_record(Erase(5, True, "r", b"", 0, -1))) == Forgetting("ann", 5, True)
    assert noted_of(b"a", encode_record(Answer(b"u", True, b"u", 1, 1))) == Moving("a")
    assert noted_of(b"a", encode_record(Answer(b"u", False, b"u", 1, 1))) is None
    assert noted_of(ACCOUNT + b"a", fact({})) is None
    assert noted_of(None, fact({})) is None
    assert noted_of(None, encode_record(Rules(1, "0" * 16, b"no model"))) is None
    assert noted_of(b"\xff", fact({})) is None


@given(st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.binary()))
def test_anything_may_be_in_a_topic(key: bytes | None, value: bytes | None) -> None:
    noted_of(key, value)
    for topic in KIND_OF:
        assert told_of(topic, key, value) is None


EXAMPLES = [
    (topic, json.loads(path.read_bytes()))
    for topic in KIND_OF
    for path in sorted(Registry.load().folder.joinpath("examples", topic, "valid").iterdir())
]


@pytest.mark.parametrize(("topic", "event"), EXAMPLES)
def test_every_example_of_an_outcome_is_one(topic: str, event: dict[str, Any]) -> None:
    told = told_of(topic, event["subject"].encode(), json.dumps(event).encode())
    assert told is not None
    assert (f"{told.lead}:{told.sequence}", told.kind) == (event["id"], KIND_OF[topic])


@pytest.mark.parametrize(
    "change",
    [
        {"id": "lead-17:2"},
        {"subject": "lead-18"},
        {"type": "lead.stage"},
        {"time": "yesterday"},
        {"data": {"sequence": 1, "stage": "Elsewhere"}},
        {"data": {"sequence": 1, "stage": "Open", "into": "lead-18"}},
        {"data": {"sequence": 2**70, "stage": "Open"}, "id": f"lead-17:{2**70}"},
        {"subject": "\ud800", "id": "\ud800:1"},
    ],
)
def test_what_others_write_there_is_passed_over(change: dict[str, Any]) -> None:
    event = next(event for topic, event in EXAMPLES if topic == QUALIFIED) | change
    assert told_of(QUALIFIED, b"lead-17", json.dumps(event).encode()) is None
    assert told_of(MERGED, b"lead-17", json.dumps(event).encode()) is None


# -- topics -------------------------------------------------------------------------------------------


class FakeBroker(Broker):
    """Topics of one partition, from a given offset on."""

    def __init__(self) -> None:
        super().__init__(Settings(topic_prefix="p."))
        self.starts = dict.fromkeys(TOPICS, 0)
        self.records: dict[str, list[tuple[bytes, bytes]]] = {topic: [] for topic in TOPICS}
        self.ids = {topic: f"id of {topic}" for topic in TOPICS}

    def ranges(self, topic: str) -> dict[int, Range]:
        start = self.starts[topic]
        return {0: Range(start, start + len(self.records[topic]))}

    def read(self, topic: str, partition: int, wanted: Range, *, headers: bool = False) -> Iterator[Stored]:
        for offset in range(wanted.start, wanted.end):
            key, value = self.records[topic][offset - self.starts[topic]]
            yield Stored(offset, key, value, {})

    def expire(self, topic: str, count: int) -> None:
        del self.records[topic][:count]
        self.starts[topic] += count


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    broker = FakeBroker()

    class FakeCluster:
        def __init__(self, _: str) -> None: ...

        def ids(self, names: Any) -> dict[str, str]:
            return {name: broker.ids[name.removeprefix("p.")] for name in names}

    monkeypatch.setattr(feeding, "Cluster", FakeCluster)
    for topic, event in EXAMPLES:
        broker.records[topic].append((event["subject"].encode(), json.dumps(event).encode()))
    broker.records[LOG] = [(f"lead-{number}".encode(), fact({"product": "x"})) for number in range(20)]
    # The examples are of different leads' lives: one of each sequence number is enough here.
    broker.records = {
        topic: records if topic == LOG else records[:1] if topic == QUALIFIED else []
        for topic, records in broker.records.items()
    }
    return broker


def test_only_what_is_new_is_read(
    broker: FakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "BATCH", 3)
    moved: list[int] = []
    with Store.open(tmp_path / "db", KEY) as store:
        feed = Feed(broker, store)
        assert feed.update(moved.append) == (21, [])
        assert moved == [3, 3, 3, 3, 3, 3, 2, 1]
        assert feed.update() == (0, [])
        broker.records[LOG].append((b"lead-99", fact({})))
        assert feed.update() == (1, [])
        assert store.places(LOG) == {0: 21}
    assert len(dump(tmp_path / "db")["firsts"]) == 21


def test_what_had_expired_before_is_told_and_what_has_since_is_an_error(
    broker: FakeBroker, tmp_path: Path
) -> None:
    broker.expire(LOG, 5)
    with Store.open(tmp_path / "db", KEY) as store:
        assert Feed(broker, store).update() == (16, [(LOG, 0, 5)])
        broker.expire(LOG, 15)  # all of it has been read
        assert Feed(broker, store).update() == (0, [])
        broker.records[LOG] = [(b"lead-99", fact({}))] * 3
        broker.expire(LOG, 2)
        with pytest.raises(UserError, match="2 records have expired before they were read"):
            Feed(broker, store).update()


def test_another_kafka_needs_another_file(broker: FakeBroker, tmp_path: Path) -> None:
    with Store.open(tmp_path / "db", KEY) as store:
        Feed(broker, store).update()
        del broker.records[LOG][10:]
        with pytest.raises(UserError, match="ends at 10, and 20 of it have been read"):
            Feed(broker, store).update()
        broker.ids[QUALIFIED] = "another life"
        with pytest.raises(UserError, match="is another topic"):
            Feed(broker, store)
