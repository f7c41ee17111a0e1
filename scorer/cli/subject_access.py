"""``scorer subject-access``: everything that is held about a person."""

from __future__ import annotations

import errno
import json
import os
import stat
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
        write_for_owner(output, written + "\n")
    facts = sum(one["kind"] == "fact" for one in document["log"])
    click.echo(
        f"{len(document['leads'])} lead ids, {facts} facts, {len(document['received'])} records as sent",
        err=True,
    )


def write_for_owner(path: Path, text: str) -> None:
    """To a file that nobody else can read, a new one or one that was there; raises ``UserError``."""
    try:
        # Without O_TRUNC: what cannot be made private is left as it is. A pipe must not be waited for.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, _OWNER_ONLY)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UserError(f"{path}: no ordinary file", hint="without -o it goes to standard output")
            os.fchmod(handle, _OWNER_ONLY)  # the mode given to open is for new files only
            file.truncate()
            file.write(text)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UserError(f"{path}: a symbolic link", hint="name the file that it leads to") from error
        raise UserError(f"{path}: {error.strerror}") from error
