"""``scorer shadow``: try a rule file beside the one in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer.cli.options import kafka_options
from scorer.cli.rules_apply import POLICIES, name_of
from scorer.cli.rules_apply import report as report_applied

if TYPE_CHECKING:
    from scorer.settings import Settings


@click.group()
def command() -> None:
    """Try a rule file beside the one in force, on the same events, and put it in force if it is better.

    Every lead gets a second score, which decides about nothing. docs/shadow.md says what is compared.
    """


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@kafka_options
def start(file: Path, settings: Settings) -> None:
    """Try a rule file from now on; it takes the place of any other that is tried.

    The file is checked first: with a mistake in it nothing is written, and the exit code is 2. Each lead
    begins as it would if the file were put in force now.
    """
    from scorer.broker import Broker
    from scorer.domain.model import encode_model
    from scorer.rulefile import require
    from scorer.shadows import start as start_trial

    model = encode_model(require(file))
    applied = start_trial(Broker(settings), model)
    if applied.already:
        click.echo(f"already tried: {name_of(model)}, beside version {applied.rules.version}")
    else:
        click.echo(f"tried from now on: {name_of(model)}, with version {applied.rules.version}")
        click.echo("`scorer shadow report` compares; `scorer shadow promote` puts it in force")


@command.command()
@kafka_options
def stop(settings: Settings) -> None:
    """Try nothing any more, and forget what was compared."""
    from scorer.broker import Broker
    from scorer.shadows import stop as stop_trial

    applied = stop_trial(Broker(settings))
    click.echo(f"stopped, with version {applied.rules.version}; the rules in force stay as they are")


@command.command()
@click.option(
    "--announce",
    type=click.Choice(POLICIES),
    default=POLICIES[0],
    show_default=True,
    help="What to tell of leads that the new rules alone move: all, only who qualifies, nothing.",
)
@kafka_options
def promote(announce: str, settings: Settings) -> None:
    """Put the rules that are tried in force; leads go on with what they have been granted meanwhile."""
    from scorer.broker import Broker
    from scorer.shadows import promote as put_in_force

    report_applied(put_in_force(Broker(settings), POLICIES.index(announce)), promoted=True)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@click.option("--leads", default=10, show_default=True, type=click.IntRange(0), help="How many to name.")
@kafka_options
def report(settings: Settings, leads: int, *, as_json: bool) -> None:
    """Compare: who is qualified, who was told when, and by how many points the scores differ."""
    from scorer.broker import Broker
    from scorer.cli.progress import progress
    from scorer.cli.shadow_shown import show
    from scorer.domain.model import encode_model
    from scorer.shadow_report import encode_report
    from scorer.shadow_report import report as compare
    from scorer.shadows import running

    broker = Broker(settings)
    trial = running(broker)
    live = name_of(encode_model(trial.live))
    with progress("comparing every lead", None) as moved:
        found = compare(broker, live, trial.fingerprint, moved, leads)
    if as_json:
        click.echo(encode_report(found))
    else:
        show(found)
