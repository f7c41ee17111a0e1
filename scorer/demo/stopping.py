"""Ctrl-C and its relatives, heard without cutting anything in two."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Raised out of a long step that was interrupted; not an error."""


class Stopping:
    """Whether somebody has asked to stop. Takes the signals from ``with`` to the end of it.

    The first signal asks; it raises only inside ``interruptible()``. Later ones change nothing: cleaning up
    is under way.
    """

    def __init__(self) -> None:
        self.asked = False
        self._interruptible = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal returned

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A step that may take long and cleans up after itself."""
        self._interruptible = True
        try:
            if self.asked:
                raise Interrupted
            yield
        finally:
            self._interruptible = False

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        first, self.asked = not self.asked, True
        if first and self._interruptible:
            raise Interrupted
