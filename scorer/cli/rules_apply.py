"""``scorer rules apply``: put a rule file in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer.cli.options import kafka_options

if TYPE_CHECKING:
    from scorer.rules_apply import Applied
    from scorer.settings import Settings


@click.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@kafka_options
def apply(file: Path, settings: Settings) -> None:
    """Put a rule file in force, for every lead and from now on.

    The file is checked first: with a mistake in it nothing is written, and the exit code is 2. Running
    workers change over by themselves, each partition at the same place in its log. Running the command
    again with the same file completes what an interrupted run has left.
    """
    from scorer.broker import Broker
    from scorer.domain.model import encode_model
    from scorer.rulefile import require
    from scorer.rules_apply import apply as put_in_force

    model = encode_model(require(file))
    _report(put_in_force(Broker(settings), model))


def _report(applied: Applied) -> None:
    from scorer.rule_changes import changes

    version = applied.rules.version
    if applied.completed:
        click.echo(
            f"version {applied.completed} had not reached all {applied.partitions} partitions: completed"
        )
    if applied.already:
        click.echo(f"already in force: version {version} ({applied.rules.fingerprint})")
        return
    click.echo(f"in force: version {version} ({applied.rules.fingerprint})")
    if applied.previous is None:
        return
    told = changes(applied.previous.model, applied.rules.model)
    for heading, lines in (
        ("At once, for every lead and its past:", told.at_once),
        ("From nothing, counting from now on:", told.from_nothing),
    ):
        if lines:
            click.echo(heading)
            for line in lines:
                click.echo(f"  {line}")
    if not told.any:
        click.echo("No lead's score changes.")
