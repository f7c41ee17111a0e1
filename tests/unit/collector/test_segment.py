"""Segment's calls as its SDKs write them, and what becomes of them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.collector.source import Item, Key, Reading, RefusedError, Request
from scorer.collector.sources.segment import MAX_EVENTS, SegmentSource
from scorer.wire.cloudevents import Event
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.times import milliseconds
from tests.unit.collector.asking import NOON, REGISTRY

SOURCE = SegmentSource(Key("web", (b"k",), {}), REGISTRY)


def read(path: str, body: Any) -> Reading:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SOURCE.read(Request("POST", path, {}, {}, body, NOON, "", ""))


def item(path: str, body: Any) -> Item:
    (found,) = read(path, body).items
    return found


def event(path: str, **message: Any) -> tuple[str, Event]:
    found = item(path, {"messageId": "m-1", "userId": "4711", **message})
    assert found.refused is None, found.refused
    (activity,) = found.activities
    return activity.topic, activity.event


def data(path: str, **message: Any) -> dict[str, Any]:
    return event(path, **message)[1].data


# -- calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "topic", "kind"),
    [
        ("Task Created", "activity.app.v1", "app.task_created"),
        ("taskCreated", "activity.app.v1", "app.task_created"),
        ("trial_started", "activity.app.v1", "app.trial_started"),
        ("app.flow_started", "activity.app.v1", "app.flow_started"),
        ("Order Completed (EU) #2", "activity.app.v1", "app.order_completed_eu_2"),
        ("checkout.step 2", "activity.app.v1", "app.checkout.step_2"),
        ("2nd Visit", "activity.app.v1", "app.e_2nd_visit"),
        ("booking.created", "activity.booking.v1", "booking.created"),
        ("page.downloaded", "activity.page.v1", "page.downloaded"),
        ("Email Opened", "activity.email.v1", "email.opened"),
        ("Email Link Clicked", "activity.email.v1", "email.clicked"),
        ("Unsubscribed", "activity.email.v1", "email.unsubscribed"),
        ("Form Submitted", "activity.page.v1", "page.form_submitted"),
    ],
)
def test_what_is_tracked_goes_to_its_door(name: str, topic: str, kind: str) -> None:
    found, made = event("track", event=name)
    assert (found, made.type) == (topic, kind)


@given(st.text())
def test_every_tracked_name_is_a_type_of_its_door_or_refused(name: str) -> None:
    found = item("track", {"userId": "1", "event": name})
    for made in found.activities:
        assert REGISTRY.topics[made.topic].type_matcher()(made.event.type)
    assert bool(found.activities) == (found.refused is None)


def test_a_track_call() -> None:
    _, made = event("t", anonymousId="a-1", event="Task Created", properties={"plan": "pro", "n": 2})
    assert made == Event(
        "1.0",
        "m-1",
        "segment/web",
        "app.task_created",
        {"plan": "pro", "n": 2, "user_id": "4711", "anonymous_id": "a-1"},
        None,
        "2026-11-01T12:00:00.000Z",
    )


def test_who_did_it_is_not_what_properties_say() -> None:
    properties = {"user_id": "9", "anonymous_id": "8", "email": "anna@example.com"}
    assert data("track", event="x", properties=properties) == {
        "user_id": "4711",
        "email": "anna@example.com",
    }


def test_an_identify_call_is_a_profile_with_all_its_identifiers() -> None:
    traits = {
        "email": "anna@example.com",
        "firstName": "Anna",
        "title": "CEO",
        "age": 41,
        "avatar": "https://example.com/anna.png",
        "address": {"city": "New York", "country": "US", "street": "5th Avenue 1"},
        "company": {"id": "acme", "name": "Acme", "employee_count": 120},
    }
    topic, made = event("identify", anonymousId="a-1", traits=traits)
    assert (topic, made.type) == ("lead.profile.v1", "profile.updated")
    assert made.data == {
        "email": "anna@example.com",
        "firstName": "Anna",  # intake drops it: it is a person's
        "job": "CEO",
        "age": 41,
        "city": "New York",
        "country": "US",
        "account_id": "acme",
        "company_name": "Acme",
        "employees": 120,
        "user_id": "4711",
        "anonymous_id": "a-1",
    }


def test_traits_may_stand_in_the_context() -> None:
    context = {"traits": {"email": "anna@example.com", "title": "CEO"}}
    assert data("identify", traits={}, context=context) == {
        "user_id": "4711",
        "email": "anna@example.com",
        "job": "CEO",
    }


def test_a_user_id_that_is_an_address_is_an_address_too() -> None:
    assert data("identify", userId="anna@example.com") == {
        "user_id": "anna@example.com",
        "email": "anna@example.com",
    }


def test_a_group_call_says_where_somebody_works() -> None:
    topic, made = event("group", groupId="acme", traits={"name": "Acme", "employees": 30, "plan": "pro"})
    assert (topic, made.type) == ("lead.profile.v1", "profile.updated")
    assert made.data == {
        "account_id": "acme",
        "company_name": "Acme",
        "employees": 30,
        "company_plan": "pro",
        "user_id": "4711",
    }


def test_an_alias_call_links() -> None:
    topic, made = event("alias", previousId="a-9")
    assert (topic, made.type) == ("lead.profile.v1", "profile.linked")
    assert made.data == {"user_id": "4711", "anonymous_id": "a-9"}


def test_a_page_call_as_the_browser_sends_it() -> None:
    context = {
        "page": {
            "path": "/pricing",
            "referrer": "https://search.example/?q=anna@example.com",
            "search": "?token=1",
            "title": "Pricing",
            "url": "https://www.example.com/pricing?token=1",
        },
        "campaign": {"source": "newsletter"},
    }
    topic, made = event(
        "p",
        name="Pricing page",
        # The last two are RudderStack's.
        properties={
            "url": "https://x.example/?t=1",
            "tab_url": "https://x.example/?t=1",
            "initial_referrer": "https://search.example/?q=anna@example.com",
        },
        context=context,
    )
    assert (topic, made.type) == ("activity.page.v1", "page.viewed")
    assert made.data == {
        "path": "/pricing",
        "title": "Pricing",
        "referrer": "https://search.example/",
        "initial_referrer": "https://search.example/",
        "page_name": "Pricing page",
        "utm": {"source": "newsletter"},
        "user_id": "4711",
    }


def test_a_page_without_a_path_has_that_of_its_address() -> None:
    assert data("page", properties={"url": "https://x.example/demo?t=1"})["path"] == "/demo"


def test_a_screen_call() -> None:
    topic, made = event("screen", name="Settings", category="Account")
    assert (topic, made.type) == ("activity.app.v1", "app.screen_viewed")
    assert made.data == {"page_name": "Settings", "category": "Account", "user_id": "4711"}


def test_opens_carry_what_tells_machines() -> None:
    context = {"userAgent": "GoogleImageProxy"}
    properties = {"email_id": "e-1", "campaign_name": "May", "link_url": "https://x.example"}
    assert data("track", event="Email Opened", properties=properties, context=context) == {
        "email_id": "e-1",
        "campaign": "May",
        "link": "https://x.example",
        "user_agent": "GoogleImageProxy",
        "user_id": "4711",
    }


def test_what_the_log_cannot_hold_is_left_out_and_the_rest_stays() -> None:
    properties = {"total": 9.5, "products": [{"sku": "1"}], "tags": ["a", "b"], "gap": [1, None]}
    assert data("track", event="Order Completed", properties=properties) == {
        "total": 9.5,
        "tags": ["a", "b"],
        "user_id": "4711",
    }


def test_numbers_as_ids_are_texts() -> None:
    assert data("track", event="x", userId=4711) == {"user_id": "4711"}


# -- times and ids ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "time"),
    [
        ({}, "2026-11-01T12:00:00.000Z"),
        ({"timestamp": "2026-11-01T11:00:00.250Z"}, "2026-11-01T11:00:00.250Z"),
        ({"timestamp": "2026-11-01T12:00:00.250+01:00"}, "2026-11-01T11:00:00.250Z"),
        ({"timestamp": "2026-11-01T11:00:00"}, "2026-11-01T11:00:00.000Z"),
        # A clock that is an hour ahead.
        (
            {"timestamp": "2026-11-01T12:59:50Z", "sentAt": "2026-11-01T13:00:00Z"},
            "2026-11-01T11:59:50.000Z",
        ),
        # What the browser calls the original is what the clock said.
        (
            {"timestamp": "2026-11-01T11:00:00Z", "originalTimestamp": "2026-11-01T10:00:00Z"},
            "2026-11-01T10:00:00.000Z",
        ),
        ({"timestamp": "2026-11-01T11:00:00Z", "sentAt": "soon"}, "2026-11-01T11:00:00.000Z"),
    ],
)
def test_times_are_by_our_clock(message: dict[str, str], time: str) -> None:
    assert event("track", event="x", **message)[1].time == time


@given(
    skew=st.integers(-(10**10), 10**10),
    age=st.integers(0, 10**9),
    under_way=st.integers(0, 10**6),
)
def test_a_wrong_clock_makes_no_difference(skew: int, age: int, under_way: int) -> None:
    from scorer.wire.times import date_time

    sent = NOON - under_way + skew
    message = {"timestamp": date_time(sent - age), "sentAt": date_time(sent)}
    assert milliseconds(event("track", event="x", **message)[1].time or "") == NOON - age


def test_the_batch_says_when_it_was_sent() -> None:
    message = {"type": "track", "userId": "1", "event": "x", "timestamp": "2026-11-01T12:59:50Z"}
    found = item("batch", {"batch": [message], "sentAt": "2026-11-01T13:00:00Z"})
    assert found.activities[0].event.time == "2026-11-01T11:59:50.000Z"


def test_a_message_without_an_id_repeats_as_itself() -> None:
    def made(**more: Any) -> str:
        body = {"userId": "1", "event": "x", "timestamp": "2026-11-01T11:00:00Z", **more}
        return item("track", body).activities[0].event.id

    assert made() == made(sentAt="2026-11-01T12:00:00Z")
    assert made() != made(properties={"a": 1})


# -- what is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message", "said"),
    [
        ("track", {}, "event"),
        ("track", {"event": ""}, "event"),
        ("track", {"event": "***"}, "event"),
        ("group", {}, "groupId"),
        ("alias", {}, "previousId"),
        ("track", {"event": "x", "timestamp": "yesterday"}, "time"),
    ],
)
def test_what_is_refused_says_which_member(path: str, message: dict[str, Any], said: str) -> None:
    found = item(path, {"userId": "anna@example.com", **message})
    assert not found.activities
    assert said in (found.refused or "")
    assert "anna" not in (found.refused or "")


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b'"x"', b"\xff", b'{"userId": {}}', b"[" * 5000])
@pytest.mark.parametrize("path", ["track", "batch"])
def test_what_is_no_message_is_refused_whole(path: str, body: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        read(path, body)
    assert refused.value.status == 400


def test_one_broken_message_leaves_the_others_alone() -> None:
    batch = [
        {"type": "track", "userId": "1", "event": "x"},
        {"type": "track", "userId": ["1"], "event": "x"},
        {"type": "wink", "userId": "1"},
        {"type": "page", "userId": "1"},
    ]
    items = read("batch", {"batch": batch}).items
    assert [bool(one.activities) for one in items] == [True, False, False, True]
    assert "userId" in (items[1].refused or "")


def test_one_large_message_leaves_the_others_alone() -> None:
    large = {"type": "track", "userId": "1", "event": "x", "properties": {"text": "x" * 40_000}}
    items = read("batch", {"batch": [large, {"type": "page", "userId": "1"}]}).items
    assert [bool(one.activities) for one in items] == [False, True]


def test_limits_of_segment() -> None:
    message = {"type": "page", "userId": "1"}
    assert len(read("import", {"batch": [message] * MAX_EVENTS}).items) == MAX_EVENTS
    with pytest.raises(RefusedError, match="too_many"):
        read("batch", {"batch": [message] * (MAX_EVENTS + 1)})
    with pytest.raises(RefusedError, match="too_large"):
        read("track", {"event": "x", "properties": {"text": "x" * 40_000}})
    with pytest.raises(RefusedError, match="too_large"):
        read("batch", b" " * 600_000)


_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
_members = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["track", "identify", "page", "screen", "group", "alias", "x"]) | _json,
        "messageId": st.text(max_size=300) | _json,
        "userId": st.sampled_from(["1", 4711, "anna@example.com", "", "null"]) | _json,
        "anonymousId": _json,
        "groupId": st.sampled_from(["acme", 1]) | _json,
        "previousId": _json,
        "event": st.text(max_size=20) | _json,
        "name": _json,
        "properties": st.dictionaries(
            st.sampled_from(["url", "email", "name", "path", "a.b", "user_id"]) | st.text(max_size=8), _json
        ),
        "traits": st.dictionaries(
            st.sampled_from(["email", "company", "address", "title", "name"]) | st.text(max_size=8), _json
        ),
        "context": st.fixed_dictionaries({}, optional={"page": _json, "traits": _json, "campaign": _json}),
        "timestamp": st.sampled_from(["2026-11-01T11:00:00Z", "9999-12-31T23:59:59Z", "x"]) | _json,
        "sentAt": st.sampled_from(["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]) | _json,
    },
)


@given(_members, st.sampled_from(["track", "identify", "page", "screen", "group", "alias", "batch"]))
def test_whatever_comes_is_taken_or_refused(message: dict[str, Any], path: str) -> None:
    from scorer.wire.dead_letters import Rejected

    intake = Intake(Identity("secret"), REGISTRY.max_log_bytes, REGISTRY)
    body = {"batch": [message]} if path == "batch" else message
    try:
        reading = read(path, body)
    except RefusedError:
        return
    for one in reading.items:
        assert bool(one.activities) == (one.refused is None)
        for made in one.activities:
            with contextlib.suppress(Rejected):
                assert intake.take(made.topic, made.event, NOON)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(body: bytes) -> None:
    for path in ("track", "batch"):
        with contextlib.suppress(RefusedError):
            read(path, body)
