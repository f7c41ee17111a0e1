"""Which trace contexts are carried on, and as what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.wire.tracing import (
    MAX_STATE,
    trace_of,
    trace_of_event,
    trace_of_record,
    trace_of_request,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
CARRIED = [("traceparent", PARENT.encode())]


@pytest.mark.parametrize(
    ("given_", "carried"),
    [
        (PARENT, PARENT),
        (f" {PARENT}\t", PARENT),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-ff", PARENT),
        (f"cc-{TRACE}-{SPAN}-01", PARENT),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", PARENT),
    ],
)
def test_a_valid_context_is_carried(given_: str, carried: str) -> None:
    assert trace_of(given_) == [("traceparent", carried.encode())]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        7,
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE[:-1]}\u0664-{SPAN}-01",
        f"{PARENT}\n",
        f"{PARENT},{PARENT}",
        "anna.secret@example.com",
    ],
)
def test_an_invalid_one_is_not(wrong: Any) -> None:
    assert trace_of(wrong, "a=b") is None


@pytest.mark.parametrize(
    ("state", "carried"),
    [
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        (" a=1 ,, b@c=2\t", "a=1,b@c=2"),
        ("a=1,a=2", ""),
        ("a=1,b", ""),
        ("A=1", ""),
        ("a=\u00e9", ""),
        ("a=1\n", ""),
        ("a=" + "x" * 257, ""),
        (",".join(f"a{n}=1" for n in range(32)), ",".join(f"a{n}=1" for n in range(32))),
        (",".join(f"a{n}=1" for n in range(33)), ""),
        (["a=1"], ""),
    ],
)
def test_a_state_is_carried_where_it_is_valid_and_dropped_alone(state: Any, carried: str) -> None:
    assert trace_of(PARENT, state) == CARRIED + ([("tracestate", carried.encode())] if carried else [])


MEMBERS = st.builds("{}={}".format, st.sampled_from("abcdef"), st.text("xyz", max_size=300))


@given(st.text(max_size=600) | st.lists(MEMBERS, max_size=5).map(",".join))
def test_what_is_carried_is_small_and_ascii(state: str) -> None:
    carried = trace_of(PARENT, state) or []
    assert sum(len(value) for _, value in carried) <= len(PARENT) + MAX_STATE
    assert all(value.isascii() for _, value in carried)


def test_of_a_request() -> None:
    assert trace_of_request({"traceparent": PARENT, "tracestate": "a=1, b=2"}) == [
        *CARRIED,
        ("tracestate", b"a=1,b=2"),
    ]
    assert trace_of_request({"traceparent": f"{PARENT}, {PARENT}"}) is None
    assert trace_of_request({"tracestate": "a=1"}) is None


def test_of_a_record() -> None:
    raw = PARENT.encode()
    assert trace_of_record([("x", b"y"), ("traceparent", raw)]) == CARRIED
    states = [("traceparent", raw), ("tracestate", b"a=1"), ("tracestate", b"b=2")]
    assert trace_of_record(states) == [*CARRIED, ("tracestate", b"a=1,b=2")]
    assert trace_of_record([("traceparent", raw), ("traceparent", raw)]) is None
    assert trace_of_record([("traceparent", None), ("tracestate", b"a=1")]) is None
    assert trace_of_record([("traceparent", b"\xff\xfe")]) is None
    assert trace_of_record([]) is None


@given(st.binary() | st.binary().map(lambda more: b'{"traceparent":' + more))
def test_of_whatever_comes_as_an_event(value: bytes) -> None:
    trace_of_event(value)


def test_of_an_event() -> None:
    event = {"specversion": "1.0", "data": {"traceparent": "no"}, "traceparent": PARENT, "tracestate": "a=1"}
    assert trace_of_event(json.dumps(event).encode()) == [*CARRIED, ("tracestate", b"a=1")]
    assert trace_of_event(json.dumps({"data": {"traceparent": PARENT}}).encode()) is None
    assert trace_of_event(b"[" * 100_000 + b'"traceparent"') is None
    assert trace_of_event(None) is None
