"""``scorer log``: the lead log as text, and in another place."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorer.cli.log_migrate import migrate
from scorer.cli.options import kafka_options

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from scorer.settings import Settings


@click.group()
def command() -> None:
    """The lead log: every fact about every lead, in order."""


@command.command()
@click.option("--partition", type=click.IntRange(0), metavar="N", help="Only this partition.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file.  [default: standard output]",
)
@kafka_options
def export(partition: int | None, output: Path | None, settings: Settings) -> None:
    """Write the lead log as JSON lines, control records included, up to where it ends now.

    `scorer replay` reads what this writes. Records that the worker has put into the dead letters are
    marked with the reason.
    """
    from scorer.broker import Broker
    from scorer.cli.progress import progress
    from scorer.log_export import Export

    work = Export(Broker(settings), partition)
    written = 0
    with _writer(output) as file, progress("exporting", work.records, prints=output is None) as moved:
        for line in work.lines(moved):
            file.write(line)
            file.write(b"\n")
            written += 1
    partitions = "1 partition" if len(work.ranges) == 1 else f"{len(work.ranges)} partitions"
    click.echo(f"{written:,} records of {partitions}", err=True)


command.add_command(migrate)


def _writer(output: Path | None) -> AbstractContextManager[Any]:
    return nullcontext(sys.stdout.buffer) if output is None else output.open("wb")
