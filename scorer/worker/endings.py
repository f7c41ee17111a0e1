"""How a worker's process ended, and what its keeper does about it. Pure: time and chance are passed in."""

from __future__ import annotations

import signal
from collections.abc import Collection
from typing import NamedTuple

FATAL_EXIT = 70  # sysexits.h EX_SOFTWARE
INTERRUPTED = 130  # what `scorer` ends with on Ctrl-C before a command has taken the signal over
KILLED = 128  # what a shell adds to the number of the signal that ended a program
MANY_TIMES = 30  # doublings, after which any delay is the longest


class Backoff(NamedTuple):
    """Seconds between an end and the next start: twice as many after each failure in a row.

    The actual delay is between half of that and all of it, so that workers which fell together (a broker was
    gone) don't come back together: "equal jitter", M. Brooker, "Exponential Backoff And Jitter", 2015.
    """

    first: float = 1.0
    longest: float = 30.0
    settled: float = 60.0
    """A worker that lived this long had recovered: the next failure is a first one."""

    def delay(self, failures: int, chance: float) -> float:
        """Seconds after the ``failures``-th failure in a row (from 1); ``chance`` is from 0 to 1."""
        whole = min(self.longest, self.first * 2.0 ** min(failures - 1, MANY_TIMES))
        return whole * (1 + chance) / 2


BACKOFF = Backoff()


class Ending(NamedTuple):
    status: int
    """As in ``subprocess``: the exit code, or less the number of the signal that ended it."""
    lived: float
    """Seconds."""
    told: Collection[int] = ()
    """The signals by which we told it to end."""
    obstacle: str | None = None
    """Why it could not even be started; ``status`` is then ``FATAL_EXIT``."""

    def __str__(self) -> str:
        if self.obstacle is not None:
            return f"could not be started ({self.obstacle})"
        if self.status >= 0:
            return f"ended with exit code {self.status} after {self.lived:.0f} s"
        hint = " (kill -9, or out of memory)" if self.status == -signal.SIGKILL else ""
        return f"was ended by {_name(-self.status)}{hint} after {self.lived:.0f} s"


class Again(NamedTuple):
    """Start another worker."""

    failures: int
    """In a row, this one included."""
    delay: float
    """Seconds until then."""


class End(NamedTuple):
    """End as well."""

    exit_code: int


# It ended by            when told to    by itself
#   exit code 70         End 70          Again
#   exit code 130        End 0           End 130
#   another exit code    End with it     End with it: wrong usage stays wrong, and 0 is a clean end
#   the signal told      End 0           -
#   another signal       End 128 + it    Again
# 130 and the signal told are those of a worker that was still starting: it had nothing to stop cleanly.
def decide(ending: Ending, failures: int, chance: float, backoff: Backoff = BACKOFF) -> Again | End:
    """``failures``: how many there were in a row before this one. ``chance``: 0 to 1, see ``Backoff``."""
    if ending.told:
        return End(_exit_code(ending))
    if ending.status != FATAL_EXIT and ending.status >= 0:
        return End(ending.status)
    failures = 1 if ending.lived >= backoff.settled else failures + 1
    return Again(failures, backoff.delay(failures, chance))


def _exit_code(ending: Ending) -> int:
    """Of a worker that was told to end."""
    if ending.status == INTERRUPTED or -ending.status in ending.told:
        return 0
    return ending.status if ending.status >= 0 else KILLED - ending.status


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has none
        return f"signal {number}"
