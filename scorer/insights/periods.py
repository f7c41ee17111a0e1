"""Days, weeks, months and quarters of a time zone, as people write them. Pure."""

from __future__ import annotations

from datetime import date
from typing import Final

from scorer.domain.calendar import EPOCH, Calendar

_MONTHS: Final = {"month": 1, "quarter": 3}


class Periods:
    """Periods are numbered as ``Calendar`` numbers them: each is its predecessor's number plus one."""

    def __init__(self, zone: str) -> None:
        """``zone``: an IANA name; raises ``ValueError`` for any other text."""
        try:
            self._calendar = Calendar(zone)
        except (ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
            raise ValueError(f"there is no time zone {zone}") from error
        except KeyError:
            raise ValueError(f"there is no time zone {zone}") from None
        self.zone = zone

    def number(self, unit: str, at: int) -> int:
        """Of the period that an instant (ms) lies in."""
        return self._calendar.period(unit, at)


def first_day(unit: str, number: int) -> date:
    """The day that a period begins with."""
    if unit == "day":
        return date.fromordinal(number + EPOCH)
    if unit == "week":
        return date.fromordinal(number * 7 - 3 + EPOCH)
    year, month = divmod(number * _MONTHS[unit], 12)
    return date(year, month + 1, 1)


def label(unit: str, number: int) -> str:
    """Such as 2026-11-23, 2026-W48, 2026-11, 2026-Q4. Weeks are ISO's: the first has the first Thursday."""
    first = first_day(unit, number)
    if unit == "day":
        return first.isoformat()
    if unit == "week":
        year, week, _ = first.isocalendar()
        return f"{year}-W{week:02}"
    if unit == "month":
        return f"{first.year}-{first.month:02}"
    return f"{first.year}-Q{(first.month + 2) // 3}"


def day_number(day: date) -> int:
    """As ``Periods.number`` numbers days."""
    return day.toordinal() - EPOCH
