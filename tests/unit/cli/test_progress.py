"""The progress bar is for people, and never in the way of what a command prints."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import sys
from scorer.cli.progress import progress
with progress("working", 2, prints={prints}) as moved:
    for line in ("one", "two"):
        print(line)
        moved(1)
"""


def output(*, stdout_too: bool, prints: bool) -> tuple[str, str]:
    """(what went to standard output if that is a pipe, what went to the terminal)."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", CODE.format(prints=prints)],
        stdout=theirs if stdout_too else subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 4096):
            seen += piece
    except OSError:
        pass  # how a terminal says that nobody writes any more
    finally:
        os.close(ours)
    printed = process.communicate()[0] or b""
    assert process.returncode == 0
    return printed.decode(), seen.decode()


@pytest.mark.parametrize("prints", [True, False])
def test_a_pipe_gets_what_is_printed_and_the_terminal_the_bar(prints: bool) -> None:
    printed, seen = output(stdout_too=False, prints=prints)
    assert printed == "one\ntwo\n"
    assert "working" in seen
    assert "one" not in seen


def test_no_bar_among_lines_on_a_terminal() -> None:
    _, seen = output(stdout_too=True, prints=True)
    assert seen.split() == ["one", "two"]


def test_nothing_without_a_terminal() -> None:
    run = [sys.executable, "-c", CODE.format(prints=False)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("one\ntwo\n", "")
