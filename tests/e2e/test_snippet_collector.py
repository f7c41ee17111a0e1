"""The web snippet in a real Chromium, `scorer collector` as a process and a real Kafka.

Judged by what arrives in the lead log. What needs a collector that misbehaves on command is tested in the
neighbouring modules, with one of the tests' own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page

from scorer.dev.kafka import KafkaCluster
from scorer.domain.record import Bind, Fact
from scorer.settings import Settings
from scorer.wire.identity import Identity
from tests.e2e.snippet_page import quiet, ready, stored
from tests.e2e.snippet_server import KEY, Server, until
from tests.kafka_fixtures import _delete_topics
from tests.support.collecting import CollectorProcess
from tests.support.intake import Written, facts, prepare, read_log

pytestmark = [pytest.mark.chromium]

KEYS = """
keys:
  web:
    kind: snippet
    secrets: [env:SNIPPET_KEY]
    origins: ["{site}"]
"""
QUERY = "?email=a@b.example&utm_source=linkedin&utm_medium=social&utm_content=launch"
IDENTITY = Identity("test")


def lead(kind: str, value: str) -> bytes:
    return IDENTITY._of_identifier(kind, value)


class Collecting:
    """A site whose pages lead to a real collector, which can be killed and come back."""

    def __init__(self, settings: Settings, folder: Path, site: Server) -> None:
        self.site = site
        self.settings = settings
        self._folder = folder
        self._running: CollectorProcess | None = None
        self._port = 0
        self._before: set[bytes] = set()
        self.start()

    def start(self) -> None:
        """Again at the same address."""
        keys = KEYS.format(site=self.site.site)
        self._running = CollectorProcess(
            self.settings, self._folder, keys=keys, environment={"SNIPPET_KEY": KEY}, port=self._port
        ).ready()
        self._port = self._running.port
        self.site.elsewhere = self._running.url

    def kill(self) -> None:
        assert self._running is not None
        children = self._running.children()
        self._running.process.kill()
        self._running.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the end of its children")

    def refused(self, status: int) -> bool:
        """Whether a request of the key has been answered so."""
        assert self._running is not None
        shown = self._running.status("/metrics")[1]
        return f'scorer_collector_requests_total{{key="web",status="{status}"}}' in shown

    def close(self) -> None:
        if self._running is not None:
            self._running.__exit__()

    def begin(self) -> None:
        """What is in the log so far is another test's."""
        self._before = {fact.digest for _, fact in facts(read_log(self.settings))}

    def log(self) -> list[Written]:
        """Since then; binds of all tests."""
        return [
            written
            for written in read_log(self.settings)
            if not isinstance(written.record, Fact) or written.record.digest not in self._before
        ]

    def facts(self, kind: str | None = None) -> list[Fact]:
        """Since then, in the order in which they happened."""
        found = [fact for _, fact in facts(self.log()) if kind in {None, fact.type}]
        return sorted(found, key=lambda fact: (fact.time, fact.id))

    def wait(self, count: int, kind: str | None = None) -> list[Fact]:
        """Once so many different ones are there; a repetition counts as scoring counts it."""

        def there() -> list[Fact]:
            found = list({fact.digest: fact for fact in self.facts(kind)}.values())
            return found if len(found) >= count else []

        return until(there, f"{count} facts of {kind or 'any type'}; there are {self.facts(kind)}", 60)


@pytest.fixture(scope="module")
def running(kafka: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    prefix = f"snippet-{uuid4().hex[:6]}."
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=prefix, lead_secret="test")
    prepare(settings)
    site = Server()
    running = Collecting(settings, tmp_path_factory.mktemp("collector"), site)
    yield running
    running.close()
    site.close()
    _delete_topics(kafka.bootstrap, prefix)


@pytest.fixture
def collecting(running: Collecting) -> Collecting:
    running.begin()
    return running


@pytest.fixture
def opened(collecting: Collecting, visitor: BrowserContext) -> Callable[..., Page]:
    """Opens a page of the site that has the snippet."""

    def open_(path: str, query: str = "", **options: Any) -> Page:
        collecting.site.page(path, **options)
        page = visitor.new_page()
        page.goto(collecting.site.site + path + query)
        ready(page)
        return page

    return open_


def made(page: Page, *numbers: int) -> None:
    for number in numbers:
        page.evaluate("number => scorer.track('Made', {number})", number)


def anonymous_id(page: Page) -> str:
    found: str = page.evaluate("localStorage['scorer.id']")
    return found


def test_a_page_view_and_the_post_that_led_there(collecting: Collecting, opened: Callable[..., Page]) -> None:
    before = int(time.time() * 1000)
    page = opened(
        "/pricing",
        "?email=a@b.example&utm_source=linkedin&utm_medium=social&utm_content=launch",
        title="Pricing",
    )
    viewed, clicked = sorted(collecting.wait(2), key=lambda fact: fact.type)
    assert (viewed.type, viewed.source) == ("page.viewed", "snippet/web")
    assert viewed.properties == {
        "path": "/pricing",
        "title": "Pricing",
        "host": collecting.site.site.removeprefix("http://"),
        "utm.source": "linkedin",
        "utm.medium": "social",
        "utm.content": "launch",
    }
    assert (clicked.type, clicked.properties) == (
        "social.clicked",
        {"network": "linkedin", "post": "launch"},
    )
    assert before <= viewed.time <= viewed.received <= time.time() * 1000
    whose = {written.lead for written, _ in facts(collecting.log())}
    assert whose == {lead("anonymous_id", anonymous_id(page))}
    until(lambda: stored(page) == ["scorer.id"], "an empty queue")


def test_navigation_within_a_page(collecting: Collecting, opened: Callable[..., Page]) -> None:
    page = opened("/a", title="A")
    for path in ("/b", "/b?page=2", "/c#/inner?token=1"):
        page.evaluate("to => history.pushState({}, '', to)", path)
        page.wait_for_timeout(20)
    page.evaluate("history.go(-1)")
    found = collecting.wait(4, "page.viewed")
    assert [fact.properties["path"] for fact in found] == ["/a", "/b", "/c#/inner", "/b"]


def test_who_it_is(collecting: Collecting, opened: Callable[..., Page]) -> None:
    page = opened("/a")
    page.evaluate("scorer.identify({email: 'Anna@Example.com', job: 'CEO', name: 'Anna'})")
    page.evaluate("scorer.track('Trial Started', {plan: 'pro'})")
    page.evaluate("scorer.identify('u-1')")
    page.evaluate("scorer.track('Task Created')")
    collecting.wait(5)
    log = collecting.log()
    by_type = {fact.type: written.lead for written, fact in facts(log) if fact.type != "profile.updated"}
    visitor, anna = lead("anonymous_id", anonymous_id(page)), lead("email", "anna@example.com")
    assert by_type["app.trial_started"] == by_type["page.viewed"] == visitor
    assert by_type["app.task_created"] == lead("user_id", "u-1")
    # The visitor is Anna, and u-1 is the visitor: so they are one person.
    joined = {(written.lead, written.record.other) for written in log if isinstance(written.record, Bind)}
    assert joined == {(visitor, anna), (visitor, lead("user_id", "u-1"))}
    profiles = collecting.facts("profile.updated")
    assert [fact.properties for fact in profiles] == [{"job": "CEO"}, {}]
    assert "anna" not in str(log).lower()


def test_nothing_before_consent_and_nothing_after_it(
    collecting: Collecting, opened: Callable[..., Page]
) -> None:
    collecting.site.page("/b", options='data-consent="required"')
    page = opened("/a", options='data-consent="required"')
    made(page, 1)
    page.evaluate("history.pushState({}, '', '/b')")
    quiet()
    assert collecting.facts() == []
    page.evaluate("scorer.consent(true)")
    made(page, 2)
    collecting.wait(2)
    page.evaluate("scorer.consent(false)")
    made(page, 3)
    page.reload()
    ready(page)
    made(page, 4)
    quiet()
    assert [fact.type for fact in collecting.facts()] == ["page.viewed", "app.made"]
    assert [fact.properties["path"] for fact in collecting.facts("page.viewed")] == ["/b"]
    assert stored(page) == []


def test_a_page_of_another_origin_is_none_of_this_key(
    collecting: Collecting, opened: Callable[..., Page]
) -> None:
    page = opened("/a")
    collecting.wait(1)
    assert not collecting.refused(403)
    page.goto(collecting.site.site.replace("127.0.0.1", "localhost") + "/a")
    until(lambda: collecting.refused(403), "a request that was refused")
    assert len(collecting.facts()) == 1
    assert "scorer.wait" in stored(page), "it will try again: the key may be put right"


def test_a_collector_that_is_killed_and_comes_back_has_lost_and_doubled_nothing(
    collecting: Collecting, opened: Callable[..., Page]
) -> None:
    page = opened("/a")
    other = opened("/b")
    collecting.wait(2)
    # In the middle of it: what is on its way may be taken without an answer.
    for number in range(30):
        made(page if number % 2 else other, number)
    until(lambda: len(collecting.facts("app.made")) >= 1, "the first of them")
    collecting.kill()
    made(page, *range(30, 40))
    page.reload()  # the script is not there now, or from the browser's cache
    collecting.start()
    page.reload()
    ready(page)
    made(page, 40)
    collecting.wait(41, "app.made")
    until(lambda: stored(page) == ["scorer.id"], "an empty queue")
    quiet()
    distinct = {fact.digest: fact for fact in collecting.facts("app.made")}
    assert sorted(fact.properties["number"] for fact in distinct.values()) == list(range(41))
    # Each has one id for good, so that a repetition is one to the score too.
    ids = {fact.properties["number"]: fact.id for fact in distinct.values()}
    assert all(ids[fact.properties["number"]] == fact.id for fact in collecting.facts("app.made"))
    assert len({fact.properties["path"] for fact in collecting.facts("page.viewed")}) == 2


def test_a_kafka_that_stands_still_loses_and_doubles_nothing(
    tmp_path: Path, server: Server, visitor: BrowserContext
) -> None:
    with KafkaCluster() as cluster:  # one of its own, to be hurt
        settings = Settings(bootstrap=cluster.bootstrap, lead_secret="test")
        prepare(settings)
        collecting = Collecting(settings, tmp_path, server)
        try:
            server.page("/a")
            page = visitor.new_page()
            page.goto(server.site + "/a")
            ready(page)
            collecting.wait(1)
            (node,) = cluster.node_ids
            cluster.pause(node)
            with page.expect_response(lambda answer: answer.status == 503):
                made(page, 1, 2, 3)
            # The first may be on their way to Kafka; what comes now is not taken at all.
            with page.expect_response(lambda answer: answer.status == 503):
                made(page, 4)
            page.reload()
            ready(page)
            cluster.resume(node)
            collecting.wait(4, "app.made")
            collecting.wait(2, "page.viewed")
            until(lambda: stored(page) == ["scorer.id"], "an empty queue")
            found = collecting.facts("app.made")
            assert sorted({fact.properties["number"] for fact in found}) == [1, 2, 3, 4]
            assert len({fact.id for fact in found}) == 4
        finally:
            collecting.close()
