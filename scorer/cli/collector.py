"""``scorer collector``: HTTP in."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from scorer import logs
from scorer.cli import collector_check
from scorer.cli.options import kafka_options

if TYPE_CHECKING:
    from scorer.settings import Settings

log = logging.getLogger(__name__)

DEVELOPMENT_SECRET = "development-only"  # noqa: S105 - the default that this warns of


@click.group(invoke_without_command=True)
@click.pass_context
@kafka_options
@click.option("--host", metavar="ADDRESS", help="Where to listen.  [SCORER_COLLECTOR_HOST]")
@click.option("--port", type=click.IntRange(0, 65_535), help="0: a free one.  [SCORER_COLLECTOR_PORT]")
@click.option(
    "--keys",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The keys file.  [SCORER_COLLECTOR_KEYS]",
)
@click.option("--processes", type=click.IntRange(1, 256), help="One per core.  [SCORER_COLLECTOR_PROCESSES]")
@click.option("--check", is_flag=True, help="Only read the keys file and say what is wrong with it.")
def command(
    ctx: click.Context,
    settings: Settings,
    host: str | None,
    port: int | None,
    keys: Path | None,
    processes: int | None,
    *,
    check: bool,
) -> int:
    """Take events over HTTP into the lead log; until Ctrl-C.

    Segment's SDKs, CloudEvents, webhooks, pixels and the web snippet: docs/collector.md. What is answered
    with success is in Kafka, on all in-sync replicas. Waits until `scorer topics apply` and `scorer rules
    apply` have been run, and answers 503 until then. Serves /metrics, /livez and /readyz on a port of their
    own (SCORER_METRICS_HOST, SCORER_COLLECTOR_METRICS_PORT).
    """
    if ctx.invoked_subcommand is not None:
        return 0
    given = {
        "collector_host": host,
        "collector_port": port,
        "collector_keys": keys,
        "collector_processes": processes,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    settings = msgspec.structs.replace(settings, **changed)

    from scorer.collector import process

    if check:
        count = process.check(settings)
        click.echo(f"{settings.collector_keys}: {count} key{'s' if count != 1 else ''}")
        return 0
    logs.set_up("collector", settings.log_format, settings.log_level)
    if settings.lead_secret == DEVELOPMENT_SECRET:
        log.warning("SCORER_LEAD_SECRET is not set; lead ids can be guessed from e-mail addresses")
    return asyncio.run(process.run_collector(settings))


command.add_command(collector_check.command)
