from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.domain.record import NO_DOOR, Fact, decode_record
from scorer.wire.cloudevents import Event
from scorer.wire.dead_letters import Reason, Rejected
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.properties import PERSONAL
from scorer.wire.registry import Registry
from tests.support.misplaced import MISPLACED, misplaced

REGISTRY = Registry.load()
EMAIL = "activity.email.v1"
NOON = 1793534400000  # 2026-11-01T12:00:00Z
DAY = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def intake() -> Intake:
    return Intake(Identity("secret"), REGISTRY.max_log_bytes, REGISTRY)


def message(data: dict[str, Any] | None = None, **attributes: Any) -> bytes:
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/mail",
        "type": "email.opened",
        "subject": "lead-17",
    }
    return json.dumps({**event, "data": data or {}, **attributes}).encode()


def fact(intake: Intake, value: bytes, topic: str = EMAIL) -> Fact:
    record = decode_record(intake(topic, value, NOON, 3, 99)[0][1])
    assert isinstance(record, Fact)
    return record


def rejection(intake: Intake, value: bytes | None, topic: str = EMAIL) -> Rejected:
    with pytest.raises(Rejected) as rejected:
        intake(topic, value, NOON)
    return rejected.value


def test_an_accepted_event_becomes_a_fact_with_its_coordinates(intake: Intake) -> None:
    value = message({"kind": "sales", "n": 1}, time="2026-11-01T11:00:00.25+01:00")
    (accepted,) = intake(EMAIL, value, NOON, 3, 99)
    assert accepted[0] == b"lead-17"
    assert decode_record(accepted[1]) == Fact(
        type="email.opened",
        time=NOON - 2 * 3600 * 1000 + 250,
        received=NOON,
        door=3,
        offset=99,
        digest=blake2b(b"/mail\0e1", digest_size=8).digest(),
        id="e1",
        source="/mail",
        properties={"kind": "sales", "n": 1},
        sealed=None,
    )


def test_without_coordinates_a_fact_says_so(intake: Intake) -> None:
    record = decode_record(intake(EMAIL, message(), NOON)[0][1])
    assert isinstance(record, Fact)
    assert (record.door, record.offset) == (NO_DOOR, -1)


@pytest.mark.parametrize("attributes", [{}, {"time": None}])
def test_an_event_without_time_happened_when_it_was_received(
    intake: Intake, attributes: dict[str, Any]
) -> None:
    assert fact(intake, message(**attributes)).time == NOON


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-01T12:00:00.9999Z", NOON + 999),
        ("2026-11-01T12:00:00.0005Z", NOON),
        ("2026-11-01T12:00:00.123456789123Z", NOON + 123),
        ("2026-10-31t22:01:00-13:59", NOON),
        ("2026-11-01T12:00:00-00:00", NOON),
        ("2028-02-29T00:00:00z", 1835395200000),
    ],
)
def test_times_are_rounded_down_to_milliseconds(time: str, expected: int) -> None:
    from scorer.wire.times import milliseconds

    assert milliseconds(time) == expected


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("2026-11-01T12:05:00Z", None),
        ("2026-11-01T12:05:00.001Z", Reason.FUTURE),
        ("2025-09-27T12:00:00Z", None),  # 400 days before
        ("2025-09-27T11:59:59.999Z", Reason.TOO_OLD),
    ],
)
def test_the_horizon_is_judged_against_the_time_received(
    intake: Intake, time: str, reason: Reason | None
) -> None:
    if reason is None:
        fact(intake, message(time=time))
    else:
        assert rejection(intake, message(time=time)).reason is reason


# -- properties -----------------------------------------------------------------------------------------


def test_objects_are_flattened_and_the_later_of_two_equal_names_counts(intake: Intake) -> None:
    data = {"utm": {"source": "x", "deep": {"a": [1, "b"]}}, "utm.source": "y", "empty": {}, "list": []}
    expected = {"utm.source": "y", "utm.deep.a": [1, "b"], "list": []}
    assert fact(intake, message(data)).properties == expected


def test_nulls_say_nothing_in_an_activity_and_remove_in_a_profile(intake: Intake) -> None:
    data = {"job": None, "company": {"size": None}, "age": 3}
    assert fact(intake, message(data)).properties == {"age": 3}
    profile = fact(intake, message(data, type="profile.updated"), "lead.profile.v1")
    assert profile.properties == {"job": None, "company.size": None, "age": 3}


def test_numbers_and_booleans_keep_their_kind(intake: Intake) -> None:
    data = {"true": True, "one": 1, "half": 0.5, "least": -(2**63), "most": 2**63 - 1, "float": 1.0}
    kept = fact(intake, message(data)).properties
    assert {name: (type(value), value) for name, value in kept.items()} == {
        name: (type(value), value) for name, value in data.items()
    }


@pytest.mark.parametrize(
    "name", [*sorted(PERSONAL), "Email", "firstName", "LAST-NAME", "e_mail", "IP", "contact.email"]
)
@pytest.mark.parametrize("value", ["secret", ["secret"], {"x": "secret"}, 17, None])
def test_what_identifies_a_person_never_reaches_the_log(intake: Intake, name: str, value: Any) -> None:
    data = {"kept": 1, name: value, "a": {"b": {name: value, "kept": 2}}}
    for topic, kind in ((EMAIL, "email.opened"), ("lead.profile.v1", "profile.updated")):
        accepted = intake(topic, message(data, type=kind), NOON)[0]
        assert b"secret" not in accepted[1]
        record = decode_record(accepted[1])
        assert isinstance(record, Fact)
        assert record.properties == {"kept": 1, "a.b.kept": 2}


def test_names_that_only_resemble_personal_ones_are_kept(intake: Intake) -> None:
    data = {"email_id": "m-1", "filename": "x", "zip": "1", "username_taken": True}
    assert fact(intake, message(data)).properties == data


def test_what_is_dropped_is_checked_all_the_same(intake: Intake) -> None:
    assert rejection(intake, message({"name": {"x": [None]}})).reason is Reason.BAD_PROPERTIES


def test_256_fields_fit_and_what_is_dropped_does_not_count(intake: Intake) -> None:
    data: dict[str, Any] = {f"f{n}": n for n in range(255)} | {"a": {"b": 1}}
    assert len(fact(intake, message(data | {"name": "x", "none": None})).properties) == 256
    assert rejection(intake, message(data | {"one": 1})).reason is Reason.TOO_LARGE
    assert rejection(intake, message({"o": data | {"one": 1}})).reason is Reason.TOO_LARGE


def test_long_paths_cannot_multiply_into_memory(intake: Intake) -> None:
    wide = {f"{n:0128}": 1 for n in range(1000)}
    assert rejection(intake, message({"p" * 128: {"q" * 128: {"r" * 128: wide}}})).reason is Reason.TOO_LARGE


def test_many_different_names_do_not_stay_in_memory() -> None:
    intake = Intake(Identity("secret"), REGISTRY.max_log_bytes, REGISTRY)
    for n in range(110):
        intake(EMAIL, message({f"{n}-{m}": m for m in range(200)}), NOON)
    assert len(intake._flatten._personal) <= 10_000


@given(
    st.lists(st.tuples(st.sampled_from(["/a", "/b", "/ä\0"]), st.text(min_size=1, max_size=40)), max_size=20)
)
def test_a_digest_is_of_source_and_id_whatever_came_before(events: list[tuple[str, str]]) -> None:
    intake = Intake(Identity("secret"), REGISTRY.max_log_bytes, REGISTRY)
    for source, id_ in events:
        made = Event("1.0", id_, source, "email.opened", {}, "lead-17")
        record = decode_record(intake.take(EMAIL, made, NOON)[0][1])
        assert isinstance(record, Fact)
        assert record.digest == blake2b(f"{source}\0{id_}".encode(), digest_size=8).digest()


def test_many_different_sources_do_not_stay_in_memory() -> None:
    intake = Intake(Identity("secret"), REGISTRY.max_log_bytes, REGISTRY)
    for n in range(2_500):
        found = fact(intake, message(source=f"/mail/{n}"))
        assert found.digest == blake2b(f"/mail/{n}\0e1".encode(), digest_size=8).digest()
    assert len(intake._digests) <= 1_000


def test_a_record_too_large_for_the_log_is_rejected_at_the_byte() -> None:
    value = message({"text": "x" * 1000})
    accepted = Intake(Identity("secret"), 10_000, REGISTRY)(EMAIL, value, NOON)
    size = sum(map(len, accepted[0]))
    assert Intake(Identity("secret"), size, REGISTRY)(EMAIL, value, NOON) == accepted
    assert rejection(Intake(Identity("secret"), size - 1, REGISTRY), value).reason is Reason.TOO_LARGE


# -- JSON -----------------------------------------------------------------------------------------------


def test_of_a_repeated_member_the_last_counts_at_every_level(intake: Intake) -> None:
    head = '"specversion":"1.0","source":"/","type":"email.opened"'
    value = (
        f'{{{head},"id":17,"subject":null,"id":"x","subject":"s","data":[],"data":{{"a":{{}},"a":1,"a":2}}}}'
    )
    record = fact(intake, value.encode())
    assert (record.id, record.properties) == ("x", {"a": 2})
    last_is_bad = f'{{{head},"subject":"s","data":{{}},"id":"x","id":17}}'
    assert rejection(intake, last_is_bad.encode()).reason is Reason.NOT_CLOUDEVENT


def test_white_space_and_escapes_do_not_matter(intake: Intake) -> None:
    assert intake(EMAIL, b" \n\t" + message() + b"\r\n ", NOON) == intake(EMAIL, message(), NOON)
    escaped = message({"u": "ü\U0001f600"})
    assert b"\\ud83d" in escaped
    plain = json.dumps(json.loads(escaped), ensure_ascii=False).encode()
    assert intake(EMAIL, escaped, NOON) == intake(EMAIL, plain, NOON)


def test_half_a_surrogate_pair_is_no_text(intake: Intake) -> None:
    assert rejection(intake, message({"u": "\ud800"})).reason is Reason.NOT_JSON


def test_a_door_that_does_not_exist_is_the_caller_s_mistake(intake: Intake) -> None:
    with pytest.raises(KeyError):
        intake("lead.log.v1", message(), NOON)


def test_app_events_of_one_s_own_are_remembered_within_bounds() -> None:
    intake = Intake(Identity("secret"), REGISTRY.max_log_bytes, REGISTRY)
    for n in range(5000):
        intake("activity.app.v1", message(type=f"app.e{n}"), NOON)
    assert len(intake._types["activity.app.v1"].known) <= 4097
    assert rejection(intake, message(type="app.E"), "activity.app.v1").reason is Reason.UNKNOWN_TYPE


# -- details --------------------------------------------------------------------------------------------

SECRET = MISPLACED


@given(
    st.sampled_from(["user_id", "email", "anonymous_id", "name", "phone", "ip"]),
    st.sampled_from(
        [
            SECRET + "@",
            f"{SECRET} x",
            SECRET * 20,
            [SECRET, None],
            {"a": {"b": {"c": {"d": {"e": SECRET}}}}},
            {"x": [[SECRET]]},
            [SECRET] * 101,
        ]
    ),
    st.booleans(),
)
def test_details_never_repeat_what_identifies_a_person(name: str, value: Any, with_subject: bool) -> None:
    intake = Intake(Identity("secret"), REGISTRY.max_log_bytes, REGISTRY)
    subject = "lead-17" if with_subject else None
    rejected = None
    try:
        intake(EMAIL, message({name: value}, subject=subject), NOON)
    except Rejected as error:
        rejected = error
    if rejected is not None:
        assert "secret" not in rejected.detail
        assert "secret" not in str(rejected)


@pytest.mark.parametrize("value", misplaced())
def test_details_never_repeat_a_value_wherever_it_stands(intake: Intake, value: bytes | None) -> None:
    detail = ""
    try:
        intake(EMAIL, value, NOON)
    except Rejected as rejected:
        detail = rejected.detail
    assert "secret" not in detail
    assert "example" not in detail


@pytest.mark.parametrize(
    ("value", "reason", "part"),
    [
        (None, "null_value", "value"),
        (b"", "not_json", "truncated"),
        (b"{\xff", "not_json", "byte 1"),
        (message(id=None), "not_cloudevent", "$.id"),
        (message(specversion="0.3"), "not_cloudevent", "specversion"),
        (message(specversion="x" * 10_000), "not_cloudevent", "Invalid"),
        (message(type="email.read"), "unknown_type", "'email.read' is no event of activity.email.v1"),
        (message(type=None), "unknown_type", "$.type"),
        (message(subject=17), "no_lead", "$.subject"),
        (message(subject="a\tb"), "no_lead", "subject"),
        (message(subject=None), "no_lead", "user_id, email or anonymous_id"),
        (message({"email": "x"}, subject=None), "no_lead", "email"),
        (message(type="Anna <a@b.c>"), "unknown_type", "type: (a text of 12 characters) is no event of"),
        (message(type="x" * 99), "unknown_type", f"'{'x' * 60}...' is no event of"),
        (message(time="yesterday"), "bad_time", "RFC 3339"),
        (message(time="2026-02-30T00:00:00Z"), "bad_time", "no such day"),
        (message().replace(b"{}", b"[]"), "bad_properties", "$.data"),
        (message({"a": {"b": 2**63}}), "bad_properties", "'a.b': a number"),
        (message({"a": [{}]}), "bad_properties", "'a': a list"),
        (message({"a@b.c": [{}]}), "bad_properties", "data: (a text of 5 characters): a list"),
        (message({"": 1}), "bad_properties", "name has 1 to 128"),
    ],
)
def test_details_name_the_field_and_the_rule(
    intake: Intake, value: bytes | None, reason: str, part: str
) -> None:
    rejected = rejection(intake, value)
    assert rejected.reason == reason
    assert part in rejected.detail
    assert len(rejected.detail) <= 200
