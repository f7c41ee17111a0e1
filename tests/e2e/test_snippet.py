"""The web snippet in a real Chromium: what a visitor does is seen, and no more than that."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import BrowserContext

from tests.e2e.snippet_page import data_of, made, quiet, ready, stored
from tests.e2e.snippet_server import Server, until

pytestmark = [pytest.mark.chromium]


def test_a_page_view(server: Server, visitor: BrowserContext) -> None:
    server.page("/pricing", title="Pricing")
    page = visitor.new_page()
    address = "/pricing?email=a@b.example&utm_source=LinkedIn&utm_medium=social&utm_content=launch#plans"
    page.goto(server.site + address, referer="https://search.example/find?q=secret")
    (event,) = server.wait(1)
    assert "secret" not in str(event)
    assert "a@b.example" not in str(event)
    assert server.preflights == 0
    assert server.posts[0].headers["content-type"] == "text/plain;charset=UTF-8"
    assert "cookie" not in server.posts[0].headers
    (viewed,) = data_of(server, "page.viewed")
    assert viewed == {
        "path": "/pricing",
        "title": "Pricing",
        "host": server.site.removeprefix("http://"),
        "referrer": viewed["referrer"],
        "utm": {"source": "LinkedIn", "medium": "social", "content": "launch"},
        "anonymous_id": event["anonymousId"],
    }
    assert data_of(server, "social.clicked") == [
        {"network": "linkedin", "post": "launch", "anonymous_id": event["anonymousId"]}
    ]
    assert server.refused == []
    # Kept is who it is, and nothing else once it was taken.
    until(lambda: stored(page) == ["scorer.id"], "an empty queue")


def test_navigation_within_a_page(server: Server, visitor: BrowserContext) -> None:
    server.page("/a", title="A")
    page = visitor.new_page()
    page.goto(server.site + "/a")
    ready(page)
    go = "([to, title]) => { history.pushState({}, '', to); document.title = title }"
    for to, title in (("/b", "B"), ("/b?page=2", "B"), ("/b#comments", "B"), ("/c#/inner?token=1", "C")):
        page.evaluate(go, [to, title])
        page.wait_for_timeout(20)
    page.evaluate("history.replaceState({scroll: 7}, '')")
    page.evaluate("location.hash = '#/other'")
    page.wait_for_timeout(20)
    page.evaluate("history.go(-1)")
    page.wait_for_url("**/c#/inner**")
    page.evaluate("history.pushState({}, '', '/login'); history.replaceState({}, '', '/home')")
    events = server.wait(6)
    assert [(event["path"], event["title"]) for event in events] == [
        ("/a", "A"),
        ("/b", "B"),
        ("/c#/inner", "C"),
        ("/c#/other", "C"),
        ("/c#/inner", "C"),
        ("/home", "C"),
    ]
    assert len({event["anonymousId"] for event in events}) == 1


def test_a_page_that_wants_to_say_itself_what_is_viewed(server: Server, visitor: BrowserContext) -> None:
    server.page("/a", options='data-page="off"')
    page = visitor.new_page()
    page.goto(server.site + "/a")
    ready(page)
    page.evaluate("history.pushState({}, '', '/b')")
    page.evaluate("scorer.page({kind: 'blog', path: '/virtual'})")
    server.wait(1)
    assert [(data["path"], data["kind"]) for data in data_of(server, "page.viewed")] == [("/virtual", "blog")]


def test_a_page_that_is_made_ready_in_advance_is_viewed_when_it_is_shown(
    server: Server, visitor: BrowserContext
) -> None:
    server.page(
        "/next", before="Object.defineProperty(document, 'prerendering', {value: true, writable: true})"
    )
    page = visitor.new_page()
    page.goto(server.site + "/next")
    page.evaluate("scorer.push(['track', 'Ahead'])")
    quiet()
    assert server.posts == []
    page.evaluate("document.prerendering = false; document.dispatchEvent(new Event('prerenderingchange'))")
    assert {event["type"] for event in server.wait(2)} == {"page", "track"}


def test_calls_before_the_script_is_there_are_kept(server: Server, visitor: BrowserContext) -> None:
    server.script_gate.clear()
    before = (
        "scorer.push(['identify', 'u-1', {email: 'anna@example.com'}],"
        " ['track', 'Trial Started', {plan: 'pro'}])"
    )
    server.page("/", before=before)
    page = visitor.new_page()
    page.goto(server.site, wait_until="commit")
    time.sleep(0.2)
    server.script_gate.set()
    server.wait(3)
    assert data_of(server, "app.trial_started") == [
        {"plan": "pro", "user_id": "u-1", "anonymous_id": server.taken()[0]["anonymousId"]}
    ]
    # Twice on a page is once.
    page.evaluate("document.head.appendChild(document.querySelector('script[src]').cloneNode())")
    quiet()
    assert len(server.taken()) == 3


def test_who_it_is(server: Server, visitor: BrowserContext) -> None:
    server.page("/")
    page = visitor.new_page()
    page.goto(server.site)
    ready(page)
    page.evaluate("scorer.identify({email: 'anna@example.com', job: 'CEO'})")
    page.evaluate("scorer.identify(4711, {country: 'US'})")
    page.reload()
    ready(page)
    page.evaluate("scorer.identify('someone-else')")
    page.evaluate("scorer.reset(); scorer.track('Nobody Again')")
    page.evaluate("scorer.identify(0.5); scorer.identify(() => 1)")  # no ids
    server.wait(6)
    anna, known, other = server.distinct("identify")
    first, again = server.distinct("page")
    (nobody,) = server.distinct("track")
    assert first["anonymousId"] == anna["anonymousId"] == known["anonymousId"] == again["anonymousId"]
    assert len({first["anonymousId"], other["anonymousId"], nobody["anonymousId"]}) == 3
    assert [event.get("userId") for event in (anna, known, again, other, nobody)] == [
        None,
        "4711",
        "4711",
        "someone-else",
        None,
    ]
    profiles = data_of(server, "profile.updated")
    assert profiles[:2] == [
        {"job": "CEO", "email": "anna@example.com", "anonymous_id": anna["anonymousId"]},
        {"country": "US", "user_id": "4711", "anonymous_id": anna["anonymousId"]},
    ]


FORM = """
<form {mark} onsubmit="return false" id="f">
  <input name="id" value="7"><input name="email" type="email" value="anna@example.com">
  <input name="employees" type="number" value="40" data-scorer-trait>
  <input name="role" value="CEO" data-scorer-trait="job">
  <input name="terms" type="checkbox" checked><input name="news" type="checkbox">
  <input name="size" type="radio" value="s"><input name="size" type="radio" value="l" checked>
  <select name="topics" multiple><option selected>kafka</option><option selected>faust</option></select>
  <input name="password" type="password" value="hunter2"><input name="shown_Password" value="hunter2">
  <input name="again" autocomplete="new-password" value="hunter2">
  <input name="number" value="4111 1111-1111 1111"><input name="cvc" value="hunter2">
  <input name="x1" autocomplete="cc-csc" value="hunter2"><input name="csrf" type="hidden" value="hunter2">
  <div data-scorer-skip><input name="own" value="hunter2"></div><textarea name="text">hunter2</textarea>
  <input value="hunter2"><input name="off" value="hunter2" disabled>
  <button name="go" value="hunter2">Go</button>
</form>"""


def test_a_form_that_is_marked(server: Server, visitor: BrowserContext) -> None:
    server.page("/demo", body=FORM.format(mark='data-scorer-form="demo"'))
    page = visitor.new_page()
    page.goto(server.site + "/demo")
    ready(page)
    page.click("button")
    (event,) = server.wait(1, "form")
    assert "hunter2" not in str(server.posts)
    assert "4111" not in str(event)
    who = {"email": "anna@example.com", "anonymous_id": event["anonymousId"]}
    (submitted,) = data_of(server, "page.form_submitted")
    assert submitted == who | {
        "form": "demo",
        "path": "/demo",
        "id": "7",
        "employees": 40,
        "role": "CEO",
        "terms": True,
        "size": "l",
        "topics": ["kafka", "faust"],
    }
    assert data_of(server, "profile.updated") == [who | {"employees": 40, "job": "CEO"}]


def test_a_form_that_is_not_marked(server: Server, visitor: BrowserContext) -> None:
    server.page("/demo", body=FORM.format(mark=""))
    page = visitor.new_page()
    page.goto(server.site + "/demo")
    ready(page)
    page.click("button")
    page.evaluate("scorer.form('by hand', {answer: 42, email: 'anna@example.com'})")
    (event,) = server.wait(1, "form")
    assert event["form"] == "by hand"
    assert "hunter2" not in str(server.posts)
    (submitted,) = data_of(server, "page.form_submitted")
    assert (submitted["answer"], submitted["email"]) == (42, "anna@example.com")


def test_the_page_never_hears_of_an_error(server: Server, visitor: BrowserContext) -> None:
    server.page("/", body='<div id="scorer"></div>')
    page = visitor.new_page()
    thrown: list[object] = []
    warned: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.on("console", lambda message: warned.append(message.text))
    page.goto(server.site)
    ready(page)
    page.evaluate("const one = {}; one.one = one; scorer.track('Circle', one)")
    page.evaluate("scorer.track('Large', {text: 'x'.repeat(10000)})")
    page.evaluate("scorer.push(['no such method'], null, [], 7); scorer.identify(Symbol('x'))")
    page.evaluate("scorer.track('Good')")
    assert [event["name"] for event in server.wait(1, "track")] == ["Good"]
    assert thrown == []
    assert len([text for text in warned if text.startswith("scorer: ")]) == 7


def test_texts_of_any_kind(server: Server, visitor: BrowserContext) -> None:
    server.page("/", title="x" * 299 + "\U0001f600" * 9, headers={"Referrer-Policy": "unsafe-url"})
    page = visitor.new_page()
    page.goto(server.site)
    ready(page)
    texts = ["\U0001f600", "\\ud83d", '"\\"', "\u2028", "</script>", "\\\\ud83d", "\0", "ü" * 300]
    page.evaluate("texts => texts.forEach(name => scorer.track('Made', {name}))", texts)
    page.evaluate("scorer.track('Made', {name: 'half \\ud83d'})")
    events = server.wait(len(texts) + 2)
    assert events[0]["title"] == "x" * 299 + "\ufffd"
    assert made(events[1:]) == [*texts, "half \ufffd"]
    assert server.refused == []
    assert {post.status for post in server.posts} == {204}
