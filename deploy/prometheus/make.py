"""Writes Prometheus' rules: ``python -m deploy.prometheus.make > deploy/prometheus/rules.yaml``."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

import yaml

from deploy.prometheus import causes, flow, objectives
from deploy.prometheus.rule import RUNBOOK, Alert, Recorded
from deploy.prometheus.timing import PRODUCTION, Timing, shortened

HEAD: Final = """\
# Made by `make alerts` from the Python files beside it, which say why each threshold is what it is.
# What they promise: docs/alerts.md. What to do when one fires: docs/runbook.md.
"""


def groups(timing: Timing = PRODUCTION) -> dict[str, list[Recorded | Alert]]:
    """By the group that evaluates them, in order: what is recorded comes before what asks for it."""
    return {
        "scorer.objectives": list(objectives.rules(timing)),
        "scorer.causes": [*causes.recorded(timing), *causes.alerts(timing), *flow.alerts(timing)],
    }


def alerts(timing: Timing = PRODUCTION) -> list[Alert]:
    return [rule for group in groups(timing).values() for rule in group if isinstance(rule, Alert)]


def rendered(timing: Timing = PRODUCTION, runbook: str = RUNBOOK) -> str:
    """The file. ``runbook``: address of the page with one section per alert."""
    content = {
        "groups": [
            {
                "name": name,
                "rules": [rule.yaml(runbook) if isinstance(rule, Alert) else rule.yaml() for rule in rules],
            }
            for name, rules in groups(timing).items()
        ]
    }
    return HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Expressions as they were written, line by line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print Prometheus' rules for Scorer.")
    parser.add_argument("--runbook", default=RUNBOOK, metavar="URL", help="where docs/runbook.md can be read")
    parser.add_argument(
        "--times", type=float, metavar="N", help="everything N times shorter, for a rehearsal of minutes"
    )
    given = parser.parse_args()
    sys.stdout.write(rendered(shortened(given.times) if given.times else PRODUCTION, given.runbook))


if __name__ == "__main__":
    main()
