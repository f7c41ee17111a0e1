"""What mail providers' payloads have in common, and the options about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.collector.webhooks.signing import payload, signed, source


def clicked(options: dict[str, str] | None = None, **members: Any) -> dict[str, Any]:
    """The data of SendGrid's click with these members."""
    (told,) = json.loads(payload("sendgrid", "arguments"))
    for name in ("kind", "user_id", "campaign", "template"):
        del told[name]
    body = json.dumps([{**told, "category": None, **members}]).encode()
    (item,) = source("sendgrid", options=options or {}).read(signed("sendgrid", body)).items
    assert item.refused is None
    return item.activities[0].event.data


@pytest.mark.parametrize(
    ("category", "kind", "campaign"),
    [
        ("newsletter", "newsletter", None),
        ("Onboarding", "onboarding", None),
        (["autumn", "sales", "nurture", "winter"], "sales", "autumn"),
        (["", "autumn"], None, "autumn"),
        ([], None, None),
        (None, None, None),
    ],
)
def test_tags_say_kind_and_campaign(category: Any, kind: str | None, campaign: str | None) -> None:
    data = clicked(category=category)
    assert (data.get("kind"), data.get("campaign")) == (kind, campaign)


def test_kinds_are_an_option() -> None:
    data = clicked({"kinds": "Digest, alert"}, category=["newsletter", "digest"])
    assert (data["kind"], data["campaign"]) == ("digest", "newsletter")


def test_arguments_count_before_campaigns_and_tags() -> None:
    data = clicked(category=["newsletter", "a"], marketing_campaign_name="b", campaign="c", kind="sales")
    assert (data["kind"], data["campaign"]) == ("sales", "c")
    assert clicked(category=["newsletter", "a"], marketing_campaign_name="b")["campaign"] == "b"


def test_arguments_are_an_option() -> None:
    data = clicked({"arguments": "customer=user_id, score"}, customer=4711, score=0.5, kind="sales")
    assert data["user_id"] == "4711"
    assert data["score"] == 0.5
    assert "kind" not in data


@pytest.mark.parametrize("value", [None, "", True, 47.11, [], {}])
def test_what_is_no_user_id_is_left_out(value: Any) -> None:
    assert "user_id" not in clicked(user_id=value)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://example.com/a?email=anna@example.com#b", "https://example.com/a"),
        ("https://example.com/a#b?c", "https://example.com/a"),
        ("https://example.com/", "https://example.com/"),
        ("", None),
        (None, None),
    ],
)
def test_links_lose_what_may_name_the_reader(url: str | None, link: str | None) -> None:
    assert clicked(url=url).get("link") == link
    assert clicked({"link_query": "yes"}, url=url).get("link") == (url or None)


@pytest.mark.parametrize("kind", ["sendgrid", "mailgun", "postmark"])
def test_no_address_of_a_computer_and_no_place_is_taken(kind: str) -> None:
    for name in ("one-of-each", "opened", "clicked", "open", "click"):
        try:
            body = payload(kind, name)
        except FileNotFoundError:
            continue
        for item in source(kind).read(signed(kind, body)).items:
            for activity in item.activities:
                assert "192.0.2" not in str(activity.event)
                assert not {"ip", "city", "country", "geo"} & set(activity.event.data)
