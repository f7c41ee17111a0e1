"""Signatures agree with the vendors' own published libraries, which also say what they themselves accept."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hubspot.utils.signature import Signature
from mailgun.security import SecurityGuard
from sendgrid.helpers.eventwebhook import EventWebhook
from standardwebhooks.webhooks import Webhook

from scorer.collector.source import RefusedError
from tests.unit.collector.webhooks.signing import (
    RECEIVED,
    SECRET,
    STANDARD,
    URL,
    payload,
    public,
    request,
    signed,
    source,
)

PREFIX = "x-twilio-email-event-webhook-"


@pytest.mark.parametrize("name", ["one-of-each", "machine-open", "none"])
def test_sendgrids_library_and_we_accept_and_refuse_the_same(name: str) -> None:
    theirs = EventWebhook(public().decode())
    asked = signed("sendgrid", payload("sendgrid", name))
    signature, timestamp = asked.headers[PREFIX + "signature"], asked.headers[PREFIX + "timestamp"]
    assert theirs.verify_signature(asked.body.decode(), signature, timestamp)
    source("sendgrid").read(asked)
    for at in range(0, len(asked.body), max(1, len(asked.body) // 20)):
        body = asked.body[:at] + bytes((asked.body[at] ^ 1,)) + asked.body[at + 1 :]
        assert not theirs.verify_signature(body.decode(), signature, timestamp)
        with pytest.raises(RefusedError):
            source("sendgrid").read(asked._replace(body=body))


@pytest.mark.parametrize("name", ["changes", "feedback", "others"])
def test_what_hubspots_library_signs_is_accepted(name: str) -> None:
    body = payload("hubspot", name)
    # As HubSpot sends it, the address has had its escape resolved.
    given = Signature.get_signature(
        SECRET.decode(), body.decode(), "v3", URL.replace("%2C", ","), "POST", str(RECEIVED)
    )
    headers = {"X-HubSpot-Signature-v3": given, "X-HubSpot-Request-Timestamp": str(RECEIVED)}
    assert source("hubspot").read(request(body, headers)).items
    plain = "https://collector.example.com/v1/hooks/main"
    given = Signature.get_signature(SECRET.decode(), body.decode(), "v3", plain, "POST", str(RECEIVED))
    asked = request(body, {**headers, "X-HubSpot-Signature-v3": given}, url=plain)
    assert source("hubspot").read(asked).items
    with pytest.raises(RefusedError):
        source("hubspot").read(asked._replace(method="PUT"))
    old = Signature.get_signature(SECRET.decode(), body.decode(), "v1")
    asked = request(body, {"X-HubSpot-Signature": old})
    assert source("hubspot", options={"signature": "v1"}).read(asked).items


def test_hubspots_library_accepts_what_our_tests_sign() -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    asked = signed("hubspot", payload("hubspot", "changes"), now)
    assert Signature.is_valid(
        asked.headers["x-hubspot-signature-v3"],
        SECRET.decode(),
        asked.body.decode(),
        URL.replace("%2C", ","),
        "POST",
        "v3",
        str(now),
    )


def test_mailguns_library_and_we_accept_and_refuse_the_same() -> None:
    now = int(datetime.now(UTC).timestamp())
    told = json.loads(payload("mailgun", "opened"))
    told["signature"]["timestamp"] = str(now)
    asked = signed("mailgun", json.dumps(told).encode())._replace(received=now * 1000)
    part = json.loads(asked.body)["signature"]

    def theirs(**change: str) -> bool:
        given = {**part, **change}
        return SecurityGuard.verify_webhook(
            SECRET.decode(), given["token"], given["timestamp"], given["signature"]
        )

    assert theirs()
    assert source("mailgun").read(asked).items
    for change in ({"token": part["token"][:-1] + "0"}, {"timestamp": str(now - 1)}, {"signature": "0" * 64}):
        assert not theirs(**change)
        body = json.dumps({**json.loads(asked.body), "signature": {**part, **change}}).encode()
        with pytest.raises(RefusedError):
            source("mailgun").read(asked._replace(body=body))


@pytest.mark.parametrize("name", ["form", "signup", "another-kind"])
def test_what_the_library_of_standard_webhooks_signs_is_accepted(name: str) -> None:
    body = payload("webhook", name)
    at = datetime.fromtimestamp(RECEIVED // 1000, UTC)
    headers = {
        "webhook-id": "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        "webhook-timestamp": str(RECEIVED // 1000),
        "webhook-signature": Webhook(STANDARD.decode()).sign(
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", at, body.decode()
        ),
    }
    asked = request(body, headers)
    assert source("webhook").read(asked).items
    for name_ in headers:
        with pytest.raises(RefusedError):
            source("webhook").read(
                asked._replace(headers={**asked.headers, name_: asked.headers[name_] + "0"})
            )
