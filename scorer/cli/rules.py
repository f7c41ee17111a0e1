"""``scorer rules``: check a rule file, show what it says, put it in force."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Rules(click.Group):
    """``apply`` talks to Kafka and is imported only when it is asked for."""

    _APPLY = "scorer.cli.rules_apply"

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *(["apply"] if find_spec(self._APPLY) else [])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "apply" and find_spec(self._APPLY):
            found = import_module(self._APPLY).apply
            if isinstance(found, click.Command):
                return found
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Rules)
def command() -> None:
    """The rule file: check it, show it, put it in force. docs/rules.md describes the language."""


@command.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
def check(files: tuple[Path, ...]) -> int:
    """Show every mistake of a rule file at once, with its line and how to mend it.

    Nothing is changed and nothing else is needed. The exit code is 2 if there is a mistake, 0 if there
    are only warnings or nothing at all.
    """
    from scorer.rulefile import load
    from scorer.rulefile.shown import summary

    faulty = False
    for file in files:
        loaded = load(file)
        for diagnostic in loaded.diagnostics:
            click.echo(diagnostic.render() + "\n", err=True)
        if loaded.model is None:
            faulty = True
            mistakes = sum(one.severity == "error" for one in loaded.diagnostics)
            click.echo(f"{file}: {mistakes} mistake{'s' if mistakes != 1 else ''}", err=True)
        else:
            click.echo(f"{file}: {summary(loaded.model)}")
    return 2 if faulty else 0


@command.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="The compiled rules, as they travel through the log.")
def show(file: Path, *, as_json: bool) -> None:
    """Show what a rule file says, one rule a line."""
    import msgspec

    from scorer.rulefile import require
    from scorer.rulefile.shown import lines

    model = require(file)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(model), indent=2).decode())
        return
    for line in lines(model):
        click.echo(line)
