"""Requests and their answers: keys, limits, and that success means acknowledged."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from typing import Any

import pytest

from scorer.collector.source import Activity, Answer, Item, Reading, Request
from scorer.collector.sources import EMAIL, KINDS, Kind, Mount
from scorer.wire.cloudevents import Event
from scorer.wire.tracing import trace_of_request
from tests.unit.collector.asking import BASIC, CRM_KEY, KEYS, NOON, NOW, WRITE_KEY, Asked

TRACK = {"messageId": "m-1", "userId": "4711", "event": "Task Created", "properties": {"plan": "pro"}}
BEARER = {"authorization": f"Bearer {CRM_KEY}"}
PAGE = "https://www.example.com"


def booking(**more: Any) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": "e1", "source": "/crm", "type": "booking.created"}
    return {**event, "data": {"user_id": "4711"}, **more}


# -- success ------------------------------------------------------------------------------------------


async def test_what_is_answered_with_success_has_been_acknowledged() -> None:
    asked = Asked()
    asked.producer.silent = True
    answer = asyncio.create_task(asked("/v1/track", TRACK, BASIC))
    await asyncio.sleep(0.05)
    assert len(asked.producer.records) == 1
    assert not answer.done()
    asked.producer.silent = False
    reply = await answer
    assert (reply.status, reply.json) == (200, {"success": True, "accepted": 1})
    (fact,) = asked.facts()
    assert (fact.type, fact.id, fact.source, fact.received) == (
        "app.task_created",
        "m-1",
        "segment/web",
        NOON,
    )
    assert (fact.door, fact.offset) == (0, -1)
    assert fact.properties == {"plan": "pro"}


async def test_without_an_acknowledgement_the_answer_is_503_and_in_time() -> None:
    asked = Asked()
    asked.producer.silent = True
    began = asyncio.get_running_loop().time()
    reply = await asked("/v1/track", TRACK, BASIC)
    assert asyncio.get_running_loop().time() - began < 1
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    # From now on nobody waits at all.
    began = asyncio.get_running_loop().time()
    assert (await asked("/v1/track", TRACK, BASIC)).status == 503
    assert asyncio.get_running_loop().time() - began < 0.1
    assert len(asked.producer.records) == 1
    # It comes back by itself.
    asked.producer.silent = False
    await asyncio.sleep(0.05)
    assert (await asked("/v1/track", TRACK, BASIC)).status == 200


async def test_a_record_that_kafka_refuses_is_no_success() -> None:
    asked = Asked()
    asked.producer.error = "no"
    assert (await asked("/v1/track", TRACK, BASIC)).status == 503


async def test_a_batch_is_told_which_of_its_events_were_taken() -> None:
    asked = Asked()
    batch = [
        {**TRACK, "type": "track"},
        {"type": "track", "event": "x"},
        {"type": "identify", "userId": "1", "traits": {"plan": {"a": {"b": {"c": {"d": {"e": 1}}}}}}},
        {"type": "track", "userId": "1", "event": "booking.created"},
        {"type": "nonsense"},
    ]
    reply = await asked("/v1/batch", {"batch": batch}, BASIC)
    assert reply.status == 200
    assert reply.json["accepted"] == 2
    assert [(one["index"], one["code"]) for one in reply.json["refused"]] == [
        (1, "no_lead"),
        (3, "scope"),
        (4, "unknown_type"),
    ]
    assert len(asked.facts()) == 2


async def test_a_request_of_which_nothing_is_taken_is_no_success() -> None:
    asked = Asked()
    reply = await asked("/v1/track", {"event": "x"}, BASIC)
    assert reply.status == 400
    assert not reply.json["success"]
    assert reply.json["refused"][0]["code"] == "no_lead"


async def test_nothing_is_taken_before_doors_and_rules_are_complete() -> None:
    asked = Asked()
    asked.app.missing = "there are no rules: run `scorer rules apply FILE`"
    reply = await asked("/v1/track", TRACK, BASIC)
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert asked.producer.records == []
    assert (await asked("/readyz", method="GET")).status == 503
    assert (await asked("/livez", method="GET")).status == 200


# -- keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        BASIC,
        {"authorization": "basic " + base64.b64encode(f"{WRITE_KEY}:anything".encode()).decode()},
        {"authorization": "Basic " + base64.b64encode(WRITE_KEY.encode()).decode()},
    ],
)
async def test_the_write_key_is_the_user_name(headers: dict[str, str]) -> None:
    assert (await Asked()("/v1/track", TRACK, headers)).status == 200


async def test_the_write_key_may_stand_in_the_body() -> None:
    asked = Asked()
    plain = {"content-type": "text/plain"}
    assert (await asked("/v1/t", {**TRACK, "writeKey": WRITE_KEY}, plain)).status == 200
    # As the browser's SDK does, which sends both.
    wrong = {"authorization": "Basic bm9uZTo="}
    assert (await asked("/v1/t", {**TRACK, "writeKey": WRITE_KEY}, wrong)).status == 200


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/v1/track", {}, TRACK),
        ("/v1/track", {"authorization": "Basic bm9uZTo="}, TRACK),
        ("/v1/track", {"authorization": "Basic !"}, TRACK),
        ("/v1/track", {"authorization": "Basic \xff\xfe"}, TRACK),
        ("/v1/track", {}, {**TRACK, "writeKey": "none"}),
        ("/v1/track", {}, {**TRACK, "writeKey": 7}),
        ("/v1/track", BEARER, TRACK),  # another kind's
        ("/v1/events", BASIC, booking()),
        ("/v1/events", {}, booking(key=CRM_KEY)),
        ("/v1/hooks/web", {}, b"{}"),
        ("/v1/snippet", {}, {"key": WRITE_KEY}),
    ],
)
async def test_without_a_key_of_the_kind_nothing_is_taken(
    path: str, headers: dict[str, str], body: Any
) -> None:
    asked = Asked()
    assert (await asked(path, body, headers)).status == 401
    assert asked.producer.records == []


async def test_each_secret_of_a_rotation_counts() -> None:
    keys = KEYS.replace("[env:WEB]", "[env:NEW, env:WEB]")
    asked = Asked(keys, {"WEB": WRITE_KEY, "CRM": CRM_KEY, "NEW": "nk-1234567890123456"})
    assert (await asked("/v1/track", TRACK, BASIC)).status == 200
    new = {"authorization": "Basic " + base64.b64encode(b"nk-1234567890123456:").decode()}
    assert (await asked("/v1/track", TRACK, new)).status == 200


async def test_a_key_that_sends_too_fast_is_told_when_to_come_back() -> None:
    asked = Asked(KEYS.replace("kind: segment", "kind: segment\n    rate: 0.5\n    burst: 2"))
    assert [(await asked("/v1/track", TRACK, BASIC)).status for _ in range(3)] == [200, 200, 429]
    reply = await asked("/v1/track", TRACK, BASIC)
    assert (reply.status, reply.headers["retry-after"]) == (429, "2")
    assert (await asked("/v1/events", booking(), BEARER)).status == 200  # nobody else's business


# -- pages of browsers ------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [PAGE, "https://shop.example.org", "https://a.b.example.org"])
async def test_a_page_of_the_keys_origins_may_read_the_answer(origin: str) -> None:
    asked = Asked()
    asking = {"origin": origin, "access-control-request-method": "POST"}
    before = await asked("/v1/t", headers=asking, method="OPTIONS")
    assert before.status == 204
    assert before.headers["access-control-allow-origin"] == origin
    assert "authorization" in before.headers["access-control-allow-headers"]
    assert int(before.headers["access-control-max-age"]) > 0
    reply = await asked("/v1/t", TRACK, {**BASIC, "origin": origin})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, origin)
    assert reply.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://www.example.com",
        "https://www.example.com:8443",
        "https://www.example.com.evil.example",
        "https://example.org",
        "https://evil-example.org",
        "https://evil.example/.example.org",
        "null",
        "",
    ],
)
async def test_a_page_of_another_origin_may_not(origin: str) -> None:
    asked = Asked()
    before = await asked("/v1/t", headers={"origin": origin}, method="OPTIONS")
    assert "access-control-allow-origin" not in before.headers
    assert before.headers["vary"] == "Origin"
    reply = await asked("/v1/t", TRACK, {**BASIC, "origin": origin})
    assert reply.status == 403
    assert "access-control-allow-origin" not in reply.headers
    assert asked.producer.records == []


async def test_a_page_hears_that_it_should_come_back() -> None:
    asked = Asked()
    asked.app.missing = "starting"
    reply = await asked("/v1/t", TRACK, {**BASIC, "origin": PAGE})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (503, PAGE)


async def test_a_server_key_is_not_for_pages() -> None:
    assert (await Asked()("/v1/events", booking(), {**BEARER, "origin": PAGE})).status == 403


# -- bodies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
async def test_bodies_may_be_compressed(encoding: str, pack: Any) -> None:
    asked = Asked()
    body = pack(json.dumps(TRACK).encode())
    assert (await asked("/v1/track", body, {**BASIC, "content-encoding": encoding})).status == 200


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", gzip.compress(b"{" + b" " * 100_000_000), 413),
        ("gzip", gzip.compress(b"{}")[:-3], 400),
        ("gzip", gzip.compress(b"{}") + b"more", 400),
        ("gzip", b"{}", 400),
        ("br", b"{}", 415),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}")), 415),
    ],
    ids=["bomb", "cut", "more", "none", "unknown", "twice"],
)
async def test_bombs_and_broken_ones_are_refused(encoding: str, body: bytes, status: int) -> None:
    for headers in (BASIC, {}):  # before and after the key is known
        reply = await Asked()("/v1/batch", body, {**headers, "content-encoding": encoding})
        assert reply.status == status


async def test_a_body_that_is_too_large_is_not_read() -> None:
    asked = Asked()
    reply = await asked("/v1/batch", b"", {**BASIC, "content-length": "600000"})
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    reply = await asked("/v1/batch", headers=BASIC, chunks=[b" " * 100_000] * 100)
    assert reply.status == 413
    assert (await asked("/v1/batch", b" " * 600_000, BASIC)).status == 413


async def test_a_body_may_come_in_pieces() -> None:
    body = json.dumps(TRACK).encode()
    chunks = [body[at : at + 7] for at in range(0, len(body), 7)]
    assert (await Asked()("/v1/track", headers=BASIC, chunks=chunks)).status == 200


# -- other answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/v1", "POST", 404),
        ("/v1/track/", "POST", 404),
        ("/v1/hooks/", "POST", 404),
        ("/v1/track", "GET", 405),
        ("/v1/track", "PUT", 405),
        ("/readyz", "POST", 405),
        ("/v1/scorer.js", "POST", 405),
        ("/readyz", "GET", 200),
    ],
)
async def test_other_paths_and_methods(path: str, method: str, status: int) -> None:
    assert (await Asked()(path, TRACK, BASIC, method)).status == status


async def test_cloudevents_alone_and_in_batches() -> None:
    asked = Asked()
    one = {**BEARER, "content-type": "application/cloudevents+json; charset=utf-8"}
    many = {**BEARER, "content-type": "application/cloudevents-batch+json"}
    assert (await asked("/v1/events", booking(), one)).json == {"success": True, "accepted": 1}
    batch = [
        booking(),
        booking(type="none"),
        7,
        booking(type="app.own_thing", subject="lead-1"),
        booking(data={}),
    ]
    reply = await asked("/v1/events", batch, many)
    assert reply.json["accepted"] == 2
    assert [(one["index"], one["code"]) for one in reply.json["refused"]] == [
        (1, "unknown_type"),
        (2, "not_cloudevent"),
        (4, "no_lead"),
    ]
    assert [fact.type for fact in asked.facts()] == ["booking.created", "booking.created", "app.own_thing"]
    feedback = booking(type="feedback.accepted")
    assert (await asked("/v1/events", feedback, one)).json["refused"][0]["code"] == "scope"
    assert (await asked("/v1/events", b"[1", many)).status == 400
    assert (await asked("/v1/events", b"{}", {**BEARER, "content-type": "text/html"})).status == 415


class _Picture:
    """A source that answers by itself, at once."""

    seen: list[Request]

    def __init__(self, _: object) -> None:
        type(self).seen = []

    def read(self, request: Request) -> Reading:
        self.seen.append(request)
        event = Event("1.0", "e1", "pixel/mail", "email.opened", {"user_id": "1"})
        return Reading(
            (Item((Activity(EMAIL, event),)),),
            Answer(200, (("Content-Type", "image/gif"),), b"GIF"),
            wait=False,
        )


PICTURES = {
    **KINDS,
    "picture": Kind(_Picture, Mount.PIXEL, ("email",), unknown=Answer(200, (), b"GIF of nobody")),
}
MAIL = KEYS + "  mail:\n    kind: picture\n    secrets: [env:WEB]\n"


async def test_a_source_may_answer_by_itself_and_at_once() -> None:
    asked = Asked(MAIL, kinds=PICTURES, public_url="https://in.example.com/", whole_addresses=False)
    asked.producer.silent = True
    reply = await asked("/v1/pixel/mail.tok.gif?a=1&a=2&b=%20", method="GET", headers={"x-a": "1"})
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, "image/gif", b"GIF")
    assert len(asked.producer.records) == 1
    (request,) = _Picture.seen
    assert request.path == "mail.tok.gif"
    assert request.query == {"a": "1", "b": " "}
    assert request.url == "https://in.example.com/v1/pixel/mail.tok.gif?a=1&a=2&b=%20"
    assert request.address == "192.0.2.0"
    assert request.received == int(NOW * 1000)
    assert (await asked("/v1/pixel/other.tok.gif", method="GET")).body == b"GIF of nobody"
    # Not even a lost Kafka is told, but it is counted.
    await asyncio.sleep(0.3)
    assert (await asked("/v1/pixel/mail.tok.gif", method="GET")).body == b"GIF"
    assert asked.app.counts.events["mail", "unknown"] == 2


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.0"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.0"),
        (2, "198.51.100.1, 203.0.113.9", "198.51.100.0"),
        (3, "198.51.100.1, 203.0.113.9", ""),
        (1, "2001:db8:1:2::3", "2001:db8:1::"),
        (1, "::ffff:192.0.2.7", "192.0.2.0"),
        (1, "nonsense", ""),
    ],
)
async def test_addresses_are_truncated_and_proxies_believed_as_far_as_they_are_ours(
    proxies: int, forwarded: str, address: str
) -> None:
    asked = Asked(MAIL, kinds=PICTURES, proxies=proxies)
    await asked("/v1/pixel/mail.tok.gif", method="GET", headers={"x-forwarded-for": forwarded})
    assert _Picture.seen[0].address == address


class _Broken:
    def __init__(self, _: object) -> None: ...

    def read(self, request: Request) -> Reading:
        raise ZeroDivisionError(request.body.decode())


async def test_a_fault_of_ours_is_told_without_what_the_request_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kinds = {**KINDS, "broken": Kind(_Broken, Mount.HOOK, ("email",))}
    asked = Asked(KEYS + "  mail:\n    kind: broken\n    secrets: [env:WEB]\n", kinds=kinds)
    reply = await asked("/v1/hooks/mail/x", b"anna@example.com")
    assert reply.status == 500
    assert "ZeroDivisionError" in caplog.text
    assert "anna" not in caplog.text + reply.body.decode()


# -- tracing ------------------------------------------------------------------------------------------


async def test_a_request_s_trace_context_goes_with_its_records_where_that_is_asked_for() -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for options, carried in (
        ({"trace_of": trace_of_request}, [[("traceparent", parent.encode())]]),
        ({}, []),
    ):
        asked = Asked(**options)
        assert (await asked("/v1/track", TRACK, BASIC | {"traceparent": parent})).status == 200
        assert (await asked("/v1/track", TRACK, BASIC | {"traceparent": "anna@example.com"})).status == 200
        assert (await asked("/v1/track", TRACK, BASIC)).status == 200
        assert len(asked.producer.records) == 3
        assert asked.producer.headers == carried
