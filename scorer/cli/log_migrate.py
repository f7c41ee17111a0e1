"""``scorer log migrate``: the lead log begins anew elsewhere, and every lead goes on where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from scorer.cli.options import kafka_options
from scorer.errors import UserError

if TYPE_CHECKING:
    from scorer.settings import Settings


@click.command()
@click.option("--to-prefix", metavar="TEXT", help="The new topics' prefix.  [default: as it is]")
@click.option("--to-bootstrap", metavar="HOST:PORT", help="Another Kafka's address.  [default: the same]")
@click.option(
    "--to-env",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The environment of the new workers, a SCORER_<SETTING>=value a line: how another Kafka is reached.",
)
@click.option(
    "--partitions",
    "counts",
    multiple=True,
    metavar="TOPIC=N",
    help="Partitions of a new topic, such as lead.log.v1=64; may be repeated.  [default: as many as now]",
)
@click.option("--check", "only_check", is_flag=True, help="Only say what stands in the way.")
@kafka_options
def migrate(
    to_prefix: str | None,
    to_bootstrap: str | None,
    to_env: Path | None,
    counts: tuple[str, ...],
    settings: Settings,
    *,
    only_check: bool,
) -> None:
    """Begin a new lead log: with another number of partitions, under another prefix, on another cluster.

    Carries over what every lead and account is, who is who, the rules and the keys of sealed fields. Workers
    and collectors started with the new settings go on: nothing is told twice, and numbers go on. Not carried
    over: the records of the old log, old outcomes, dead letters. They stay where they are.

    Everything has to be at rest: workers and collectors stopped, doors read and the log scored to the end.
    What is not is named, and nothing is changed. Should the command be interrupted, the old place is as it
    was; run again, it begins anew, or completes its last step. At its end the old log is closed: it takes no
    record any more, and old workers and collectors say where it is now.
    """
    from scorer.cli.progress import progress
    from scorer.cli.topics import partition_counts
    from scorer.migration.running import check
    from scorer.migration.running import migrate as run
    from scorer.wire.registry import Registry

    if to_prefix is None and to_bootstrap is None and to_env is None:
        raise click.UsageError("--to-prefix, --to-bootstrap or --to-env says where to")
    new = _new(settings, to_prefix, to_bootstrap, to_env)
    registry = Registry.load()
    if only_check:
        check(settings, new, registry)
        click.echo("at rest: it can be moved")
        return
    done = run(settings, new, registry, partition_counts(counts), progress, _tell)
    if done.carried is None:
        click.echo(f"done before: the lead log is at {done.place}")
        return
    leads, accounts, keys = done.carried
    click.echo(
        f"the lead log is at {done.place}: {done.partitions} partitions, {leads:,} leads,"
        f" {accounts:,} accounts, {keys:,} keys of sealed fields"
    )
    click.echo("start workers, collectors and consumers with the settings of that place")
    click.echo(
        "left in the old place: the log's records (replay, backtest, rebuild and explain --at of what was"
        " before), outcomes, dead letters"
    )


def _new(
    settings: Settings, to_prefix: str | None, to_bootstrap: str | None, to_env: Path | None
) -> Settings:
    """Settings of the new place."""
    from scorer.settings import from_environment

    if to_env is not None:
        settings = from_environment(_variables(to_env))
    given = {"topic_prefix": to_prefix, "bootstrap": to_bootstrap}
    new = msgspec.structs.replace(settings, **{k: v for k, v in given.items() if v is not None})
    new.kafka.check()
    return new


def _variables(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--to-env {file} can't be read") from error
    found = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            name, equals, value = line.removeprefix("export ").partition("=")
            if not equals:
                raise UserError(f"--to-env {file}, line {number}: not NAME=value")
            found[name.strip()] = value.strip().strip("\"'")
    return found


def _tell(line: str) -> None:
    click.echo(line, err=True)
