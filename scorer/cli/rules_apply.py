"""``scorer rules apply``: put a rule file in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer.cli.options import kafka_options

if TYPE_CHECKING:
    from scorer.broker import Broker
    from scorer.domain.record import Rules
    from scorer.rules_apply import Applied
    from scorer.settings import Settings

POLICIES = ("all", "upward", "none")
"""``scorer.domain.record.ANNOUNCE``, which costs an import."""


@click.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--announce",
    type=click.Choice(POLICIES),
    default=POLICIES[0],
    show_default=True,
    help="What to tell of leads that the new rules alone move: all, only who qualifies, nothing.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would change and how many leads would be announced, no more."
)
@click.option(
    "--rebuild",
    is_flag=True,
    help="Give changed and new rules their past, from the log; meanwhile the old rules go on.",
)
@click.option(
    "--accept-truncated", is_flag=True, help="With --rebuild: from what is left of a log that has expired."
)
@kafka_options
def apply(
    file: Path, announce: str, settings: Settings, *, dry_run: bool, rebuild: bool, accept_truncated: bool
) -> None:
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
    broker = Broker(settings)
    if dry_run and rebuild:
        raise click.UsageError("--dry-run counts what a change without --rebuild announces: leave one out")
    if dry_run:
        _preview(broker, model, announce)
        return
    if rebuild:
        _rebuild(broker, model, announce, accept_truncated=accept_truncated)
        return
    report(put_in_force(broker, model, POLICIES.index(announce)))


def _rebuild(broker: Broker, model: bytes, announce: str, *, accept_truncated: bool) -> None:
    from scorer.cli.progress import progress
    from scorer.rules_rebuild import rebuild

    try:
        came = rebuild(broker, model, POLICIES.index(announce), progress, accept_truncated=accept_truncated)
    except KeyboardInterrupt:
        click.echo("interrupted: the rules before stay in force; run the command again", err=True)
        raise
    if came.leads:
        click.echo(
            f"rebuilt from {came.records:,} records of the log; {came.leads:,} leads have their past,"
            f" {came.again:,} after a second look"
        )
    elif came.applied.already:
        click.echo("there is nothing to rebuild: only what a change brings can be given its past")
    report(came.applied, rebuilt=bool(came.leads))


def _preview(broker: Broker, model: bytes, announce: str) -> None:
    from scorer.cli.progress import progress
    from scorer.domain.model import fingerprint
    from scorer.domain.record import Rules
    from scorer.rules_apply import beside, read
    from scorer.rules_preview import preview

    stored = read(broker)
    newest = stored.newest
    if newest is None:
        click.echo("no rules are in force yet: these would be the first, version 1")
        return
    model = beside(newest.model, model)
    if stored.half_written:
        click.echo(f"version {newest.version} has not reached all partitions: apply completes it first")
    if newest.fingerprint == fingerprint(model) and not stored.displaced:
        click.echo(f"already in force: version {newest.version} ({name_of(newest.model)})")
        return
    version = newest.version + 1
    click.echo(f"would be version {version} ({name_of(model)}); nothing has been written")
    _changes(newest, model)
    with progress("trying it on every lead", None) as moved:
        coming = Rules(version, fingerprint(model), model, POLICIES.index(announce))
        found = preview(broker, coming, moved)
    said = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.announced.items())) or "nothing"
    click.echo(f"Of {found.leads:,} leads, at once and with --announce {announce}: {said}")
    if found.unscored:
        click.echo(f"{found.unscored:,} records about leads are not scored yet: these may be more or fewer")
    if found.importing:
        click.echo(f"{found.importing:,} leads of an open import are judged, and told, when it ends")


def report(applied: Applied, *, rebuilt: bool = False, promoted: bool = False) -> None:
    """What ``apply`` has done, to standard output. ``promoted``: the rules were tried before."""
    version, name = applied.rules.version, name_of(applied.rules.model)
    if applied.completed:
        click.echo(
            f"version {applied.completed} had not reached all {applied.partitions} partitions: completed"
        )
    policy = f"announcing {POLICIES[applied.rules.announce]}"
    if applied.already:
        click.echo(f"already in force: version {version} ({name}), {policy}")
        return
    click.echo(f"in force: version {version} ({name}), {policy}")
    if promoted:
        click.echo("leads keep what they have been granted since the trial began")
    elif applied.previous is not None:
        _changes(applied.previous, applied.rules.model, rebuilt=rebuilt)


def name_of(model: bytes) -> str:
    """The fingerprint by which outcomes name rules; what is tried beside them is not in it."""
    from scorer.domain.rules import build

    return build(model).fingerprint


def _changes(before: Rules, model: bytes, *, rebuilt: bool = False) -> None:
    from scorer.domain.model import decode_model
    from scorer.domain.preparing import prepare
    from scorer.rule_changes import changes

    told = changes(before.model, model, rebuilt=rebuilt)
    for heading, lines in (
        ("At once, for every lead and its past:", told.at_once),
        ("From nothing, counting from now on:", told.from_nothing),
        ("With their past, rebuilt from the log:", told.rebuilt),
    ):
        if lines:
            click.echo(heading)
            for line in lines:
                click.echo(f"  {line}")
    if told.from_nothing and not rebuilt:
        could = [award.id for award in prepare(decode_model(before.model), decode_model(model)).prepared]
        if could:
            click.echo(f"--rebuild would give their past to: {', '.join(could)}; then others are announced")
    if not told.any:
        click.echo("No lead's score changes.")
