"""Days and periods in the model's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

_START = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=100_000)
def day(zone: str, at: int) -> date:
    """The calendar day on which the instant ``at`` (ms) falls."""
    return (_START + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone)).date()


def midnights(zone: str, start: int, end: int) -> int:
    """How many days have begun after ``start`` and through ``end`` (ms)."""
    return (day(zone, end) - day(zone, start)).days


def period(zone: str, name: str, at: int) -> tuple[int, ...]:
    """Equal for two instants exactly when they are in one calendar period; a week begins on Monday."""
    local = day(zone, at)
    match name:
        case "day":
            return (local.year, local.month, local.day)
        case "week":
            return tuple(local.isocalendar()[:2])
        case "month":
            return (local.year, local.month)
        case "quarter":
            return (local.year, (local.month - 1) // 3)
    raise ValueError(name)


def instant(zone: str, value: Any) -> int | None:
    """A date attribute as ms; None for what is none. Stories know two forms of it."""
    if not isinstance(value, str):
        return None
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"):
        try:
            found = datetime.strptime(value, form)  # noqa: DTZ007 - the zone comes next
        except ValueError:
            continue
        if found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(zone))
        return int((found - _START).total_seconds() * 1_000)
    return None


def next_period(zone: str, name: str, at: int) -> int:
    """The first instant of the next period, by walking there in quarters of an hour."""
    this = period(zone, name, at)
    at = (at // 900_000 + 1) * 900_000
    while period(zone, name, at) == this:
        at += 900_000
    return at


def business_day(zone: str, at: int, after: int, holidays: tuple[str, ...]) -> str:
    """The day that is so many business days after that of ``at``; 0: the first from there on."""
    today = day(zone, at)
    left = after
    while True:
        works = today.weekday() not in (5, 6) and today.isoformat() not in holidays
        if works and not left:
            return today.isoformat()
        today += timedelta(days=1)
        works = today.weekday() not in (5, 6) and today.isoformat() not in holidays
        left -= works and left > 0
