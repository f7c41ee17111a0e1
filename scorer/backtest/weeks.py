"""Weeks of a time zone, and the one Monday at which each lead is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import blake2b

from scorer.domain.calendar import Calendar

DAY = 86_400_000
"""ms."""
_EPOCH = date(1970, 1, 1)
_MONDAY = 3
"""1970-01-01 was a Thursday."""


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
