"""Vendors' SDKs for browsers, unmodified, in a real Chromium: what they send to the collector is there, once.

The pages are of another origin than the collector. Nothing is asked of any other host.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from scorer.dev.kafka import KafkaCluster
from scorer.settings import Settings
from tests.e2e.snippet_server import Server
from tests.support.collecting import WRITE_KEY, CollectorProcess
from tests.support.intake import PATIENCE, facts, prepare, read_log
from tests.support.relay import Relay, Trouble, relayed
from tests.support.sdks import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page, Route

    from scorer.domain.record import Fact

pytestmark = pytest.mark.chromium

KEYS = """
keys:
  web:
    kind: segment
    secrets: [env:WEB_KEY]
    origins: [{origin}]
"""
SCRIPTS = {
    "/segment.js": "@segment/analytics-next/dist/umd/index.js",
    "/rudder.js": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
}
PAGE = """<!doctype html><html><head><title>Prices</title><script src="{script}"></script></head><body>
<script>const url = {url}, key = {key}; {loading}</script></body></html>"""
SEGMENT = """
const ours = {{apiHost: new URL(url).host + '/v1', protocol: 'http', deliveryStrategy: {strategy}}};
window.analytics = AnalyticsNext.AnalyticsBrowser.load(
  {{writeKey: key, cdnSettings: {{integrations: {{'Segment.io': {{apiKey: key, ...ours}}}}}}}},
  {{integrations: {{'Segment.io': ours}}}},
);
"""
RUDDER = """
window.analytics = new rudderanalytics.RudderAnalytics();
analytics.load(key, url, {{
  getSourceConfig: () => ({{source: {{
    id: 'source', name: 'source', writeKey: key, enabled: true, workspaceId: 'workspace', destinations: [],
    config: {{statsCollection: {{errors: {{enabled: false}}, metrics: {{enabled: false}}}}}},
  }}}}),
  sendAdblockPage: false, {more}
}});
"""
LOADING = {
    "segment": ("/segment.js", SEGMENT.format(strategy="undefined")),
    "segment in batches": (
        "/segment.js",
        SEGMENT.format(strategy="{strategy: 'batching', config: {size: 4, timeout: 200}}"),
    ),
    "rudder": ("/rudder.js", RUDDER.format(more="")),
    "rudder in batches": (
        "/rudder.js",
        RUDDER.format(more="queueOptions: {batch: {enabled: true, maxItems: 4, flushInterval: 200}},"),
    ),
}
CALLS = """() => {
  analytics.page('Docs', 'Pricing', {plan: 'pro'});
  analytics.track('Task Created', {number: 0});
  analytics.identify('user-1', {email: 'anna@example.com', title: 'CEO', name: 'Anna'});
  analytics.group('acme', {name: 'Acme', employees: 30});
  analytics.alias('user-2', 'user-1');
  if (analytics.screen) analytics.screen('Settings');
}"""
TRACKS = 20


class Visit:
    """A page with an SDK, of which every request is known."""

    def __init__(self, visitor: BrowserContext, server: Server, sdk: str, url: str) -> None:
        self.strangers: list[str] = []
        self.said: list[str] = []
        script, loading = LOADING[sdk]
        self.known = {urlsplit(one).netloc for one in (server.site, url)}
        for path, file in SCRIPTS.items():
            kind = {"Content-Type": "text/javascript; charset=utf-8"}
            server.pages[path] = ((installed() / file).read_text(), kind)
        page = PAGE.format(script=script, url=json.dumps(url), key=json.dumps(WRITE_KEY), loading=loading)
        server.pages["/pricing"] = (page, {})
        visitor.route("**/*", self._asked)
        self.page: Page = visitor.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(f"{server.site}/pricing?email=anna@example.com")

    def _asked(self, route: Route) -> None:
        if urlsplit(route.request.url).netloc in self.known:
            route.fallback()
        else:
            self.strangers.append(route.request.url)
            route.abort()

    def track(self, first: int, end: int) -> None:
        numbers = list(range(first, end))
        self.page.evaluate(
            "numbers => { for (const number of numbers) analytics.track('Task Created', {number}) }", numbers
        )

    def wait_for(self, settings: Settings, events: int) -> dict[str, Fact]:
        """Events by id, when there are so many; repetitions are the same event."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = [fact for _, fact in facts(read_log(settings))]
            by_id = {fact.id: fact for fact in found}
            assert len({(fact.source, fact.id, fact.type) for fact in found}) == len(by_id)
            if len(by_id) >= events:
                return by_id
            types = Counter(fact.type for fact in by_id.values())
            assert time.monotonic() < deadline, (types, self.said, self.strangers)
            self.page.wait_for_timeout(100)


@pytest.fixture
def settings(kafka: KafkaCluster, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")


@pytest.fixture
def collector(settings: Settings, server: Server, tmp_path: Path) -> Iterator[CollectorProcess]:
    installed()
    prepare(settings)
    with CollectorProcess(settings, tmp_path, keys=KEYS.format(origin=server.site)) as running:
        yield running.ready()


@pytest.fixture
def relay(collector: CollectorProcess) -> Iterator[Relay]:
    """Its first request arrives, then some don't."""
    troubles = (None, Trouble.BUSY, Trouble.UNHEARD, Trouble.CUT, None, Trouble.UNHEARD)
    with relayed(collector.port, *troubles) as relay:
        yield relay


def numbers(found: dict[str, Fact]) -> Any:
    return sorted(fact.properties["number"] for fact in found.values() if fact.type == "app.task_created")


@pytest.mark.parametrize("sdk", list(LOADING))
def test_each_call_arrives_once(
    visitor: BrowserContext, server: Server, collector: CollectorProcess, settings: Settings, sdk: str
) -> None:
    visit = Visit(visitor, server, sdk, collector.url)
    visit.page.evaluate(CALLS)
    visit.track(1, TRACKS)
    screens = visit.page.evaluate("Number('screen' in analytics)")
    assert screens == int("segment" in sdk)
    found = visit.wait_for(settings, TRACKS + 4 + screens)
    visit.page.wait_for_timeout(1_000)
    assert len(list(facts(read_log(settings)))) == len(found), "each once, and nothing else"
    assert visit.strangers == []
    types = {"page.viewed": 1, "app.task_created": TRACKS, "profile.updated": 2, "profile.linked": 1}
    assert Counter(fact.type for fact in found.values()) == Counter(types | {"app.screen_viewed": screens})
    assert numbers(found) == list(range(TRACKS))
    by_type = {fact.type: fact for fact in found.values()}
    viewed = by_type["page.viewed"].properties
    wanted = {
        "path": "/pricing",
        "page_name": "Pricing",
        "category": "Docs",
        "title": "Prices",
        "plan": "pro",
    }
    assert viewed.items() >= wanted.items()
    assert "anna" not in str(viewed), "the page's address had her address in it"
    profiles = [fact for fact in found.values() if fact.type == "profile.updated"]
    assert {"job": "CEO"} in [fact.properties for fact in profiles]
    assert {fact.account for fact in profiles} == {"@example.com", "acme"}
    assert {fact.source for fact in found.values()} == {"segment/web"}
    now = time.time() * 1000
    assert all(now - 60_000 < fact.time <= now for fact in found.values())


@pytest.mark.parametrize("sdk", list(LOADING))
def test_an_outage_loses_and_doubles_nothing(
    visitor: BrowserContext, server: Server, relay: Relay, settings: Settings, sdk: str
) -> None:
    visit = Visit(visitor, server, sdk, relay.url)
    for first in range(0, TRACKS, 4):
        visit.track(first, first + 4)
        visit.page.wait_for_timeout(300)
    found = visit.wait_for(settings, TRACKS)
    assert numbers(found) == list(range(TRACKS))
    assert set(relay.met) == set(Trouble)
    assert set(relay.statuses) == {200}


def test_a_page_of_another_origin_is_refused(
    visitor: BrowserContext, server: Server, settings: Settings, tmp_path: Path
) -> None:
    installed()
    prepare(settings)
    keys = KEYS.format(origin="https://www.example.com")
    with CollectorProcess(settings, tmp_path, keys=keys) as running, relayed(running.ready().port) as relay:
        visit = Visit(visitor, server, "segment", relay.url)
        visit.track(0, 1)
        running.wait_for(
            lambda: any("CORS" in line for line in visit.said) or visit.page.wait_for_timeout(100)
        )
        assert set(relay.statuses) <= {403}
    assert list(facts(read_log(settings))) == []
