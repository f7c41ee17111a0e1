"""Requests as the vendors sign them, made with the standard library from their documentation alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from scorer.collector.source import Key, RefusedError, Request, Source
from scorer.collector.sources import KINDS as MADE

PAYLOADS = Path(__file__).parent.parent / "payloads"
RECEIVED = 1793534400000
"""2026-11-01T12:00:00Z, ms; the payloads tell of the two hours before."""
URL = "https://collector.example.com/v1/hooks/main?from=a%2Cb"
SECRET = b"a secret of the tests"
STANDARD = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = ec.derive_private_key(0x5C0BE5, ec.SECP256R1())
OTHER_PRIVATE = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())

OPTIONS: dict[str, dict[str, str]] = {
    "facebook": {"verify_token": "meatyhamhock", "forms": "12312312312=newsletter"},
    "intercom": {"attributes": "plan, company_size=employees"},
    "webhook": {"mapping": str(PAYLOADS / "webhook" / "mapping.yaml")},
}
KINDS = ("calendly", "facebook", "hubspot", "intercom", "mailgun", "postmark", "sendgrid", "webhook")


def public(private: ec.EllipticCurvePrivateKey = PRIVATE) -> bytes:
    """As SendGrid's settings show it."""
    return base64.b64encode(
        private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def secret_of(kind: str) -> bytes:
    """What the keys file holds."""
    return {"sendgrid": public(), "webhook": STANDARD, "postmark": b"user:" + SECRET}.get(kind, SECRET)


def source(kind: str, secrets: tuple[bytes, ...] = (), options: Mapping[str, str] | None = None) -> Source:
    given = OPTIONS.get(kind, {}) if options is None else options
    return MADE[kind].make(Key("main", secrets or (secret_of(kind),), given))


def request(
    body: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    received: int = RECEIVED,
    method: str = "POST",
    path: str = "",
    query: Mapping[str, str] | None = None,
    url: str = URL,
) -> Request:
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return Request(method, path, query or {}, lower, body, received, url, "")


def hmac_hex(secret: bytes, message: bytes, algorithm: Any = hashlib.sha256) -> str:
    return hmac.new(secret, message, algorithm).hexdigest()


def hmac_64(secret: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()


def signed(kind: str, body: bytes, at: int = RECEIVED, secret: bytes | None = None) -> Request:
    """``body`` as the vendor would send it; ``at``: when it signs, ms."""
    return _SIGNED[kind](body, at, secret_of(kind) if secret is None else secret)


def _calendly(body: bytes, at: int, secret: bytes) -> Request:
    time = str(at // 1000)
    return request(
        body, {"Calendly-Webhook-Signature": f"t={time},v1={hmac_hex(secret, f'{time}.'.encode() + body)}"}
    )


def _facebook(body: bytes, _: int, secret: bytes) -> Request:
    return request(body, {"X-Hub-Signature-256": f"sha256={hmac_hex(secret, body)}"})


def _intercom(body: bytes, _: int, secret: bytes) -> Request:
    return request(body, {"X-Hub-Signature": f"sha1={hmac_hex(secret, body, hashlib.sha1)}"})


def _hubspot(body: bytes, at: int, secret: bytes) -> Request:
    url = URL.replace("%2C", ",")
    signature = hmac_64(secret, b"POST" + url.encode() + body + str(at).encode())
    return request(body, {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": str(at)})


def _mailgun(body: bytes, _: int, secret: bytes) -> Request:
    """The body says itself when it was signed."""
    try:
        told = json.loads(body)
        part = told["signature"]
        message = f"{part['timestamp']}{part['token']}"
        part["signature"] = hmac_hex(secret, message.encode("utf-8", "surrogatepass"))
        return request(json.dumps(told).encode())
    except (ValueError, KeyError, TypeError, RecursionError):
        return request(body)


def _postmark(body: bytes, _: int, secret: bytes) -> Request:
    return request(body, {"Authorization": "Basic " + base64.b64encode(secret).decode()})


@cache
def ecdsa(private: ec.EllipticCurvePrivateKey, message: bytes) -> str:
    return base64.b64encode(private.sign(message, ec.ECDSA(SHA256()))).decode()


def _sendgrid(body: bytes, at: int, secret: bytes) -> Request:
    time = str(at // 1000)
    private = PRIVATE if secret == public() else OTHER_PRIVATE
    signature = ecdsa(private, time.encode() + body)
    prefix = "X-Twilio-Email-Event-Webhook-"
    return request(body, {prefix + "Signature": signature, prefix + "Timestamp": time})


def _standard(body: bytes, at: int, secret: bytes) -> Request:
    time = str(at // 1000)
    raw = base64.b64decode(secret.removeprefix(b"whsec_"))
    signature = hmac_64(raw, f"msg_1.{time}.".encode() + body)
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return request(body, dict(zip(names, ("msg_1", time, f"v1,{signature}"), strict=True)))


_SIGNED: dict[str, Callable[[bytes, int, bytes], Request]] = {
    "calendly": _calendly,
    "facebook": _facebook,
    "hubspot": _hubspot,
    "intercom": _intercom,
    "mailgun": _mailgun,
    "postmark": _postmark,
    "sendgrid": _sendgrid,
    "webhook": _standard,
}


def payload(kind: str, name: str, folder: str = "valid") -> bytes:
    return (PAYLOADS / kind / folder / f"{name}.json").read_bytes()


def payloads(folder: str) -> list[tuple[str, str]]:
    """(kind, name) of all of them."""
    return [
        (kind, file.stem)
        for kind in KINDS
        for file in sorted((PAYLOADS / kind / folder).glob("*.json"))
        if not file.stem.endswith(".expected")
    ]


USUAL = {
    "calendly": "created",
    "facebook": "lead",
    "hubspot": "changes",
    "intercom": "user-created",
    "mailgun": "opened",
    "postmark": "open",
    "sendgrid": "one-of-each",
    "webhook": "form",
}
"""A payload of each kind that activities are made of."""


def usual(kind: str, at: int = RECEIVED, secret: bytes | None = None) -> Request:
    return signed(kind, payload(kind, USUAL[kind]), at, secret)


def refused(kind: str, asked: Request) -> RefusedError:
    with pytest.raises(RefusedError) as error:
        source(kind).read(asked)
    return error.value


def tampered(text: str) -> Iterator[str]:
    """Every place with some other letters; one letter less, one more."""
    for at, letter in enumerate(text):
        for other in ("0", "a", "B", " ", ",", "=", "\x00", "\N{LATIN SMALL LETTER E WITH ACUTE}"):
            if other != letter:
                yield text[:at] + other + text[at + 1 :]
        if letter.swapcase() != letter:
            yield text[:at] + letter.swapcase() + text[at + 1 :]
        yield text[:at] + text[at + 1 :]
    yield text + "0"
    yield text + "="
    yield ""
