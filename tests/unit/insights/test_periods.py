"""Where days, weeks, months and quarters begin and end, also where clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from scorer.insights.periods import Periods, day_number, first_day, label


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "first", "by", "before", "then"),
    [
        # ISO weeks around the New Year: the first has the year's first Thursday.
        ("UTC", "2021-01-04T00:00+00:00", "week", "2020-W53", "2021-W01"),
        ("UTC", "2024-12-30T00:00+00:00", "week", "2024-W52", "2025-W01"),
        ("UTC", "2027-01-04T00:00+00:00", "week", "2026-W53", "2027-W01"),
        ("UTC", "2023-01-02T00:00+00:00", "week", "2022-W52", "2023-W01"),
        ("Europe/Berlin", "2024-12-30T00:00+01:00", "week", "2024-W52", "2025-W01"),
        ("UTC", "2024-03-01T00:00+00:00", "day", "2024-02-29", "2024-03-01"),
        ("UTC", "2026-03-01T00:00+00:00", "day", "2026-02-28", "2026-03-01"),
        ("UTC", "2026-01-01T00:00+00:00", "month", "2025-12", "2026-01"),
        ("UTC", "2026-01-01T00:00+00:00", "quarter", "2025-Q4", "2026-Q1"),
        ("UTC", "2026-04-01T00:00+00:00", "quarter", "2026-Q1", "2026-Q2"),
        # The days on which clocks change, and those after.
        ("Europe/Berlin", "2026-03-29T00:00+01:00", "day", "2026-03-28", "2026-03-29"),
        ("Europe/Berlin", "2026-03-30T00:00+02:00", "day", "2026-03-29", "2026-03-30"),
        ("Europe/Berlin", "2026-10-26T00:00+01:00", "day", "2026-10-25", "2026-10-26"),
        ("Europe/Berlin", "2026-10-26T00:00+01:00", "week", "2026-W43", "2026-W44"),
        ("America/New_York", "2026-11-02T00:00-05:00", "week", "2026-W44", "2026-W45"),
        ("Europe/Berlin", "2026-04-01T00:00+02:00", "month", "2026-03", "2026-04"),
        ("Europe/Berlin", "2026-04-01T00:00+02:00", "quarter", "2026-Q1", "2026-Q2"),
        # No midnight: the day begins at one o'clock. And a day that was left out altogether.
        ("America/Sao_Paulo", "2018-11-04T01:00-02:00", "day", "2018-11-03", "2018-11-04"),
        ("Pacific/Apia", "2011-12-31T00:00+14:00", "day", "2011-12-29", "2011-12-31"),
        ("Asia/Kolkata", "2026-01-01T00:00+05:30", "month", "2025-12", "2026-01"),
        ("Asia/Kathmandu", "2026-07-01T00:00+05:45", "quarter", "2026-Q2", "2026-Q3"),
    ],
)
def test_the_first_instant_of_a_period_and_the_last_before_it(
    zone: str, first: str, by: str, before: str, then: str
) -> None:
    periods = Periods(zone)
    assert label(by, periods.number(by, ms(first) - 1)) == before
    assert label(by, periods.number(by, ms(first))) == then


@pytest.mark.parametrize("by", ["day", "week", "month", "quarter"])
def test_numbers_and_first_days_follow_each_other(by: str) -> None:
    periods = Periods("UTC")
    day, last = datetime(2019, 12, 20, tzinfo=UTC), datetime(2029, 1, 20, tzinfo=UTC)
    numbers = []
    while day < last:
        number = periods.number(by, int(day.timestamp() * 1000))
        assert first_day(by, number) <= day.date() < first_day(by, number + 1)
        numbers.append(number)
        day += timedelta(days=1)
    assert {b - a for a, b in pairwise(numbers)} <= {0, 1}


def test_days_have_the_numbers_of_the_calendar() -> None:
    assert day_number(date(1970, 1, 1)) == 0
    assert first_day("day", day_number(date(2026, 11, 23))) == date(2026, 11, 23)


@pytest.mark.parametrize("zone", ["Berlin", "", "../etc/passwd", "Europe/Berlin\0", "UTC+2"])
def test_what_is_no_time_zone(zone: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        Periods(zone)
