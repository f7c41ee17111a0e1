"""How a worker's process ends. Each case is a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PRELUDE = """
import asyncio, logging, sys
from mode import Service
from scorer.errors import CannotContinue
from scorer.worker.supervise import fatal, supervise

logging.basicConfig(format="%(message)s")

class Quiet(Service):
    abstract = False
    async def on_stop(self):
        print("stopped", flush=True)
"""


def run(code: str, act: Callable[[subprocess.Popen[str]], None] | None = None) -> tuple[int, str]:
    """Exit code and output of a program that prints "go" when it is time to act."""
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        if act is not None:
            for line in process.stdout:
                said += line
                if line == "go\n":
                    act(process)
                    break
        said += process.stdout.read()
        return process.wait(30), said


def test_fatal_ends_the_process_with_the_cause() -> None:
    code, said = run("fatal(ValueError('broken'))")
    assert code == 70
    assert "ValueError: broken" in said or "ValueError('broken')" in said


def test_what_a_person_has_to_mend_is_said_without_a_traceback() -> None:
    code, said = run("fatal(CannotContinue('the door is gone', 'run this'))")
    assert (code, said) == (70, "stopped: the door is gone\nhint: run this\n")


def test_a_signal_stops_everything_cleanly() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        code, said = run(
            """
            class Two(Quiet):
                @Service.task
                async def say(self):
                    print("go", flush=True)
            asyncio.run(supervise([Quiet(), Two()]))
            """,
            lambda process, number=number: process.send_signal(number),
        )
        assert code == 0
        assert said.count("stopped") == 2


def test_one_crash_ends_all() -> None:
    code, said = run(
        """
        class Broken(Service):
            abstract = False
            @Service.task
            async def work(self):
                raise ValueError("broken")
        asyncio.run(supervise([Quiet(), Broken()]))
        """
    )
    assert code == 70
    assert "ValueError('broken')" in said


def test_a_service_that_ends_by_itself_ends_all() -> None:
    code, said = run(
        """
        class Short(Service):
            abstract = False
            @Service.task
            async def work(self):
                await self.stop()
        asyncio.run(supervise([Quiet(), Short()]))
        """
    )
    assert code == 70
    assert "ended by itself" in said


def test_a_service_that_does_not_start_ends_all() -> None:
    code, said = run(
        """
        class Broken(Service):
            abstract = False
            async def on_start(self):
                raise CannotContinue("no broker")
        asyncio.run(supervise([Quiet(), Broken()]))
        """
    )
    assert code == 70
    assert "stopped: no broker" in said


def test_told_to_stop_while_starting_leaves_at_once() -> None:
    code, _ = run(
        """
        class Slow(Service):
            abstract = False
            async def on_start(self):
                print("go", flush=True)
                await asyncio.sleep(60)
        asyncio.run(supervise([Quiet(), Slow()]))
        """,
        lambda process: process.send_signal(signal.SIGTERM),
    )
    assert code == 0
