"""Who is the same person, by the view that the score agents keep of it (``lead.identity.v1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from scorer.people.reading import every, everything_of
from scorer.wire.registry import IDENTITY, SCORE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scorer.broker import Broker
    from scorer.people.reading import Bar


class _Data(msgspec.Struct, gc=False):
    into: str | None = None
    members: list[str] = []
    refused: list[str] = []


class _View(msgspec.Struct, gc=False):
    data: _Data


_decode = msgspec.json.Decoder(_View).decode


class Links(NamedTuple):
    """What the view says of one lead."""

    into: str | None
    members: tuple[str, ...]
    refused: tuple[str, ...]

    @property
    def others(self) -> set[bytes]:
        """Those that are the same person."""
        return {one.encode() for one in (*self.members, *([self.into] if self.into else []))}


def links_of(broker: Broker, ids: Collection[bytes], bar: Bar) -> dict[bytes, Links]:
    """The newest views of these leads, and of all that have one of them in it. Reads the view once."""
    found: dict[bytes, Links] = {}
    for message in every(broker, IDENTITY, bar):
        key, value = message.key(), message.value()
        if key is None:
            continue
        links = None if value is None else _links(value)
        if links is not None and (key in ids or not links.others.isdisjoint(ids)):
            found[key] = links
        else:
            found.pop(key, None)  # what stood there before is no longer so
    return found


def everybody(found: Mapping[bytes, Links]) -> set[bytes]:
    """All that are named in these views: some have no view of their own yet, or no more."""
    return {one for key, links in found.items() for one in (key, *links.others)}


def persons(broker: Broker, ids: Collection[bytes], bar: Bar) -> dict[bytes, Links]:
    """The views of all that are one person with one of these, however far around; a pass for every step."""
    known = set(ids)
    while True:
        links = links_of(broker, known, bar)
        more = everybody(links)
        if more <= known:
            return links
        known |= more


def scored(broker: Broker, ids: Collection[bytes], bar: Bar) -> dict[bytes, dict[str, Any]]:
    """The newest score views of these leads; those that have none are left out."""
    newest = {message.key(): message.value() for message in everything_of(broker, SCORE, bar, ids)}
    return {key: msgspec.json.decode(value) for key, value in newest.items() if value is not None}


def _links(value: bytes) -> Links | None:
    try:
        data = _decode(value).data
    except msgspec.MsgspecError:
        return None  # anybody may write there
    return Links(data.into, tuple(data.members), tuple(data.refused))
