"""What is particular to each vendor's way of signing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.collector.source import Answer, Key, RefusedError
from scorer.collector.sources.webhook import SignedWebhook
from scorer.collector.webhook.mapping_file import loads
from tests.unit.collector.webhooks.signing import (
    RECEIVED,
    SECRET,
    STANDARD,
    URL,
    hmac_64,
    hmac_hex,
    payload,
    refused,
    request,
    source,
    tampered,
    usual,
)

SECOND = 1_000
MINUTE = 60 * SECOND


# -- HubSpot ------------------------------------------------------------------------------------------


def test_hubspot_signs_method_and_address() -> None:
    asked = usual("hubspot")
    for other in (
        asked._replace(url="https://collector.example.com/v1/hooks/other?from=a%2Cb"),
        asked._replace(url=URL + "&more=1"),
        asked._replace(url=URL.replace("https", "http")),
    ):
        assert refused("hubspot", other).code == "wrong_signature"


@pytest.mark.parametrize(
    "path", ["/v1/hooks/main", "/v1/hooks/main?a=%3A%2F&b=%40%21%24%27%28%29%2A%2C%3B", "/h%3f%20"]
)
def test_hubspot_resolves_some_escapes_of_the_address(path: str) -> None:
    url = "https://collector.example.com" + path
    theirs = url
    for escape, sign in zip(
        ("%3A", "%2F", "%3f", "%40", "%21", "%24", "%27", "%28", "%29", "%2A", "%2C", "%3B"),
        ":/?@!$'()*,;",
        strict=True,
    ):
        theirs = theirs.replace(escape, sign)
    body = payload("hubspot", "changes")
    signature = hmac_64(SECRET, b"POST" + theirs.encode() + body + str(RECEIVED).encode())
    headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": str(RECEIVED)}
    assert source("hubspot").read(request(body, headers, url=url)).items


def test_hubspots_version_1_needs_to_be_allowed() -> None:
    body = payload("hubspot", "changes")
    signature = hashlib.sha256(SECRET + body).hexdigest()
    asked = request(body, {"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": "v1"})
    assert refused("hubspot", asked).code == "unsigned"
    old = source("hubspot", options={"signature": "v1"})
    assert old.read(asked).items
    for other in tampered(signature):
        with pytest.raises(RefusedError):
            old.read(asked._replace(headers={"x-hubspot-signature": other}))
    with pytest.raises(RefusedError):
        old.read(asked._replace(body=body + b" "))


def test_where_version_3_is_there_version_1_is_not_looked_at() -> None:
    body = payload("hubspot", "changes")
    old = source("hubspot", options={"signature": "v1"})
    headers = {
        "x-hubspot-signature": hashlib.sha256(SECRET + body).hexdigest(),
        "x-hubspot-signature-v3": "wrong",
        "x-hubspot-request-timestamp": str(RECEIVED),
    }
    with pytest.raises(RefusedError):
        old.read(request(body, headers))
    assert old.read(usual("hubspot")).items


# -- Facebook -----------------------------------------------------------------------------------------

ASKED = {"hub.mode": "subscribe", "hub.verify_token": "meatyhamhock", "hub.challenge": "1158201444"}


def test_facebooks_challenge_is_answered() -> None:
    reading = source("facebook").read(request(b"", method="GET", query=ASKED))
    assert reading.answer == Answer(
        200,
        (("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")),
        b"1158201444",
    )
    assert not reading.items


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"hub.verify_token": "meatyhamhocK"}, 403),
        ({"hub.verify_token": ""}, 403),
        ({"hub.mode": "unsubscribe"}, 400),
        ({"hub.challenge": ""}, 400),
        ({"hub.challenge": "<script>alert(1)</script>"}, 400),
        ({"hub.challenge": "1" * 257}, 400),
    ],
)
def test_other_questions_are_not(change: dict[str, str], status: int) -> None:
    assert refused("facebook", request(b"", method="GET", query=ASKED | change)).status == status


def test_without_a_verify_token_nothing_is_answered() -> None:
    with pytest.raises(RefusedError) as error:
        source("facebook", options={}).read(
            request(b"", method="GET", query=ASKED | {"hub.verify_token": ""})
        )
    assert error.value.status == 403


def test_the_challenge_is_no_way_around_the_signature() -> None:
    body = payload("facebook", "lead")
    assert not source("facebook").read(request(body, method="GET", query=ASKED)).items


# -- Postmark -----------------------------------------------------------------------------------------


def test_postmarks_secret_in_a_header() -> None:
    reader = source("postmark", (b"s3cret",), {"header": "X-Scorer-Key"})
    body = payload("postmark", "open")
    assert reader.read(request(body, {"X-Scorer-Key": "s3cret"})).items
    for headers in ({"X-Scorer-Key": "s3creT"}, {"X-Scorer-Key": ""}, {}, {"Authorization": "s3cret"}):
        with pytest.raises(RefusedError):
            reader.read(request(body, headers))


def test_postmarks_secret_at_the_end_of_the_address() -> None:
    reader = source("postmark", (b"s3cret",), {"path": "yes"})
    body = payload("postmark", "open")
    assert reader.read(request(body, path="s3cret")).items
    for path in ("", "s3cre", "s3cret/", "s3cret/x", "S3cret"):
        with pytest.raises(RefusedError):
            reader.read(request(body, path=path))


def test_postmarks_password_in_any_alphabet() -> None:
    secret = "user:p\N{LATIN SMALL LETTER A WITH DIAERESIS}ss".encode()
    coded = base64.b64encode(secret).decode()
    reader = source("postmark", (secret,))
    assert reader.read(request(payload("postmark", "open"), {"Authorization": f"BASIC {coded}"})).items
    with pytest.raises(RefusedError):
        reader.read(request(payload("postmark", "open"), {"Authorization": f"Bearer {coded}"}))


# -- Standard Webhooks and plain headers ------------------------------------------------------------------


def test_one_fitting_signature_of_several_is_enough() -> None:
    asked = usual("webhook")
    given = asked.headers["webhook-signature"]
    for value in (f"v1,AAAA {given}", f"{given} v1,AAAA", f"v1a,xyz {given}"):
        headers = {**asked.headers, "webhook-signature": value}
        assert source("webhook").read(asked._replace(headers=headers)).items


def test_the_published_example_of_standard_webhooks() -> None:
    """The vector that the specification's own libraries test themselves with."""

    text = "webhook: W\nsignature: standard\nevents:\n- type: app.tested\n  id: $.test\n  user_id: $.test\n"
    mapping = loads(text).mapping
    reader = SignedWebhook(Key("main", (STANDARD,), {}), mapping)
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    asked = request(b'{"test": 2432232314}', headers, received=1614265330_000)
    (item,) = reader.read(asked).items
    assert item.activities[0].event.id == "2432232314"


@given(
    header=st.sampled_from(["X-Signature", "X-Hub-Signature-256"]),
    algorithm=st.sampled_from(["sha1", "sha256", "sha512"]),
    encoding=st.sampled_from(["hex", "base64"]),
    prefix=st.sampled_from(["", "sha256=", "v1,"]),
    timed=st.booleans(),
    body=st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)
@settings(max_examples=25, deadline=None)
def test_plain_signatures_of_every_make(
    header: str, algorithm: str, encoding: str, prefix: str, timed: bool, body: dict[str, int]
) -> None:
    timing = '\n  timestamp: X-Time\n  signed: "v0:{timestamp}:{body}"' if timed else ""
    text = (
        f"webhook: W\nsignature:\n  header: {header}\n  algorithm: {algorithm}\n  encoding: {encoding}\n"
        + (f'  prefix: "{prefix}"' if prefix else "  # no prefix")
        + timing
        + "\nevents:\n- type: app.tested\n  id: content\n  user_id: $.user\n"
    )
    loaded = loads(text)
    assert loaded.mapping is not None, [one.render() for one in loaded.diagnostics]
    value = json.dumps({**body, "user": "4711"}).encode()
    message = b"v0:%d:%s" % (RECEIVED // 1000, value) if timed else value
    code = hmac.new(SECRET, message, algorithm).digest()
    given_ = prefix + (code.hex() if encoding == "hex" else base64.b64encode(code).decode())
    headers = {header: given_, "X-Time": str(RECEIVED // 1000)}
    reader = SignedWebhook(Key("main", (SECRET,), {}), loaded.mapping)
    asked = request(value, headers)
    assert reader.read(asked).items[0].activities
    for other in list(tampered(given_))[::7]:
        with pytest.raises(RefusedError):
            reader.read(asked._replace(headers={**asked.headers, header.lower(): other}))
    with pytest.raises(RefusedError):
        reader.read(asked._replace(body=value + b" "))
    if timed:
        for late in (asked._replace(received=RECEIVED + 5 * MINUTE + SECOND), asked._replace(received=0)):
            with pytest.raises(RefusedError):
                reader.read(late)


def test_calendlys_header_in_another_form_is_refused() -> None:
    asked = usual("calendly")
    time = str(RECEIVED // 1000)
    code = hmac_hex(SECRET, f"{time}.".encode() + asked.body)
    for value in (
        f"v1={code},t={time}",
        f"t={time};v1={code}",
        f"t={time}",
        code,
        f"t=,v1={code}",
        f"t={time},v0={code}",
    ):
        headers = {"calendly-webhook-signature": value}
        assert refused("calendly", asked._replace(headers=headers)).code == "wrong_signature"


def test_an_id_with_a_dot_could_be_read_in_two_ways() -> None:
    body, time = b'0.{"event_id": "1", "event_type": "other"}', str(RECEIVED // 1000)
    raw = base64.b64decode(STANDARD.removeprefix(b"whsec_"))
    signature = "v1," + hmac_64(raw, f"msg.1.{time}.".encode() + body)
    headers = {"webhook-id": "msg.1", "webhook-timestamp": time, "webhook-signature": signature}
    assert refused("webhook", request(body, headers)).code == "wrong_signature"


def test_a_password_in_base64_has_one_spelling() -> None:
    reader = source("postmark", (b"user:pas",))
    body = payload("postmark", "open")
    coded = base64.b64encode(b"user:pas").decode()
    assert coded.endswith("=")
    assert reader.read(request(body, {"Authorization": f"Basic {coded}"})).items
    other = coded[:-2] + chr(ord(coded[-2]) + 1) + "="
    assert base64.b64decode(other) == b"user:pas"
    with pytest.raises(RefusedError):
        reader.read(request(body, {"Authorization": f"Basic {other}"}))
