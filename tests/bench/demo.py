"""How long the demo takes to its first qualified lead, from the start of its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.figures import ROOT, report, tell

LENGTH = "15"
"""Seconds of live traffic."""


def first_qualified() -> None:
    """``demo_first_qualified_s``: what the demo itself measures."""
    tell("demo_first_qualified_s: running the demo")
    with tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        figures = Path(folder) / "figures.jsonl"
        subprocess.run(
            [sys.executable, "-m", "scorer", "demo", "--for", LENGTH],
            cwd=ROOT,
            env=os.environ | {"SCORER_FIGURES": str(figures)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        figure = json.loads(figures.read_text())
    report(figure["figure"], figure["value"], figure["unit"])
