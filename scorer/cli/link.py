"""``scorer link``: addresses that lead where they should and tell that they were clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scorer.cli.token_options import each, mails, one, token_options
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorer.collector.tokens import Tokens


@click.command()
@token_options("link")
@click.option("--to", "target", required=True, metavar="URL", help="Where it leads to: http or https.")
@click.option("--column", default="link", show_default=True, metavar="NAME", help="What CSV calls it.")
def command(
    tokens: Tokens, base: str, source: str | None, given: Mapping[str, str | None], target: str, column: str
) -> int:
    """Make a tracked link, or one for each recipient.

    Following it is an email.clicked of the recipient. Where it leads to is sealed in it: nobody can make it
    lead elsewhere. An address or id is hashed into a lead id first (with SCORER_LEAD_SECRET, the workers').

    Exit code 1: rows of the CSV were left out.
    """
    from scorer.collector.tokens import check_target

    try:
        check_target(target)
    except ValueError as error:
        raise UserError(f"--to: {error}") from None
    mail = mails(given, target)

    def make(row: Mapping[str, str | None]) -> str:
        return f"{base}/v1/link/{tokens.make('link', mail(row))}"

    return one(make) if source is None else each(source, column, make)
