"""What a mapping makes of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from scorer.collector.source import Activity, Item, Request
from scorer.collector.webhook.decoding import NOTHING, Unreadable, bad_body, text_of, whole
from scorer.collector.webhook.events import Events, digest_of, instant
from scorer.collector.webhook.mapping import Mapping as Mapped
from scorer.collector.webhook.mapping import Rule
from scorer.collector.webhook.selectors import ABSENT, Selector
from scorer.domain.record import PROFILE_UPDATED

_MS_FROM: Final = 100_000_000_000
"""A number from here on counts ms: as seconds it would be the year 5138, and less is 1973 in ms."""
_LONGEST_TIME: Final = 16
"""Digits of a time that is written as text."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Applying:
    """One mapping, for one key's events."""

    def __init__(self, mapping: Mapped, events: Events) -> None:
        self._mapping = mapping
        self._events = events

    def items(self, request: Request) -> list[Item]:
        """One for each event of the body; raises ``RefusedError`` for a body that is none."""
        message = whole(_decode, request.body)
        each = self._mapping.each
        if each is None:
            return [self._item(message, request.headers)]
        parts = each.find(message, request.headers)
        if not isinstance(parts, list):
            raise bad_body(f"{each.text}: there is no list")
        return [self._item(part, request.headers) for part in parts]

    def _item(self, message: Any, headers: Mapping[str, str]) -> Item:
        try:
            rule = self.rule_of(message, headers)
            return NOTHING if rule is None else Item((self._activity(rule, message, headers),))
        except Unreadable as error:
            return Item((), str(error))
        except RecursionError:
            return Item((), "nested too deeply")

    def rule_of(self, message: Any, headers: Mapping[str, str]) -> Rule | None:
        """The first whose ``when`` holds."""
        for rule in self._mapping.rules:
            if all(_holds(one.selector.find(message, headers), one.values) for one in rule.when):
                return rule
        return None

    def _activity(self, rule: Rule, message: Any, headers: Mapping[str, str]) -> Activity:
        def find(selector: Selector) -> Any:
            return selector.find(message, headers)

        removes = rule.type == PROFILE_UPDATED
        data: dict[str, Any] = {}
        for name, value in rule.data:
            found = find(value) if isinstance(value, Selector) else value
            if found is not ABSENT:
                data[name] = found
        who = {name: _identifier(find(selector), selector) for name, selector in rule.identifiers}
        subject = None if rule.subject is None else _identifier(find(rule.subject), rule.subject)
        data |= {name: value for name, value in who.items() if value is not None}
        if subject is None and not any(who.values()):
            raise Unreadable("nothing stands where it would say whom it is about")
        id_ = digest_of(_encode(message)) if rule.id is None else _identifier(find(rule.id), rule.id)
        if id_ is None:
            raise Unreadable(f"{rule.id.text if rule.id else ''}: there is no id")
        at = None if rule.time is None else _time(find(rule.time), rule.time)
        activity = self._events.activity(rule.topic, rule.type, id_, at, data)
        if removes:
            activity.event.data.update((name, None) for name, value in data.items() if value is None)
        activity.event.subject = subject
        return activity


def _holds(found: Any, values: tuple[Any, ...]) -> bool:
    # In Python true is 1; in a message it is not.
    return any(found == value and isinstance(found, bool) == isinstance(value, bool) for value in values)


def _identifier(found: Any, selector: Selector) -> str | None:
    """As text; None where there is nothing. Raises ``Unreadable`` for what names nobody."""
    if found is ABSENT or found is None or found == "":
        return None
    text = text_of(found)
    if text is None:
        raise Unreadable(f"{selector.text}: what stands there is no text")
    return text


def _time(found: Any, selector: Selector) -> int:
    """As ms; raises ``Unreadable``."""
    if isinstance(found, str):
        if not (found.isascii() and found.isdigit() and len(found) <= _LONGEST_TIME):
            return instant(found, selector.text)
        found = int(found)
    if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < _MS_FROM * 1000:
        return int(found if found >= _MS_FROM else found * 1000)
    raise Unreadable(f"{selector.text}: there is no time")
