"""How long it took to see the first lead qualify."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

FIRST_QUALIFIED = "demo_first_qualified_s"
_STARTED_FIELD = 19
"""Of /proc/PID/stat, counted after the program's name: clock ticks from boot to the process's start."""


def process_age(fallback: float) -> float:
    """Seconds since this process was started; since ``fallback`` (of time.monotonic) where none can tell."""
    try:
        status = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        since_boot = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return time.monotonic() - fallback
    return since_boot - int(status[_STARTED_FIELD]) / os.sysconf("SC_CLK_TCK")


def record(path: Path, figure: str, value: float, unit: str) -> None:
    """Appends one figure as a JSON line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"figure": figure, "value": value, "unit": unit}) + "\n")
