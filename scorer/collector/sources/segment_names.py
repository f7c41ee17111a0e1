"""What a Segment event or trait is called here.

After Segment's published specs (https://segment.com/docs/connections/spec/): email events, reserved traits.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from scorer.wire.registry import Registry

LONGEST: Final = 100
"""Characters of an event's name that count."""
DEEPEST: Final = 4
"""Objects inside one another that are kept."""

_EMAILS: Final = {
    "email delivered": "email.delivered",
    "email opened": "email.opened",
    "email link clicked": "email.clicked",
    "email replied": "email.replied",
    "email bounced": "email.bounced",
    "unsubscribed": "email.unsubscribed",
    "email unsubscribed": "email.unsubscribed",
}
_DOWNLOADS_AND_FORMS: Final = {
    "file downloaded": "page.downloaded",
    "form submitted": "page.form_submitted",
}
_EMAIL_PROPERTIES: Final = {"campaign_name": "campaign", "link_url": "link"}
_TRAITS: Final = {"title": "job", "job_title": "job", "jobTitle": "job"}
_ADDRESS: Final = ("city", "country", "state")
_COMPANY: Final = {
    "employees": "employees",
    "employee_count": "employees",
    "employeeCount": "employees",
}
_GONE: Final = frozenset(
    {"address", "avatar", "birthday", "company", "id", "username", "description", "url", "search"}
)
"""Traits and properties that say who a person is, or may; of ``address`` and ``company`` see below."""

APP: Final = "activity.app.v1"
_OTHER: Final = re.compile(r"[^a-z0-9.]+")
_DOTS: Final = re.compile(r"[._]*\.[._]*")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Names:
    """Of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._topics = {kind: topic.name for topic in registry.doors for kind in topic.types}
        self.activity = lru_cache(4096)(self._activity)

    def _activity(self, event: str) -> tuple[str, str] | None:
        """(topic, type) of what was tracked under that name; None for a name without a letter or digit."""
        plain = " ".join(event.lower().replace("_", " ").split())
        kind = _EMAILS.get(plain) or _DOWNLOADS_AND_FORMS.get(plain) or event
        if kind in self._topics:
            return self._topics[kind], kind
        name = _HUMP.sub("_", event[:LONGEST]).lower().removeprefix("app.")
        name = _DOTS.sub(".", _OTHER.sub("_", name)).strip("._")
        if not name:
            return None
        return APP, f"app.{name}" if name[0].isalpha() else f"app.e_{name}"


def plain(members: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """``members``, or a copy without what the lead log can't hold: deeper objects, and lists with some."""
    for value in members.values():
        kind = type(value)
        if kind is dict or kind is list:
            break
    else:
        return members
    kept: dict[str, Any] = {}
    for name, value in members.items():
        if type(value) is dict:
            if depth < DEEPEST:
                kept[name] = plain(value, depth + 1)
        elif type(value) is not list or all(
            one is not None and type(one) is not list and type(one) is not dict for one in value
        ):
            kept[name] = value
    return kept


def mail(properties: dict[str, Any]) -> dict[str, Any]:
    """Properties of the email events."""
    found = plain(properties)
    return {_EMAIL_PROPERTIES.get(name, name): value for name, value in found.items()}


def person(traits: dict[str, Any]) -> dict[str, Any]:
    """Traits of a user as attributes."""
    attributes = {
        _TRAITS.get(name, name): value for name, value in plain(traits).items() if name not in _GONE
    }
    address = traits.get("address")
    if isinstance(address, dict):
        for name in _ADDRESS:
            if isinstance(address.get(name), str):
                attributes.setdefault(name, address[name])
    of = traits.get("company")
    if isinstance(of, dict):
        if isinstance(of.get("id"), str):
            attributes.setdefault("account_id", of["id"])
        for name, value in company(of).items():
            attributes.setdefault(name, value)
    elif isinstance(of, str):
        attributes.setdefault("company_name", of)
    return attributes


def company(traits: dict[str, Any]) -> dict[str, Any]:
    """Traits of a group as attributes of its people: ``employees``, all others with ``company_`` in front."""
    found: dict[str, Any] = {}
    for name, value in plain(traits).items():
        if name in _COMPANY:
            found[_COMPANY[name]] = value
        elif name not in _GONE:
            found[f"company_{name}"] = value
    return found
