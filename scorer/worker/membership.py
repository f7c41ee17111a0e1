"""Whether the consumer group still counts us in, when there is reason to ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from scorer.errors import CannotContinue


class Membership:
    """Whoever was frozen for longer than a session may have lost its partitions and not know it yet.

    The changelog would tell (see ``takeover``), but then two workers have to start again instead of one.
    """

    def __init__(
        self, clock: Callable[[], float], silence: float, ask: Callable[[], Awaitable[bool]]
    ) -> None:
        """``silence``: seconds without a ``tick`` that raise doubt. ``ask`` is for the group's own answer."""
        self._clock = clock
        self._silence = silence
        self._ask = ask
        self._ticked = clock()
        self._doubtful = False

    def tick(self) -> None:
        """Call it several times a second: a gap means that the process was frozen, or very busy."""
        now = self._clock()
        if now - self._ticked > self._silence:
            self._doubtful = True
        self._ticked = now

    @property
    def doubtful(self) -> bool:
        """Whether there is reason to ask, and the answer has not come."""
        self.tick()
        return self._doubtful

    async def confirm(self) -> None:
        """Raises ``CannotContinue`` when our partitions belong to somebody else by now."""
        if not self.doubtful:
            return
        if not await self._ask():
            raise CannotContinue(
                "this process did nothing for so long that its partitions were given to another",
                "it starts again by itself; look for suspended machines, swapping or long pauses",
            )
        self._doubtful = False
