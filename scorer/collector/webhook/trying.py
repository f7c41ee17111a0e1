"""What a mapping file would make of a sample of its messages: for its author, before any key exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from scorer.collector.source import Item, Key, RefusedError, Request
from scorer.collector.webhook.applying import Applying
from scorer.collector.webhook.events import Events
from scorer.collector.webhook.mapping import Mapping as Mapped
from scorer.wire.dead_letters import Rejected
from scorer.wire.intake import Intake

_KEY: Final = Key("sample", (), {})


class Tried(msgspec.Struct, frozen=True):
    """One event of the sample."""

    number: int
    """From 1."""
    topic: str | None = None
    """None: nothing is made of it."""
    event: bytes | None = None
    """The CloudEvent, JSON."""
    mistake: str | None = None
    """Why it would be refused; None: it would be taken, or is nothing."""


def try_mapping(
    mapping: Mapped,
    sample: bytes,
    received: int,
    intake: Intake | None = None,
    headers: Mapping[str, str] | None = None,
) -> list[Tried]:
    """One entry for each event of the sample, which need not be signed.

    ``received``: ms; ``intake``: judges what the mapping makes, if given. Raises for no sample.
    """
    applying = Applying(mapping, Events("webhook", _KEY))
    request = Request("POST", "", {}, headers or {}, sample, received, "", "")
    try:
        items = applying.items(request)
    except RefusedError as error:
        return [Tried(1, mistake=error.message)]
    return [_tried(number, item, received, intake) for number, item in enumerate(items, 1)]


def render(tried: list[Tried]) -> str:
    """For the terminal: the events, indented, and what is wrong."""
    shown: list[str] = []
    for one in tried:
        if one.event is not None:
            shown.append(
                f"event {one.number} -> {one.topic}\n{msgspec.json.format(one.event, indent=2).decode()}"
            )
        if one.mistake is not None:
            shown.append(f"event {one.number} is refused: {one.mistake}")
        if one.event is None and one.mistake is None:
            shown.append(f"event {one.number}: nothing; no `when` fits it")
    return "\n\n".join(shown)


def _tried(number: int, item: Item, received: int, intake: Intake | None) -> Tried:
    if item.refused is not None or not item.activities:
        return Tried(number, mistake=item.refused)
    activity = item.activities[0]
    value = msgspec.json.encode(activity.event)
    try:
        if intake is not None:
            intake(activity.topic, value, received)
    except Rejected as rejected:
        return Tried(number, activity.topic, value, f"{rejected.reason}: {rejected.detail}")
    return Tried(number, activity.topic, value)
