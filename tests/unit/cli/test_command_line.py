"""The command line's frame: help without imports, errors without tracebacks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import click
import pytest

from scorer import cli
from scorer.errors import UserError

Install = Callable[[click.Command], None]


def failing(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.fixture
def one_command(monkeypatch: pytest.MonkeyPatch) -> Install:
    def install(command: click.Command) -> None:
        monkeypatch.setattr(cli, "COMMANDS", {"it": ("made.up", "A command.")})
        monkeypatch.setattr(cli, "import_module", lambda _: SimpleNamespace(command=command))

    return install


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys; from scorer.cli import run; run(['--help'])\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & "
        "{'faust', 'aiokafka', 'confluent_kafka', 'rich', 'msgspec', 'aiohttp', 'rocksdict'}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name, (_, line) in cli.COMMANDS.items():
        assert f"  {name} " in shown
        assert line in shown
    assert shown.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([name, "--help"]) == 0
    assert "Usage: scorer" in capsys.readouterr().out


def test_a_users_error_is_a_line_a_hint_and_a_code(
    one_command: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    one_command(failing(UserError("no such file: a.yaml", hint="is it b.yaml?", exit_code=3)))
    assert cli.run(["it"]) == 3
    assert capsys.readouterr().err == "error: no such file: a.yaml\n hint: is it b.yaml?\n"


def test_an_error_of_ours_is_a_line_as_well(one_command: Install, capsys: pytest.CaptureFixture[str]) -> None:
    one_command(failing(ZeroDivisionError("by nought")))
    assert cli.run(["it"]) == cli.BUG
    assert "internal error: ZeroDivisionError: by nought" in capsys.readouterr().err


def test_an_error_of_ours_shows_where_on_demand(
    one_command: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_DEBUG", "1")
    one_command(failing(ZeroDivisionError("by nought")))
    with pytest.raises(ZeroDivisionError):
        cli.run(["it"])


def test_ctrl_c_is_quiet(one_command: Install, capsys: pytest.CaptureFixture[str]) -> None:
    one_command(failing(KeyboardInterrupt()))
    assert cli.run(["it"]) == 130
    assert not capsys.readouterr().err.strip()


def test_a_command_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["fly"]) == 2
    assert "No such command 'fly'" in capsys.readouterr().err


def test_a_commands_number_is_its_exit_code(one_command: Install) -> None:
    one_command(click.Command("it", callback=lambda: 4))
    assert cli.run(["it"]) == 4
