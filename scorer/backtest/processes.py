"""The same work on several processes: each gets its argument, tells how far it is, and returns a result."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from errno import ENOSPC
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from scorer.errors import UserError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Argument = TypeVar("Argument")
Result = TypeVar("Result")
Step = Callable[[int], None]
Work = Callable[[Argument, Step], Result]
NO_ROOM = "temporary files need about as much room as the events; TMPDIR says where they are"
_PATIENCE = 5.0
"""Seconds that a child has to end when it is told to."""


class _Done(NamedTuple):
    result: Any


class _Failed(NamedTuple):
    message: str
    hint: str | None
    exit_code: int


class _Children(Generic[Argument, Result]):
    def __init__(self, work: Work[Argument, Result], arguments: Sequence[Argument]) -> None:
        context = multiprocessing.get_context("spawn")
        self._children: list[tuple[SpawnProcess, Connection]] = []
        for argument in arguments:
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(target=_child, args=(theirs, work, argument), daemon=True)
            self._children.append((child, ours))
            child.start()
            theirs.close()

    def results(self, step: Step) -> list[Result]:
        """In the order of the arguments; raises ``UserError`` as soon as one child fails."""
        results: dict[int, Result] = {}
        left: dict[Any, int] = {connection: number for number, (_, connection) in enumerate(self._children)}
        while left:
            for ready in wait(list(left)):
                number = left[ready]
                try:
                    told = self._children[number][1].recv()
                except (EOFError, OSError) as error:
                    raise self._gone(number) from error
                if isinstance(told, _Failed):
                    raise UserError(told.message, told.hint, told.exit_code)
                if isinstance(told, _Done):
                    results[number] = told.result
                    del left[ready]
                else:
                    step(told)
        return [results[number] for number in range(len(self._children))]

    def end(self) -> None:
        """All of them, whatever they are doing."""
        for child, connection in self._children:
            connection.close()
            if child.is_alive():
                child.terminate()
        for child, _ in self._children:
            child.join(_PATIENCE)
            if child.is_alive():
                child.kill()
                child.join()

    def _gone(self, number: int) -> UserError:
        child = self._children[number][0]
        child.join(_PATIENCE)
        code = child.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
        return UserError(
            f"process {number + 1} of {len(self._children)} has ended {how}, without a result",
            hint="is there enough memory? --jobs 1 needs less of it",
            exit_code=1,
        )


def run_all(work: Work[Argument, Result], arguments: Sequence[Argument], step: Step) -> list[Result]:
    """The results in the order of the arguments; in this process where there is one argument.

    ``work`` is a function of a module, so that a child finds it. Raises ``UserError`` where it does, and
    where a child fails or ends; none is left running, whatever is raised here.
    """
    if len(arguments) == 1:
        return [_done(work, arguments[0], step)]
    children = _Children(work, arguments)
    try:
        return children.results(step)
    finally:
        children.end()


@contextmanager
def _no_collector() -> Iterator[None]:
    """A fifth of the time would go into walking leads, which refer to nobody."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _done(work: Work[Argument, Result], argument: Argument, step: Step) -> Result:
    try:
        with _no_collector():
            return work(argument, step)
    except BrokenPipeError:
        raise
    except OSError as error:
        hint = NO_ROOM if error.errno == ENOSPC else None
        raise UserError(str(error), hint, exit_code=1) from error


def _child(connection: Connection, work: Work[Any, Any], argument: Any) -> None:
    # Ctrl-C goes to all processes of a terminal; the parent ends its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        told: _Done | _Failed = _Done(_done(work, argument, connection.send))
    except UserError as error:
        told = _Failed(error.message, error.hint, error.exit_code)
    except MemoryError:
        told = _Failed("not enough memory", "--jobs 1 needs less of it", 1)
    except BrokenPipeError:
        return  # the parent has gone
    except Exception as error:  # noqa: BLE001 - told by the parent, in one line
        if os.environ.get("SCORER_DEBUG"):
            traceback.print_exc()
        text = f"internal error: {type(error).__name__}: {error}"
        told = _Failed(text, "this is a bug; SCORER_DEBUG=1 shows where", 70)
    connection.send(told)
