"""``scorer worker``: the Faust apps."""

from __future__ import annotations

import gc
import logging
import sys
from typing import TYPE_CHECKING

import click
import msgspec
from click.core import ParameterSource

from scorer import logs
from scorer.cli.options import kafka_options

if TYPE_CHECKING:
    from scorer.settings import Settings

log = logging.getLogger(__name__)

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
@click.option(
    "--restart",
    is_flag=True,
    help="Run the worker as a child process and start it again after exit code 70 or when it is killed.",
)
@click.pass_context
def command(
    context: click.Context,
    settings: Settings,
    only: str | None,
    instance: str | None,
    *,
    from_log_start: bool,
    restart: bool,
) -> int:
    """Read the doors, keep the scores, emit outcomes; until Ctrl-C.

    Waits until `scorer topics apply` and `scorer rules apply` have been run. Serves /metrics, /livez
    and /readyz (SCORER_METRICS_HOST, SCORER_METRICS_PORT). Ends with exit code 70 when it can't go on
    safely and says why: have something start it again, or give --restart. That waits 1, 2, 4 ... 30 s
    (less up to half, by chance), from 1 s again after a minute's life; other exit codes, 0 and wrong
    usage among them, end it with the same code.
    """
    logs.set_up("worker", settings.log_format, settings.log_level)
    if restart:
        from scorer.worker.keeper import keep

        return keep(
            [sys.executable, "-m", "scorer", "worker", *_given(context, but="restart")], tell=log.warning
        )

    from scorer.worker.imports import faust_alone

    gc.disable()  # of what is imported nothing becomes garbage
    with faust_alone():
        from scorer.worker.process import run
    gc.freeze()
    gc.enable()

    if settings.lead_secret == DEVELOPMENT_SECRET:
        log.warning("SCORER_LEAD_SECRET is not set; lead ids can be guessed from e-mail addresses")
    if instance is not None:
        settings = msgspec.structs.replace(settings, instance=instance)
    run(settings, PARTS if only is None else (only,), from_log_start=from_log_start)
    return 0


def _given(context: click.Context, *, but: str) -> list[str]:
    """The options of this command line, as arguments for another."""
    return [
        option.opts[0] if option.is_flag else f"{option.opts[0]}={context.params[option.name]}"
        for option in context.command.params
        if isinstance(option, click.Option)
        and option.name not in {None, but}
        and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    ]
