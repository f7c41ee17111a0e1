"""Only what the vendor has signed, lately and with one of the key's secrets, is read."""

from __future__ import annotations

import json

import pytest

from scorer.collector.source import RefusedError
from tests.unit.collector.webhooks.signing import (
    KINDS,
    OTHER_PRIVATE,
    RECEIVED,
    USUAL,
    payload,
    public,
    refused,
    request,
    secret_of,
    signed,
    source,
    tampered,
    usual,
)

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

OTHER_SECRETS = {
    "sendgrid": public(OTHER_PRIVATE),
    "webhook": b"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "postmark": b"user:another secret",
}
OVER_BODY = ("calendly", "facebook", "hubspot", "intercom", "sendgrid", "webhook")
"""Vendors that sign the body. Mailgun signs a token, Postmark nothing."""
WINDOWS = {"calendly": 3 * MINUTE, "hubspot": 5 * MINUTE, "sendgrid": 24 * HOUR, "webhook": 5 * MINUTE}
"""How old signatures with a time in a header may be."""


def other_secret(kind: str) -> bytes:
    return OTHER_SECRETS.get(kind, b"another secret")


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_vendor_signs_is_read(kind: str) -> None:
    reading = source(kind).read(usual(kind))
    assert any(item.activities for item in reading.items)
    assert not any(item.refused for item in reading.items)


@pytest.mark.parametrize("kind", KINDS)
def test_each_secret_of_a_rotation_counts(kind: str) -> None:
    for secret in (secret_of(kind), other_secret(kind)):
        both = source(kind, (secret_of(kind), other_secret(kind)))
        assert both.read(usual(kind, secret=secret)).items


@pytest.mark.parametrize("kind", KINDS)
def test_another_key_is_refused(kind: str) -> None:
    error = refused(kind, usual(kind, secret=other_secret(kind)))
    assert (error.status, error.code) == (401, "wrong_signature")


@pytest.mark.parametrize("kind", KINDS)
def test_no_signature_is_refused(kind: str) -> None:
    bare = json.dumps({"event-data": {}}).encode() if kind == "mailgun" else payload(kind, USUAL[kind])
    error = refused(kind, request(bare))
    assert (error.status, error.code) == (401, "unsigned")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
def test_other_methods_are_refused(kind: str, method: str) -> None:
    assert refused(kind, usual(kind)._replace(method=method)).status == 405


@pytest.mark.parametrize("kind", OVER_BODY)
def test_every_tampered_byte_of_the_body_is_refused(kind: str) -> None:
    reader, asked = source(kind), usual(kind)
    body = asked.body
    # Each place once; all of 255 other bytes at a few, because SendGrid's curve takes its time.
    step = max(1, len(body) // 150) if kind == "sendgrid" else 1
    changes = [(at, body[at] ^ 1) for at in range(0, len(body), step)]
    changes += [(7, byte) for byte in range(256) if byte != body[7]][:: 8 if kind == "sendgrid" else 1]
    for at, byte in changes:
        changed = body[:at] + bytes((byte,)) + body[at + 1 :]
        with pytest.raises(RefusedError) as error:
            reader.read(asked._replace(body=changed))
        assert error.value.status == 401
    for changed in (body + b" ", b" " + body, body[:-1], b""):
        with pytest.raises(RefusedError):
            reader.read(asked._replace(body=changed))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mailgun"])
def test_every_tampered_letter_of_signature_and_time_is_refused(kind: str) -> None:
    reader, asked = source(kind), usual(kind)
    for name, value in asked.headers.items():
        for other in tampered(value):
            if kind == "postmark" and other.lower() == value.lower() and other[6:] == value[6:]:
                continue  # "Basic" has no case
            with pytest.raises(RefusedError) as error:
                reader.read(asked._replace(headers={**asked.headers, name: other}))
            assert error.value.status in {401, 403}


def test_every_tampered_letter_of_mailguns_signature_is_refused() -> None:
    asked = usual("mailgun")
    told = json.loads(asked.body)
    for name, value in told["signature"].items():
        for other in tampered(value):
            body = json.dumps({**told, "signature": {**told["signature"], name: other}}).encode()
            assert refused("mailgun", asked._replace(body=body)).status in {401, 406}


@pytest.mark.parametrize("kind", WINDOWS)
def test_a_window_of_time_is_kept_to_the_second(kind: str) -> None:
    window = WINDOWS[kind]
    assert source(kind).read(usual(kind, RECEIVED - window)).items
    error = refused(kind, usual(kind, RECEIVED - window - SECOND))
    assert (error.status, error.code) == (401, "too_old")


@pytest.mark.parametrize("kind", WINDOWS)
def test_times_ahead_are_refused(kind: str) -> None:
    ahead = min(WINDOWS[kind], 5 * MINUTE)
    assert source(kind).read(usual(kind, RECEIVED + ahead)).items
    assert refused(kind, usual(kind, RECEIVED + ahead + SECOND)).code == "ahead"


@pytest.mark.parametrize("kind", [kind for kind in WINDOWS if kind != "webhook"])
def test_the_window_is_an_option(kind: str) -> None:
    narrow = source(kind, options={"window": "10s"})
    assert narrow.read(usual(kind, RECEIVED - 10 * SECOND)).items
    with pytest.raises(RefusedError):
        narrow.read(usual(kind, RECEIVED - 11 * SECOND))


def test_mailguns_window_is_longer_than_it_tries() -> None:
    body = payload("mailgun", "opened")  # signed at 10:00:06
    at = 1793527206000
    reader = source("mailgun")
    assert reader.read(signed("mailgun", body)._replace(received=at + 9 * HOUR)).items
    with pytest.raises(RefusedError) as error:
        reader.read(signed("mailgun", body)._replace(received=at + 9 * HOUR + SECOND))
    # Mailgun takes 406 as final; with any other status it would try again in vain.
    assert (error.value.status, error.value.code) == (406, "too_old")
    # What is ahead of the clock here is not lost: it is tried again.
    ahead = signed("mailgun", body)._replace(received=at - 6 * MINUTE)
    assert (refused("mailgun", ahead).status, refused("mailgun", ahead).code) == (401, "ahead")


def test_mailguns_token_counts_once() -> None:
    reader = source("mailgun")
    asked = usual("mailgun")
    told = json.loads(asked.body)
    first = reader.read(asked)
    assert reader.read(asked) == first  # tried again: the same event
    for at in range(len(asked.body)):
        changed = asked.body[:at] + bytes((asked.body[at] ^ 1,)) + asked.body[at + 1 :]
        with pytest.raises(RefusedError):
            reader.read(asked._replace(body=changed))
    told["event-data"]["recipient"] = "mallory@example.com"
    with pytest.raises(RefusedError) as error:
        reader.read(asked._replace(body=json.dumps(told).encode()))
    assert (error.value.status, error.value.code) == (406, "replayed")


def test_a_token_is_not_used_up_by_one_who_cant_sign() -> None:
    reader = source("mailgun")
    asked = usual("mailgun")
    told = json.loads(asked.body)
    told["signature"]["signature"] = "0" * 64
    with pytest.raises(RefusedError):
        reader.read(asked._replace(body=json.dumps(told).encode()))
    assert reader.read(asked).items
