"""Keys that are no good are told when the collector starts."""

from __future__ import annotations

import base64

import pytest

from scorer.collector.source import Key, RefusedError
from scorer.collector.sources import KINDS as MADE
from scorer.errors import UserError
from tests.unit.collector.webhooks.signing import (
    KINDS,
    OPTIONS,
    payload,
    public,
    signed,
    source,
    usual,
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_without_a_secret_is_a_mistake(kind: str) -> None:
    for secrets in ((), (b"",)):
        with pytest.raises(UserError, match="key main"):
            MADE[kind].make(Key("main", secrets, OPTIONS.get(kind, {})))


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("calendly", {"windw": "3m"}, "windw"),
        ("calendly", {"window": "soon"}, "window"),
        ("calendly", {"window": "0s"}, "window"),
        ("hubspot", {"signature": "v2"}, "signature"),
        ("hubspot", {"feedback": "lifecyclestage:customer=sold"}, "feedback"),
        ("mailgun", {"remembered": "many"}, "remembered"),
        ("mailgun", {"remembered": "0"}, "remembered"),
        ("postmark", {"path": "maybe"}, "path"),
        ("facebook", {"forms": "1=,2"}, "forms"),
        ("webhook", {}, "mapping"),
        ("webhook", {"mapping": "/nowhere/mapping.yaml"}, "mapping"),
    ],
)
def test_options_that_are_no_good_are_mistakes(kind: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        source(kind, options=options)


def test_a_signature_in_base64_has_one_spelling() -> None:
    """The last letter before = has bits that say nothing."""
    reader = source("sendgrid")
    spelled = 0
    for blanks in range(40):
        asked = signed("sendgrid", payload("sendgrid", "machine-open") + b" " * blanks)
        name = "x-twilio-email-event-webhook-signature"
        given_ = asked.headers[name]
        if not given_.endswith("="):
            continue
        plain = base64.b64decode(given_)
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/":
            text = given_.rstrip("=")
            other = text[:-1] + letter + given_[len(text) :]
            if other != given_ and base64.b64decode(other) == plain:
                spelled += 1
                with pytest.raises(RefusedError):
                    reader.read(asked._replace(headers={**asked.headers, name: other}))
    assert spelled


def test_sendgrids_key_in_pem_too() -> None:
    pem = b"-----BEGIN PUBLIC KEY-----\n" + public() + b"\n-----END PUBLIC KEY-----\n"
    assert source("sendgrid", (pem,)).read(usual("sendgrid")).items
    for bad in (b"no key", base64.b64encode(b"no key"), public()[:-8]):
        with pytest.raises(UserError, match="ECDSA"):
            source("sendgrid", (bad,))
