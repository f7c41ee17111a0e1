"""Dates that publishers send as attributes, and days on which people work."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

_DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
SATURDAY: Final = 5


def instant_of(value: Any, zone: str) -> int | None:
    """``2026-12-01`` or ``2026-12-01T09:00:00Z`` as ms since 1970; None for anything else.

    A date alone is its first instant in the zone; a time without an offset is the zone's.
    """
    return _instant(value, zone) if type(value) is str else None


@lru_cache(maxsize=16_384)
def _instant(text: str, zone: str) -> int | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(zone))
        return (found.astimezone(UTC) - _START) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None


def business_day(day: date, after: int, holidays: Collection[str]) -> date:
    """The ``after``-th day on which people work after ``day``; for 0, ``day`` itself or the next such day."""
    for _ in range(after):
        day = _working(day + timedelta(days=1), holidays)
    return day if after else _working(day, holidays)


def _working(day: date, holidays: Collection[str]) -> date:
    while day.weekday() >= SATURDAY or day.isoformat() in holidays:
        day += timedelta(days=1)
    return day
