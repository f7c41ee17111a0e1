"""Reading rule files: how long a large one takes, and how many broken ones are held fast."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import report, tell
from tests.unit.rulefile import gallery

RULES = 2_000
RUNS = 5


def check() -> None:
    """``check_2000_rules_s``: the whole command, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.yaml")
        path.write_text("\n".join(_large()) + "\n", "utf-8")
        command = [sys.executable, "-m", "scorer", "check", str(path)]
        took = []
        for _ in range(RUNS):
            began = time.monotonic()
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            took.append(time.monotonic() - began)
            if done.returncode or f"{RULES:,} rules".replace(",", "") not in done.stdout.replace(",", ""):
                raise RuntimeError(f"the check did not go as it should: {done.stdout}{done.stderr}")
    tell(f"check of {RULES:,} rules: " + ", ".join(f"{one:.2f} s" for one in took))
    report("check_2000_rules_s", round(statistics.median(took), 2), "s")


def broken() -> None:
    """``diagnostics_gallery``: broken files whose every diagnostic is compared in the tests."""
    report("diagnostics_gallery", len(gallery.files()), "files")


def _large() -> Iterator[str]:
    yield "model: Large"
    yield "scores: {fit: {decay: none}, engagement: {decay: half every 30 days}}"
    yield "rules:"
    yield "  fit:"
    for number in range(RULES // 4):
        yield f"    - rule: Fit {number}"
        yield f"      when: {{industry: [sector {number}, branch {number}], employees: at least {number}}}"
        yield "      points: +1"
    yield "  engagement:"
    for number in range(RULES - RULES // 4):
        yield f"    - rule: Page {number}"
        yield "      on: [page.viewed, page.downloaded]"
        yield f"      where: {{path: starts with /docs/{number}/, any: [{{title: exists}}, {{kind: guide}}]}}"
        yield f"      points: +{number % 7 + 1}"
        yield "      limit: once a day"
