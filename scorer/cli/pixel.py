"""``scorer pixel``: addresses of pictures that tell when a mail is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scorer.cli.token_options import each, mails, one, token_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorer.collector.tokens import Tokens


@click.command()
@token_options("pixel")
@click.option("--column", default="pixel", show_default=True, metavar="NAME", help="What CSV calls it.")
def command(
    tokens: Tokens, base: str, source: str | None, given: Mapping[str, str | None], column: str
) -> int:
    """Make the address of a mail's pixel, or one for each recipient.

    It goes into the mail as <img src="ADDRESS" width="1" height="1" alt="">; fetching it is an email.opened
    of the recipient. The address shows nothing of what it holds and can't be guessed or changed. An address
    or id is hashed into a lead id first (with SCORER_LEAD_SECRET, the workers').

    Exit code 1: rows of the CSV were left out.
    """
    mail = mails(given, None)

    def make(row: Mapping[str, str | None]) -> str:
        return f"{base}/v1/pixel/{tokens.make('pixel', mail(row))}.gif"

    return one(make) if source is None else each(source, column, make)
