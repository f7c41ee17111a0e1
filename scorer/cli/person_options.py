"""The options that say whom a command is about."""

from __future__ import annotations

import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.people.asked import Asked
    from scorer.settings import Settings

STDIN = "-"
DEVELOPMENT_SECRET = "development-only"  # noqa: S105 - the default that this warns of


def person_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --email, --user-id, --anonymous-id, --lead and --from; the command gets ``asked``.

    An argument ``named`` of the command is more lead ids.
    """

    @click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="Whoever has this address.")
    @click.option("--user-id", "user_ids", multiple=True, metavar="ID", help="Whoever has this user id.")
    @click.option("--anonymous-id", "anonymous_ids", multiple=True, metavar="ID", help="This visitor.")
    @click.option("--lead", "leads", multiple=True, metavar="ID", help="The lead of this id.")
    @click.option(
        "--from",
        "source",
        metavar="FILE",
        help="More of them from a file, or - for standard input: one a line, such as"
        " 'email anna@example.com', so that they need not stand in the shell's history.",
    )
    @wraps(function)
    def command(
        *args: Any,
        emails: tuple[str, ...],
        user_ids: tuple[str, ...],
        anonymous_ids: tuple[str, ...],
        leads: tuple[str, ...],
        source: str | None,
        named: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> Any:
        from scorer.people.asked import Asked

        kinds = (("email", emails), ("user-id", user_ids), ("anonymous-id", anonymous_ids))
        given = Asked(tuple((kind, value) for kind, values in kinds for value in values), leads + named)
        if source is not None:
            given = given + _read(source)
        if not given.anybody:
            raise UserError(
                "nobody is named", hint="--email, --user-id, --anonymous-id, --lead, or --from FILE"
            )
        return function(*args, asked=given, **kwargs)

    return command


def warn_of_secret(settings: Settings) -> None:
    """Where it is the default: lead ids made with another than the workers' are nobody's."""
    if settings.lead_secret == DEVELOPMENT_SECRET:
        text = "warning: SCORER_LEAD_SECRET is not set; another secret than the workers' finds nobody"
        click.echo(text, err=True)


def _read(source: str) -> Asked:
    from scorer.people.asked import from_lines

    if source == STDIN:
        return from_lines(sys.stdin.read().splitlines(), "standard input")
    try:
        return from_lines(Path(source).read_text("utf-8").splitlines(), source)
    except OSError as error:
        raise UserError(f"{source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: not UTF-8 at byte {error.start}") from error
