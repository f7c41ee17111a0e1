"""A message that does not fit is judged by its last members, by a shorter way where none is repeated."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.wire import cloudevents
from scorer.wire.cloudevents import Event, decode
from scorer.wire.dead_letters import Reason, Rejected

Judged = Event | tuple[Reason, str]
PLAIN = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/mail",
    "type": "email.opened",
    "subject": "lead-17",
    "time": "2026-11-01T12:00:00Z",
    "data": {"kind": "sales", "id": "17"},
}
VALUES: list[Any] = [
    *(None, True, 17, -0.0, 1e20, 10**30, "", "x", "\u00fc", "x" * 300, [], [None], {}),
    *({"id": 17}, {"x": {"data": []}}, "1.0", 'at `$.data`, "id":', "\\u0069d"),
]
BLAME = {
    "`$.data`": Reason.BAD_PROPERTIES,
    "`$.time`": Reason.BAD_TIME,
    "`$.subject`": Reason.NO_LEAD,
    "`$.type`": Reason.UNKNOWN_TYPE,
}


def judged(value: bytes) -> Judged:
    try:
        return decode(value)
    except Rejected as rejected:
        return rejected.reason, rejected.detail


def judged_the_long_way(value: bytes) -> Judged:
    """Every message that does not fit is written anew, each member once, and read again."""
    try:
        return msgspec.json.decode(value, type=Event)
    except msgspec.DecodeError:
        pass
    try:
        return msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(value)), type=Event)
    except msgspec.ValidationError as error:
        text, path = str(error), str(error).rpartition(" at ")[2]
        if text.startswith("Invalid enum value"):  # and which that is, is not repeated
            text = f"Invalid value - at {path}"
        return BLAME.get(path, Reason.NOT_CLOUDEVENT), text[:200]
    except msgspec.DecodeError as error:
        return Reason.NOT_JSON, str(error)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """JSON of a message in any order and spelling, with members wrong, missing, unknown and repeated."""
    names = draw(st.permutations(sorted(PLAIN)))
    members: list[tuple[str, Any]] = [(name, PLAIN[name]) for name in names]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(members)))
        change = draw(st.sampled_from(["wrong", "repeat", "remove"]))
        if change == "remove":
            del members[at : at + 1]
        else:
            name = draw(st.sampled_from([*PLAIN, "other"]))
            right = PLAIN.get(name, 1)
            value = draw(st.sampled_from([right, *VALUES]))
            if change == "wrong":
                members = [(name, value) if name == known else (known, kept) for known, kept in members]
            else:
                members.insert(at, (name, value))
    comma, colon = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", " :\r\n")]))
    spelt = draw(st.sampled_from([json.dumps, lambda name: f'"\\u{ord(name[0]):04x}{name[1:]}"']))
    ascii_only = draw(st.booleans())
    inner = [
        spelt(name) + colon + json.dumps(value, ensure_ascii=ascii_only, separators=(comma, colon))
        for name, value in members
    ]
    text = "{" + comma.join(inner) + "}"
    return text[: len(text) - draw(st.sampled_from([0, 0, 0, 0, 1, 5]))].encode()


@settings(max_examples=1_000)
@given(texts())
def test_the_short_way_and_the_long_one_agree(value: bytes) -> None:
    assert judged(value) == judged_the_long_way(value)


@pytest.mark.parametrize(
    "value",
    [
        b'{"id":17,"other":"\\q"}',
        b'{"id":17,"other":1e999}',
        b'{"id":17,"data":{"x":' + b"9" * 5_000 + b"}}",
        b'{"specversion":"1.0","id":"1","source":"/","type":"t","other":1e999}',
        b'{"specversion":"1.0","id":"1","source":"/","type":"t","data":{"x":1e999}}',
        b'{"id":17',
        b'{"id":17}}',
        b"[1e999]",
        b"[]",
    ],
    ids=repr,
)
def test_what_follows_the_first_misfit_is_looked_at_all_the_same(value: bytes) -> None:
    assert judged(value) == judged_the_long_way(value)


@pytest.mark.parametrize("changes", [{"id": 17}, {"type": None}, {"specversion": "0.3"}, {"data": []}])
def test_a_plain_message_is_not_read_twice(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    reads = []

    def read(value: bytes) -> Event:
        reads.append(value)
        return msgspec.json.decode(value, type=Event)

    monkeypatch.setattr(cloudevents, "_decode_event", read)
    assert isinstance(judged(msgspec.json.encode(PLAIN | changes)), tuple)
    assert len(reads) == 1


def test_a_repeated_member_counts_with_its_last_value() -> None:
    right = msgspec.json.encode(PLAIN)
    assert judged(b'{"id":17,' + right[1:]) == judged(right)
    assert judged(right[:-1] + b',"id":17}') == (
        Reason.NOT_CLOUDEVENT,
        "Expected `str`, got `int` - at `$.id`",
    )
