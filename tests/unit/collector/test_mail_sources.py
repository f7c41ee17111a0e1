"""The pixel and the tracked link: an answer whatever comes, an activity if it is one."""

from __future__ import annotations

import struct
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.collector.machines import is_crawler, is_machine
from scorer.collector.picture import GIF
from scorer.collector.source import Activity, Item, Key, Reading
from scorer.collector.sources.link import Link
from scorer.collector.sources.page_pixel import PATH, PagePixel
from scorer.collector.sources.pixel import Pixel
from scorer.collector.tokens import Mail, Tokens
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.registry import Registry
from tests.unit.collector.requests import BROWSER, NOON, request

SECRET = b"a secret of 32 characters......."
KEY = Key("mail", (SECRET,), {})
TOKENS = Tokens("mail", [SECRET])
MAIL = Mail("e_0onj93c5msh39v92uhev5njluo", "m-1", "autumn", "welcome", "newsletter")
TARGET = "https://example.com/pricing?who=anna#plans"
LINKED = Mail("lead-17", "m-1", "autumn", target=TARGET)
WEB = Key("web", (b"web_4f1c",), {})


def pixel(token: str, **more: Any) -> Reading:
    return Pixel(KEY).read(request(f"{token}.gif", **more))


def link(token: str, **more: Any) -> Reading:
    return Link(KEY).read(request(token, **more))


def page(**query: str) -> Reading:
    return PagePixel(WEB).read(request(PATH, query=query))


def only(reading: Reading) -> Activity:
    (item,) = reading.items
    assert item.refused is None
    (activity,) = item.activities
    return activity


def refused(reading: Reading) -> bool:
    (item,) = reading.items
    assert not item.activities
    return item.refused is not None


def taken(activity: Activity) -> None:
    """Intake takes it as it is."""
    intake = Intake(Identity("secret"), Registry.load().max_log_bytes)
    import msgspec

    assert intake(activity.topic, msgspec.json.encode(activity.event), NOON)


def headers(reading: Reading) -> dict[str, str]:
    assert reading.answer is not None
    assert not reading.wait
    return dict(reading.answer.headers)


def test_the_picture_is_one_transparent_pixel() -> None:
    assert GIF[:6] == b"GIF89a"
    assert struct.unpack("<HH", GIF[6:10]) == (1, 1)
    assert GIF[-1:] == b";"
    assert len(GIF) <= 43


def test_an_open() -> None:
    activity = only(pixel(TOKENS.make("pixel", MAIL)))
    assert (activity.topic, activity.event.type, activity.event.subject) == (
        "activity.email.v1",
        "email.opened",
        MAIL.lead,
    )
    assert activity.event.data == {
        "kind": "newsletter",
        "campaign": "autumn",
        "template": "welcome",
        "email_id": "m-1",
        "user_agent": BROWSER,
    }
    assert activity.event.source == "pixel/mail"
    taken(activity)


@given(st.text(max_size=100), st.sampled_from(["GET", "HEAD", "POST"]))
def test_whatever_is_wrong_there_is_a_picture(path: str, method: str) -> None:
    for reading in (
        Pixel(KEY).read(request(path, method=method)),
        PagePixel(WEB).read(request(PATH, method=method, query={"key": path, "path": path})),
        PagePixel(WEB).read(request(PATH, method=method, query={"key": "web_4f1c", "anonymous_id": path})),
    ):
        assert reading.answer is not None
        assert (reading.answer.status, reading.answer.body) == (200, GIF)
        assert headers(reading)["Cache-Control"] == "no-store"
        assert headers(reading)["Content-Type"] == "image/gif"
    assert refused(Pixel(KEY).read(request(path, method=method)))


def test_a_retried_fetch_is_the_same_open_and_another_is_another() -> None:
    token = TOKENS.make("pixel", MAIL)
    first = only(pixel(token)).event.id
    assert only(pixel(token, received=NOON + 59_000)).event.id == first
    others = [
        pixel(token, received=NOON + 60_000),
        pixel(token, user_agent="Mozilla/5.0"),  # a machine just before the reader
        pixel(token, sec_purpose="prefetch"),
        pixel(TOKENS.make("pixel", Mail(MAIL.lead, "m-2"))),
    ]
    assert len({first, *(only(one).event.id for one in others)}) == 5


@pytest.mark.parametrize(
    "user_agent",
    [
        None,
        "",
        "Mozilla/5.0",
        "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Mimecast-URL-Scanner",
        "python-requests/2.32.3",
        "Go-http-client/2.0",
        "curl/8.5.0",
        "Java/17.0.1",
    ],
)
def test_a_machine_is_marked(user_agent: str | None) -> None:
    token = TOKENS.make("pixel", MAIL)
    assert only(pixel(token, user_agent=user_agent)).event.data["machine"] is True
    assert only(link(TOKENS.make("link", LINKED), user_agent=user_agent)).event.data["machine"] is True


@pytest.mark.parametrize(
    "user_agent",
    [
        BROWSER,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile",
        "Mozilla/5.0 (Linux; Android 14; CUBOT X90) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0)",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "Thunderbird/128.0",
    ],
)
def test_a_reader_is_not(user_agent: str) -> None:
    data = only(pixel(TOKENS.make("pixel", MAIL), user_agent=user_agent)).event.data
    assert "machine" not in data
    assert data["user_agent"] == user_agent
    assert not is_machine({"user-agent": user_agent})
    assert not is_crawler({"user-agent": user_agent})


def test_a_fetch_ahead_is_a_machines() -> None:
    token = TOKENS.make("link", LINKED)
    for header in ("sec_purpose", "purpose", "x_moz", "x_purpose"):
        assert only(link(token, **{header: "prefetch;prerender"})).event.data["machine"] is True


def test_a_click() -> None:
    reading = link(TOKENS.make("link", LINKED))
    assert reading.answer is not None
    assert reading.answer.status == 302
    assert headers(reading) == {
        "Location": TARGET,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
    }
    activity = only(reading)
    assert activity.event.type == "email.clicked"
    assert activity.event.data == {
        "campaign": "autumn",
        "email_id": "m-1",
        "link": "https://example.com/pricing",  # a query may name the reader
        "user_agent": BROWSER,
    }
    taken(activity)


def test_a_head_is_answered_and_nobodys_click() -> None:
    reading = link(TOKENS.make("link", LINKED), method="HEAD")
    assert headers(reading)["Location"] == TARGET
    assert reading.items[0] == Item(())


@given(st.text(max_size=100) | st.sampled_from(["https://evil.example", "//evil.example", "mail./..//evil"]))
def test_what_is_no_token_leads_nowhere(path: str) -> None:
    for reading in (link(path), link(f"{path}.{TOKENS.make('link', LINKED)}"), link(f"mail.{path}")):
        assert reading.answer is not None
        assert reading.answer.status == 404
        assert "Location" not in headers(reading)
        assert (
            path not in reading.answer.body.decode()
            or not path.strip()
            or path in "This link is not valid.\n"
        )
        assert refused(reading)


def test_a_pixels_token_is_no_links() -> None:
    assert refused(link(TOKENS.make("pixel", LINKED)))
    assert refused(pixel(TOKENS.make("link", LINKED)))


def test_a_rotated_key() -> None:
    token = TOKENS.make("pixel", MAIL)
    assert only(Pixel(Key("mail", (b"x" * 32, SECRET), {})).read(request(f"{token}.gif")))
    assert refused(Pixel(Key("mail", (b"x" * 32,), {})).read(request(f"{token}.gif")))


def test_a_page_without_script() -> None:
    activity = only(
        page(key="web_4f1c", anonymous_id="v-1", path="/pricing", title="Pricing", utm_source="x")
    )
    assert (activity.topic, activity.event.type) == ("activity.page.v1", "page.viewed")
    assert activity.event.data == {
        "path": "/pricing",
        "title": "Pricing",
        "utm": {"source": "x"},
        "anonymous_id": "v-1",
    }
    taken(activity)


def test_the_page_is_the_one_that_the_browser_names() -> None:
    query = {"key": "web_4f1c", "user_id": "u-1"}
    found = PagePixel(WEB).read(request(PATH, query=query, referer="https://example.com/blog/1?token=x"))
    assert only(found).event.data == {"path": "/blog/1", "user_id": "u-1"}
    broken = PagePixel(WEB).read(request(PATH, query=query, referer="https://[broken/x"))
    assert only(broken).event.data == {"user_id": "u-1"}


@pytest.mark.parametrize(
    ("query", "more"),
    [
        ({}, {}),
        ({"anonymous_id": ""}, {}),
        ({"anonymous_id": "v-1"}, {"sec_gpc": "1"}),
        ({"anonymous_id": "v-1"}, {"user_agent": "Googlebot/2.1"}),
        ({"anonymous_id": "v-1"}, {"sec_purpose": "prefetch"}),
        ({"anonymous_id": "v-1"}, {"method": "HEAD"}),
    ],
)
def test_a_visit_of_which_nothing_becomes(query: dict[str, str], more: dict[str, Any]) -> None:
    reading = PagePixel(WEB).read(request(PATH, query={"key": "web_4f1c", **query}, **more))
    assert reading.items[0] == Item(())


def test_another_key() -> None:
    assert refused(page(key="web_4f1d", anonymous_id="v-1"))
    assert refused(page(anonymous_id="v-1"))


@pytest.mark.parametrize("target", ["https://example.com/a?b=c", "http://example.com:8080"])
def test_browsers_and_we_read_a_target_alike(target: str) -> None:
    reading = link(TOKENS.make("link", Mail("lead-17", target=target)))
    assert urlsplit(headers(reading)["Location"]).hostname == "example.com"
