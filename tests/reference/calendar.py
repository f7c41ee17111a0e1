"""Days and periods in the model's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
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
