"""Numbers, durations, fading and limits, as an author writes them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, cast, get_args

from scorer.domain.model import (
    Decay,
    HalfLife,
    Limit,
    LinearDecay,
    Once,
    OncePerObject,
    PerPeriod,
    PointsPerPeriod,
)
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import LONGEST_NAME, single
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Node

MOST_POINTS = 1_000_000
LONGEST_WINDOW = 400
"""Days. The lead log keeps events so long, and a replay knows no older ones."""

Period = Literal["day", "week", "month", "quarter"]
PERIODS: tuple[str, ...] = get_args(Period)

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_DURATION = re.compile(r"([-+]?[0-9]{1,18}(?:\.[0-9]{1,9})?) ?([a-zA-Z]*)")
_POINTS_PER = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) points? (?:an?|every|per) (\S+)")
_HALF = re.compile(r"half every (.+)")
_LINEAR = re.compile(r"([-+]?[0-9]{1,9}(?:\.[0-9]{1,9})?) ?% (?:every|an?) (?:([0-9]{1,9}) ?)?([a-zA-Z]+)")
_AFTER = re.compile(r"after ([0-9]{1,9}) ?([a-zA-Z]+)")
_TIMES = re.compile(r"(?:(once|twice)|([-+]?[0-9]{1,9}) times?) (?:an?|every|per) (\S+)")
_ONCE_PER = re.compile(r"once per (.+)")
_NO_PROPERTY = re.compile(r"[0-9].*|.*,.*|(?:year|hour|minute|second|fortnight)s?|.* an? .*")
_DASHES = "\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}"

DAY = 86_400_000
UNITS = {
    "ms": 1,
    "s": 1_000,
    "second": 1_000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": DAY,
    "week": 7 * DAY,
}
_SHORT = {"sec": "s", "secs": "s", "min": "minute", "mins": "minute", "h": "hour", "d": "day", "w": "week"}
_UNEVEN = {"month": 30, "quarter": 91, "year": 365}


def number(report: Report, node: Node, most: float = MOST_POINTS) -> float | None:
    """A number of at most ``most``, with or without sign and decimals."""
    text = single(report, node, "a number")
    if text is None:
        return None
    value = text.value.strip()
    if text.quoted:
        report.error(text.place, "a number is expected, but this is a text in quotes", "remove the quotes")
    elif not _NUMBER.fullmatch(value):
        report.error(text.place, f"`{_short(value)}` is not a number", _number_hint(value))
    elif abs(Decimal(value)) > Decimal(most):
        report.error(text.place, f"`{_short(value)}` is too large", f"at most {most:,.0f}")
    else:
        return float(value)
    return None


def _number_hint(value: str) -> str | None:
    if value[:1] in _DASHES:
        return f"write a plain minus sign: `-{value[1:].strip()}`"
    if re.fullmatch(r"[-+]\s+[\d.]+", value):
        return f"write the sign without a space: `{value[0]}{value[1:].strip()}`"
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", value):
        return f"write it without commas: `{value.replace(',', '')}`"
    if re.fullmatch(r"[-+]?\d+,\d+", value):
        return f"write a decimal point: `{value.replace(',', '.')}`"
    if match := re.fullmatch(r"([-+]?\d+)\s*(?:points?|pts?|p|times?)\.?", value, re.IGNORECASE):
        return f"write the number alone: `{match[1]}`"
    return "for example `+5`, `-10` or `0.5`"


def whole_number(report: Report, node: Node, least: int, most: int) -> int | None:
    value = number(report, node, most)
    if value is None:
        return None
    if value != int(value) or value < least:
        report.error(node.place, f"a whole number from {least} to {most} is expected")
        return None
    return int(value)


def duration(report: Report, node: Node) -> int | None:
    """``30 days``, ``12 hours``, ``90 s`` in ms; more than nothing."""
    text = single(report, node, "a duration")
    return None if text is None else _duration(report, node, text.value)


def length(report: Report, node: Node, value: str) -> int | None:
    """A duration within a value of several words."""
    return _duration(report, node, value)


def window(report: Report, node: Node) -> int | None:
    """A duration that looks back, at most 400 days."""
    value = duration(report, node)
    if value is not None and value > LONGEST_WINDOW * DAY:
        message = f"nothing older than {LONGEST_WINDOW} days is known"
        report.error(node.place, message, f"at most {LONGEST_WINDOW} days")
        return None
    return value


def _duration(report: Report, node: Node, value: str) -> int | None:
    match = _DURATION.fullmatch(" ".join(value.split()))
    if not match:
        report.error(node.place, f"`{_short(value)}` is not a duration", _UNITS_HINT)
        return None
    amount, unit = Decimal(match[1]), match[2].casefold()
    if unit in {"", "m"}:
        hint = "did you mean `minutes`?" if unit else _UNITS_HINT
        report.error(node.place, f"`{_short(value)}` has no clear unit", hint)
        return None
    singular = _SHORT.get(unit) or (unit if unit in UNITS else unit.removesuffix("s"))
    if singular in _UNEVEN:
        days = _UNEVEN[singular] * amount
        message = f"{singular}s differ in length"
        report.error(node.place, message, f"write days: `{days.normalize():f} days`")
        return None
    if singular not in UNITS:
        report.error(node.place, f"unknown unit `{match[2]}`", did_you_mean(singular + "s", _PLURALS))
        return None
    if amount <= 0:
        report.error(node.place, "a duration is more than nothing", "write it without a minus sign")
        return None
    result = amount * UNITS[singular]
    if result > _LONGEST or result != int(result):
        report.error(node.place, "a duration is a whole number of ms, and at most 10,000 days")
        return None
    return int(result)


_UNITS_HINT = "a number and a unit: `90 s`, `12 hours`, `30 days`, `2 weeks`"
_LONGEST = 10_000 * DAY
_PLURALS = ("seconds", "minutes", "hours", "days", "weeks")


def decay(report: Report, node: Node) -> tuple[Decay | None] | None:
    """``half every 30 days``, ``10% a week`` or ``none``, in a tuple; None if it is no good."""
    text = single(report, node, "a decay")
    if text is None:
        return None
    value = " ".join(text.value.split())
    if value == "none":
        return (None,)
    if match := _HALF.fullmatch(value):
        every = match[1] if match[1][0] in "-+0123456789" else f"1 {match[1]}"
        ms = _duration(report, node, every)
        return None if ms is None else (HalfLife(ms),)
    if match := _LINEAR.fullmatch(value):
        share, days = float(match[1]) / 100, _days(match[2], match[3])
        if days is None:
            message = f"points fade at midnights, so `{match[3]}` can't be a period"
            report.error(node.place, message, "days or weeks: `10% a week`, `25% every 30 days`")
        elif not 0 < share <= 1 or days == 0:
            report.error(node.place, "a share above 0% and up to 100% of each award fades per period")
        else:
            return (LinearDecay(share, days),)
        return None
    hint = "`half every 30 days`, `10% a week`, `25% every 30 days` or `none`"
    if match := re.search(r"\d+(?:\.\d+)?\s*[a-z]+", value, re.IGNORECASE):
        hint = f"did you mean `half every {match.group()}`? There is " + hint
    report.error(node.place, f"`{_short(value)}` is not a decay", hint)
    return None


def expiry(report: Report, node: Node) -> tuple[Decay | None] | None:
    """``after 90 days``: each award is worth its points until so many midnights have passed."""
    text = single(report, node, "an expiry")
    if text is None:
        return None
    match = _AFTER.fullmatch(" ".join(text.value.split()))
    days = _days(match[1], match[2]) if match else None
    if days:
        return (LinearDecay(1.0, days),)
    hint = "days or weeks: `after 90 days`, `after 2 weeks`"
    report.error(node.place, f"`{_short(text.value)}` does not say when points expire", hint)
    return None


def _days(count: str | None, unit: str) -> int | None:
    per = {"day": 1, "week": 7}.get(unit.casefold().removesuffix("s"))
    amount = int(count or 1)
    return None if per is None or amount > LONGEST_WINDOW else amount * per


def limit(report: Report, node: Node) -> Limit | None:
    """``once``, ``once per path``, ``once a day``, ``3 times a week``."""
    text = single(report, node, "a limit")
    if text is None:
        return None
    value = " ".join(text.value.split())
    if value == "once":
        return Once()
    if (match := _ONCE_PER.fullmatch(value)) and match[1] not in PERIODS and len(match[1]) <= LONGEST_NAME:
        if _NO_PROPERTY.fullmatch(match[1]):
            hint = "`once per path` is for each value of a property; a period is written `once a week`"
            report.error(node.place, f"is `{_short(match[1])}` a property?", hint)
            return None
        return OncePerObject(match[1])
    if match := _POINTS_PER.fullmatch(value):
        return _points_per(report, node, float(match[1]), match[2])
    match = _TIMES.fullmatch(value)
    if match is None:
        hint = "`once`, `once per path`, `once a day`, `3 times a week` or `10 points a month`"
        report.error(node.place, f"`{_short(value)}` is not a limit", hint)
        return None
    times = {"once": 1, "twice": 2}.get(match[1]) or int(match[2] or 0)
    period = calendar_period(report, node, match[3])
    if period is None:
        pass
    elif " per " in value or " every " in value:
        hint = "`once per path` is for each value of a property; a period is written `once a day`"
        report.error(node.place, f"`{value}` could mean two things", hint)
    elif not 0 < times <= _MOST_TIMES:
        report.error(node.place, f"1 to {_MOST_TIMES} times are possible")
    else:
        return PerPeriod(period, times)
    return None


def calendar_period(report: Report, node: Node, word: str) -> Period | None:
    """``day``, ``week``, ``month`` or ``quarter``."""
    period = word.casefold()
    if period in PERIODS:
        return cast("Period", period)
    report.error(
        node.place, f"`{_short(word)}` is not a period of the calendar", did_you_mean(period, PERIODS)
    )
    return None


def _points_per(report: Report, node: Node, points: float, word: str) -> Limit | None:
    period = calendar_period(report, node, word)
    if period is not None and not points:
        report.error(node.place, "a limit of no points lets nothing through")
        return None
    return None if period is None else PointsPerPeriod(period, points)


_MOST_TIMES = 1_000


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "\N{HORIZONTAL ELLIPSIS}"


_SHOWN = 60
