"""CloudEvents of what a vendor tells: a source attribute a key, ids that a retry repeats, RFC 3339 times."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from scorer.collector.source import Activity, Key
from scorer.collector.webhook.decoding import Unreadable
from scorer.wire.cloudevents import Event
from scorer.wire.dead_letters import Rejected
from scorer.wire.times import date_time, milliseconds

EMAIL: Final = "activity.email.v1"
PAGE: Final = "activity.page.v1"
APP: Final = "activity.app.v1"
BOOKING: Final = "activity.booking.v1"
PROFILE: Final = "lead.profile.v1"
FEEDBACK: Final = "lead.feedback.v1"

_LONGEST_ID: Final = 256
"""Characters of an event's id."""
_END_MS: Final = 253_402_300_800_000
"""The year 10000."""


class Events:
    """Makes the activities of one key."""

    def __init__(self, kind: str, key: Key) -> None:
        self._source = f"{kind}/{key.name}"

    def activity(self, topic: str, kind: str, id_: str, at: int | None, data: Mapping[str, Any]) -> Activity:
        """``at``: ms since 1970, None if the vendor does not say. Members of ``data`` that are None go.

        Raises ``Unreadable`` for an id or a time that is none.
        """
        if not id_:
            raise Unreadable("the id is empty")
        return Activity(
            topic,
            Event(
                specversion="1.0",
                id=id_ if len(id_) <= _LONGEST_ID else digest_of(id_),
                source=self._source,
                type=kind,
                data={name: value for name, value in data.items() if value is not None},
                time=None if at is None else _written(at),
            ),
        )


def digest_of(*parts: object) -> str:
    """An id for what has none: of what tells it from all others, and nothing that a retry changes."""
    joined = "\0".join(str(part) for part in parts)
    return blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _written(at: int) -> str:
    """As text; ``at``: ms since 1970; raises ``Unreadable``."""
    try:
        return date_time(at)
    except Rejected:
        raise Unreadable("the time is none that can be written") from None


def seconds(value: float, where: str) -> int:
    """Seconds since 1970, as ms; raises ``Unreadable``."""
    if not 0 <= value < _END_MS / 1000:
        raise Unreadable(f"{where} is no time in seconds")
    return int(value * 1000)


def instant(text: str, where: str) -> int:
    """An RFC 3339 date-time, as ms; raises ``Unreadable``."""
    try:
        return milliseconds(text)
    except Rejected:
        raise Unreadable(f"{where} is no RFC 3339 date-time with an offset") from None
