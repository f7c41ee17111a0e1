"""Panels over time, drawn: lines, areas, columns and heat, with what marks time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import log10
from typing import Any, Final

from deploy.grafana.asking import Mark, Series
from deploy.grafana.units import written
from scorer.backtest.svg import Markup, Scale, figure, joined, path, tag, ticks

Json = Mapping[str, Any]
COLORS: Final = {
    "green": "#56a64b", "orange": "#e8871e", "red": "#d8343f", "blue": "#3871dc", "purple": "#b877d9",
    "yellow": "#e0b400", "transparent": "none",
}  # fmt: skip
PALETTE: Final = (
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d",
    "#fade2a", "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477",
)  # fmt: skip
LEFT, BOTTOM, TOP = 58, 22, 8
"""Room for the axes, px."""
TIMES: Final = ((2 * 86_400, "%m-%d"), (600, "%H:%M"), (0, "%H:%M:%S"))
"""More seconds than these -> how times are written."""


Span = tuple[float, float]
"""From when until when, Unix."""


def graph(panel: Json, series: Sequence[Series], marks: Sequence[Mark], span: Span) -> Markup:
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    told = [_turned(panel, one) for one in series if one.points]
    legend = [(one.name, _color(panel, one.name, place)) for place, one in enumerate(told)]
    stacked = custom["stacking"]["mode"] == "normal"
    tops, lows = _stacked(told) if stacked else ([list(one.points) for one in told], None)
    values = [value for points in tops for _, value in points]
    rows = -(-sum(len(name) * 6.5 + 32 for name, _ in legend) // panel["px"][0]) or 1
    width, height = panel["px"][0], panel["px"][1] - 18 * min(rows, 3)
    log = custom.get("scaleDistribution", {}).get("type") == "log"
    limits = (
        [s["value"] for s in defaults.get("thresholds", {}).get("steps", ())[1:]] if _limits(custom) else []
    )
    y, values_told = _axis(values, limits, height, log=log)
    x = Scale(*span, LEFT, width - 8)
    pieces = [
        *_grid(y, values_told, defaults["unit"], width),
        *_times(x, span, height),
        *_marks(x, marks, height),
    ]
    for place in reversed(range(len(told))):
        low = lows[place] if lows else None
        fill = custom["fillOpacity"] / 100
        if custom["drawStyle"] == "bars":
            pieces += _columns(tops[place], low, x, y, legend[place][1], fill)
        else:
            for run in _runs(tops[place]):
                pieces += _line(run, low, x, y, legend[place][1], fill)
    for limit in limits:
        pieces.append(
            tag(
                "line",
                x1=LEFT,
                x2=width - 8,
                y1=y(limit),
                y2=y(limit),
                stroke=COLORS["red"],
                stroke_dasharray="6 5",
            )
        )
    if not told:
        pieces.append(tag("text", "No data", x=width / 2, y=height / 2, text_anchor="middle"))
    names = tag(
        "ul", *(tag("li", tag("i", style=f"background:{c}"), name) for name, c in legend if c != "none")
    )
    return joined(figure(panel["title"], width, height, *pieces), names)


def _limits(custom: Json) -> bool:
    return bool(custom.get("thresholdsStyle", {}).get("mode", "off") != "off")


def _overridden(panel: Json, name: str, what: str) -> Any:
    """What the last override that fits a series gives it, or None."""
    found = None
    for one in panel["fieldConfig"]["overrides"]:
        kind, pattern = one["matcher"]["id"], one["matcher"]["options"]
        if name == pattern if kind == "byName" else re.search(pattern, name):
            found = next((given["value"] for given in one["properties"] if given["id"] == what), found)
    return found


def _color(panel: Json, name: str, place: int) -> str:
    fixed = _overridden(panel, name, "color")
    color: str = PALETTE[place % len(PALETTE)] if fixed is None else fixed["fixedColor"]
    return COLORS.get(color, color)


def _turned(panel: Json, one: Series) -> Series:
    if _overridden(panel, one.name, "custom.transform") != "negative-Y":
        return one
    return one._replace(points=[(at, -value) for at, value in one.points])


def _stacked(told: Sequence[Series]) -> tuple[list[list[tuple[float, float]]], list[dict[float, float]]]:
    """Upper edges, and lower edges by time."""
    below: dict[float, float] = {}
    tops, lows = [], []
    for one in told:
        lows.append(dict(below))
        points = [(at, value + below.get(at, 0)) for at, value in one.points]
        below |= dict(points)
        tops.append(points)
    return tops, lows


def _axis(
    values: Sequence[float], limits: Sequence[float], height: float, *, log: bool
) -> tuple[Callable[[float], float], list[float]]:
    if log:
        above = [value for value in [*values, *limits] if value > 0] or [1.0]
        low, high = int(log10(min(above)) - 1), int(log10(max(above)) + 1)
        scale = Scale(low, high, height - BOTTOM, TOP)
        return (lambda value: scale(log10(max(value, 10.0**low)))), [10.0**n for n in range(low, high + 1)]
    top, bottom = max([0.0, *values, *limits]), min([0.0, *values])
    linear = Scale(bottom, top * 1.05 if top > bottom else bottom + 1, height - BOTTOM, TOP)
    return linear.__call__, ticks(bottom, linear.high, 5)


def _grid(y: Callable[[float], float], marks: Sequence[float], unit: str, width: float) -> list[Markup]:
    return [
        piece
        for mark in marks
        for piece in (
            tag("line", x1=LEFT, x2=width - 8, y1=y(mark), y2=y(mark), class_="grid"),
            tag("text", written(mark, unit), x=LEFT - 6, y=y(mark) + 4, text_anchor="end"),
        )
    ]


def _marks(x: Scale, marks: Sequence[Mark], height: float) -> list[Markup]:
    return [
        tag(
            "line",
            tag("title", f"{one.name}: {one.text}"),
            x1=x(one.at),
            x2=x(one.at),
            y1=TOP,
            y2=height - BOTTOM,
            stroke=COLORS[one.color],
            stroke_dasharray="4 3",
        )
        for one in marks
    ]


def _times(x: Scale, span: Span, height: float) -> list[Markup]:
    since, until = span
    form = next(form for span, form in TIMES if until - since > span)
    return [
        tag("text", time.strftime(form, time.gmtime(at)), x=x(at), y=height - 4, text_anchor="middle")
        for at in (since + (until - since) * part / 6 for part in range(1, 6))
    ]


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Points without a gap between them."""
    gap = 1.5 * min((b - a for (a, _), (b, _) in pairwise(points)), default=0)
    runs = [[points[0]]]
    for before, point in pairwise(points):
        if point[0] - before[0] > gap:
            runs.append([])
        runs[-1].append(point)
    return runs


def _line(
    points: Sequence[tuple[float, float]],
    low: dict[float, float] | None,
    x: Scale,
    y: Callable[[float], float],
    color: str,
    fill: float,
) -> list[Markup]:
    upper = [(x(at), y(value)) for at, value in points]
    if len(upper) == 1:
        return [tag("circle", cx=upper[0][0], cy=upper[0][1], r=2.5, fill=color)]
    lower = [(x(at), y(low.get(at, 0) if low else 0)) for at, _ in reversed(points)]
    return [
        tag("path", d=path([*upper, *lower]) + "Z", fill=color, fill_opacity=fill, stroke="none"),
        tag("path", d=path(upper), fill="none", stroke=color, stroke_width=1.5),
    ]


def _columns(
    points: Sequence[tuple[float, float]],
    low: dict[float, float] | None,
    x: Scale,
    y: Callable[[float], float],
    color: str,
    fill: float,
) -> list[Markup]:
    gaps = [b - a for (a, _), (b, _) in pairwise(points)]
    wide = max((x(min(gaps)) - x(0)) * 0.8 if gaps else 12, 2)
    return [
        tag(
            "rect",
            x=x(at) - wide / 2,
            width=wide,
            y=min(y(value), y(low.get(at, 0) if low else 0)),
            height=abs(y(low.get(at, 0) if low else 0) - y(value)),
            fill=color,
            fill_opacity=fill,
        )
        for at, value in points
    ]


def heat(panel: Json, series: Sequence[Series], marks: Sequence[Mark], span: Span) -> Markup:
    width, height = panel["px"]
    told = [one for one in series if one.points]
    most = max((value for one in told for _, value in one.points), default=0) or 1
    x, y = Scale(*span, LEFT, width - 8), Scale(0, max(len(told), 1), height - BOTTOM, TOP)
    pieces = [*_times(x, span, height), *_marks(x, marks, height)]
    for row, one in enumerate(told):
        if row % (-(-len(told) * 12 // height) or 1) == 0:
            pieces.append(tag("text", one.name, x=LEFT - 6, y=y(row) + 3, text_anchor="end"))
        gaps = [b - a for (a, _), (b, _) in pairwise(one.points)]
        wide = max(x(min(gaps)) - x(0) - 1 if gaps else 12, 1)
        pieces += [
            tag("rect", x=max(x(at) - wide, LEFT), width=x(at) - max(x(at) - wide, LEFT), y=y(row + 1),
                height=y(row) - y(row + 1) - 1, fill="#8ab8ff", fill_opacity=(value / most) ** 0.5)
            for at, value in one.points
            if value
        ]  # fmt: skip
    return figure(panel["title"], width, height, *pieces)
