"""``scorer collector check``: what a mapping file makes of samples."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer.cli.options import milliseconds_of
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MISTAKES = 2
REFUSED = 1


@click.command("check")
@click.argument("mapping", metavar="MAPPING", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument(
    "samples", metavar="[SAMPLE]...", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A header of the requests, where the mapping reads one.",
)
@click.option("--at", metavar="TIME", help="As if received then, RFC 3339: samples grow old.  [default: now]")
def command(mapping: Path, samples: Sequence[Path], headers: Sequence[str], at: str | None) -> int:
    """Show what a mapping file makes of samples, or all its mistakes.

    A sample is a file with the JSON that the sender posts; it need not be signed. Shown are the events, and
    what becomes of them: which would be refused and why, and which come to nothing because no `when` fits.

    Exit code 2: the mapping has mistakes. 1: an event of a sample would be refused.
    """
    from scorer.collector.webhook.mapping_file import load
    from scorer.collector.webhook.trying import render, try_mapping
    from scorer.settings import from_environment
    from scorer.wire.identity import identity_of
    from scorer.wire.intake import Intake
    from scorer.wire.registry import Registry

    received = int(time.time() * 1000) if at is None else milliseconds_of("--at", at)
    given = _headers(headers)
    loaded = load(mapping)
    for diagnostic in loaded.diagnostics:
        click.echo(diagnostic.render() + "\n", err=True)
    if loaded.mapping is None:
        count = sum(one.severity == "error" for one in loaded.diagnostics)
        click.echo(f"{mapping}: {count} mistake{'s' if count != 1 else ''}", err=True)
        return MISTAKES
    rules = len(loaded.mapping.rules)
    click.echo(f"{mapping}: {loaded.mapping.name}, {rules} event{'s' if rules != 1 else ''}")
    registry = Registry.load()
    intake = Intake(identity_of(from_environment(os.environ)), registry.max_log_bytes, registry)
    refused = False
    for sample in samples:
        tried = try_mapping(loaded.mapping, _read(sample), received, intake, given)
        refused |= any(one.mistake is not None for one in tried)
        click.echo(f"\n{sample}\n{render(tried)}")
    return REFUSED if refused else 0


def _headers(given: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, colon, value = one.partition(":")
        if not colon or not name.strip():
            raise UserError(f"--header: {one!r} is no header", hint="--header 'X-Event-Id: 4711'")
        found[name.strip().lower()] = value.strip()
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
