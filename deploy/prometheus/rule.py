"""One rule of Prometheus, recorded or alerting, and the phrases that several of them are made of."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final, Literal

from deploy.prometheus.timing import text

if TYPE_CHECKING:
    from deploy.prometheus.timing import Timing

Severity = Literal["page", "ticket"]
RUNBOOK: Final = "docs/runbook.md"


@dataclass(frozen=True)
class Recorded:
    """A series of our own: ``scorer:what:unit``."""

    name: str
    expr: str

    def yaml(self) -> dict[str, Any]:
        return {"record": self.name, "expr": laid_out(self.expr)}


@dataclass(frozen=True, kw_only=True)
class Alert:
    name: str
    expr: str
    hold: int = 0
    """Seconds for which it has to be true."""
    severity: Severity
    summary: str
    """One line, for a phone's screen at night: what is broken, for whom."""
    description: str
    """What it means and what comes of it."""

    def yaml(self, runbook: str) -> dict[str, Any]:
        rule: dict[str, Any] = {"alert": self.name, "expr": laid_out(self.expr)}
        if self.hold:
            rule["for"] = text(self.hold)
        return rule | {
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": " ".join(self.description.split()),
                "runbook_url": f"{runbook}#{self.name.lower()}",
            },
        }


def laid_out(expr: str) -> str:
    return dedent(expr).strip() + "\n"


# -- phrases -----------------------------------------------------------------------------------------------

WORKERS: Final = 'up{job="scorer-worker"}'
COLLECTORS: Final = 'up{job="scorer-collector"}'
"""The jobs are named so in docker-compose.yml and by the Helm chart."""
NO_WORKER: Final = f"absent({WORKERS} == 1)"
KAFKA_SILENT: Final = "scorer:kafka_silent:workers"
"""There is none while Kafka answers."""
STOPPED: Final = "(scorer_score_stopped == 1)"


def kafka_silent(timing: Timing) -> str:
    """Now or a moment ago: while Kafka is away everything else stands still too, and one page is enough.

    When it is back, partitions need leaders and groups their members before anything moves.
    """
    return f"max_over_time({KAFKA_SILENT}[{text(timing.recovery)}])"


def grown(counter: str, window: int) -> str:
    """What a counter has grown by, for each of its series; one that has appeared since has grown from
    nothing.

    ``increase`` alone takes a series' first value for what was there before, and so never sees the first
    failure of its kind.
    """
    seen = f"last_over_time({counter}[1d] offset {text(window)})"
    return f"((increase({counter}[{text(window)}]) and {seen}) or ({counter} unless {seen}))"
