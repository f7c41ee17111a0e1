"""``scorer worker``: the Faust apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from scorer.cli.options import kafka_options

if TYPE_CHECKING:
    from scorer.settings import Settings

PARTS = ("intake", "score")
DEVELOPMENT_SECRET = "development-only"  # noqa: S105 - the default that this warns of


@click.command()
@kafka_options
@click.option("--only", type=click.Choice(PARTS), help="One part alone.  [default: both]")
@click.option(
    "--instance", metavar="NAME", help="A name that this worker keeps over restarts.  [SCORER_INSTANCE]"
)
@click.option(
    "--from-log-start",
    is_flag=True,
    help="Accept, on a first start, that the oldest records of the lead log have expired.",
)
def command(settings: Settings, only: str | None, instance: str | None, *, from_log_start: bool) -> None:
    """Read the doors, keep the scores, emit outcomes; until Ctrl-C.

    Waits until `scorer topics apply` and `scorer rules apply` have been run. Serves /metrics, /livez
    and /readyz (SCORER_METRICS_HOST, SCORER_METRICS_PORT). Ends with exit code 70 when it can't go on
    safely and says why: have something start it again.
    """
    from scorer.worker.process import run

    if settings.lead_secret == DEVELOPMENT_SECRET:
        _tell("warning: SCORER_LEAD_SECRET is not set; lead ids can be guessed from e-mail addresses")
    if instance is not None:
        settings = msgspec.structs.replace(settings, instance=instance)
    run(settings, PARTS if only is None else (only,), from_log_start=from_log_start, tell=_tell)


def _tell(line: str) -> None:
    click.echo(line, err=True)
