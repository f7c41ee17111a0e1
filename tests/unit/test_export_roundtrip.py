"""A line of a log export gives back the record it was made from, whatever the record is."""

from __future__ import annotations

import json
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.domain import clock
from scorer.domain.record import (
    Answer,
    Ask,
    Bind,
    Clock,
    Door,
    Doors,
    Erase,
    Fact,
    ImportBegin,
    ImportEnd,
    Member,
    Merge,
    Rebuilt,
    Record,
    Rules,
    encode_record,
)
from scorer.log_lines import Recorded, decode_line, line_of, recorded_of

integers = st.integers(-(2**63), 2**64 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.one_of(texts, integers, st.floats(), st.booleans(), st.none())
facts = st.builds(
    Fact,
    type=texts,
    time=integers,
    received=integers,
    door=integers,
    offset=integers,
    digest=st.binary(max_size=9),
    id=texts,
    source=texts,
    properties=st.dictionaries(texts, st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=4),
    sealed=st.none() | st.binary(max_size=9),
    account=st.none() | texts,
)
naturals = st.integers(0, 2**63 - 1)
clocks = st.dictionaries(naturals, naturals, max_size=5).map(lambda times: Clock(clock.pack(times)))
ids = st.binary(max_size=9) | texts.map(str.encode)
records: st.SearchStrategy[Record] = st.one_of(
    facts,
    clocks,
    st.builds(Clock, st.binary(max_size=20)),
    st.builds(Doors, integers, st.lists(st.builds(Door, integers, integers, texts, integers), max_size=3)),
    st.builds(Rules, integers, texts, st.binary(max_size=30), st.sampled_from([0, 1, 2])),
    st.builds(
        Rebuilt,
        integers,
        integers,
        integers,
        st.dictionaries(integers, st.floats(allow_nan=False), max_size=2),
        st.none()
        | st.dictionaries(integers, st.dictionaries(integers, st.floats(allow_nan=False)), max_size=2),
        st.dictionaries(integers, st.binary(max_size=9), max_size=2),
        st.dictionaries(integers, st.lists(integers, max_size=3), max_size=2),
    ),
    st.builds(ImportBegin, integers),
    st.builds(ImportEnd, integers),
    st.builds(Bind, ids, integers, integers, integers),
    st.builds(Ask, ids, st.lists(ids, max_size=3), ids, integers, integers),
    st.builds(Answer, ids, st.booleans(), ids, integers, integers),
    st.builds(Erase, integers, st.booleans(), texts, ids, integers, integers),
    st.builds(
        Member,
        ids,
        integers,
        st.none() | st.floats(),
        integers,
        st.lists(st.tuples(ids, integers), max_size=2),
    ),
    st.builds(Merge, ids, integers, st.binary(max_size=30), integers, integers),
)
keys = st.none() | st.binary(max_size=9) | texts.map(str.encode)
values = st.one_of(records.map(encode_record), st.none(), st.binary(max_size=40))


@given(st.integers(0, 1000), st.integers(0, 2**63 - 1), keys, values, st.none() | texts)
def test_every_record_comes_back_to_the_byte(
    partition: int, offset: int, key: bytes | None, value: bytes | None, reason: str | None
) -> None:
    recorded = Recorded(offset, key, value)
    text = line_of(partition, recorded, reason)
    assert b"\n" not in text
    line = decode_line(text)
    assert recorded_of(line) == recorded
    assert (line.partition, line.dead_lettered) == (partition, reason)


FACT = Fact(
    type="email.opened",
    time=1_793_527_200_000,
    received=1_793_527_201_000,
    door=3,
    offset=41,
    digest=bytes(range(8)),
    id="e-1",
    source="/mail",
    properties={"kind": "sales", "n": 2, "share": 0.5, "tags": ["a", True]},
)


def shown(record: Record, key: bytes | None = None) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(line_of(5, Recorded(7, key, encode_record(record))))
    assert (fields.pop("partition"), fields.pop("offset")) == (5, 7)
    return fields


def test_a_fact_is_shown_in_its_fields() -> None:
    assert shown(FACT, b"lead-17") == {
        "kind": "fact",
        "key": "lead-17",
        "type": "email.opened",
        "time": 1_793_527_200_000,
        "received": 1_793_527_201_000,
        "door": 3,
        "door_offset": 41,
        "digest": "AAECAwQFBgc=",
        "id": "e-1",
        "source": "/mail",
        "properties": {"kind": "sales", "n": 2, "share": 0.5, "tags": ["a", True]},
    }


def test_control_records_are_shown_in_their_fields() -> None:
    assert shown(Clock(clock.pack({1: 1000, 4: 900}))) == {
        "kind": "clock",
        "key": None,
        "times": {"1": 1000, "4": 900},
    }
    doors = shown(Doors(2, [Door(1, 0, "activity.email.v1", 3)]))
    assert doors["doors"] == [{"number": 1, "generation": 0, "topic": "activity.email.v1", "partition": 3}]
    assert shown(Rules(3, "ab", b"\x00"))["model"] == "AA=="
    assert shown(ImportBegin(2**32)) == {"kind": "import_begin", "key": None, "number": 2**32}
    assert shown(ImportEnd(2**32))["kind"] == "import_end"


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"garbage",
        # Trailing fields of a newer version of the struct would be lost in fields.
        msgspec.msgpack.encode([4, 2**32, "more"]),
        # Not how this code encodes a small integer.
        b"\x92\x04\xcd\x00\x05",
        # NaN has no JSON.
        encode_record(msgspec.structs.replace(FACT, properties={"x": float("nan")})),
    ],
)
def test_what_fields_cannot_carry_is_kept_whole(value: bytes | None) -> None:
    text = line_of(0, Recorded(1, b"\xff", value))
    assert json.loads(text)["kind"] == "raw"
    assert recorded_of(decode_line(text)) == Recorded(1, b"\xff", value)


def test_a_mark_of_the_dead_letters_is_shown() -> None:
    line = json.loads(line_of(0, Recorded(1, b"a", encode_record(FACT)), "engine_error"))
    assert line["dead_lettered"] == "engine_error"


def test_any_text_fits_into_one_line() -> None:
    fact = msgspec.structs.replace(FACT, properties={"title": string.printable + "\u2028 é"})
    text = line_of(0, Recorded(1, "ü".encode(), encode_record(fact)))
    assert json.loads(text.decode())["properties"]["title"] == string.printable + "\u2028 é"
