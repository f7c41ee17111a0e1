"""``scorer worker --restart``: a small process that starts the worker, and another when that one dies.

It imports nothing of the worker, so that what breaks or bloats one leaves the other alone; which ends are
met by another start is said in ``scorer.worker.endings``.

The worker is in a session of its own. A terminal's Ctrl-C therefore reaches this process alone, which passes
it on: once, and not a second time into the middle of a clean stop.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Self

from scorer.worker.endings import BACKOFF, FATAL_EXIT, Backoff, End, Ending, decide

STOPS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
PR_SET_PDEATHSIG = 1  # linux/prctl.h
NOT_TIED = b"warning: should `scorer worker --restart` be killed, its worker will live on\n"


def keep(
    command: Sequence[str],
    *,
    tell: Callable[[str], object],
    backoff: Backoff = BACKOFF,
    clock: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
) -> int:
    """Runs the command until it ends for good or a signal says so; returns the exit code.

    ``tell`` gets a line for each further start. To be called from the main thread, which takes the signals.
    """
    failures = 0
    with Signals() as signals:
        while True:
            ending = _live(command, signals, clock)
            verdict = decide(ending, failures, chance(), backoff)
            if isinstance(verdict, End):
                return verdict.exit_code
            failures = verdict.failures
            with contextlib.suppress(OSError):  # nobody listens any more: no reason to stop scoring
                tell(f"restart: the worker {ending}; the next one starts in {verdict.delay:.1f} s")
            if _stopped_within(verdict.delay, signals, clock):
                return 0


class Signals:
    """Hears ``STOPS`` and the ends of children, from ``with`` to the end of it, and interrupts nothing."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._pipe = (-1, -1)
        self._wakeup_before = -1

    def __enter__(self) -> Self:
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        # Python writes the number of each signal that has a handler into the pipe.
        self._wakeup_before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for number in STOPS | {signal.SIGCHLD}:
            # nohup means it.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, _in_the_pipe)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        for end in self._pipe:
            os.close(end)

    def wait(self, seconds: float | None = None) -> set[int]:
        """Those heard since the last call, at once if there are any; none when the time is up."""
        readable, _, _ = select.select([self._pipe[0]], [], [], seconds)
        return set(os.read(self._pipe[0], select.PIPE_BUF)) if readable else set()


def _live(command: Sequence[str], signals: Signals, clock: Callable[[], float]) -> Ending:
    """One worker from start to end; passes on what it is to end by."""
    began = clock()
    try:
        worker = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=tied_to(os.getpid()),  # noqa: PLW1509 - there is but one thread here
        )
    except OSError as error:  # no memory, no process to be had: that passes
        return Ending(FATAL_EXIT, 0.0, obstacle=error.strerror or str(error))
    told: set[int] = set()
    try:
        while (status := worker.poll()) is None:
            for number in signals.wait() & STOPS:
                told.add(number)
                worker.send_signal(number)
        return Ending(status, clock() - began, told)
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()


def _stopped_within(seconds: float, signals: Signals, clock: Callable[[], float]) -> bool:
    until = clock() + seconds
    while (left := until - clock()) > 0:
        if signals.wait(left) & STOPS:
            return True
    return False


def tied_to(keeper: int) -> Callable[[], None] | None:
    """What a new process of ``keeper`` (a process id) does first, so as not to outlive it by any means.

    Nothing on systems other than Linux. There a worker whose keeper is killed with -9 lives on.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def tie() -> None:
        # Not SIGTERM: a worker that hangs would stay, and hold the port and the store of the next one.
        if prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            os.write(2, NOT_TIED)
        if os.getppid() != keeper:  # it died before that was asked for
            os.kill(os.getpid(), signal.SIGKILL)

    return tie


def _in_the_pipe(_number: int, _frame: FrameType | None) -> None:
    """The pipe has the number already."""
