"""Weeks of a time zone, and the one Monday at which each lead is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from hashlib import blake2b
from typing import Final

from scorer.domain.calendar import Calendar
from scorer.domain.timers import FOREVER

DAY = 86_400_000
"""ms."""
_EPOCH = date(1970, 1, 1)
_MONDAY = 3
"""1970-01-01 was a Thursday."""


Stop = tuple[int, int, int, bytes]
"""When (ms), which Monday that is, which one is the lead's, and the lead."""
NEVER: Final[Stop] = (FOREVER, 0, 0, b"")


def week_name(number: int) -> str:
    """Of a week as ``Calendar.period`` numbers them, by ISO 8601: 2026-W41."""
    return (_EPOCH + timedelta(days=number * 7 - _MONDAY)).strftime("%G-W%V")


def mondays(calendar: Calendar, start: int, end: int) -> Iterator[int]:
    """Monday 00:00 in the zone, each in ms, from ``start`` through ``end``."""
    at = calendar.next_period("week", start - 1)
    while at <= end:
        yield at
        at = calendar.next_period("week", at)


class Draw:
    """Which Monday is a lead's: one of those that leave a whole horizon before the data's end."""

    def __init__(self, calendar: Calendar, start: int, end: int, horizon: int) -> None:
        """``start``, ``end``: of the data; ``horizon``: all in ms."""
        self.mondays = list(mondays(calendar, start, end - horizon)) if start else []

    def of(self, lead: bytes) -> int:
        """Index of the lead's Monday, by a hash of its id; -1 where there is no Monday.

        The same for any rules, and of nothing that the lead does.
        """
        if not self.mondays:
            return -1
        digest = blake2b(lead, digest_size=8, person=b"landmark").digest()
        return int.from_bytes(digest, "big") % len(self.mondays)

    def stops(self, leads: Iterable[bytes]) -> list[Stop]:
        """When these leads are looked at: on their Mondays, and on those before. ``NEVER`` is the last."""
        stops = [NEVER]
        for lead in leads:
            theirs = self.of(lead)
            for number in range(max(theirs - 1, 0), theirs + 1):
                stops.append((self.mondays[number], number, theirs, lead))  # noqa: PERF401 - or nested
        stops.sort()
        return stops
