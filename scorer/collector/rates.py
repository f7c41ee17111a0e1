"""How much a key may send: a token bucket, one token an event."""

from __future__ import annotations

import math


class Bucket:
    """Fills at ``rate`` tokens a second up to ``burst``.

    It may be overdrawn by one request: a batch is taken whole or not at all, and one that is larger than the
    bucket would otherwise never be taken. What was overdrawn is paid back before the next.
    """

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def wait(self, now: float) -> int:
        """0 where there is something to take; otherwise the whole seconds until there is."""
        if now > self._at:
            self._level = min(self._burst, self._level + (now - self._at) * self._rate)
            self._at = now
        if self._level >= 1:
            return 0
        return max(1, math.ceil((1 - self._level) / self._rate))

    def take(self, count: int) -> None:
        self._level -= count
