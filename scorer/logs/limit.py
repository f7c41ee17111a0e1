"""How many lines of one kind may be written, so that no input can fill a disk through the log.

Pure: whoever uses it passes the time in. What is held back is counted, and told when its minute is over.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MOST: Final = 20
"""Lines of one kind that are written in a window."""
WINDOW: Final = 60.0
"""Seconds."""
KINDS: Final = 1_000
"""Kinds that are told apart at a time; more than our code and its libraries have between them."""


class Kind(NamedTuple):
    """What is counted as the same."""

    logger: str
    level: int
    template: str
    """The text before anything is filled in."""


class Held(NamedTuple):
    """Lines that were not written."""

    kind: Kind
    lines: int


OTHERS: Final = Kind("scorer.logs", 30, "lines of further kinds")
"""Stands for all kinds for which there is no room."""


class _Window:
    __slots__ = ("ends", "held", "shown")

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.shown = 0
        self.held = 0


class Limiter:
    """Per kind: the first ``most`` lines of a window, which begins with a line and lasts ``seconds``.

    At most ``kinds`` + 1 windows are kept. Times are seconds of a clock that never goes back.
    """

    def __init__(self, most: int = MOST, seconds: float = WINDOW, kinds: int = KINDS) -> None:
        self._most = most
        self._seconds = seconds
        self._kinds = kinds
        self._windows: dict[Kind, _Window] = {}  # in the order in which they end

    def shows(self, kind: Kind, now: float) -> bool:
        """Whether a line is to be written now. Ask ``due`` first: its windows are over."""
        windows = self._windows
        window = windows.get(kind)
        if window is None:
            if len(windows) >= self._kinds:
                kind = OTHERS
            window = windows.get(kind)
            if window is None:
                window = windows[kind] = _Window(now + self._seconds)
        if window.shown < self._most:
            window.shown += 1
            return True
        window.held += 1
        return False

    def due(self, now: float) -> list[Held]:
        """What was held back in windows that have ended by now; they are forgotten."""
        found = []
        windows = self._windows
        while windows:
            kind = next(iter(windows))
            if windows[kind].ends > now:
                break
            window = windows.pop(kind)
            if window.held:
                found.append(Held(kind, window.held))
        return found

    def rest(self) -> list[Held]:
        """What was held back and not told; all windows are forgotten."""
        found = [Held(kind, window.held) for kind, window in self._windows.items() if window.held]
        self._windows.clear()
        return found

    def next_due(self) -> float | None:
        """When ``due`` will first have something; None: nothing is held back."""
        return next((window.ends for window in self._windows.values() if window.held), None)
