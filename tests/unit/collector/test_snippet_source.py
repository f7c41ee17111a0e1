"""What the snippet posts, as activities that intake takes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.collector.names import app_type
from scorer.collector.snippet_body import MAX_BATCH, key_of
from scorer.collector.source import Activity, Item, Key, Reading, RefusedError
from scorer.collector.sources.snippet import TOLERANCE, Snippet
from scorer.wire.dead_letters import Rejected
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.registry import Registry
from scorer.wire.times import milliseconds
from tests.unit.collector.requests import NOON, request

SNIPPET = Snippet(Key("web", (b"web_new", b"web_4f1c"), {}))
REGISTRY = Registry.load()
INTAKE = Intake(Identity("secret"), REGISTRY.max_log_bytes, REGISTRY)
MISSING = object()


def event(kind: str, **more: Any) -> dict[str, Any]:
    base = {"id": "e1", "type": kind, "time": NOON - 1000, "anonymousId": "v-1", "path": "/pricing"}
    return {name: value for name, value in (base | more).items() if value is not MISSING}


def read(
    *batch: Any, received: int = NOON, sent: Any = NOON, key: Any = "web_4f1c", **headers: Any
) -> Reading:
    body = {"key": key, "sentAt": sent, "batch": list(batch)}
    given_ = {name: value for name, value in body.items() if value is not MISSING}
    return SNIPPET.read(
        request(method="POST", body=json.dumps(given_).encode(), received=received, **headers)
    )


def activities(*batch: Any, **more: Any) -> list[Activity]:
    found = []
    for item in read(*batch, **more).items:
        assert item.refused is None
        found.extend(item.activities)
    for one in found:
        INTAKE(one.topic, msgspec.json.encode(one.event), NOON)
    return found


def told(found: list[Activity]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(one.topic, one.event.type, one.event.data) for one in found]


def test_a_page() -> None:
    more = {
        "title": "Pricing",
        "host": "example.com",
        "referrer": "",
        "utm": {},
        "properties": {"kind": "blog"},
    }
    (found,) = activities(event("page", **more))
    assert (found.event.id, found.event.source, found.event.time) == (
        "e1",
        "snippet/web",
        "2026-11-01T11:59:59.000Z",
    )
    assert told([found]) == [
        (
            "activity.page.v1",
            "page.viewed",
            {
                "path": "/pricing",
                "title": "Pricing",
                "host": "example.com",
                "kind": "blog",
                "anonymous_id": "v-1",
            },
        )
    ]


@pytest.mark.parametrize(
    ("utm", "network"),
    [
        ({"source": "LinkedIn", "medium": "Social"}, "linkedin"),
        ({"source": "fb", "medium": "paid_social"}, "facebook"),
        ({"source": "linkedin", "medium": "email"}, None),
        ({"source": "newsletter", "medium": "social"}, None),
        ({}, None),
    ],
)
def test_a_visit_that_a_post_has_led_to(utm: dict[str, str], network: str | None) -> None:
    found = activities(event("page", utm=utm | {"campaign": "launch"}))
    social = [one.event.data for one in found if one.topic == "activity.social.v1"]
    assert social == (
        [] if network is None else [{"network": network, "post": "launch", "anonymous_id": "v-1"}]
    )


def test_the_same_post_counts_once_a_day_and_visitor() -> None:
    utm = {"source": "linkedin", "medium": "social", "campaign": "launch"}

    def id_(**more: Any) -> str:
        return activities(event("page", **({"utm": utm} | more)))[1].event.id

    same = {id_(), id_(id="e2"), id_(time=NOON - 60_000)}
    others = {id_(anonymousId="v-2"), id_(utm=utm | {"campaign": "b"}), id_(time=NOON - 86_400_000)}
    assert (len(same), len(others), len(same | others)) == (1, 3, 4)


def test_identify() -> None:
    traits = {"email": "Anna@Example.com", "job": "CEO", "city": None, "user_id": "other", "anonymous_id": 7}
    assert told(activities(event("identify", userId="u-1", traits=traits))) == [
        (
            "lead.profile.v1",
            "profile.updated",
            # null removes an attribute
            {
                "job": "CEO",
                "city": None,
                "user_id": "u-1",
                "email": "Anna@Example.com",
                "anonymous_id": "v-1",
            },
        )
    ]
    assert told(activities(event("identify", userId=None, traits=None)))[0][2] == {"anonymous_id": "v-1"}


def test_track() -> None:
    found = activities(
        event("track", name="Trial Started", properties={"plan": "pro", "email": "a-friend@example.com"}),
        event("track", name="page.downloaded", properties={"kind": "ebook"}),
        event("track", name="page.downloaded", properties={"path": "/guides/kafka.pdf"}),
    )
    assert told(found) == [
        # a friend who was invited is not who did it
        ("activity.app.v1", "app.trial_started", {"plan": "pro", "anonymous_id": "v-1"}),
        ("activity.page.v1", "page.downloaded", {"kind": "ebook", "path": "/pricing", "anonymous_id": "v-1"}),
        ("activity.page.v1", "page.downloaded", {"path": "/guides/kafka.pdf", "anonymous_id": "v-1"}),
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Trial Started", "app.trial_started"),
        ("trialStarted", "app.trial_started"),
        ("app.trial_started", "app.trial_started"),
        ("app.billing.paid", "app.billing.paid"),
        ("  task -- created! ", "app.task_created"),
        ("Menü geöffnet", "app.menu_geoffnet"),
        ("email.opened", "app.email_opened"),  # a page says nothing of mails
        ("app.Trial", "app.trial"),
        ("3 clicks", None),
        ("", None),
        ("***", None),
        ("試用", None),
        ("x" * 129, None),
    ],
)
def test_names(name: str, kind: str | None) -> None:
    assert app_type(name) == kind
    (item,) = read(event("track", name=name)).items
    assert [one.event.type for one in item.activities] == ([] if kind is None else [kind])
    assert (item.refused is None) == (kind is not None)


@given(st.text(max_size=140))
def test_a_name_is_a_type_of_the_door_or_none(name: str) -> None:
    kind = app_type(name)
    if kind is not None:
        INTAKE(
            "activity.app.v1",
            json.dumps(
                {"specversion": "1.0", "id": "1", "source": "s", "type": kind, "subject": "l", "data": {}}
            ).encode(),
            NOON,
        )
        assert app_type(kind) == kind


def test_a_form() -> None:
    fields = {"employees": 40, "topics": ["a", "b"], "form": "mine", "path": None}
    one = event("form", form="demo", fields=fields, traits={"employees": 40}, email="anna@example.com")
    who = {"email": "anna@example.com", "anonymous_id": "v-1"}
    found = activities(one)
    assert told(found) == [
        ("lead.profile.v1", "profile.updated", {"employees": 40, **who}),
        (
            "activity.page.v1",
            "page.form_submitted",
            {"employees": 40, "topics": ["a", "b"], "form": "demo", "path": "/pricing", **who},
        ),
    ]
    assert [one.event.id for one in found] == ["e1.profile", "e1"]


@pytest.mark.parametrize("email", [None, "", "asdf", "a@b@c", "a b@c", 7, ["x@y"], "x@" + "y" * 300])
def test_what_is_typed_need_not_be_an_address(email: Any) -> None:
    found = activities(event("form", form="demo", fields={"email": email}))
    assert told(found) == [
        (
            "activity.page.v1",
            "page.form_submitted",
            {"form": "demo", "path": "/pricing", "anonymous_id": "v-1"},
        )
    ]


def test_who_did_it_is_the_user_that_was_signed_in() -> None:
    for one in (event("page"), event("track", name="x"), event("form", form="f"), event("identify")):
        (found,) = activities(one | {"userId": "u-1"})
        assert found.event.data["user_id"] == "u-1"
        assert found.event.data["anonymous_id"] == "v-1"


@given(
    off=st.integers(-400 * 86_400_000, 40 * 86_400_000),
    way=st.integers(0, TOLERANCE),
    waited=st.integers(0, 86_400_000),
)
def test_a_clock_that_is_off(off: int, way: int, waited: int) -> None:
    """By the true clock: happened, waited, was sent at NOON - way, received at NOON."""
    happened = NOON - way - waited
    found = activities(event("page", time=happened + off), sent=NOON - way + off)
    assert found[0].event.time is not None
    told_ = milliseconds(found[0].event.time)
    assert abs(told_ - happened) <= 2 * TOLERANCE
    assert told_ <= NOON
    if off == 0:
        assert told_ == happened


def test_without_sent_at_times_are_believed_but_for_the_future() -> None:
    times = [
        one.event.time
        for at in (NOON - 3_600_000, NOON + 7 * 86_400_000)
        for one in activities(event("page", time=at), sent=MISSING)
    ]
    assert times == ["2026-11-01T11:00:00.000Z", "2026-11-01T12:00:00.000Z"]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        7,
        "x",
        [],
        {},
        event("page", id=MISSING),
        event("page", id=""),
        event("page", id="a b"),
        event("page", id="x" * 101),
        event("page", time=MISSING),
        event("page", time="2026-11-01T12:00:00Z"),
        event("page", time=-1),
        event("page", time=2**62),
        event("page", anonymousId=7),
        event("page", utm={"source": 7}),
        event("page", title="x" * 40_000),
        event("track"),
        event("track", name=7),
        event("form"),
        event("identify", traits=[]),
        event("group"),
        event("anna@example.com"),
    ],
)
def test_one_that_is_broken_is_told_and_the_others_count(broken: Any) -> None:
    first, second, third = read(event("page", id="a"), broken, event("page", id="b")).items
    assert len(first.activities) == len(third.activities) == 1
    assert not second.activities
    assert second.refused
    assert "anna" not in second.refused


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b'{"key": "web_4f1c"}', 400),
        (b'{"key": "web_4f1c", "batch": {}}', 400),
        (b'{"key": "web_4f1c", "batch": [], "sentAt": "now"}', 400),
        (b'{"key": "web_4f1c", "batch": [], "x": "\xff"}', 400),
        (b"[" * 100_000, 400),
        (b'{"key": 7, "batch": []}', 400),
        (b'{"key": "", "batch": []}', 401),
        (b'{"key": "web_4f1d", "batch": []}', 401),
        (b'{"key": "web_4f1\\ud800", "batch": []}', 400),
        (json.dumps({"key": "web_4f1c", "batch": [0] * (MAX_BATCH + 1)}).encode(), 413),
    ],
)
def test_a_request_that_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(RefusedError) as caught:
        SNIPPET.read(request(method="POST", body=body))
    assert caught.value.status == status
    assert "web_" not in caught.value.message


def test_any_of_the_secrets_is_the_key() -> None:
    assert len(read(event("page"), key="web_new").items) == 1
    assert key_of(b'{"batch": [], "key": "web_new"}') == "web_new"
    assert key_of(b"{") is key_of(b"\xff") is key_of(b'{"key": 7}') is key_of(b"[" * 100_000) is None


@pytest.mark.parametrize(
    "headers", [{"sec_gpc": "1"}, {"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}]
)
def test_nothing_becomes_of(headers: dict[str, str]) -> None:
    assert list(read(event("page"), event("track", name="x"), **headers).items) == [Item(()), Item(())]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.lists(
        st.builds(
            lambda base, changed: {**base, **changed},
            st.sampled_from(
                [event("page"), event("track", name="X"), event("form", form="f"), event("identify")]
            ),
            st.dictionaries(
                st.sampled_from(
                    ["id", "time", "userId", "path", "utm", "properties", "fields", "traits", "email", "name"]
                ),
                json_values,
                max_size=3,
            ),
        )
        | json_values,
        max_size=4,
    )
)
def test_whatever_comes_is_taken_or_told(batch: list[Any]) -> None:
    reading = read(*batch)
    assert len(reading.items) == len(batch)
    for item in reading.items:
        assert bool(item.refused) != bool(item.activities)
        for one in item.activities:
            try:
                INTAKE(one.topic, msgspec.json.encode(one.event), NOON)
            except Rejected as rejected:
                assert rejected.detail  # noqa: PT017 - it is allowed, and nothing else is


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    with pytest.raises(RefusedError):
        SNIPPET.read(request(method="POST", body=body))
