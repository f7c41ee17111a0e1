"""What docs/day-two.md and docs/capacity.md tell people to type exists, and the tests that they name do."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from scorer.cli import scorer
from scorer.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / name for name in ("day-two.md", "capacity.md")]
_CODE = re.compile(r"`([^`\n]+)`|^ {4}(\S.*)$", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|\s)scorer ((?!=).+)")
_SETTING = re.compile(r"\bSCORER_(?!BENCH_)([A-Z_]+)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def typed(page: Path) -> list[str]:
    """Each command that a page shows, without what comes before ``scorer``."""
    pieces = [inline or block for inline, block in _CODE.findall(page.read_text())]
    return [found.group(1) for piece in pieces if (found := _COMMAND.search(piece))]


def complaint(words: list[str]) -> str:
    """What of a command does not exist; empty: nothing."""
    command: click.Command = scorer
    context = click.Context(scorer)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        known = command.get_command(context, words[0])
        if known is None:
            return f"no command {words[0]}"
        command, words = known, words[1:]
    options = {name for option in command.params for name in option.opts} | {"--help", "-h"}
    flags = [word.partition("=")[0] for word in words if word.startswith("-")]
    return "".join(f"no option {flag}" for flag in flags if flag not in options)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_exists(page: Path) -> None:
    commands = typed(page)
    assert commands
    assert [(command, said) for command in commands if (said := complaint(command.split()))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_exists(page: Path) -> None:
    names = {name.lower() for name in _SETTING.findall(page.read_text())}
    assert names - set(Settings.__struct_fields__) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_exists(page: Path) -> None:
    named = _TEST.findall(page.read_text())
    assert named
    for file, test in named:
        text = (ROOT / file).read_text()
        assert not test or re.search(rf"def {test}\(", text), f"{file} has no {test}"


@pytest.mark.parametrize("wrong", ["log no-such-command", "topics apply --no-such-flag"])
def test_what_does_not_exist_is_noticed(wrong: str) -> None:
    assert complaint(wrong.split())
