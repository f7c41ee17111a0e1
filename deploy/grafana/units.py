"""Numbers as Grafana writes them in a unit, for the preview."""

from __future__ import annotations

from typing import Final

_SHORT: Final = ((1e9, " Bil"), (1e6, " Mil"), (1e3, " K"))
_BYTES: Final = ((2.0**30, " GiB"), (2.0**20, " MiB"), (2.0**10, " KiB"))
_RATES: Final = {"eps": " evt/s", "reqps": " req/s"}


def written(value: float, unit: str, decimals: int | None = None) -> str:
    """``decimals``: None, as many as are of use."""
    match unit:
        case "percentunit":
            return f"{_number(value * 100, decimals)}%"
        case "s":
            return _seconds(value, decimals)
        case "bytes":
            return _scaled(value, _BYTES, decimals) or f"{_number(value, decimals)} B"
        case "Bps":
            return (_scaled(value, _BYTES, decimals) or f"{_number(value, decimals)} B") + "/s"
        case "locale":
            return f"{value:,.{decimals}f}" if decimals is not None else f"{round(value, 2):,g}"
        case "none":
            return _number(value, decimals)
    return (_scaled(value, _SHORT, decimals) or _number(value, decimals)) + _RATES.get(unit, "")


def _number(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"  # noqa: PLR2004


def _scaled(value: float, scales: tuple[tuple[float, str], ...], decimals: int | None) -> str | None:
    for scale, name in scales:
        if abs(value) >= scale:
            return _number(value / scale, decimals) + name
    return None


def _seconds(value: float, decimals: int | None) -> str:
    for scale, name in ((86400.0, " day"), (3600.0, " hour"), (60.0, " min")):
        if abs(value) >= scale:
            return f"{_number(value / scale, decimals)}{name}"
    if abs(value) >= 1 or value == 0:
        return f"{_number(value, decimals)} s"
    if abs(value) >= 1e-3:  # noqa: PLR2004
        return f"{_number(value * 1e3, decimals)} ms"
    return f"{_number(value * 1e6, decimals)} µs"
