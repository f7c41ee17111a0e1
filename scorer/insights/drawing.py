"""Charts as SVG: rows of bars, columns over time, lines. Pure text; colours and fonts come from the page.

Every chart scales with its width: numbers below are of its own coordinates, and texts are given as they are
and escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import floor, log10
from typing import Final, NamedTuple

_CHARACTER: Final = 6.6
"""Width of a letter at the size that the page gives to charts' texts, about."""


class Bar(NamedTuple):
    label: str
    value: float
    text: str
    """What stands beside the bar."""


class Series(NamedTuple):
    name: str
    values: Sequence[float]
    """One per place on the axis."""


def bars(rows: Sequence[Bar], *, title: str, width: int = 520, style: int = 0) -> str:
    """One horizontal bar per row, in the order given. ``title``: for those who can't see the chart."""
    height, gap = 18, 8
    label = max((len(row.label) for row in rows), default=0)
    left = min(max(label * _CHARACTER + 10, 60), width * 0.5)
    right = max((len(row.text) for row in rows), default=0) * _CHARACTER + 10
    most = max((row.value for row in rows), default=0) or 1
    pieces = []
    for place, row in enumerate(rows):
        y = place * (height + gap)
        long = max((width - left - right) * row.value / most, 0)
        middle = y + height / 2 + 4
        pieces += [
            f'<text x="{_n(left - 8)}" y="{_n(middle)}" text-anchor="end">{_short(row.label, left)}</text>',
            f'<rect class="c{style}" x="{_n(left)}" y="{y}" width="{_n(long)}" height="{height}" rx="2"/>',
            f'<text x="{_n(left + long + 6)}" y="{_n(middle)}">{escape(row.text)}</text>',
        ]
    return _svg(pieces, width, max(len(rows) * (height + gap) - gap, 1), title)


def columns(
    labels: Sequence[str], series: Sequence[Series], *, title: str, width: int = 760, height: int = 220
) -> str:
    """For each label a column per series side by side, over a common scale from 0."""
    frame = _Frame(labels, series, width, height)
    pieces = frame.axes()
    wide = frame.step * 0.8 / max(len(series), 1)
    for number, one in enumerate(series):
        for place, value in enumerate(one.values):
            if value > 0:
                x = frame.left + place * frame.step + frame.step * 0.1 + number * wide
                y = frame.y(value)
                pieces.append(
                    f'<rect class="c{number}" x="{_n(x)}" y="{_n(y)}" width="{_n(max(wide - 1, 0.5))}"'
                    f' height="{_n(frame.base - y)}"><title>'
                    f"{escape(labels[place])}, {escape(one.name)}: {value:,g}</title></rect>"
                )
    return _svg(pieces, width, height, title)


def lines(
    labels: Sequence[str], series: Sequence[Series], *, title: str, width: int = 760, height: int = 220
) -> str:
    """A line per series over a common scale from 0."""
    frame = _Frame(labels, series, width, height)
    pieces = frame.axes()
    for number, one in enumerate(series):
        points = [
            (frame.left + (place + 0.5) * frame.step, frame.y(value))
            for place, value in enumerate(one.values)
        ]
        path = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        pieces.append(f'<polyline class="l{number}" points="{path}"/>')
        pieces += [
            f'<circle class="c{number}" cx="{_n(x)}" cy="{_n(y)}" r="2.5"><title>'
            f"{escape(labels[place])}, {escape(one.name)}: {one.values[place]:,g}</title></circle>"
            for place, (x, y) in enumerate(points)
        ]
    return _svg(pieces, width, height, title)


def legend(names: Sequence[str]) -> str:
    """HTML, for above a chart: the names of its series beside their colours."""
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 10 10" aria-hidden="true"><rect class="c{number}" width="10"'
        f' height="10" rx="2"/></svg>{escape(name)}</li>'
        for number, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>'


class _Frame:
    """The scale of a chart over time, and where its places are."""

    def __init__(self, labels: Sequence[str], series: Sequence[Series], width: int, height: int) -> None:
        self._labels = labels
        highest = max((value for one in series for value in one.values), default=0)
        self._tick = tick(highest)
        self._top = self._tick * max(-(-highest // self._tick), 1)
        self._width = width
        self.left = max(len(f"{self._top:,g}") * _CHARACTER + 10, 24)
        self.base = height - 24.0
        self.step = (width - self.left - 4) / max(len(labels), 1)

    def y(self, value: float) -> float:
        return self.base - (self.base - 10) * value / self._top

    def axes(self) -> list[str]:
        pieces, value = [], 0.0
        while value <= self._top:
            y = self.y(value)
            pieces += [
                f'<line class="grid" x1="{_n(self.left)}" x2="{self._width}" y1="{_n(y)}" y2="{_n(y)}"/>',
                f'<text x="{_n(self.left - 6)}" y="{_n(y + 4)}" text-anchor="end">{value:,g}</text>',
            ]
            value += self._tick
        longest = max(map(len, self._labels), default=1) * _CHARACTER + 12
        every = max(int(-(-longest // self.step)), 1)
        taken = -longest
        for place in range(0, len(self._labels), every):
            # At the ends a label moves inwards, and may come too near to its neighbour.
            x = self.left + (place + 0.5) * self.step
            left = min(max(x - longest / 2, 0.0), self._width - longest)
            if left < taken:
                continue
            taken = left + longest
            pieces.append(
                f'<text x="{_n(left + longest / 2)}" y="{_n(self.base + 18)}" text-anchor="middle">'
                f"{escape(self._labels[place])}</text>"
            )
        return pieces


def tick(highest: float) -> float:
    """1, 2 or 5 times a power of ten, so that about four of them reach the highest value; whole numbers."""
    if highest <= 4:  # noqa: PLR2004 - ticks of 1
        return 1.0
    power = 10.0 ** floor(log10(highest / 4))
    return next(step * power for step in (1, 2, 5, 10) if step * power * 4 >= highest)


def _svg(pieces: Sequence[str], width: float, height: float, title: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-label="{escape(title)}">'
        f"{''.join(pieces)}</svg>"
    )


def _short(text: str, width: float) -> str:
    """As much of a text as fits, and all of it to be had by pointing at it."""
    fits = max(int((width - 10) / _CHARACTER), 1)
    if len(text) <= fits:
        return escape(text)
    return f"{escape(text[: fits - 1])}…<title>{escape(text)}</title>"


def _n(number: float) -> str:
    """A coordinate, to a tenth."""
    return f"{number:.1f}".removesuffix(".0")
