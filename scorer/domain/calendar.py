"""Calendar days and periods of a time zone, fast enough to ask for every record."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

QUARTER_HOUR: Final = 900_000
"""ms. Every zone's offset from UTC has been a multiple of it since 1972, and so have the changes."""
DAY: Final = 86_400_000
EPOCH = date(1970, 1, 1).toordinal()


class Calendar:
    """Days are numbered from 1970-01-01 (day 0) in the zone's local time."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self._utc = zone == "UTC"
        self._local_day = lru_cache(maxsize=65_536)(self._day_of_quarter)

    def day(self, at: int) -> int:
        """The local day of an instant in ms."""
        if self._utc:
            return at // DAY
        return self._local_day(at // QUARTER_HOUR)

    def period(self, unit: str, at: int) -> int:
        """A number of the local day, week (from Monday), month or quarter of an instant; rises with time."""
        day = self.day(at)
        if unit == "day":
            return day
        if unit == "week":
            return (day + 3) // 7
        local = date.fromordinal(day + EPOCH)
        month = local.year * 12 + local.month - 1
        return month if unit == "month" else month // 3

    def next_period(self, unit: str, at: int) -> int:
        """The first instant (ms) after ``at`` that belongs to a later day, week, month or quarter."""
        period = self.period(unit, at)
        quarter = at // QUARTER_HOUR
        high = 1
        while self.period(unit, (quarter + high) * QUARTER_HOUR) == period:
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            if self.period(unit, (quarter + middle) * QUARTER_HOUR) == period:
                low = middle
            else:
                high = middle
        return (quarter + high) * QUARTER_HOUR

    def _day_of_quarter(self, quarter: int) -> int:
        local = datetime.fromtimestamp(quarter * 900, UTC).astimezone(self.zone)
        return local.date().toordinal() - EPOCH
