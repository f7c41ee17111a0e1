"""The web snippet in a real Chromium: nothing is stored or sent that may not be."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import BrowserContext

from tests.e2e.snippet_page import DOWN, quiet, ready, stored, track
from tests.e2e.snippet_server import Failing, Server, until

pytestmark = [pytest.mark.chromium]


def test_nothing_before_consent_and_nothing_after_it_is_withdrawn(
    server: Server, visitor: BrowserContext
) -> None:
    for path in ("/a", "/b"):
        server.page(
            path, options='data-consent="required"', before="scorer.push(['identify', 'u-1', {job: 'CEO'}])"
        )
    page = visitor.new_page()
    page.goto(server.site + "/a")
    ready(page)
    track(page, "before")
    page.evaluate("history.pushState({}, '', '/a2')")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    quiet()
    page.goto(server.site + "/a")
    ready(page)
    assert server.posts == []
    assert stored(page) == []
    assert visitor.cookies() == []

    page.evaluate("scorer.consent(true)")
    events = server.wait(2)
    assert [event["type"] for event in events] == ["identify", "page"]
    assert events[0]["traits"] == {"job": "CEO"}
    page.goto(server.site + "/b")
    server.wait(4)
    assert {event["anonymousId"] for event in server.distinct()} == {events[0]["anonymousId"]}

    server.failing = DOWN
    ready(page)
    track(page, "waiting")
    other = visitor.new_page()
    other.goto(server.site + "/a")
    ready(other)
    until(lambda: any(post.status == 503 for post in server.posts), "an attempt")
    page.evaluate("scorer.consent(false)")
    assert stored(page) == stored(other) == []
    server.failing = None
    track(page, "after")
    track(other, "after")
    taken = len(server.taken())
    quiet()
    page.goto(server.site + "/b")
    quiet()
    assert len(server.taken()) == taken
    assert stored(page) == []
    page.evaluate("scorer.consent(true)")
    server.wait(taken + 2)
    assert server.taken()[-1]["anonymousId"] != events[0]["anonymousId"]
    assert "waiting" not in str(server.taken())
    assert "after" not in str(server.taken())


def test_consent_withdrawn_while_a_request_is_on_its_way(server: Server, visitor: BrowserContext) -> None:
    server.page("/", options='data-consent="required"')
    page = visitor.new_page()
    page.goto(server.site)
    ready(page)

    def slow() -> Failing:
        time.sleep(1)
        return DOWN

    server.failing = slow
    with page.expect_request("**/v1/snippet"):
        page.evaluate("scorer.consent(true)")
    page.evaluate("scorer.consent(false)")
    until(lambda: server.posts, "the end of it")
    time.sleep(0.3)
    assert stored(page) == []


def test_who_objects_where_nobody_asks(server: Server, visitor: BrowserContext) -> None:
    server.page("/")
    page = visitor.new_page()
    page.goto(server.site)
    server.wait(1)
    page.evaluate("scorer.consent(false)")
    page.reload()
    ready(page)
    track(page, 1)
    quiet()
    assert len(server.taken()) == 1
    assert stored(page) == ["scorer.consent"]
    page.evaluate("scorer.consent(true)")
    server.wait(2)


@pytest.mark.parametrize("options", ["", 'data-consent="required"'])
def test_global_privacy_control(server: Server, visitor: BrowserContext, options: str) -> None:
    server.page("/", options=options)
    page = visitor.new_page()
    page.goto(server.site + "/without-the-snippet")
    page.evaluate("localStorage.setItem('scorer.id', 'from before'); localStorage.setItem('other', 'stays')")
    page.evaluate("localStorage.setItem('scorer.q1', '{}')")
    visitor.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    page.goto(server.site)
    ready(page)
    page.evaluate("scorer.consent(true)")
    page.evaluate("scorer.identify('u-1', {email: 'anna@example.com'})")
    track(page, 1)
    page.evaluate("history.pushState({}, '', '/b')")
    quiet()
    page.goto("about:blank")
    page.goto(server.site)
    ready(page)
    assert stored(page) == ["other"]
    assert server.posts == []
