"""W3C trace context: what is valid of it, and the headers that carry it on.

A record's ``traceparent`` and ``tracestate`` go unchanged from whoever sent it to what it brings about; no
span of ours is begun. https://www.w3.org/TR/trace-context/ and, for members of events, CloudEvents'
Distributed Tracing extension.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
MAX_STATE: Final = 512
"""Characters of a tracestate; a longer one is dropped."""
MAX_MEMBERS: Final = 32

Trace = list[tuple[str, bytes]]
"""Kafka headers: traceparent, and tracestate where there is one. Not for changing."""

TraceOfRequest = Callable[[Mapping[str, str]], Trace | None]

_parent = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII).fullmatch
_member = re.compile(
    r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
).fullmatch
_MEMBER: Final = b'"traceparent"'
_HEADERS: Final = frozenset({TRACEPARENT, TRACESTATE})


class _Members(msgspec.Struct, gc=False):
    traceparent: Any = None
    tracestate: Any = None


_decode_members = msgspec.json.Decoder(_Members).decode


def trace_of(parent: object, state: object = None) -> Trace | None:
    """The headers that carry a context on; None where ``parent`` is no valid traceparent.

    Of a version later than 00 what 00 knows is carried. An invalid tracestate is dropped alone.
    """
    if not isinstance(parent, str) or (found := _parent(parent.strip(" \t"))) is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not trace.strip("0") or not span.strip("0"):
        return None
    header = TRACEPARENT, f"00-{trace}-{span}-{int(flags, 16) & 1:02x}".encode()
    carried = _state(state)
    return [header, (TRACESTATE, carried)] if carried else [header]


def _state(text: object) -> bytes:
    """Empty where it is no valid tracestate."""
    if not isinstance(text, str) or len(text) > MAX_STATE:
        return b""
    members = [one for part in text.split(",") if (one := part.strip(" \t"))]
    keys = {one.partition("=")[0] for one in members}
    if len(members) > MAX_MEMBERS or len(keys) < len(members) or not all(map(_member, members)):
        return b""
    return ",".join(members).encode()


def trace_of_request(headers: Mapping[str, str]) -> Trace | None:
    """Of an HTTP request; repeated headers are joined with commas."""
    parent = headers.get(TRACEPARENT)
    return None if parent is None else trace_of(parent, headers.get(TRACESTATE))


def trace_of_record(headers: Iterable[tuple[str, bytes | None]]) -> Trace | None:
    """Of a Kafka record. Two traceparents are none."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name in _HEADERS and value is not None:
            found.setdefault(name, []).append(value.decode("latin-1"))
    parents = found.get(TRACEPARENT, ())
    return trace_of(parents[0], ",".join(found.get(TRACESTATE, ()))) if len(parents) == 1 else None


def trace_of_event(value: bytes | None) -> Trace | None:
    """Of a structured CloudEvent's members ``traceparent`` and ``tracestate``."""
    if value is None or _MEMBER not in value:
        return None
    try:
        members = _decode_members(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # it is no event either
    return trace_of(members.traceparent, members.tracestate)
