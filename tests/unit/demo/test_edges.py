"""The command line, signals and the figure."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from scorer.cli.demo import Duration, command
from scorer.demo import figures
from scorer.demo.board import Board
from scorer.demo.screen import LiveScreen, PlainScreen, screen_for
from scorer.demo.stopping import SIGNALS, Interrupted, Stopping


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("60s", 60), ("2m", 120), ("1.5h", 5400), ("0.5", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "0", "0s", "5 d", "1e3"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no duration like 60s"):
        Duration().convert(text, None, None)


def test_one_kafka_at_a_time() -> None:
    result = CliRunner().invoke(command, ["--kafka", "--bootstrap", "localhost:9092"])
    assert result.exit_code == 2
    assert "choose" in result.output


def test_help_imports_nothing_slow() -> None:
    program = (
        "import sys; from scorer.cli import run; run(['demo', '--help']); "
        "sys.exit(bool({'faust', 'rich', 'confluent_kafka'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_and_cuts_nothing_in_two(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Stopping() as stopping:
        os.kill(os.getpid(), number)
        assert stopping.asked
        os.kill(os.getpid(), number)  # impatience changes nothing
    assert signal.getsignal(number) is before


def test_a_long_step_is_interrupted() -> None:
    def long_step(stopping: Stopping) -> None:
        with stopping.interruptible():
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()

    with Stopping() as stopping:
        with pytest.raises(Interrupted):
            long_step(stopping)
        with pytest.raises(Interrupted):  # nor is another begun
            long_step(stopping)


def test_a_process_knows_its_age() -> None:
    program = (
        "import time; time.sleep(0.3); from scorer.demo.figures import process_age; print(process_age(0))"
    )
    age = float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout)
    assert 0.25 < age < 30


def test_figures_are_appended_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "build" / "figures.jsonl"
    figures.record(path, "a", 1.5, "s")
    figures.record(path, "b", 2, "1")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"figure": "a", "value": 1.5, "unit": "s"},
        {"figure": "b", "value": 2, "unit": "1"},
    ]


@pytest.mark.parametrize(
    ("terminal", "variables", "expected"),
    [(True, {"TERM": "xterm"}, LiveScreen), (True, {"TERM": "dumb"}, PlainScreen), (False, {}, PlainScreen)],
)
def test_the_live_view_is_for_terminals(terminal: bool, variables: dict[str, str], expected: type) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, _environ=variables)
    assert isinstance(screen_for(console, Board(str)), expected)


def test_a_plain_screen_says_steps_and_outcomes(outcome_event: Callable[..., Any]) -> None:
    said: list[str] = []
    with PlainScreen(said.append) as screen:
        screen.step("starting the worker")
        screen.step("")
        screen.draw("0:10 left")
        screen.invite("http://127.0.0.1:8088")
        screen.told(Board(str).outcome(outcome_event("ada", 20.5), 0))
    assert said[0] == "starting the worker"
    assert "http://127.0.0.1:8088" in said[1]
    assert "qualified ada at 20.5: Call booked +20, No letter opened -5" in said[2]
    assert len(said) == 3
