"""``scorer check``: every mistake of rule files and of their tests, for people and for machines."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scorer import __version__
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorer.rulefile import Diagnostic

MISTAKES = 2
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
"""A name, not an address that anything is read from."""
SARIF_RULE = "rule-file"


class _Checked(NamedTuple):
    path: Path
    summary: str | None
    """What the file holds; None if it has mistakes."""
    diagnostics: list[Diagnostic]


@click.command()
@click.argument(
    "paths",
    metavar="FILE OR FOLDER...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="For people, for programs, or for code scanning.",
)
def command(paths: tuple[Path, ...], form: str) -> int:
    """Show every mistake of rule files at once, with its line and how to mend it.

    Files named NAME.test.yaml are rule tests, all others rules; of a folder all .yaml files are checked.
    Nothing is changed and nothing else is needed. The exit code is 2 if there is a mistake, 0 if there
    are only warnings and notes or nothing at all.
    """
    gc.disable()  # a large file makes a million small objects, none of them garbage before the end
    try:
        checked = [_check(path) for path in _files(paths)]
    finally:
        gc.enable()
    if form == "text":
        _for_people(checked)
    else:
        _for_programs(checked, form)
    return MISTAKES if any(one.summary is None for one in checked) else 0


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        if not inside:
            raise UserError(f"{path} has no rule files", "their names end with .yaml")
        found += inside
    return list(dict.fromkeys(found))


def _check(path: Path) -> _Checked:
    from scorer.rulefile import load
    from scorer.rulefile.shown import summary
    from scorer.ruletests import ENDING
    from scorer.ruletests import load as load_tests

    if path.name.endswith(ENDING):
        tests = load_tests(path)
        count = 0 if tests.suite is None else len(tests.suite.tests)
        said = f"{count} test{'s' if count != 1 else ''}"
        return _Checked(path, None if tests.suite is None else said, tests.diagnostics)
    rules = load(path)
    return _Checked(path, None if rules.model is None else summary(rules.model), rules.diagnostics)


def _for_people(checked: Sequence[_Checked]) -> None:
    from scorer.rulefile import mistakes

    for one in checked:
        for diagnostic in one.diagnostics:
            click.echo(diagnostic.render() + "\n", err=True)
        if one.summary is None:
            click.echo(f"{one.path}: {mistakes(one.diagnostics)}", err=True)
        else:
            click.echo(f"{one.path}: {one.summary}")


def _for_programs(checked: Sequence[_Checked], form: str) -> None:
    import msgspec

    every = [diagnostic for one in checked for diagnostic in one.diagnostics]
    document = _sarif(every) if form == "sarif" else every
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def _sarif(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """A SARIF 2.1.0 log: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""
    driver = {"name": "scorer", "version": __version__, "rules": [{"id": SARIF_RULE}]}
    results = [_sarif_result(one) for one in diagnostics]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _sarif_result(diagnostic: Diagnostic) -> dict[str, Any]:
    text = diagnostic.message + (f" ({diagnostic.hint})" if diagnostic.hint else "")
    region = {
        "startLine": diagnostic.line,
        "startColumn": diagnostic.column,
        "endColumn": diagnostic.column + diagnostic.length,
    }
    place = {"artifactLocation": {"uri": Path(diagnostic.file).as_posix()}, "region": region}
    return {
        "ruleId": SARIF_RULE,
        "level": diagnostic.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }
