"""Figures: one JSON object per line on standard output, and appended to build/figures.jsonl."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "build" / "figures.jsonl"


def report(figure: str, value: float, unit: str) -> None:
    """Announce a figure."""
    line = json.dumps({"figure": figure, "value": value, "unit": unit})
    print(line, flush=True)  # noqa: T201 - what a benchmark is for
    FIGURES.parent.mkdir(exist_ok=True)
    with FIGURES.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def newest(figure: str) -> float | None:
    """The value that a figure had when it was last announced here."""
    if not FIGURES.exists():
        return None
    told = [json.loads(line) for line in FIGURES.read_text(encoding="utf-8").splitlines()]
    return next((float(one["value"]) for one in reversed(told) if one["figure"] == figure), None)


def tell(line: str) -> None:
    """A word of progress."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def median_rate(figure: str, rates: Sequence[float]) -> None:
    """Announce the median of some runs' rates, in events per second."""
    runs = ", ".join(f"{rate:,.0f}" for rate in rates)
    tell(f"{figure}: runs {runs}")
    report(figure, round(statistics.median(rates)), "events/s")
