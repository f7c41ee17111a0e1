"""Every kind of source where the collector serves it: from a request to a fact, and what the sender hears."""

from __future__ import annotations

import pytest

from scorer.collector.picture import GIF
from scorer.collector.sources import KINDS, Mount
from scorer.collector.tokens import Mail, Tokens
from tests.unit.collector.asking import NOON, Asked
from tests.unit.collector.webhooks import signing

SECRET = "a secret of 32 characters......."
WEB = "web-1234567890123456"
KEYS = """
keys:
  site: {kind: snippet, secrets: [env:WEB], origins: [https://www.example.com]}
  plain: {kind: page, secrets: [env:WEB]}
  opens: {kind: pixel, secrets: [env:MAIL], rate: 1, burst: 1}
  clicks: {kind: link, secrets: [env:MAIL]}
  bounces: {kind: mailgun, secrets: [env:MAILGUN]}
"""
SECRETS = {"WEB": WEB, "MAIL": SECRET, "MAILGUN": "key-0123456789abcdef"}
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"}
MAIL = Mail("lead-17", "m-1", "autumn")
TARGET = "https://example.com/pricing"


@pytest.fixture
async def asked() -> Asked:
    return Asked(KEYS, SECRETS)


async def test_the_script_is_served(asked: Asked) -> None:
    reply = await asked("/v1/scorer.js", method="GET")
    assert reply.status == 200
    assert b"sendBeacon" in reply.body
    again = await asked("/v1/scorer.js", method="GET", headers={"if-none-match": reply.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


async def test_a_page_view_of_the_snippet_is_a_fact(asked: Asked) -> None:
    view = {"id": "e-1", "type": "page", "time": NOON, "anonymousId": "v-1", "path": "/pricing"}
    body = {"key": WEB, "sentAt": NOON, "batch": [view]}
    headers = {**BROWSER, "content-type": "text/plain", "origin": "https://www.example.com"}
    reply = await asked("/v1/snippet", body, headers)
    assert reply.status == 200, reply.body
    assert reply.headers["access-control-allow-origin"] == "https://www.example.com"
    assert [fact.source for fact in asked.facts()] == ["snippet/site"]
    assert (await asked("/v1/snippet", body, {**headers, "origin": "https://evil.example"})).status == 403
    assert (await asked("/v1/snippet", {**body, "key": "other"}, headers)).status == 401


async def test_pictures_and_redirects_answer_whatever_is_wrong(asked: Asked) -> None:
    token = Tokens("opens", [SECRET.encode()]).make("pixel", MAIL)
    for path in (f"/v1/pixel/{token}.gif", f"/v1/pixel/{token}.gif", "/v1/pixel/opens.spoilt.gif"):
        # The second is one more than the key's rate allows.
        reply = await asked(path, method="GET", headers=BROWSER)
        assert (reply.status, reply.body) == (200, GIF)
        assert "no-store" in reply.headers["cache-control"]
    assert [fact.type for fact in asked.facts()] == ["email.opened"]
    for path in ("/v1/pixel/nobody.token.gif", "/v1/pixel/page.gif?key=wrong", "/v1/pixel/page.gif"):
        assert (await asked(path, method="GET", headers=BROWSER)).body == GIF
    page = f"/v1/pixel/page.gif?key={WEB}&anonymous_id=v-1&path=/pricing"
    assert (await asked(page, method="GET", headers=BROWSER)).body == GIF
    assert [fact.type for fact in asked.facts()] == ["email.opened", "page.viewed"]


async def test_a_tracked_link_leads_on_with_kafka_and_without(asked: Asked) -> None:
    token = Tokens("clicks", [SECRET.encode()]).make("link", Mail("lead-17", "m-1", target=TARGET))
    for silent in (False, True):
        asked.producer.silent = silent
        reply = await asked(f"/v1/link/{token}", method="GET", headers=BROWSER)
        assert (reply.status, reply.headers["location"]) == (302, TARGET)
    assert {fact.type for fact in asked.facts()} == {"email.clicked"}
    spoilt = await asked(f"/v1/link/{token[:-1]}", method="GET", headers=BROWSER)
    assert spoilt.status == 404
    assert "location" not in spoilt.headers


async def test_a_webhook_is_verified_and_counted(asked: Asked) -> None:
    body = signing.payload("mailgun", "clicked")
    signed = signing.signed("mailgun", body, secret=SECRETS["MAILGUN"].encode())
    reply = await asked("/v1/hooks/bounces", signed.body, dict(signed.headers))
    assert reply.status == 200, reply.body
    assert [fact.source for fact in asked.facts()] == ["mailgun/bounces"]
    assert (await asked("/v1/hooks/bounces", signed.body.replace(b"clicked", b"clickeD"))).status in {
        401,
        406,
    }
    assert (await asked("/v1/hooks/nobody", signed.body)).status == 401


def test_every_kind_has_its_place() -> None:
    mounts: dict[str, list[str]] = {}
    for name, kind in KINDS.items():
        mounts.setdefault(kind.mount, []).append(name)
    assert len(mounts.pop(Mount.HOOK)) == 8
    assert all(len(kinds) == 1 for kinds in mounts.values()), mounts
