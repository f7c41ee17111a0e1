"""An event loop whose time is a number: when nothing is ready, it jumps to the next timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from itertools import count
from typing import Any, Protocol

from scorer.wire import door_book
from scorer.worker import batches, door_clock, intake_agent


class Lived(Protocol):
    """A process that can die: its tasks die with it."""

    tasks: dict[asyncio.Task[Any], None]
    born: float
    """Where its monotonic clock stood when the simulation began, s."""


LIFE: ContextVar[Lived | None] = ContextVar("LIFE", default=None)
"""Whose code is running: tasks inherit it."""


class StuckError(Exception):
    """Nothing is ready and nothing ever will be."""


class Callback:
    """What is to be called; the loop's own, since asyncio's ``Handle`` also looks after debugging."""

    __slots__ = ("_args", "_callback", "_context", "gone", "when")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None, when: float
    ) -> None:
        self._callback = callback
        self._args = args
        self._context = copy_context() if context is None else context
        self.gone = False
        self.when = when

    def cancel(self) -> None:
        self.gone = True

    def cancelled(self) -> bool:
        return self.gone

    def run(self) -> None:
        self._context.run(self._callback, *self._args)


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks in the order in which they become ready. No I/O, no threads, no wall clock."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._timers: list[tuple[float, int, Callback]] = []
        self._numbers = count()

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Callback:
        soon = Callback(callback, args, context, self._now)
        self._ready.append(soon)
        return soon

    call_soon_threadsafe = call_soon

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Callback:
        later = Callback(callback, args, context, when)
        heappush(self._timers, (when, next(self._numbers), later))
        return later

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Callback:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        # Naming a task costs a formatted string.
        task = asyncio.Task(coro, loop=self, name=name or "task", context=context)
        life = LIFE.get() if context is None else context.get(LIFE)
        if life is not None:
            life.tasks[task] = None
            task.add_done_callback(life.tasks.pop)
        return task

    def _run_once(self) -> None:
        """The base class's, without what waits for the world outside."""
        ready, timers = self._ready, self._timers
        while not ready:
            if not timers:
                raise StuckError
            when, _, timer = heappop(timers)
            if not timer.gone:
                self._now = max(self._now, when)
                ready.append(timer)
        for _ in range(len(ready)):
            callback = ready.popleft()
            if not callback.gone:
                callback.run()

    def _write_to_self(self) -> None:
        pass


class _Time:
    """In place of the module ``time``: each process has a monotonic clock of its own."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        life = LIFE.get()
        return self._loop.time() + (0.0 if life is None else life.born)

    def time(self) -> float:
        """A machine's own clock: nothing may depend on it, so it is nonsense."""
        return 86_400.0 * (self._loop.time() * 7919 % 20_000)


@contextmanager
def virtual_time(loop: VirtualLoop) -> Iterator[None]:
    """The loop's time for the modules that read clocks themselves."""
    shim = _Time(loop)
    modules = (batches, door_book, door_clock, intake_agent)
    kept = [module.time for module in modules]
    for module in modules:
        module.time = shim  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module, real in zip(modules, kept, strict=True):
            module.time = real  # type: ignore[attr-defined]
