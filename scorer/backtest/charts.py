"""The charts of the page: pure functions from figures to SVG."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import TYPE_CHECKING

from scorer.backtest.svg import Markup, Scale, figure, path, tag, ticks

if TYPE_CHECKING:
    from scorer.backtest.intervals import Interval
    from scorer.backtest.report import Best, Point, Share, Tenth

WIDTH, HEIGHT = 460.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 12.0, 38.0
_LABEL_SPACE = 44.0
"""Between two labels on the x axis."""
ODDS = 20.0
"""Odds ratios are drawn from its inverse to it."""
Series = tuple[str, Sequence[float]]
"""(class, a value per place)."""


def weekly(title: str, weeks: Sequence[str], series: Sequence[Series]) -> Markup:
    """A line per series over the weeks."""
    high = max([1.0, *(value for _, values in series for value in values)])
    x = Scale(0, max(1, len(weeks) - 1), LEFT, WIDTH - RIGHT - 10)
    y = Scale(0, high, HEIGHT - BOTTOM, TOP)
    every = max(1, round(len(weeks) * _LABEL_SPACE / (WIDTH - LEFT - RIGHT) + 0.5))
    labels = [
        tag("text", week[5:], x=x(place), y=HEIGHT - BOTTOM + 17, text_anchor="middle")
        for place, week in enumerate(weeks)
        if place % every == 0
    ]
    lines = [
        tag(
            "path",
            d=path([(x(place), y(value)) for place, value in enumerate(values)]),
            class_=f"line {name}",
        )
        for name, values in series
    ]
    if len(weeks) == 1:
        lines = [
            tag("circle", cx=x(0), cy=y(values[0]), r=4, class_=f"dot {name}") for name, values in series
        ]
    years = weeks[0][:4] if weeks[0][:4] == weeks[-1][:4] else f"{weeks[0][:4]} to {weeks[-1][:4]}"
    return figure(
        title, WIDTH, HEIGHT, *_rows(y, high, "{:g}"), *labels, *lines, _axis_name(f"ISO week of {years}")
    )


def bars(title: str, rows: Sequence[tuple[str, str, float, str]], high: float) -> Markup:
    """Horizontal bars: (label, class, value, what stands at its end)."""
    height = 30.0 * len(rows) + 4
    x = Scale(0, high or 1.0, 150, WIDTH - 96)
    parts = []
    for place, (label, name, value, told) in enumerate(rows):
        y = 30.0 * place + 6
        parts += [
            tag("text", label, x=142, y=y + 15, text_anchor="end"),
            tag("rect", x=150, y=y, width=max(1.0, x(value) - 150), height=20, class_=f"bar {name}"),
            tag("text", told, x=x(value) + 6, y=y + 15, class_="strong"),
        ]
    return figure(title, WIDTH, height, *parts)


def shares(title: str, rows: Sequence[tuple[str, Share]], name: str) -> Markup:
    """Horizontal bars of shares with their intervals."""
    height = 30.0 * len(rows) + 4
    high = max([0.01, *(one.interval.high for _, one in rows)])
    x = Scale(0, high, 120, WIDTH - 110)
    parts = []
    for place, (label, one) in enumerate(rows):
        y = 30.0 * place + 6
        told = f"{percent(one.share)} of {one.of:,}"
        parts += [
            tag("text", label, x=112, y=y + 15, text_anchor="end"),
            tag("rect", x=120, y=y, width=max(1.0, x(one.share) - 120), height=20, class_=f"bar {name}"),
            _whisker(x, one.interval, y + 10),
            tag("text", told, x=x(one.interval.high) + 7, y=y + 15),
        ]
    return figure(title, WIDTH, height, *parts)


def lift(title: str, tenths: Sequence[Tenth], average: float, name: str) -> Markup:
    """A bar per tenth with its interval, and the average as a line."""
    high = max([0.01, *(one.converted.interval.high for one in tenths)])
    y = Scale(0, high, HEIGHT - BOTTOM, TOP)
    room = (WIDTH - LEFT - RIGHT) / max(1, len(tenths))
    parts = []
    for place, one in enumerate(tenths):
        left = LEFT + place * room
        middle = left + room / 2
        low, top = y(one.converted.interval.low), y(one.converted.interval.high)
        value = y(one.converted.share)
        hint = f"{one.low:.1f} to {one.high:.1f}: {percent(one.converted.share)}, lift {one.lift:.2f}"
        parts += [
            tag(
                "rect",
                tag("title", hint),
                x=left + room * 0.14,
                y=value,
                width=room * 0.72,
                height=max(1.0, HEIGHT - BOTTOM - value),
                class_=f"bar {name}",
            ),
            tag(
                "path",
                d=f"M{middle:.1f},{low:.1f}V{top:.1f}m-4,0h8M{middle - 4:.1f},{low:.1f}h8",
                class_="whisker",
            ),
            tag("text", str(place + 1), x=middle, y=HEIGHT - BOTTOM + 17, text_anchor="middle"),
        ]
    mean = tag("path", d=f"M{LEFT},{y(average):.1f}H{WIDTH - RIGHT}", class_="average")
    told = tag("text", f"all {percent(average)}", x=WIDTH - RIGHT, y=y(average) - 5, text_anchor="end")
    return figure(
        title,
        WIDTH,
        HEIGHT,
        *_rows(y, high, "%"),
        *parts,
        mean,
        told,
        _axis_name("tenth of the leads, the highest totals first"),
    )


def thresholds(title: str, points: Sequence[Point], enter: float, best: Best | None) -> Markup:
    """Precision and recall by threshold, with their intervals; the best threshold and the file's own."""
    shown = [point for point in points if point.leads]
    low = min(shown[0].above, enter) if shown else enter
    high = max(shown[-1].above, enter) if shown else enter + 1
    x = Scale(low, high, LEFT, WIDTH - RIGHT)
    y = Scale(0, 1, HEIGHT - BOTTOM, TOP + 16)
    parts = [*_rows(y, 1.0, "%")]
    if best is not None and best.interval is not None:
        start, end = max(low, best.interval.low), min(high, best.interval.high)
        parts.append(
            tag(
                "rect",
                tag("title", f"best threshold, 95% {best.interval.low:g} to {best.interval.high:g}"),
                x=x(start) - 1,
                y=TOP + 16,
                width=x(end) - x(start) + 2,
                height=HEIGHT - BOTTOM - TOP - 16,
                class_="zone",
            )
        )
    for name, of in (("recall", "recall_interval"), ("precision", "precision_interval")):
        tops = [(x(point.above), y(getattr(point, of).high)) for point in shown]
        lows = [(x(point.above), y(getattr(point, of).low)) for point in reversed(shown)]
        if shown:
            parts.append(tag("path", d=path([*tops, *lows]) + "Z", class_=f"band {name}"))
            line = [(x(point.above), y(getattr(point, name))) for point in shown]
            parts.append(tag("path", d=path(line), class_=f"line {name}"))
    parts.append(tag("path", d=f"M{x(enter):.1f},{TOP + 16}V{HEIGHT - BOTTOM}", class_="enter"))
    if best is not None:
        parts.append(tag("path", d=f"M{x(best.above):.1f},{TOP + 16}V{HEIGHT - BOTTOM}", class_="best"))
    parts += [
        tag("text", f"{one:g}", x=x(one), y=HEIGHT - BOTTOM + 17, text_anchor="middle")
        for one in ticks(low, high)
    ]
    parts += _named(x, enter, best)
    return figure(title, WIDTH, HEIGHT, *parts, _axis_name("qualified above this total"))


def _named(x: Scale, enter: float, best: Best | None) -> list[Markup]:
    if best is None or best.above == enter:
        word = f"now {enter:g}" if best is None else f"now and best {enter:g}"
        return [tag("text", word, x=_inside(x(enter)), y=TOP + 8, text_anchor="middle", class_="strong")]
    left = best.above < enter
    return [
        tag(
            "text",
            word,
            x=_inside(x(value)),
            y=TOP + 8,
            text_anchor="end" if first else "start",
            class_="strong",
        )
        for word, value, first in (
            (f"best {best.above:g}", best.above, left),
            (f"now {enter:g}", enter, not left),
        )
    ]


def _inside(x: float) -> float:
    return min(max(x, LEFT + 46), WIDTH - RIGHT - 46)


def odds(title: str, ratio: float, interval: Interval, name: str) -> Markup:
    """One line of a forest plot, on a scale of powers of ten; what is beyond it ends at its edge."""
    width, height, most = 280.0, 22.0, log10(ODDS)
    x = Scale(-most, most, 6, width - 6)
    low, high, middle = (x(min(most, max(-most, log10(one)))) for one in (*interval, ratio))
    marks = [
        tag("path", d=f"M{x(log10(one)):.1f},0V{height}", class_="even" if one == 1 else "grid")
        for one in (0.1, 1, 10)
    ]
    return figure(
        title,
        width,
        height,
        *marks,
        tag("path", d=f"M{low:.1f},{height / 2}H{high:.1f}", class_=f"odds {name}"),
        tag("rect", x=middle - 4, y=height / 2 - 4, width=8, height=8, class_=f"bar {name}"),
    )


def _whisker(x: Scale, interval: Interval, y: float) -> Markup:
    low, high = x(interval.low), x(interval.high)
    return tag(
        "path",
        d=f"M{low:.1f},{y:.1f}H{high:.1f}M{low:.1f},{y - 4:.1f}v8M{high:.1f},{y - 4:.1f}v8",
        class_="whisker",
    )


def _rows(y: Scale, high: float, form: str) -> list[Markup]:
    """Lines across, with their values at the left."""
    parts = []
    for value in ticks(0.0, high, 5):
        told = percent(value, 0 if high > 0.05 else 1) if form == "%" else form.format(value)  # noqa: PLR2004
        parts += [
            tag("path", d=f"M{LEFT},{y(value):.1f}H{WIDTH - RIGHT}", class_="grid"),
            tag("text", told, x=LEFT - 6, y=y(value) + 4, text_anchor="end"),
        ]
    return parts


def _axis_name(name: str) -> Markup:
    return tag("text", name, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 4, text_anchor="middle", class_="axis")


def percent(value: float, decimals: int = 1) -> str:
    return f"{100 * value:.{decimals}f}%"
