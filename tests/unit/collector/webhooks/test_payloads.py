"""What vendors send, in the shape of their documentation, and the activities that are expected beside it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from scorer.collector.source import Item, RefusedError
from tests.contract.messages import intake_rejects, schema_accepts
from tests.unit.collector.webhooks.signing import PAYLOADS, payload, payloads, signed, source


def told(kind: str, body: bytes) -> Any:
    """Items, or the refusal of the whole, as the expected files write them."""
    try:
        reading = source(kind).read(signed(kind, body))
    except RefusedError as error:
        return {"status": error.status, "code": error.code, "message": error.message}
    return [shown(one) for one in reading.items]


def shown(one: Item) -> Any:
    if one.refused is not None:
        return {"refused": one.refused}
    return [
        {"topic": made.topic, "event": json.loads(msgspec.json.encode(made.event))} for made in one.activities
    ]


def expected(kind: str, name: str, folder: str) -> Any:
    return json.loads((PAYLOADS / kind / folder / f"{name}.expected.json").read_bytes())


@pytest.mark.parametrize(("kind", "name"), payloads("valid"))
def test_valid_payloads_become_the_expected_activities(kind: str, name: str) -> None:
    items = told(kind, payload(kind, name))
    assert items == expected(kind, name, "valid")
    assert not any(isinstance(one, dict) for one in items)


@pytest.mark.parametrize(("kind", "name"), payloads("valid"))
def test_doors_take_the_activities(kind: str, name: str) -> None:
    for item in source(kind).read(signed(kind, payload(kind, name))).items:
        for made in item.activities:
            value = msgspec.json.encode(made.event)
            assert intake_rejects(made.topic, value) is None
            assert schema_accepts(made.topic, value)


@pytest.mark.parametrize(("kind", "name"), payloads("invalid"))
def test_invalid_payloads_are_refused_as_expected(kind: str, name: str) -> None:
    found = told(kind, payload(kind, name, "invalid"))
    assert found == expected(kind, name, "invalid")
    assert isinstance(found, dict) or any("refused" in one for one in found if isinstance(one, dict))


@pytest.mark.parametrize(("kind", "name"), payloads("valid"))
def test_a_delivery_tried_again_is_the_same_events(kind: str, name: str) -> None:
    reader = source(kind)
    body = payload(kind, name)
    first = reader.read(signed(kind, body))
    again = reader.read(signed(kind, body)._replace(received=signed(kind, body).received + 60_000))
    assert first == again


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in payloads("valid")}))
def test_different_events_have_different_ids(kind: str) -> None:
    ids: list[tuple[str, str, str]] = []
    for _, name in (one for one in payloads("valid") if one[0] == kind):
        body = payload(kind, name)
        for item in source(kind).read(signed(kind, body)).items:
            ids += [(name, activity.event.type, activity.event.id) for activity in item.activities]
    one_request: dict[tuple[str, str], int] = {}
    for name, _, id_ in ids:
        one_request[name, id_] = one_request.get((name, id_), 0) + 1
    assert set(one_request.values()) <= {1}


@pytest.mark.parametrize(("kind", "name"), [*payloads("valid"), *payloads("invalid")])
def test_nothing_personal_is_said_of_what_is_refused(kind: str, name: str) -> None:
    folder = "valid" if (kind, name) in payloads("valid") else "invalid"
    found = told(kind, payload(kind, name, folder))
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, dict):
            text = json.dumps(one).lower()
            assert "anna" not in text
            assert "example.com" not in text


def test_machine_opens_are_marked_so_that_honest_opens_hold() -> None:
    for kind in ("sendgrid", "mailgun"):
        (machine,) = source(kind).read(signed(kind, payload(kind, "machine-open"))).items[0].activities
        assert machine.event.type == "email.opened"
        assert machine.event.data["machine"] is True
    for kind, name in (("mailgun", "opened"), ("postmark", "open")):
        (reader,) = source(kind).read(signed(kind, payload(kind, name))).items[0].activities
        assert "machine" not in reader.event.data
        assert reader.event.data["user_agent"].startswith("Mozilla")


def test_delivery_and_open_of_one_mail_name_the_same_mail() -> None:
    items = source("sendgrid").read(signed("sendgrid", payload("sendgrid", "one-of-each"))).items
    mails = {item.activities[0].event.data["email_id"] for item in items if item.activities}
    assert len(mails) == 1
