"""Markup made of nested elements, everything in it escaped; and the scales of a chart."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str
"""Text is escaped, unless it is ``Markup``."""


def tag(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. ``_`` in an attribute's name is ``-``, at its end nothing; None leaves it out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_written(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{told}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    return Markup("".join(one if isinstance(one, Markup) else escape(one) for one in children))


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 2):g}"


class Scale(NamedTuple):
    """From values to places on the page."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most about so many."""
    if high <= low:
        return [low]
    step = 10.0 ** floor(log10((high - low) / most))
    step *= next(one for one in (1, 2, 5, 10) if (high - low) / (step * one) <= most)
    return [
        round(number * step, 9) for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    ]


def path(points: Sequence[tuple[float, float]]) -> str:
    """The ``d`` of a line through points."""
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def figure(title: str, width: float, height: float, *children: Child) -> Markup:
    """A picture with a title for those who can't see it."""
    return tag(
        "svg",
        tag("title", title),
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=title,
        xmlns="http://www.w3.org/2000/svg",
    )
