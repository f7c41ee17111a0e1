"""How many alerts have cases for firing and for not firing, all of which hold: ``alerts_tested``."""

from __future__ import annotations

from tests.bench.figures import report, tell
from tests.deploy.alert_cases import FILES, cases, promtool, with_both_cases


def tested_by_promtool() -> None:
    for path in FILES:
        run = promtool("test", "rules", path)
        if run.returncode:
            raise RuntimeError(f"{path.name}: {run.stdout}{run.stderr}")
    tell(f"alerts_tested: {len(cases())} cases hold")
    report("alerts_tested", len(with_both_cases()), "alerts")
