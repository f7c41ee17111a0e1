"""``scorer subject-access``: everything that is held about a person."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer.cli.options import kafka_options
from scorer.cli.person_options import person_options, warn_of_secret
from scorer.errors import UserError

if TYPE_CHECKING:
    from scorer.people.asked import Asked
    from scorer.settings import Settings

_OWNER_ONLY = 0o600


@click.command()
@person_options
@click.option("--text", "as_text", is_flag=True, help="Markdown instead of JSON.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file, for its owner's eyes only.  [default: standard output]",
)
@kafka_options
def command(asked: Asked, settings: Settings, output: Path | None, *, as_text: bool) -> None:
    """Show everything that is held about a person: ids, score, every fact, and what was sent.

    All that have been found to be the same person are in it. Each record says where it stands and until
    when it is kept. Reads the lead log, the doors and the dead letters from beginning to end.
    """
    from scorer.cli.progress import progress
    from scorer.people.access import everything, markdown
    from scorer.wire.identity import identity_of

    warn_of_secret(settings)
    document = everything(settings, identity_of(settings), asked, progress)
    as_json = json.dumps(document, indent=2, ensure_ascii=False)
    written = "\n".join(markdown(document)) if as_text else as_json
    if output is None:
        click.echo(written)
    else:
        try:
            handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        except OSError as error:
            raise UserError(f"{output}: {error.strerror}") from error
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(written + "\n")
    facts = sum(one["kind"] == "fact" for one in document["log"])
    click.echo(
        f"{len(document['leads'])} lead ids, {facts} facts, {len(document['received'])} records as sent",
        err=True,
    )
