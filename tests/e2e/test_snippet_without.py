"""The web snippet in a real Chromium that lacks something, or will not do it."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext

from tests.e2e.snippet_page import DOWN, made, quiet, ready, stored, track
from tests.e2e.snippet_server import PLAIN, Server, until

pytestmark = [pytest.mark.chromium]


def test_without_storage(server: Server, visitor: BrowserContext) -> None:
    server.page("/", headers={"Content-Security-Policy": "sandbox allow-scripts"})
    page = visitor.new_page()
    page.goto(server.site)
    ready(page)
    assert page.evaluate("try { localStorage; 'there' } catch (e) { e.name }") == "SecurityError"
    server.wait(1)
    server.failing = DOWN
    track(page, 1)
    until(lambda: server.posts[-1].status == 503, "an attempt")
    track(page, 2)
    server.failing = None
    server.wait(3)
    quiet()
    assert made(server.taken("track")) == [1, 2]
    assert len({event["anonymousId"] for event in server.taken()}) == 1
    track(page, 3)
    page.goto("about:blank")
    server.wait(4)


def test_a_full_storage(server: Server, visitor: BrowserContext) -> None:
    server.page(
        "/",
        before="try { for (let i = 0, t = 'x'.repeat(1e5); ; i++) localStorage['x' + i] = t } catch (e) {}"
        " try { for (let i = 0; ; i++) localStorage['y' + i] = '' } catch (e) {}",
    )
    page = visitor.new_page()
    page.goto(server.site)
    ready(page)
    track(page, 1)
    server.wait(2)
    assert not [name for name in stored(page) if name.startswith("scorer.")]
    assert len({event["anonymousId"] for event in server.taken()}) == 1


def test_without_locks(server: Server, visitor: BrowserContext) -> None:
    server.page("/")
    address = server.site.replace("127.0.0.1", PLAIN)
    pages = [visitor.new_page() for _ in range(2)]
    for page in pages:
        page.goto(address)
        ready(page)
    assert pages[0].evaluate("[isSecureContext, navigator.locks]") == [False, None]
    for number in range(20):
        track(pages[number % 2], number)
    server.wait(22)
    quiet()
    assert sorted(made(server.distinct("track"))) == list(range(20))
    assert stored(pages[0]) == ["scorer.id"]
