"""``scorer worker --restart`` from outside: a keeper in a process of its own, its worker a stand-in."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30.0  # seconds
AT_ONCE, NEVER = 0.01, 3600.0  # seconds until the next start

KEEPER = """
import sys
from scorer.worker.endings import Backoff
from scorer.worker.keeper import keep

def tell(line):
    print(line, file=sys.stderr, flush=True)

code = keep({command!r}, tell=tell, backoff=Backoff({delay}, {delay}), chance=lambda: 1.0)
print("keeper ends", flush=True)
sys.exit(code)
"""

WORKER = """
import os, signal, sys, time
from pathlib import Path

starts = Path("starts")
start = int(starts.read_text()) + 1 if starts.exists() else 1
starts.write_text(str(start))
heard = []

def until_told(*numbers):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: (heard.append(number), print("heard", number, flush=True)))
    print("worker", os.getpid(), "start", start, flush=True)
    while not set(numbers) <= set(heard):
        time.sleep(0.01)

"""

needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a process can't be tied to another"
)


class Keeper:
    def __init__(self, folder: Path, worker: str, delay: float = AT_ONCE) -> None:
        command = [sys.executable, "-c", WORKER + textwrap.dedent(worker)]
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", KEEPER.format(command=command, delay=delay)],
                stdout=output,
                stderr=output,
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
                process_group=0,  # as a shell starts it in a terminal
            )

    def output(self) -> str:
        return self._output.read_text()

    def told(self) -> list[str]:
        """What the keeper has said."""
        return [line for line in self.output().splitlines() if line.startswith("restart: ")]

    def end_all(self) -> None:
        """Whatever a failed test has left."""
        workers = re.findall(r"^worker (\d+) ", self.output(), re.MULTILINE)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            for worker in workers[-1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(worker), signal.SIGKILL)

    def worker(self, start: int = 1) -> int:
        """The process id of a worker, once it waits to be told."""
        eventually(lambda: f" start {start}\n" in self.output(), self.output)
        return int(self.output().partition(f" start {start}\n")[0].rpartition(" ")[2])

    def ends(self) -> int:
        return self.process.wait(PATIENCE)


def eventually(holds: Callable[[], object], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Callable[..., Keeper]]:
    started: list[Keeper] = []

    def start(worker: str, delay: float = AT_ONCE) -> Keeper:
        started.append(Keeper(tmp_path, worker, delay))
        return started[-1]

    yield start
    for keeper in started:
        keeper.end_all()


def test_it_starts_again_until_the_worker_ends_cleanly(keeping: Callable[..., Keeper]) -> None:
    keeper = keeping("sys.exit(70 if start < 3 else 0)")
    assert keeper.ends() == 0
    assert (
        keeper.told()
        == ["restart: the worker ended with exit code 70 after 0 s; the next one starts in 0.0 s"] * 2
    )


@pytest.mark.parametrize("code", [1, 2, 130])
def test_other_exit_codes_are_passed_through_without_another_start(
    keeping: Callable[..., Keeper], tmp_path: Path, code: int
) -> None:
    keeper = keeping(f"sys.exit({code})")
    assert keeper.ends() == code
    assert keeper.output() == "keeper ends\n"
    assert (tmp_path / "starts").read_text() == "1"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_worker_is_started_again(keeping: Callable[..., Keeper], number: signal.Signals) -> None:
    keeper = keeping("until_told(signal.SIGTERM)")
    os.kill(keeper.worker(1), number)
    keeper.worker(2)
    assert len(keeper.told()) == 1
    assert f"was ended by {number.name}" in keeper.told()[0]
    keeper.process.terminate()
    assert keeper.ends() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_passes_that_on_and_waits(
    keeping: Callable[..., Keeper], number: signal.Signals
) -> None:
    keeper = keeping(f"until_told({int(number)}); print('stopped cleanly', flush=True)")
    keeper.worker()
    keeper.process.send_signal(number)
    assert keeper.ends() == 0
    assert keeper.output().endswith(f"heard {int(number)}\nstopped cleanly\nkeeper ends\n")


def test_a_stop_that_fails_is_neither_hidden_nor_repeated(keeping: Callable[..., Keeper]) -> None:
    keeper = keeping("until_told(signal.SIGTERM); sys.exit(70)")
    keeper.worker()
    keeper.process.terminate()
    assert keeper.ends() == 70
    assert keeper.told() == []


def test_a_worker_that_is_still_starting_stops_as_well(keeping: Callable[..., Keeper]) -> None:
    keeper = keeping("print('worker', os.getpid(), 'start', start, flush=True); signal.pause()")
    keeper.worker()
    keeper.process.terminate()
    assert keeper.ends() == 0


def test_ctrl_c_in_a_terminal_reaches_the_worker_once(keeping: Callable[..., Keeper]) -> None:
    keeper = keeping(
        "until_told(signal.SIGINT, signal.SIGTERM); print('heard in all', sorted(heard), flush=True)"
    )
    keeper.worker()
    os.killpg(keeper.process.pid, signal.SIGINT)  # what a terminal does
    eventually(lambda: "heard 2\n" in keeper.output(), keeper.output)
    keeper.process.terminate()  # passed on after the other
    assert keeper.ends() == 0
    assert "heard in all [2, 15]\n" in keeper.output()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_between_two_starts_it_stops_at_once(keeping: Callable[..., Keeper], number: signal.Signals) -> None:
    keeper = keeping("sys.exit(70)", NEVER)
    eventually(keeper.told, keeper.output)
    keeper.process.send_signal(number)
    assert keeper.ends() == 0
    assert keeper.told() == [
        "restart: the worker ended with exit code 70 after 0 s; the next one starts in 3600.0 s"
    ]


@needs_linux
def test_a_killed_keeper_takes_the_worker_with_it(keeping: Callable[..., Keeper]) -> None:
    keeper = keeping("until_told()\nwhile True: signal.pause()")
    worker = keeper.worker()
    assert alive(worker)
    keeper.process.kill()
    keeper.process.wait()
    try:
        eventually(lambda: not alive(worker), lambda: "the worker lives on")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


@needs_linux
def test_so_does_one_that_was_killed_before_the_worker_could_be_tied_to_it() -> None:
    program = """
        import subprocess, sys
        from scorer.worker.keeper import tied_to
        not_the_parent = 1 << 30
        print(subprocess.call([sys.executable, "-c", "print('lives')"], preexec_fn=tied_to(not_the_parent)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "-9\n"


def test_a_worker_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    program = KEEPER.format(command=[str(tmp_path / "worker")], delay=AT_ONCE)
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as keeper:
        assert keeper.stderr is not None
        assert "could not be started (No such file or directory)" in keeper.stderr.readline()
        script = tmp_path / "worker"
        script.with_suffix(".new").write_text("#!/bin/sh\nexit 3\n")
        script.with_suffix(".new").chmod(0o755)
        script.with_suffix(".new").rename(script)
        for _ in keeper.stderr:
            pass
        assert keeper.wait(PATIENCE) == 3


def test_it_keeps_going_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    """A terminal that was closed."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", WORKER + "sys.exit(70 if start < 3 else 4)"]
    done = subprocess.run(
        [sys.executable, "-c", KEEPER.format(command=command, delay=AT_ONCE)],
        stderr=writer,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        stdout=subprocess.DEVNULL,
    )
    os.close(writer)
    assert done.returncode in {4, 120}  # 120: Python could not flush stderr at its end
    assert (tmp_path / "starts").read_text() == "3"
