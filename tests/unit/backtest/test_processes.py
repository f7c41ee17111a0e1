"""Work on several processes: results in order, failures in a line, and nobody left running."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal

import pytest

from scorer.backtest.processes import Step, run_all
from scorer.errors import UserError


def _square(number: int, step: Step) -> int:
    step(number)
    return number * number


def _fails(number: int, step: Step) -> int:
    if number:
        raise UserError("this one can't", hint="try another", exit_code=1)
    return _waits(number, step)


def _breaks(number: int, step: Step) -> int:
    if number:
        raise KeyError("oops")
    return _waits(number, step)


def _is_killed(number: int, step: Step) -> int:
    if number:
        os.kill(os.getpid(), signal.SIGKILL)
    return _waits(number, step)


def _has_no_room(number: int, step: Step) -> int:
    if number:
        raise OSError(errno.ENOSPC, "No space left on device", "from-1")
    return _waits(number, step)


def _waits(_: int, __: Step) -> int:
    signal.pause()  # until the parent ends it
    return 0


def _interrupts(number: int, step: Step) -> int:
    step(number)
    return _waits(number, step)


@pytest.mark.parametrize("arguments", [[3], [3, 1, 2]])
def test_results_come_in_order_and_steps_are_told(arguments: list[int]) -> None:
    told: list[int] = []
    assert run_all(_square, arguments, told.append) == [number**2 for number in arguments]
    assert sorted(told) == sorted(arguments)


@pytest.mark.parametrize(
    ("work", "message", "code"),
    [
        (_fails, "this one can't", 1),
        (_breaks, "internal error: KeyError: 'oops'", 70),
        (_has_no_room, "[Errno 28] No space left on device: 'from-1'", 1),
        (_is_killed, "process 2 of 2 has ended by signal 9, without a result", 1),
    ],
)
def test_a_child_that_fails_ends_all_of_them(work: object, message: str, code: int) -> None:
    with pytest.raises(UserError) as raised:
        run_all(work, [0, 1], lambda _: None)  # type: ignore[arg-type]
    assert raised.value.message == message
    assert raised.value.exit_code == code
    assert not multiprocessing.active_children()


def test_an_interrupt_ends_all_of_them() -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(_interrupts, [0, 1], interrupted)
    assert not multiprocessing.active_children()


def test_no_room_for_temporary_files_is_said_in_one_process_too() -> None:
    with pytest.raises(UserError) as raised:
        run_all(_has_no_room, [1], lambda _: None)
    assert "TMPDIR" in str(raised.value.hint)
