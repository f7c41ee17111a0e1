"""What ``scorer pixel`` and ``scorer link`` have in common: whose mail it is, the secret, one or many."""

from __future__ import annotations

import csv
import os
import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scorer.collector.tokens import Mail, Tokens

STDIN = "-"
KEYS = "SCORER_COLLECTOR_KEYS"
SECRET = "SCORER_TOKEN_SECRET"  # noqa: S105 - the variable's name
WHO = ("lead", "user_id", "email", "anonymous_id")
ABOUT = ("email_id", "campaign", "template", "kind")
SHOWN = 20
"""Rows that can't be used, told one by one; the rest is counted."""
LEFT_OUT = 1
"""Exit code when some rows were left out."""


class _Secrets(NamedTuple):
    where: str
    """For messages."""
    secrets: tuple[bytes, ...]


def token_options(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds them; the command gets ``tokens``, ``base`` (no slash at its end), ``source`` and ``given``.

    ``kind``: of keys that such tokens are made with.
    """
    return lambda function: _with_options(function, kind)


def _with_options(function: Callable[..., Any], kind: str) -> Callable[..., Any]:
    @click.option(
        "--url",
        "base",
        required=True,
        envvar="SCORER_COLLECTOR_URL",
        metavar="URL",
        help="The collector's public address.  [SCORER_COLLECTOR_URL]",
    )
    @click.option("--key", "key_name", required=True, metavar="NAME", help="The key's name in the keys file.")
    @click.option(
        "--keys",
        "keys_file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        envvar=KEYS,
        help=f"The collector's keys file, which says where the key's secret is.  [{KEYS}]",
    )
    @click.option(
        "--secret-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help=f"Without a keys file: the secret is what this file holds.  [{SECRET}: the secret itself]",
    )
    @click.option("--lead", metavar="ID", help="The recipient: a lead id, ...")
    @click.option("--user-id", metavar="ID", help="... a user id, ...")
    @click.option("--email", metavar="ADDRESS", help="... an address, ...")
    @click.option("--anonymous-id", metavar="ID", help="... or a visitor.")
    @click.option("--email-id", metavar="ID", help="Which mail it is, for awards that count once per e-mail.")
    @click.option("--campaign", metavar="NAME")
    @click.option("--template", metavar="NAME")
    @click.option("--kind", metavar="KIND", help="nurture, onboarding, sales, newsletter ...")
    @click.option(
        "--from",
        "source",
        metavar="FILE",
        help="Recipients as CSV, or - for standard input. The first line names the columns: lead, user_id,"
        " email or anonymous_id, and email_id, campaign, template, kind where they differ from row to row.",
    )
    @wraps(function)
    def command(
        *args: Any,
        base: str,
        key_name: str,
        keys_file: Path | None,
        secret_file: Path | None,
        source: str | None,
        **kwargs: Any,
    ) -> Any:
        from scorer.collector.tokens import check_target

        try:
            check_target(base)
        except ValueError as error:
            raise UserError(f"--url: {error}") from None
        if "?" in base or "#" in base:
            raise UserError("--url: there is nothing after its path", hint="https://collector.example.com")
        given = {name: kwargs.pop(name) for name in (*WHO, *ABOUT)}
        if source is not None and any(given[name] for name in WHO):
            raise click.UsageError("the recipients are in --from, or given one by one")
        tokens = _tokens(key_name, _secrets(key_name, kind, keys_file, secret_file))
        return function(*args, tokens=tokens, base=base.rstrip("/"), source=source, given=given, **kwargs)

    return command


def mails(given: Mapping[str, str | None], target: str | None) -> Callable[[Mapping[str, str | None]], Mail]:
    """What makes a row of recipients, or nothing but ``given``, into the content of a token.

    It raises ``ValueError`` for a row that names nobody.
    """
    from scorer.cli.person_options import warn_of_secret
    from scorer.collector.tokens import Mail
    from scorer.settings import from_environment
    from scorer.wire.cloudevents import Event
    from scorer.wire.dead_letters import Rejected
    from scorer.wire.identity import identity_of

    settings = from_environment(os.environ)
    warn_of_secret(settings)
    identity = identity_of(settings)

    def mail(row: Mapping[str, str | None]) -> Mail:
        said = {name: (row.get(name) or "").strip() or given[name] for name in (*WHO, *ABOUT)}
        event = Event("1.0", "-", "-", "-", {name: said[name] for name in WHO[1:]}, subject=said["lead"])
        try:
            lead = identity.lead_id(event).decode()
        except (Rejected, UnicodeEncodeError) as error:
            raise ValueError(error.detail if isinstance(error, Rejected) else "not text") from None
        return Mail(lead, **{name: said[name] for name in ABOUT}, target=target)

    return mail


def each(source: str, column: str, make: Callable[[Mapping[str, str | None]], str]) -> int:
    """Copies CSV to standard output with one column more; returns the exit code.

    A row of which ``make`` raises ``ValueError`` is left out and told on standard error, by its line.
    """
    left_out = 0
    with _opened(source) as lines:
        reader = csv.DictReader(lines)
        try:
            for line, told in _made(reader, column, make, source):
                left_out += 1
                if left_out <= SHOWN:
                    click.echo(f"{_named(source)}, line {line}: {told}", err=True)
        except (csv.Error, UnicodeDecodeError) as error:
            said = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise UserError(f"{_named(source)}, after line {reader.line_num}: {said}") from None
    if left_out:
        click.echo(f"{left_out} rows were left out", err=True)
    return LEFT_OUT if left_out else 0


def _made(
    reader: csv.DictReader[str], column: str, make: Callable[[Mapping[str, str | None]], str], source: str
) -> Iterator[tuple[int, str]]:
    """Writes the rows; (line, why) of each that is left out."""
    names = list(reader.fieldnames or ())
    if not set(names) & set(WHO):
        raise UserError(
            f"{_named(source)}: no column says who the recipients are",
            hint=f"the first line names the columns, one of them {', '.join(WHO)}",
        )
    if column in names:
        raise UserError(f"{_named(source)}: there is a column {column} already", hint="--column NAME")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow((*names, column))
    for row in reader:
        # A row that is too short has None as a value, one that is too long as a name.
        if None in row or None in row.values():
            yield reader.line_num, f"not {len(names)} fields"
            continue
        try:
            made = make(row)
        except ValueError as error:
            yield reader.line_num, str(error)
        else:
            writer.writerow((*(row[name] for name in names), made))


def one(make: Callable[[Mapping[str, str | None]], str]) -> int:
    """Prints what is made of the options alone; returns the exit code."""
    try:
        click.echo(make({}))
    except ValueError as error:
        raise UserError(
            str(error), hint="--email, --user-id, --anonymous-id or --lead names the recipient"
        ) from None
    return 0


def _secrets(key_name: str, kind: str, keys_file: Path | None, secret_file: Path | None) -> _Secrets:
    """Raises ``UserError`` where there is none."""
    if secret_file is not None:
        try:
            return _Secrets(str(secret_file), (secret_file.read_bytes().strip(),))
        except OSError as error:
            raise UserError(f"{secret_file}: {error.strerror}") from None
    if keys_file is not None:
        from scorer.collector.keys import require

        (key,) = require(keys_file, os.environ, only=key_name)
        if key.kind != kind:
            raise UserError(
                f"{keys_file}: `{key_name}` is a key of the kind {key.kind}, and not {kind}",
                hint=f"--key names one of the kind {kind}",
            )
        return _Secrets(f"{keys_file}: `{key_name}`", key.secrets)
    secret = os.environ.get(SECRET, "").strip().encode("utf-8", "surrogateescape")
    if not secret:
        raise UserError(
            "there is no secret",
            hint=f"--keys FILE, the collector's keys file (or {KEYS}); or --secret-file FILE",
        )
    return _Secrets(SECRET, (secret,))


def _tokens(key_name: str, found: _Secrets) -> Tokens:
    from scorer.collector.tokens import MIN_SECRET, Tokens

    if min(map(len, found.secrets)) < MIN_SECRET:
        raise UserError(f"{found.where}: the secret is shorter than {MIN_SECRET} bytes")
    try:
        return Tokens(key_name, found.secrets)
    except ValueError as error:
        raise UserError(f"--key: {error}") from None


def _opened(source: str) -> Any:
    from contextlib import nullcontext

    if source == STDIN:
        return nullcontext(sys.stdin)
    try:
        return Path(source).open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise UserError(f"{source}: {error.strerror}") from None


def _named(source: str) -> str:
    return "standard input" if source == STDIN else source
