"""The web snippet in a real Chromium: nothing is lost and nothing counts twice, whatever happens."""

from __future__ import annotations

import random
import time
from collections import Counter
from itertools import cycle, pairwise

import pytest
from playwright.sync_api import BrowserContext

from tests.e2e.snippet_page import DOWN, made, quiet, ready, stored, track
from tests.e2e.snippet_server import Failing, Server, until

pytestmark = [pytest.mark.chromium]


@pytest.mark.parametrize(
    "failing",
    [
        DOWN,
        Failing(429, {"Retry-After": "1"}),
        Failing(500),
        Failing(0),
        Failing(0, after_taking=True),
        Failing(403),
    ],
    ids=["503", "429", "500", "cut", "answer lost", "403"],
)
def test_an_outage_and_a_reload_in_it(server: Server, visitor: BrowserContext, failing: Failing) -> None:
    server.page("/a")
    server.page("/b")
    server.failing = failing
    page = visitor.new_page()
    page.goto(server.site + "/a")
    ready(page)
    track(page, 1, 2)
    until(lambda: len(server.posts) >= 1, "an attempt")
    page.reload()
    ready(page)
    track(page, 3)
    page.goto(server.site + "/b")
    ready(page)
    track(page, 4)
    until(lambda: len(server.posts) >= 2, "another attempt")
    server.failing = None
    server.wait(7)
    quiet()
    assert made(server.distinct("track")) == [1, 2, 3, 4]
    assert [event["path"] for event in server.distinct("page")] == ["/a", "/a", "/b"]
    if not failing.after_taking:
        beacons = [post for post in server.posts if post.headers["sec-fetch-mode"] == "no-cors"]
        again = Counter(event["id"] for event in server.taken())
        # A page that is left can't hear what has become of its last words: the next one repeats them.
        assert {id_ for id_, times in again.items() if times > 1} <= {
            event["id"] for post in beacons for event in post.events
        }
    until(lambda: stored(page) == ["scorer.id"], "an empty queue")


def test_nobody_listens(server: Server, visitor: BrowserContext) -> None:
    server.page("/a")
    page = visitor.new_page()
    page.goto(server.site + "/a")
    server.wait(1)
    server.down()
    track(page, *range(60))
    quiet()
    server.up()
    server.wait(61)
    quiet()
    assert made(server.distinct("track")) == list(range(60))
    assert set(Counter(event["id"] for event in server.taken()).values()) == {1}


def test_retry_after_is_honoured_by_all_tabs_and_after_a_reload(
    server: Server, visitor: BrowserContext
) -> None:
    server.page("/")
    server.failing = Failing(503, {"Retry-After": "4"})
    page = visitor.new_page()
    page.goto(server.site)
    until(lambda: "scorer.wait" in stored(page), "an attempt that was heard")
    server.failing = None
    page.reload()
    ready(page)
    other = visitor.new_page()
    other.goto(server.site)
    ready(other)
    track(page, 1)
    track(other, 2)
    server.wait(5)
    assert server.posts[1].at - server.posts[0].at > 3.9
    assert set(Counter(event["id"] for event in server.taken()).values()) == {1}


def test_tries_become_rarer(server: Server, visitor: BrowserContext) -> None:
    server.page("/")
    server.failing = Failing(500)
    page = visitor.new_page()
    page.goto(server.site)
    until(lambda: len(server.posts) >= 4, "four attempts")
    times = [post.at for post in server.posts]
    for number, (one, next_) in enumerate(pairwise(times)):
        assert next_ - one > 0.45 * 2**number


def test_two_tabs(server: Server, visitor: BrowserContext) -> None:
    server.page("/")
    pages = [visitor.new_page() for _ in range(2)]
    for page in pages:
        page.goto(server.site)
        ready(page)
    for number in range(20):
        track(pages[number % 2], number)
    server.wait(22)
    server.failing = DOWN
    for number in range(20, 40):
        track(pages[number % 2], number)
    until(lambda: server.posts[-1].status == 503, "an attempt")
    # A tab that is closed leaves its events to the other.
    pages.pop().close()
    server.failing = None
    track(pages[0], 40)
    server.wait(43)
    quiet()
    assert sorted(made(server.distinct("track"))) == list(range(41))
    beacons = {
        event["id"]
        for post in server.posts
        if post.headers["sec-fetch-mode"] == "no-cors"
        for event in post.events
    }
    again = Counter(event["id"] for event in server.taken())
    assert {id_ for id_, times in again.items() if times > 1} <= beacons
    assert len({event["anonymousId"] for event in server.taken()}) == 1


def test_whatever_happens_nothing_is_lost_or_counted_twice(server: Server, visitor: BrowserContext) -> None:
    server.page("/")
    dice = random.Random(8)
    lost = Failing(0, after_taking=True)
    kinds = cycle([lost, DOWN, Failing(0), None, lost, Failing(500), Failing(429, {"Retry-After": "0"})])
    server.failing = lambda: next(kinds)
    pages = [visitor.new_page() for _ in range(2)]
    for page in pages:
        page.goto(server.site)
        ready(page)
    views, number = 2, 0
    for _ in range(40):
        page = dice.choice(pages)
        if dice.random() < 0.25:
            page.reload()
            ready(page)
            views += 1
        else:
            for _ in range(dice.randrange(1, 4)):
                track(page, number)
                number += 1
        time.sleep(dice.random() / 10)
    server.failing = None
    server.wait(views + number)
    quiet()
    assert Counter(made(server.distinct("track"))) == Counter(range(number))
    assert len(server.distinct("page")) == views
    assert len([post for post in server.posts if not post.taken]) >= 2
    assert len([post for post in server.posts if post.taken and post.status == 0]) >= 1


def test_on_leave(server: Server, visitor: BrowserContext) -> None:
    server.page("/")
    page = visitor.new_page()
    page.goto(server.site)
    ready(page)
    server.wait(1)
    page.evaluate("for (let i = 0; i < 40; i++) scorer.track('Made', {name: i, text: 'ü'.repeat(400)})")
    page.goto("about:blank")
    server.wait(41)
    left = [post for post in server.posts if post.headers["sec-fetch-mode"] == "no-cors"]
    assert left
    assert all(int(post.headers["content-length"]) < 65_536 for post in server.posts)
    assert made(server.distinct("track")) == list(range(40))


def test_the_queue_is_bounded(server: Server, visitor: BrowserContext) -> None:
    server.page("/")
    page = visitor.new_page()
    page.goto(server.site)
    ready(page)
    server.wait(1)
    server.failing = DOWN
    track(page, "first")
    until(lambda: server.posts[-1].status == 503, "an attempt")
    page.evaluate("for (let i = 0; i < 400; i++) scorer.track('Made', {name: i})")
    assert len([name for name in stored(page) if name.startswith("scorer.q")]) == 250
    server.failing = None
    server.wait(251)
    quiet()
    assert made(server.distinct("track")) == list(range(150, 400))


def test_one_bad_event_does_not_hold_back_the_others(server: Server, visitor: BrowserContext) -> None:
    server.page("/")
    page = visitor.new_page()
    page.goto(server.site)
    ready(page)
    server.wait(1)
    page.evaluate(
        "track => { scorer.track('Made', {name: 1}); localStorage.setItem('scorer.q1', '{broken');"
        " scorer.track('Made', {name: 2}) }"
    )
    server.wait(3)
    assert made(server.distinct("track")) == [1, 2]
    assert {post.status for post in server.posts} == {204, 400}
    until(lambda: stored(page) == ["scorer.id"], "an empty queue")
