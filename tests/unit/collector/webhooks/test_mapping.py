"""What mapping files mean, and what one makes of a sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scorer.collector.source import Key, RefusedError
from scorer.collector.sources.webhook import SignedWebhook
from scorer.collector.webhook.mapping_file import load, loads, require
from scorer.collector.webhook.trying import render, try_mapping
from tests.contract.messages import INTAKE
from tests.unit.collector.webhooks.signing import PAYLOADS, RECEIVED, STANDARD, signed

HEAD = "webhook: Shop\nsignature: standard\n"
EVENT = "events:\n- type: app.bought\n  id: $.id\n  user_id: $.user\n"


def made(text: str, message: Any, headers: dict[str, str] | None = None) -> list[Any]:
    """The events of a signed message, or the reason of each that is refused."""
    loaded = loads(text)
    assert loaded.mapping is not None, "\n".join(one.render() for one in loaded.diagnostics)
    asked = signed("webhook", json.dumps(message).encode())
    asked = asked._replace(headers={**asked.headers, **(headers or {})})
    reading = SignedWebhook(Key("shop", (STANDARD,), {}), loaded.mapping).read(asked)
    return [item.refused or (item.activities[0].event if item.activities else None) for item in reading.items]


def only(text: str, message: Any, headers: dict[str, str] | None = None) -> Any:
    (one,) = made(text, message, headers)
    return one


# -- What they mean ---------------------------------------------------------------------------------------


def test_an_event() -> None:
    event = only(HEAD + EVENT, {"id": "b-1", "user": "4711"})
    assert (event.type, event.id, event.source, event.time) == ("app.bought", "b-1", "webhook/shop", None)
    assert event.data == {"user_id": "4711"}


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-01T11:00:00+01:00", "2026-11-01T10:00:00.000Z"),
        (1793527200, "2026-11-01T10:00:00.000Z"),
        (1793527200.5, "2026-11-01T10:00:00.500Z"),
        (1793527200123, "2026-11-01T10:00:00.123Z"),
        ("1793527200", "2026-11-01T10:00:00.000Z"),
        ("1793527200123", "2026-11-01T10:00:00.123Z"),
    ],
)
def test_times_in_the_forms_that_senders_write(time: Any, expected: str) -> None:
    text = HEAD + EVENT + "  time: $.at\n"
    assert only(text, {"id": "1", "user": "4711", "at": time}).time == expected


@pytest.mark.parametrize("time", ["yesterday", "2026-11-01", None, True, [], -1, 1e300, "9" * 30, {}])
def test_times_that_are_none_are_refused(time: Any) -> None:
    text = HEAD + EVENT + "  time: $.at\n"
    assert only(text, {"id": "1", "user": "4711", "at": time}).startswith("$.at")
    assert only(text, {"id": "1", "user": "4711"}).startswith("$.at")


def test_the_first_event_that_fits_counts() -> None:
    text = (
        HEAD + "events:\n"
        "- when:\n    $.type: [order, reorder]\n    $.paid: true\n"
        "  type: app.bought\n  id: $.id\n  user_id: $.user\n"
        "- when: {$.type: order}\n  type: app.ordered\n  id: $.id\n  user_id: $.user\n"
        '- when: {$.type: "7"}\n  type: app.text\n  id: $.id\n  user_id: $.user\n'
        "- when: {$.type: 7}\n  type: app.number\n  id: $.id\n  user_id: $.user\n"
        "- when: {$.type: 1}\n  type: app.one\n  id: $.id\n  user_id: $.user\n"
    )
    base = {"id": "1", "user": "4711"}
    for more, kind in [
        ({"type": "order", "paid": True}, "app.bought"),
        ({"type": "reorder", "paid": True}, "app.bought"),
        ({"type": "order", "paid": False}, "app.ordered"),
        ({"type": "order", "paid": 1}, "app.ordered"),
        ({"type": "7"}, "app.text"),
        ({"type": 7}, "app.number"),
        ({"type": 1}, "app.one"),
    ]:
        assert only(text, {**base, **more}).type == kind
    for more in ({"type": True}, {"type": "reorder"}, {"type": None}, {"type": ["order"]}, {}):
        assert only(text, {**base, **more}) is None


def test_each_member_of_a_list_is_an_event() -> None:
    text = HEAD + "each: $.batch.events[*]\n" + EVENT
    found = made(
        text, {"batch": {"events": [{"id": "1", "user": "a"}, {"id": "2"}, 3, {"id": "3", "user": "c"}]}}
    )
    assert [getattr(one, "id", one) for one in found] == [
        "1",
        "nothing stands where it would say whom it is about",
        "nothing stands where it would say whom it is about",
        "3",
    ]
    assert made(HEAD + "each: $[*]\n" + EVENT, []) == []
    with pytest.raises(RefusedError, match=r"\$.batch.events: there is no list"):
        made(text, {"batch": {}})


def test_identifiers_are_text_whatever_the_sender_writes() -> None:
    text = HEAD + EVENT + "  email: $.email\n  subject: $.lead\n"
    event = only(text, {"id": 17, "user": 4711, "email": "", "lead": None})
    assert (event.id, event.data, event.subject) == ("17", {"user_id": "4711"}, None)
    event = only(text, {"id": "1", "lead": "lead-17"})
    assert (event.data, event.subject) == ({}, "lead-17")
    for user in (47.11, True, [], {"id": 1}):
        assert only(text, {"id": "1", "user": user}) == "$.user: what stands there is no text"
    assert only(text, {"id": None, "user": "4711"}) == "$.id: there is no id"


def test_an_id_of_the_content() -> None:
    text = HEAD + EVENT.replace("$.id", "content")
    first = only(text, {"user": "4711", "n": 1})
    assert first.id == only(text, {"n": 1, "user": "4711"}).id
    assert first.id != only(text, {"user": "4711", "n": 2}).id


def test_an_id_longer_than_events_have_is_a_digest_of_it() -> None:
    ids = [only(HEAD + EVENT, {"id": "x" * 300 + end, "user": "4711"}).id for end in ("a", "b", "a")]
    assert len(ids[0]) == 32
    assert ids[0] == ids[2] != ids[1]


def test_headers_as_id_and_condition() -> None:
    text = HEAD + (
        "events:\n- when: {header X-Event: bought}\n  type: app.bought\n"
        "  id: header webhook-id\n  user_id: $.user\n"
    )
    assert only(text, {"user": "4711"}, {"x-event": "bought"}).id == "msg_1"
    assert only(text, {"user": "4711"}, {"x-event": "sold"}) is None


def test_values_of_data() -> None:
    data = """\
  data:
    path: /shop
    answer: 42
    share: 0.5
    paid: true
    size: yes
    price: $9
    written: "true"
    from: $.from
    list: $.list
    gone: $.gone
    none: $.none
    a.b: $.from
"""
    text = HEAD + EVENT + data
    event = only(text, {"id": "1", "user": "4711", "from": "x", "list": [1, "a"], "none": None})
    assert event.data == {
        "path": "/shop", "answer": 42, "share": 0.5, "paid": True, "size": "yes", "price": "$9",
        "written": "true", "from": "x", "list": [1, "a"], "a.b": "x", "user_id": "4711",
    }  # fmt: skip


def test_a_profile_keeps_nulls_because_they_remove() -> None:
    text = HEAD + EVENT.replace("app.bought", "profile.updated") + "  data: {job: $.job, city: $.city}\n"
    assert only(text, {"id": "1", "user": "4711", "job": None}).data == {"user_id": "4711", "job": None}


# -- Trying one on a sample ----------------------------------------------------------------------------------

SHIPPED = PAYLOADS / "webhook" / "mapping.yaml"


def test_a_sample_is_tried_without_a_signature() -> None:
    mapping = require(SHIPPED)
    sample = (PAYLOADS / "webhook" / "valid" / "form.json").read_bytes()
    (tried,) = try_mapping(mapping, sample, RECEIVED, INTAKE)
    assert tried.topic == "activity.page.v1"
    assert tried.mistake is None
    assert tried.event is not None
    assert json.loads(tried.event)["data"]["form"] == "lT4Z3j"
    assert render([tried]).startswith("event 1 -> activity.page.v1\n{\n")


def test_what_intake_would_refuse_is_said() -> None:
    mapping = loads(HEAD + EVENT + "  time: $.at\n").mapping
    assert mapping is not None
    sample = json.dumps({"id": "1", "user": "4711", "at": "2020-01-01T00:00:00Z"}).encode()
    (tried,) = try_mapping(mapping, sample, RECEIVED, INTAKE)
    assert tried.mistake is not None
    assert tried.mistake.startswith("too_old")
    assert "event 1 is refused: too_old" in render([tried])


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (b"no", "is refused"),
        (b"{}", "nothing; no `when` fits it"),
        (b'{"event_type": "trial"}', "is refused"),
    ],
)
def test_samples_that_come_to_nothing(sample: bytes, said: str) -> None:
    assert said in render(try_mapping(require(SHIPPED), sample, RECEIVED, INTAKE))


def test_the_shipped_mapping_has_no_remarks() -> None:
    assert load(SHIPPED).diagnostics == []


def test_the_mapping_in_the_guide_is_one() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "webhooks.md").read_text("utf-8")
    (text,) = (part for part in guide.split("```yaml\n")[1:] if part.startswith("webhook:"))
    loaded = loads(text.partition("```")[0])
    assert loaded.mapping is not None
    assert loaded.diagnostics == []
