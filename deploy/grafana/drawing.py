"""A panel as a picture, near to what Grafana makes of it: enough to see whether it can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.grafana.asking import Mark, Series
from deploy.grafana.graphs import COLORS, Span, graph, heat
from deploy.grafana.units import written
from scorer.backtest.svg import Markup, tag

Json = Mapping[str, Any]


def drawn(panel: Json, series: Sequence[Series], marks: Sequence[Mark], span: Span) -> Markup:
    """What is inside the panel, with its size in px in the panel's ``px``."""
    match panel["type"]:
        case "stat":
            return _stat(panel, series)
        case "bargauge":
            return _bars(panel, series)
        case "heatmap":
            return heat(panel, series, marks, span)
    return graph(panel, series, marks, span)


def color_of(panel: Json, value: float) -> str:
    """By the panel's thresholds."""
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    chosen: list[str] = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return COLORS.get(chosen[-1], chosen[-1])


def text_of(panel: Json, value: float | None) -> tuple[str, str]:
    """A tile's text and colour; None: no data."""
    defaults = panel["fieldConfig"]["defaults"]
    for one in defaults["mappings"]:
        if one["type"] == "special" and value is None:
            result = one["options"]["result"]
            return result["text"], COLORS[result["color"]]
        if one["type"] == "value" and value is not None and f"{value:g}" in one["options"]:
            return one["options"][f"{value:g}"]["text"], color_of(panel, value)
    if value is None:
        return "No data", COLORS["red"]
    return written(value, defaults["unit"], defaults.get("decimals")), color_of(panel, value)


def _stat(panel: Json, series: Sequence[Series]) -> Markup:
    values = [one.points[-1][1] for one in series if one.points]
    text, color = text_of(panel, values[0] if values else None)
    size = min(panel["px"][1] * 0.42, panel["px"][0] / max(len(text), 3) * 1.5)
    return tag("div", text, class_="stat", style=f"background:{color};font-size:{size:.0f}px")


# -- bars ------------------------------------------------------------------------------------------


def _bars(panel: Json, series: Sequence[Series]) -> Markup:
    rows = [(one.name, one.points[-1][1]) for one in series if one.points]
    if not rows:
        return tag("div", panel["fieldConfig"]["defaults"].get("noValue", "No data"), class_="none")
    unit, decimals = _unit(panel)
    most = max(value for _, value in rows) or 1
    upright = panel["options"]["orientation"] == "vertical"
    pieces = []
    for name, value in rows:
        share = f"{100 * value / most:.1f}%"
        bar = tag(
            "i", style=f"background:{color_of(panel, value)};{'height' if upright else 'width'}:{share}"
        )
        label = tag("b", written(value, unit, decimals))
        pieces.append(
            tag("div", tag("span", name), tag("em", label, bar) if upright else tag("em", bar, label))
        )
    return tag("div", *pieces, class_="upright" if upright else "lying")


def _unit(panel: Json) -> tuple[str, int | None]:
    defaults = panel["fieldConfig"]["defaults"]
    return defaults["unit"], defaults.get("decimals")
