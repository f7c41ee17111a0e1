"""``scorer rules``: show what a rule file says, put it in force."""

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
    """The rule file: show it, put it in force. docs/rules.md describes the language."""


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


@command.command()
def schema() -> None:
    """Print a JSON Schema of rule files: completion and hover texts in editors."""
    import msgspec

    from scorer.rulefile.editor_schema import editor_schema

    click.echo(msgspec.json.format(msgspec.json.encode(editor_schema()), indent=2).decode())


@command.command()
def words() -> None:
    """Print every word of the language, as Markdown."""
    from scorer.rulefile.reference import reference

    click.echo(reference(), nl=False)
