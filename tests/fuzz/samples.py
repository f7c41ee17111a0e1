"""What senders of every kind send, well formed: where fuzzing begins; and a keys file that lets them in."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from scorer.collector.tokens import Mail, Tokens
from scorer.wire.registry import Registry
from tests.support.collecting import BASIC, CRM_KEY, WRITE_KEY
from tests.unit.collector.webhooks import signing

ORIGIN: Final = "https://www.example.com"
PUBLIC: Final = "https://collector.example.com"
"""As ``signing.URL`` has it, which HubSpot signs."""
SITE_KEY: Final = "site-1234567890123456"
MAIL_SECRET: Final = "a secret of 32 characters......."
_NAMES: Final = {kind: "main" if kind == "hubspot" else kind for kind in signing.KINDS}
KEYS: Final = f"""
keys:
  web: {{kind: segment, secrets: [env:WEB_KEY], scopes: [email, page, app, booking, social, profile],
    origins: [{ORIGIN}]}}
  crm: {{kind: cloudevents, secrets: [env:CRM_KEY], origins: ["https://*.example.com"]}}
  site: {{kind: snippet, secrets: [env:SITE_KEY], origins: [{ORIGIN}]}}
  plain: {{kind: page, secrets: [env:SITE_KEY]}}
  opens: {{kind: pixel, secrets: [env:MAIL_SECRET]}}
  clicks: {{kind: link, secrets: [env:MAIL_SECRET]}}
""" + "".join(
    f"  {name}: {json.dumps({'kind': kind, 'secrets': [f'env:{kind.upper()}_SECRET'], **options})}\n"
    for kind, name in _NAMES.items()
    for options in [{"options": signing.OPTIONS[kind]} if kind in signing.OPTIONS else {}]
)
ENVIRONMENT: Final = {
    "SITE_KEY": SITE_KEY,
    "MAIL_SECRET": MAIL_SECRET,
    "SCORER_COLLECTOR_PUBLIC_URL": PUBLIC,
    **{f"{kind.upper()}_SECRET": signing.secret_of(kind).decode() for kind in signing.KINDS},
}

_MS: Final = 24 * 3600 * 1000
_DATE: Final = re.compile(r"2026-(11-01|10-3\d)(?=T)")


class Sample(NamedTuple):
    """One request as it should be. ``path`` with its query."""

    path: str
    body: bytes = b""
    method: str = "POST"
    kind: str = "application/json"
    """Content type."""
    sign: Callable[[bytes, int], Mapping[str, str]] = lambda _, __: {}
    """The body and ms -> headers that prove who sends it."""


def samples(now: int) -> list[Sample]:
    """Of every source. ``now``: ms; what they tell of has just happened."""
    return [*_segment(), *_events(now), *_snippet(now), *_pictures(), *_webhooks(now), *_pages()]


def recent(value: Any, now: int) -> Any:
    """With the times of the payloads, which all tell of one day, moved to just before ``now``."""
    if isinstance(value, dict):
        return {name: recent(one, now) for name, one in value.items()}
    if isinstance(value, list):
        return [recent(one, now) for one in value]
    if isinstance(value, str):
        if value.isdecimal() and value.isascii() and len(value) < 20:
            return str(recent(int(value), now))
        return _DATE.sub(datetime.fromtimestamp(now / 1000 - 86_400, UTC).date().isoformat(), value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        for unit in (1, 1000):
            if abs(value * unit - signing.RECEIVED) < _MS:
                return value + (now - 60_000 - signing.RECEIVED) // unit
    return value


def _basic(_: bytes, __: int) -> Mapping[str, str]:
    return BASIC


def _segment() -> list[Sample]:
    person = {"userId": "user-1", "anonymousId": "anon-1", "messageId": "m-1"}
    times = {"timestamp": "2026-11-20T10:00:00Z", "sentAt": "2026-11-20T10:00:01.5Z"}
    context = {
        "page": {"path": "/pricing", "referrer": "https://a.example/?q=1", "title": "Prices", "url": "/x?y"},
        "campaign": {"source": "autumn"},
        "traits": {"email": "anna@example.com"},
        "userAgent": "Mozilla/5.0",
        "groupId": "acme",
    }
    calls: dict[str, dict[str, Any]] = {
        "identify": {"traits": {"email": "anna@example.com", "title": "CEO", "address": {"city": "Bonn"}}},
        "track": {"event": "Task Created", "properties": {"plan": "pro", "n": 3, "tags": ["a", "b"]}},
        "page": {"name": "Pricing", "category": "Docs", "properties": {"url": "https://a.example/p?t=1"}},
        "screen": {"name": "Settings", "properties": {"dark": True}},
        "group": {"groupId": "acme", "traits": {"name": "Acme", "employees": 30}},
        "alias": {"previousId": "anon-1"},
    }
    made = {call: {**person, **times, "context": context, **more} for call, more in calls.items()}
    opened = {**person, "event": "Email Opened", "properties": {"email_subject": "Hello", "campaign_id": 7}}
    many = [{"type": call, **message} for call, message in made.items()]
    bodies = [(f"/v1/{call}", message) for call, message in made.items()]
    bodies += [(f"/v1/{call[0]}", message) for call, message in made.items()]
    bodies += [("/v1/track", opened), ("/v1/batch", {"batch": many, "sentAt": times["sentAt"]})]
    bodies += [
        ("/v1/import", {"batch": many * 20, "context": context}),
        ("/v1/b", {"batch": [many[1]] * 300}),
    ]
    found = [Sample(path, _json(body), sign=_basic) for path, body in bodies]
    unsigned = _json({**made["track"], "writeKey": WRITE_KEY})
    return [*found, Sample("/v1/t", unsigned, kind="text/plain")]


def _events(now: int) -> list[Sample]:
    def bearer(_: bytes, __: int) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {CRM_KEY}"}

    registry = Registry.load()
    one, many = "application/cloudevents+json", "application/cloudevents-batch+json"
    found, good = [], []
    for door in registry.doors:
        for judged in ("valid", "invalid"):
            for entry in registry.folder.joinpath(door.examples, judged).iterdir():
                body = entry.read_bytes()
                if len(body) < 100_000:
                    found.append(Sample("/v1/events", body, kind=one, sign=bearer))
                if judged == "valid":
                    good.append(recent(json.loads(body), now))
    found.append(Sample("/v1/events", _json(good), kind=many, sign=bearer))
    found += [Sample("/v1/events", _json(event), kind=one, sign=bearer) for event in good]
    return found


def _snippet(now: int) -> list[Sample]:
    base = {"time": now - 1000, "anonymousId": "v-1", "userId": "user-1", "path": "/pricing"}
    events: list[dict[str, Any]] = [
        {"type": "page", "title": "Prices", "host": "a.example", "referrer": "/x", "utm": {"source": "xing"}},
        {"type": "identify", "traits": {"email": "anna@example.com", "job": "CEO"}},
        {"type": "track", "name": "Clicked", "properties": {"n": 1}},
        {"type": "form", "form": "survey", "fields": {"a": "b"}, "traits": {"job": "CEO"}, "email": "a@b.de"},
    ]
    events = [{"id": f"e-{number}", **base, **event} for number, event in enumerate(events)]
    batches = [[event] for event in events] + [events, events * 25]
    return [
        Sample("/v1/snippet", _json({"key": SITE_KEY, "sentAt": now, "batch": batch}), kind="text/plain")
        for batch in batches
    ]


def _pictures() -> list[Sample]:
    mail = Mail("lead-17", "m-1", "autumn", "welcome", "newsletter")
    opened = Tokens("opens", [MAIL_SECRET.encode()]).make("pixel", mail)
    target = Mail("lead-17", "m-1", target="https://example.com/pricing")
    clicked = Tokens("clicks", [MAIL_SECRET.encode()]).make("link", target)
    query = urlencode({"key": SITE_KEY, "anonymous_id": "v-1", "path": "/pricing", "utm_source": "xing"})
    paths = [f"/v1/pixel/{opened}.gif", f"/v1/link/{clicked}", f"/v1/pixel/page.gif?{query}"]
    return [Sample(path, method="GET") for path in paths * 3]


def _webhooks(now: int) -> list[Sample]:
    found = []
    for folder in ("valid", "invalid"):
        for kind, name in signing.payloads(folder):
            body = signing.payload(kind, name, folder)
            with suppress(ValueError):  # which is what is invalid about it
                body = _json(recent(json.loads(body), now))
            found.append(_webhook(kind, body))
    challenge = urlencode(
        {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "meatyhamhock"}
    )
    return [*found, Sample(f"/v1/hooks/facebook?{challenge}", method="GET")]


def _webhook(kind: str, body: bytes) -> Sample:
    def sign(content: bytes, at: int) -> Mapping[str, str]:
        return signing.signed(kind, content, at).headers

    query = signing.URL.partition("?")[2]
    return Sample(f"/v1/hooks/{_NAMES[kind]}?{query}", body, sign=sign)


def mailgun(content: bytes) -> bytes:
    """With its signature in the body, where Mailgun has it."""
    return signing.signed("mailgun", content).body


def _pages() -> list[Sample]:
    paths = ["/openapi.json", "/asyncapi.json", "/livez", "/readyz", "/v1/scorer.js", "/", "/v1/nothing"]
    return [Sample(path, method="GET") for path in paths]


def basic(user: str) -> str:
    return "Basic " + b64encode(f"{user}:".encode()).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
