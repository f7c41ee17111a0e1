"""``scorer traffic``: invented publishers, for a collector that is being tried."""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import click

from scorer.errors import UserError

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """Invented people whose app, site, mails, scheduler and CRM send to a collector, to try one.

    They are those of `scorer demo`. What they send is scored like anything else: use it where no real leads
    are.
    """


@command.command()
@click.argument("folder", type=FOLDER)
def keys(folder: Path) -> None:
    """Make a lead secret and the publishers' keys in FOLDER; what is there stays.

    FOLDER/keys.yaml is for SCORER_COLLECTOR_KEYS, FOLDER/lead-secret for SCORER_LEAD_SECRET_FILE.
    """
    from scorer.demo.traffic import prepare

    made = prepare(folder)
    click.echo(f"{folder}: " + ("keys made" if made else "the keys are there already"))


@command.command()
@click.option("--keys", "folder", type=FOLDER, required=True, help="The folder of `scorer traffic keys`.")
@click.option(
    "--to",
    "url",
    metavar="URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="The collector's address.",
)
@click.option("--speed", type=click.FloatRange(0.1, 100), default=1.0, show_default=True, help="Of events.")
@click.option("--for", "seconds", type=click.FloatRange(0.1), metavar="SECONDS", help="Then it ends.")
@click.option("--seed", type=int, help="The story; told twice within a day it adds nothing.  [default: new]")
def send(folder: Path, url: str, speed: float, seconds: float | None, seed: int | None) -> None:
    """Send until Ctrl-C. Waits for a collector that does not answer yet; ends if its answer is wrong.

    Needs the collector's lead secret (SCORER_LEAD_SECRET or SCORER_LEAD_SECRET_FILE).
    """
    import signal

    from scorer.demo.traffic import Traffic, publishers_keys
    from scorer.settings import from_environment
    from scorer.wire.identity import identity_of

    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise UserError(f"--to {url}", hint="such as http://127.0.0.1:8080: a collector without TLS")
    traffic = Traffic(
        publishers_keys(folder),
        identity_of(from_environment(os.environ)),
        (parts.hostname, parts.port or 80),
        speed,
        int(time.time()) if seed is None else seed,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: traffic.stop())
    traffic.run(lambda line: click.echo(line, err=True), seconds)
    click.echo(f"{traffic.taken:,} events taken", err=True)
