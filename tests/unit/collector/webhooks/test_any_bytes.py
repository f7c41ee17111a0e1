"""Whatever arrives, a source reads it, refuses parts of it or refuses it; nothing else is raised."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scorer.collector.source import Reading, RefusedError, Request
from tests.contract.messages import intake_rejects
from tests.unit.collector.webhooks.signing import KINDS, RECEIVED, payload, payloads, request, signed, source

READERS = {kind: source(kind) for kind in KINDS}
SAMPLES = {
    kind: [
        payload(kind, name, folder)
        for folder in ("valid", "invalid")
        for of, name in payloads(folder)
        if of == kind
    ]
    for kind in KINDS
}
EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(kind: str, asked: Request) -> Reading | None:
    """Fails on anything but a reading or a refusal, and on an activity that no door could be asked about."""
    reading, refusal = None, None
    try:
        reading = READERS[kind].read(asked)
    except RefusedError as error:
        refusal = error
    if refusal is not None:
        assert 400 <= refusal.status < 500
        assert refusal.code.isidentifier()
        assert refusal.message.isprintable()
    for item in reading.items if reading else ():
        assert item.refused is None or not item.activities
        for made in item.activities:
            # Taken, or refused for a reason: a wrong topic would be a KeyError.
            intake_rejects(made.topic, msgspec.json.encode(made.event))
    return reading


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", "anna@example.com", "2026-11-01T10:00:00Z", "9" * 40, "\x00", "null", "page", "leadgen"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def spoilt(draw: st.DrawFn, sample: bytes) -> bytes:
    """A payload with something else in one to four places, or with a place removed."""
    try:
        told = json.loads(sample)
    except ValueError:
        return sample
    for _ in range(draw(st.integers(1, 4))):
        told = _spoil(draw, told)
    return json.dumps(told).encode()


def _spoil(draw: st.DrawFn, told: Any) -> Any:
    places = (
        list(told.items())
        if isinstance(told, dict)
        else list(enumerate(told))
        if isinstance(told, list)
        else []
    )
    if not places or draw(st.integers(0, 9)) == 0:
        return draw(anything)
    key, inner = draw(st.sampled_from(places))
    if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
        told[key] = _spoil(draw, inner)
    elif draw(st.booleans()):
        told[key] = draw(anything)
    else:
        del told[key]
    return told


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@EXAMPLES
def test_spoilt_structures(kind: str, data: st.DataObject) -> None:
    body = data.draw(spoilt(data.draw(st.sampled_from(SAMPLES[kind]))))
    read(kind, signed(kind, body))


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary(max_size=200))
@example(body=b"")
@example(body=b"\xff" * 20)
@example(body=b"[" * 3_000)
@example(body=b'{"a":' * 3_000)
@example(body=b"[" + b"1" * 5_000 + b"]")
@example(body=b'[{"event": "\xff"}]')
@example(body=b'{"topic": "ping", "data": {"item": {"x": "\xff"}}}')
@example(body=b'{"event-data": "\xff", "signature": {"timestamp": "1", "token": "\\ud800", "signature": ""}}')
@EXAMPLES
def test_arbitrary_bytes_that_are_signed(kind: str, body: bytes) -> None:
    read(kind, signed(kind, body))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@EXAMPLES
def test_samples_with_arbitrary_bytes_in_them(kind: str, data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from(SAMPLES[kind])))
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    read(kind, signed(kind, bytes(body)))


header_text = st.text(st.characters(max_codepoint=255), max_size=80)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@EXAMPLES
def test_arbitrary_headers_queries_and_methods(kind: str, data: st.DataObject) -> None:
    asked = signed(kind, data.draw(st.sampled_from(SAMPLES[kind])))
    names = [
        *asked.headers,
        "authorization",
        "x-hub-signature",
        "webhook-timestamp",
        "x-hubspot-request-timestamp",
    ]
    headers = {**asked.headers, **data.draw(st.dictionaries(st.sampled_from(names), header_text, max_size=4))}
    query = data.draw(
        st.dictionaries(
            st.sampled_from(["hub.mode", "hub.verify_token", "hub.challenge"]), st.text(), max_size=3
        )
    )
    method = data.draw(st.sampled_from(["POST", "POST", "GET", "PUT", ""]))
    path = data.draw(st.text(max_size=5))
    read(kind, asked._replace(headers=headers, query=query, method=method, path=path))


@pytest.mark.parametrize("kind", KINDS)
@given(received=st.integers(0, 2**62), body=st.binary(max_size=3))
@EXAMPLES
def test_any_clock(kind: str, received: int, body: bytes) -> None:
    read(kind, request(body, received=received))
    read(kind, signed(kind, SAMPLES[kind][0], RECEIVED)._replace(received=received))
