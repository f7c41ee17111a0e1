"""``scorer test``: the tests that the authors of rules write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scorer.domain.model import Model
    from scorer.ruletests.running import Result
    from scorer.ruletests.story import Suite

FAILED, MISTAKES = 1, 2
SHOWN = 20
"""Rules without a test, and changes that no test notices, that are named unless more is asked for."""
_PATH = click.Path(exists=True, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Read(NamedTuple):
    """A file of rule tests and the rules that it is about."""

    path: Path
    suite: Suite
    lines: list[str]
    rules: Path
    model: Model


@click.command()
@click.argument("paths", metavar="[FILE OR FOLDER]...", nargs=-1, type=_PATH)
@click.option("--rules", type=_FILE, help="Test this rule file instead of those that the tests name.")
@click.option("--mutate", is_flag=True, help="Change the rules; tell what no test noticed.")
@click.option("-v", "--verbose", is_flag=True, help="Name every test, and all that is left out otherwise.")
def command(paths: tuple[Path, ...], rules: Path | None, *, mutate: bool, verbose: bool) -> int:
    """Run the tests of rule files: each tells a lead's story and says what must be true of it, and when.

    Their files are named NAME.test.yaml; without arguments those in the folder `rules` are run.
    docs/rule-tests.md describes them. The exit code is 1 if a test fails, 2 if a file has a mistake.
    """
    from scorer.ruletests import find

    if not paths and not Path("rules").is_dir():
        raise UserError("there is no folder `rules` here", "name the files: scorer test my.test.yaml")
    read = _read(find(list(paths) or [Path("rules")]), rules)
    if read is None:
        return MISTAKES
    passed, results = True, []
    for one in read:
        ran = _run(one, verbose=verbose)
        passed &= not any(result.failures for result in ran)
        results.append(ran)
    _count(results)
    most = None if verbose else SHOWN
    covered = _coverage(read, results, most)
    if mutate and passed:
        _mutate(read, most)
    elif mutate:
        click.echo("the tests have to pass before changes to the rules can show anything", err=True)
    elif covered:
        click.echo("what of the rules do they hold fast? `scorer test --mutate` tells")
    return 0 if passed else FAILED


def _read(paths: Iterable[Path], rules: Path | None) -> list[_Read] | None:
    from scorer.rulefile import require
    from scorer.ruletests import load

    models: dict[Path, Model] = {}
    found: list[_Read] = []
    faulty = False
    for path in paths:
        loaded = load(path)
        for diagnostic in loaded.diagnostics:
            click.echo(diagnostic.render() + "\n", err=True)
        if loaded.suite is None:
            faulty = True
            continue
        about = rules
        if about is None:
            if loaded.suite.rules is None:
                raise UserError(f"{path} does not say what it tests", "begin it with `rules: default.yaml`")
            about = path.parent / loaded.suite.rules.text
        if about not in models:
            models[about] = require(about)
        found.append(_Read(path, loaded.suite, loaded.lines, about, models[about]))
    return None if faulty else found


def _run(read: _Read, *, verbose: bool) -> list[Result]:
    from scorer.ruletests.running import run
    from scorer.ruletests.shown import failed

    results = []
    for test in read.suite.tests:
        result = run(test, read.model)
        results.append(result)
        if result.failures:
            for text in failed(result, str(read.path), read.lines):
                click.echo(text + "\n")
        elif verbose:
            click.echo(f"{click.style('passed', fg='green')}  {test.name}")
    return results


def _count(results: Sequence[Sequence[Result]]) -> None:
    every = [result for ran in results for result in ran]
    failures = sum(bool(result.failures) for result in every)
    tests = f"{len(every)} test{'s' if len(every) != 1 else ''}"
    if failures:
        click.echo(click.style(f"{tests}, {failures} failed", fg="red", bold=True))
    else:
        click.echo(click.style(f"{tests}, all passed", fg="green"))


def _coverage(read: Sequence[_Read], results: Sequence[Sequence[Result]], most: int | None) -> bool:
    """Says what was seen at work, per rule file; whether everything was."""
    from scorer.ruletests.coverage import coverage

    complete = True
    for rules in dict.fromkeys(one.rules for one in read):
        held = [
            result.held
            for one, ran in zip(read, results, strict=True)
            if one.rules == rules
            for result in ran
        ]
        model = next(one.model for one in read if one.rules == rules)
        found = coverage(model, held)
        complete &= not found.missed
        click.echo(f"{rules}: {found.share:.0%} of {found.parts} rules and branches seen at work")
        _name(found.missed, "not seen", most)
    return complete


def _mutate(read: Sequence[_Read], most: int | None) -> None:
    from scorer.ruletests.mutation import mutants, noticed

    for rules in dict.fromkeys(one.rules for one in read):
        tests = [test for one in read if one.rules == rules for test in one.suite.tests]
        model = next(one.model for one in read if one.rules == rules)
        changes = list(mutants(model))
        with click.progressbar(changes, label=f"{rules}: changing", show_pos=True) as bar:
            unnoticed = [change.what for change in bar if not noticed(change, tests)]
        caught = len(changes) - len(unnoticed)
        click.echo(f"{rules}: {caught} of {len(changes)} changes noticed ({caught / len(changes):.0%})")
        _name(unnoticed, "not noticed", most)


def _name(names: Sequence[str], what: str, most: int | None) -> None:
    for name in names[:most]:
        click.echo(f"  {click.style(what, fg='yellow')}  {name}")
    if most is not None and len(names) > most:
        click.echo(f"  and {len(names) - most} more; -v names them")
