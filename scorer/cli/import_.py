"""``scorer import``: history from a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer.cli.options import kafka_options

if TYPE_CHECKING:
    from scorer.history import Checked
    from scorer.settings import Settings

INVALID = 1


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-invalid", is_flag=True, help="Import the other lines where some are invalid.")
@click.option("--check", "check_only", is_flag=True, help="Only look for invalid lines; needs no Kafka.")
@kafka_options
def command(file: Path, settings: Settings, *, skip_invalid: bool, check_only: bool) -> int:
    """Bring in history: door messages (CloudEvents JSON), one per line.

    Every line is checked before the first is written. The facts change leads without being evaluated;
    when all are in, each lead that they touched is evaluated once. An import that broke off is
    completed by running it again with the same file; nothing counts twice.

    Events older than 400 days are invalid. Exit code 1: there are invalid lines, and nothing was written
    (with --skip-invalid they are only reported).
    """
    from scorer.broker import Broker
    from scorer.cli.progress import progress
    from scorer.history import History
    from scorer.wire.identity import identity_of

    history = History(file, identity_of(settings), int(time.time() * 1000))
    with progress("checking", history.size, size=True) as moved:
        checked = history.check(moved)
    _report(checked)
    if checked.reasons and not skip_invalid:
        if not check_only:
            click.echo("nothing was imported; --skip-invalid imports the rest", err=True)
        return INVALID
    if check_only:
        click.echo(f"{_events(checked.facts)} can be imported")
        return 0
    if not checked.facts:
        click.echo("there is nothing to import")
        return 0
    with progress("importing", history.size, size=True) as moved:
        history.append(Broker(settings), checked, moved)
    click.echo(f"{_events(checked.facts)} imported as {checked.number}")
    return 0


def _report(checked: Checked) -> None:
    for invalid in checked.invalid:
        click.echo(f"line {invalid.line}: {invalid.reason}: {invalid.detail}", err=True)
    if checked.reasons:
        by_reason = ", ".join(f"{count:,} {reason}" for reason, count in checked.reasons.most_common())
        click.echo(
            f"{checked.reasons.total():,} of {checked.lines:,} lines are invalid: {by_reason}", err=True
        )


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"
