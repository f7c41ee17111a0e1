"""Instants and numbers, as the author of a rule test writes them."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from math import inf

from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import single
from scorer.rulefile.nodes import Node
from scorer.rulefile.quantities import UNITS
from scorer.ruletests.story import Amount

_PIECE = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))? ?([a-z]+)")
_LATEST = 4_000 * UNITS["day"]
_EARLIEST_YEAR, _LATEST_YEAR = 1990, 2100
_HINT = "a time since the story began: `start`, `90 minutes`, `3 days 4 hours`"

_NUMBER = r"([-+]?[0-9]{1,9}(?:\.[0-9]{1,9})?)"
_EXACTLY = re.compile(_NUMBER)
_BOUND = re.compile(rf"(above|below|at least|at most) {_NUMBER}")
_BETWEEN = re.compile(rf"{_NUMBER} to {_NUMBER}")
HALF_CENT = 0.005
"""An exact number is meant to two decimals."""
_ROUNDING = 1e-9


def instant(report: Report, node: Node) -> int | None:
    """Milliseconds since the story began."""
    found = span(report, node)
    return None if found is None else found[0]


def span(report: Report, node: Node) -> tuple[int, int] | None:
    """(ms since the story began, what one in the last digit written is worth in ms)."""
    text = single(report, node, "a time")
    if text is None:
        return None
    value = " ".join(text.value.casefold().replace(",", " ").replace(" and ", " ").split())
    if value == "start":
        return 0, UNITS["s"]
    total, precision, end = Decimal(0), 0, 0
    for match in _PIECE.finditer(value):
        unit = UNITS.get(match[3] if match[3] == "s" else match[3].removesuffix("s"))
        if unit is None or value[end : match.start()].strip():
            break
        whole, decimals = match[1], match[2] or ""
        total += Decimal(f"{whole}.{decimals or 0}") * unit
        precision, end = max(unit // 10 ** len(decimals), 1), match.end()
    if not end or end != len(value):
        report.error(text.place, f"`{text.value}` is not a time", _HINT)
    elif total > _LATEST:
        report.error(text.place, "a story lasts 4,000 days at most")
    else:
        return int(total), precision
    return None


def starts(report: Report, node: Node) -> datetime | None:
    """The moment at which a story begins, in the rules' time zone."""
    text = single(report, node, "a moment")
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.value.strip())
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None or not _EARLIEST_YEAR <= found.year <= _LATEST_YEAR:
        hint = "`2026-03-29 01:30`, in the rules' time zone"
        report.error(text.place, f"`{text.value}` is not a moment", hint)
        return None
    return found


def amount(report: Report, node: Node) -> Amount | None:
    """``20``, ``above 20``, ``at most 3.5``, ``10 to 12``."""
    text = single(report, node, "a number")
    if text is None:
        return None
    value = " ".join(text.value.casefold().split())
    low, high = -inf, inf
    if match := _EXACTLY.fullmatch(value):
        low, high = float(value) - HALF_CENT - _ROUNDING, float(value) + HALF_CENT + _ROUNDING
    elif match := _BETWEEN.fullmatch(value):
        low, high = float(match[1]) - _ROUNDING, float(match[2]) + _ROUNDING
        if low > high:
            report.error(text.place, f"no number is {value}", f"write `{match[2]} to {match[1]}`")
            return None
    elif match := _BOUND.fullmatch(value):
        number = float(match[2])
        sign = 1 if match[1] in {"above", "at most"} else -1
        if match[1] in {"above", "at least"}:
            low = number + sign * _ROUNDING
        else:
            high = number + sign * _ROUNDING
    else:
        hint = "`20`, `above 20`, `below 15`, `at least 3`, `at most 5` or `10 to 12`"
        report.error(text.place, f"`{text.value}` is not a number", hint)
        return None
    return Amount(text.place, value, low, high)
