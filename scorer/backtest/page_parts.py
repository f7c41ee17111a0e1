"""Pieces of the page that several of its sections are made of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from scorer.backtest.charts import percent
from scorer.backtest.svg import Child, Markup, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scorer.backtest.report import Area, Share


def key(name: str) -> Markup:
    return tag("span", name, class_=f"key {name}")


def of(one: Share) -> str:
    low, high = one.interval
    return f"{one.count:,} of {one.of:,}; 95% {percent(low)} to {percent(high)}"


def between(one: Area) -> str:
    return f"95% {one.interval.low:.3f} to {one.interval.high:.3f}"


def figure(title: str, *children: Child) -> Markup:
    return tag("figure", tag("figcaption", title), *children)


def table(columns: Sequence[str], rows: Iterable[Sequence[Child]], left: int = 1) -> Markup:
    head = tag(
        "tr", *(tag("th", one, scope="col", class_=side(place, left)) for place, one in enumerate(columns))
    )
    body = [
        tag("tr", *(tag("td", one, class_=side(place, left)) for place, one in enumerate(row)))
        for row in rows
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll")


def side(place: int, left: int) -> str | None:
    return None if place < left else "number"


def when(instant: str) -> str:
    return datetime.fromisoformat(instant).strftime("%Y-%m-%d %H:%M")
