"""Schema and decoder agree on messages that nobody thought of."""

from __future__ import annotations

import copy
import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from scorer.wire.dead_letters import Reason, Rejected
from scorer.wire.times import milliseconds
from tests.contract.messages import (
    BEYOND_THE_SCHEMA,
    DOORS,
    INTAKE,
    RECEIVED,
    REGISTRY,
    all_examples,
    intake_rejects,
    parse,
    schema_accepts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

VALID = [(topic, parse(file.read_bytes())) for topic, file in all_examples(DOORS, "valid")]

# -- the edges of what is allowed ----------------------------------------------------------------------


def text_of(*lengths: int) -> list[Any]:
    """Texts of just these lengths, of one, two and four bytes a character."""
    return [character * length for character in "xü\U0001f600" for length in lengths]


def nested(depth: int, leaf: Any) -> Any:
    for _ in range(depth):
        leaf = {"o": leaf}
    return leaf


BLANKS = " \t\n\r\x0b\x00\x1f\x7f\x80\x85\x9f\u00a0\u2028"
# The validator that plays the schema's part compares -2.0**63 wrongly with the integer that it equals.
NUMBERS = [0, -0.0, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, -(10**30), 1e300, 9.2e18, 9.3e18]
LISTS = [
    [],
    *([value] * length for value in ("x", 1, True) for length in (99, 100, 101)),
    *([value] for value in [None, [], {}, 2**63, -(2**63) - 1, 1e300, *NUMBERS]),
]
ODD = [None, True, False, 17, 1.5, "", "x", [], {}, ["x"], {"x": 1}]
VALUES = [
    *ODD,
    *NUMBERS,
    *LISTS,
    *text_of(0, 300),
    *(nested(depth, leaf) for depth in range(1, 7) for leaf in (1, None, [1], [None], {}, 2**63)),
    *({"o": {name: 1}} for name in text_of(0, 1, 127, 128, 129)),
    {"name": {"name": {"name": {"name": {"name": 1}}}}},
    {"name": {"name": {"name": {"name": {"name": {}}}}}},
]
IDENTIFIERS = [*ODD, *text_of(0, 1, 255, 256, 257)]
EMAILS = [
    *ODD,
    *(before + "a@b" + after for before in ["", *BLANKS] for after in ["", *BLANKS]),
    *("a" + blank + "@b" for blank in BLANKS),
    *("a@" + "b" * length for length in (253, 254, 255)),
    *("@", "a@", "@b", "a@b@c", "a@@b", "a@b c@d"),
]
TYPES = [
    *ODD,
    *(name for topic in REGISTRY.doors for name in topic.types),
    *("app.x", "app.x.y_z2", "app.x9", "app.9", "app.X", "app._x", "app.x..y", "app.x_", "app.x._y"),
    *("app.x\n", "app.", "app", "xapp.x", "app.x y", "app.\u0663", "email.opened\n"),
]
TIMES = [
    *ODD,
    *("2026-11-01T10:00:00Z", "2026-11-01t10:00:00z", "2026-11-01T10:00:00.5+00:00"),
    *("2026-11-01T10:00:00", "2026-11-01 10:00:00Z", "2026-02-29T10:00:00Z", "2026-11-01T24:00:00Z"),
    *("2026-11-01T10:00:60Z", "2026-11-01T10:60:00Z", "2026-11-01T10:00:00.Z", "2026-11-01T10:00:00,5Z"),
    *("2026-11-01T10:00:00-23:59", "2026-11-01T10:00:00+24:00", "2026-11-01T10:00:00+00:60"),
    *("2026-11-01T10:00:00+0000", "2026-11-01T10:00:00+00", "2026-11-01T10:00Z", "20261101T100000Z"),
    *("2026-W44-7T10:00:00Z", "2026-305T10:00:00Z", " 2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z\n"),
    *(
        "2026-11-01T10:00:00\u06600Z",
        "\uff12026-11-01T10:00:00Z",
        "1969-12-31T23:59:59Z",
        "99999-01-01T00:00:00Z",
    ),
]
ATTRIBUTES: dict[str, list[Any]] = {
    "specversion": [*ODD, "1.0", "1.1", "1.0 ", 1.0],
    "id": [*ODD, *text_of(0, 1, 255, 256, 257)],
    "source": [*ODD, *text_of(0, 1, 511, 512, 513)],
    "type": TYPES,
    "subject": [*ODD, *text_of(0, 1, 255, 256, 257), *("a" + blank + "b" for blank in BLANKS), *BLANKS],
    "time": TIMES,
    "data": VALUES,
    "traceparent": VALUES,
}
MEMBERS: dict[str, list[Any]] = {
    "user_id": IDENTIFIERS,
    "email": EMAILS,
    "anonymous_id": IDENTIFIERS,
    "kind": VALUES,
    "name": VALUES,
}
NAMES = text_of(0, 1, 127, 128, 129)


def judged_alike(topic: str, message: Any, *, escaped: bool = True) -> Reason | None:
    value = json.dumps(message, ensure_ascii=escaped).encode()
    reason = intake_rejects(topic, value)
    if reason in BEYOND_THE_SCHEMA:
        assert schema_accepts(topic, value) or reason is Reason.TOO_LARGE
    else:
        assert schema_accepts(topic, value) == (reason is None), (reason, message)
    return reason


def edge_messages() -> Iterator[Any]:
    """Each with one thing at an edge: with a subject, and with none and one or more identifiers."""
    plain = {"specversion": "1.0", "id": "1", "source": "/", "type": "TYPE", "data": {"kind": "x"}}
    for base in (plain | {"subject": "lead"}, plain | {"subject": None, "data": {"email": "a@b"}}, plain):
        for name, values in ATTRIBUTES.items():
            yield {key: value for key, value in base.items() if key != name}
            yield from (base | {name: value} for value in values)
        for name, values in MEMBERS.items():
            yield from (base | {"data": base["data"] | {name: value}} for value in values)
        yield from (base | {"data": base["data"] | {name: 1}} for name in NAMES)
        yield from (base | {name: 1} for name in NAMES)


@pytest.mark.parametrize("topic", ["activity.app.v1", "lead.profile.v1"])
def test_the_edges_are_judged_alike(topic: str) -> None:
    reasons = set()
    for message in edge_messages():
        if message.get("type") == "TYPE":
            message["type"] = REGISTRY.topics[topic].types[0]
        reasons.add(judged_alike(topic, message))
    assert {None, Reason.NOT_CLOUDEVENT, Reason.BAD_PROPERTIES, Reason.NO_LEAD, Reason.BAD_TIME} <= reasons


# -- combinations --------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number != -(2.0**63)),
    st.text(max_size=8),
)
anything = st.recursive(
    scalars | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A valid example with a few changes."""
    topic, message = draw(st.sampled_from(VALID))
    message = copy.deepcopy(message)
    if draw(st.booleans()):
        # Only then does anybody look at the identifiers in data.
        message["subject"] = None
        message["data"]["anonymous_id"] = "a"
    for _ in range(draw(st.integers(1, 3))):
        target, pools = draw(st.sampled_from([(message, ATTRIBUTES), (message.get("data"), MEMBERS)]))
        name = draw(st.sampled_from(sorted(pools)))
        change = draw(st.sampled_from(["edge", "anything", "remove", "new"]))
        if not isinstance(target, dict):
            continue
        if change == "edge":
            target[name] = copy.deepcopy(draw(st.sampled_from(pools[name])))
        elif change == "anything":
            target[name] = copy.deepcopy(draw(anything))
        elif change == "remove":
            target.pop(name, None)
        else:
            fresh = draw(st.text(max_size=4) | st.sampled_from(NAMES))
            target[fresh] = copy.deepcopy(draw(anything))
    return topic, message


@settings(max_examples=300)
@given(mutated(), st.booleans())
def test_mutated_messages_are_judged_alike(case: tuple[str, Any], escaped: bool) -> None:
    reason = judged_alike(*case, escaped=escaped)
    event("accepted" if reason is None else reason)


# -- times --------------------------------------------------------------------------------------------

near_times = st.from_regex(
    r"(19[67]|20[02]|21[0]|99)[0-9]{1,2}-[0-2][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]"
    r"([.,][0-9]{0,9})?(Z|z|[+-][0-2][0-9]:?[0-6][0-9])?",
    fullmatch=True,
)


def time_accepted(time: str) -> bool:
    try:
        milliseconds(time)
    except Rejected:
        return False
    return True


def time_valid(time: str) -> bool:
    message = {"specversion": "1.0", "id": "1", "source": "/", "type": "social.clicked", "subject": "x"}
    return schema_accepts("activity.social.v1", json.dumps(message | {"time": time, "data": {}}).encode())


@settings(max_examples=200)
@given(st.one_of(near_times, st.text(max_size=30)))
def test_times_are_judged_alike(time: str) -> None:
    assert time_accepted(time) == time_valid(time)


@pytest.mark.parametrize("year", [1970, 1971, 1972, 1999, 2000, 2026, 2028, 2100, 2400, 9996, 9999])
def test_every_day_of_the_calendar_and_no_other(year: int) -> None:
    days = {
        f"{year:04}-{month:02}-{day:02}T00:00:00Z" for month in range(14) for day in (0, 1, *range(28, 34))
    }
    first = date(year, 1, 1)
    real = {f"{first + timedelta(days=n)}T00:00:00Z" for n in range(366 if time_is_leap(year) else 365)}
    assert {day for day in days if time_accepted(day)} == days & real
    assert {day for day in days if time_valid(day)} == days & real


def time_is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


# -- garbage ------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 8)), min_size=1, max_size=3),
)
def test_damaged_bytes_are_accepted_or_rejected_and_nothing_else(
    case: tuple[str, Any], damages: list[tuple[float, bytes, int]]
) -> None:
    topic, message = case
    value = json.dumps(message).encode()
    for where, inserted, removed in damages:
        at = int(where * len(value))
        value = value[:at] + inserted + value[at + removed :]
    reason = intake_rejects(topic, value)
    if reason is None:
        parse(value)  # whatever is accepted is JSON


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"17",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"x":' + b"9" * 100_000 + b"}",
        b'{"data":{"x":1e999}}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b"\x00" * 1000,
        bytes(range(256)),
    ],
    ids=lambda value: repr(value[:12]) if value else repr(value),
)
@pytest.mark.parametrize("topic", DOORS)
def test_garbage_is_rejected_with_a_reason(topic: str, value: bytes | None) -> None:
    with pytest.raises(Rejected) as rejected:
        INTAKE(topic, value, RECEIVED)
    assert rejected.value.reason in Reason
    assert 0 < len(rejected.value.detail) < 300


def test_a_value_at_the_broker_s_limit_is_judged_by_the_bytes_of_its_log_record() -> None:
    def message(length: int) -> bytes:
        event = {"specversion": "1.0", "id": "1", "source": "/", "type": "social.clicked", "subject": "x"}
        return json.dumps(event | {"data": {"text": "x" * length}}).encode()

    fits = message(2**20 - 200)
    assert intake_rejects("activity.social.v1", fits) is None
    assert intake_rejects("activity.social.v1", message(REGISTRY.max_log_bytes)) is Reason.TOO_LARGE
    many = {"specversion": "1.0", "id": "1", "source": "/", "type": "social.clicked", "subject": "x"}
    wide = json.dumps(many | {"data": {f"f{n}": n for n in range(257)}}).encode()
    assert intake_rejects("activity.social.v1", wide) is Reason.TOO_LARGE
