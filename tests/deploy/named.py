"""What deployment files name (commands, variables, ports, paths), held against what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path

import click
import yaml

from scorer.cli import scorer
from scorer.settings import Settings, from_environment

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = {f"SCORER_{field.upper()}": field for field in Settings.__struct_fields__}


def problems_of_command(words: Sequence[str]) -> list[str]:
    """What is wrong with a command line of ``scorer``: unknown words, options, missing arguments."""
    command: click.Command = scorer
    context = click.Context(scorer, info_name="scorer")
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        if found is None:
            return [f"{' '.join(words)}: there is no {rest[0]}"]
        command, rest = found, rest[1:]
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return [f"{' '.join(words)}: a group, no command"]
    try:
        # Files and folders of the container are not here: what they are is checked, that they exist is not.
        params = [_without_existence(param) for param in command.params]
        alike = click.Command(command.name, params=params)
        with click.Context(alike) as inner:
            alike.parse_args(inner, list(rest))
    except click.ClickException as error:
        return [f"{' '.join(words)}: {error.format_message()}"]
    return []


def _without_existence(param: click.Parameter) -> click.Parameter:
    if isinstance(param.type, click.Path):
        param = copy(param)
        param.type = click.Path(path_type=Path)
    return param


def problems_of_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables of ours that no setting has, and values that their setting refuses."""
    ours = {name: value for name, value in environment.items() if name.startswith("SCORER_")}
    found = [f"{name}: there is no such setting" for name in ours if name not in VARIABLES]
    fit = {name: value for name, value in ours.items() if name in VARIABLES and not name.endswith("_FILE")}
    try:
        from_environment(fit)
    except Exception as error:  # noqa: BLE001 - any refusal is the finding
        found.append(str(error))
    return found


def default_port(field: str) -> int:
    """Of a setting such as ``metrics_port``."""
    value = getattr(Settings(), field)
    assert isinstance(value, int)
    return value


def yaml_of(path: Path) -> list[dict[str, object]]:
    """All documents of a file that are not empty."""
    with path.open(encoding="utf-8") as text:
        return [document for document in yaml.safe_load_all(text) if document]


def missing(paths: Iterable[str]) -> list[str]:
    """Those that are not in the checkout."""
    return [path for path in paths if not (ROOT / path).exists()]
