"""When time alone may change something: a partition's timers, the near ones in memory.

Whoever owns the partition keeps all of them, in the order of their instants, and reads the next ones back
when the clock has come that far. So memory is bounded, and a start need not read every lead's timer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Final

Timer = tuple[int, bytes]
"""(due in ms, lead key). It may be of the past: a newer one of the lead may have taken its place."""

FOREVER: Final = 1 << 62
"""ms; later than any timer."""


class Timers:
    def __init__(self, load: Callable[[int], tuple[list[Timer], int]] | None = None) -> None:
        """``load``: an instant -> the owner's next timers from then on and the instant (later than the
        given one) before which there are no others; ``FOREVER`` when there are none left. Without it all
        timers are in memory.
        """
        self.changes: list[tuple[bool, int, bytes]] = []
        """(queued or taken off, due, lead key): what the owner does not know yet."""
        self._load = load
        self._near: list[Timer] = []  # a heap
        self._horizon = FOREVER if load is None else 0  # near timers are due before it, all others later

    def __len__(self) -> int:
        """Those in memory."""
        return len(self._near)

    @property
    def next_due(self) -> int:
        """The earliest instant (ms) of those in memory; 0: there are none."""
        return self._near[0][0] if self._near else 0

    def queue(self, due: int, key: bytes) -> None:
        if due < self._horizon:
            heappush(self._near, (due, key))
        self.changes.append((True, due, key))

    def take_off(self, through: int) -> Timer | None:
        """The earliest timer that is due by ``through``; None when there is none left."""
        while not self._near or self._near[0][0] > through:
            if through < self._horizon:
                return None
            self._read_on()
        timer = heappop(self._near)
        self.changes.append((False, timer[0], timer[1]))
        return timer

    def trim(self, most: int) -> None:
        """Where there are more than twice ``most``, leave the later ones to the owner, who must know all of
        them but those in ``changes``.
        """
        near = self._near
        if self._load is not None and len(near) > 2 * most:
            near.sort()
            self._horizon = near[most][0]
            del near[bisect_left(near, (self._horizon, b"")) :]

    def _read_on(self) -> None:
        # The clock has reached the horizon, so nothing near is left.
        since = self._horizon
        if self._load is None:
            raise RuntimeError("a timer can't be due that late")
        near, horizon = self._load(since)
        near += queued_between(self.changes, since, horizon)
        heapify(near)
        self._near, self._horizon = near, horizon


def queued_between(changes: Iterable[tuple[bool, int, bytes]], since: int, horizon: int) -> list[Timer]:
    """Those that ``changes`` (as in ``Timers``) queue, due from ``since`` to before ``horizon``."""
    return [(due, key) for queued, due, key in changes if queued and since <= due < horizon]


def page(timers: Iterable[Timer], most: int) -> tuple[list[Timer], int]:
    """The first ``most`` of these, which come earliest first, and any others due with the last of them; the
    instant of the next, or ``FOREVER``.
    """
    found: list[Timer] = []
    for timer in timers:
        if len(found) >= most and timer[0] > found[-1][0]:
            return found, timer[0]
        found.append(timer)
    return found, FOREVER
