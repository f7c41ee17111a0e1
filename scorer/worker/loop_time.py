"""Where the worker's time goes: told once a second from what its parts have added up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from scorer import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ON_LOOP: Final = ("decode", "step", "send", "encode", "sweep", "intake")
"""Stages on the event loop's thread."""
BESIDE: Final = ("poll", "checkpoint")
"""Stages on threads of their own."""


class Part(Protocol):
    """One of the worker's apps."""

    @property
    def fetching_seconds(self) -> float:
        """Processor time of the thread that fetches, so far."""

    @property
    def spent(self) -> Mapping[str, float]:
        """Stage -> seconds, so far."""


class LoopTime:
    """Use it on the event loop's thread."""

    def __init__(
        self,
        parts: Sequence[Part],
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        """``processor``: seconds of processor time that the calling thread has used."""
        self._parts = parts
        self._clock = clock
        self._processor = processor
        self._last = dict.fromkeys((*ON_LOOP, *BESIDE), 0.0)
        self._told = clock(), processor()
        stages = (*ON_LOOP, *BESIDE, "other", "wait")
        self._children = {stage: metrics.WORKER_LOOP_SECONDS.labels(stage) for stage in stages}

    def tell(self) -> None:
        """To be called about once a second."""
        now = self._clock(), self._processor()
        wall, used = (new - old for new, old in zip(now, self._told, strict=True))
        self._told = now
        busy = 0.0
        for stage, total in self._totals().items():
            seconds = max(0.0, total - self._last[stage])
            self._last[stage] = total
            self._children[stage].inc(seconds)
            if stage in ON_LOOP:
                busy += seconds
        # Stages are measured by the clock: while one of them has no processor, they outgrow what was used.
        other = max(0.0, min(used, wall) - busy)
        self._children["other"].inc(other)
        self._children["wait"].inc(max(0.0, wall - busy - other))

    def _totals(self) -> dict[str, float]:
        totals = dict.fromkeys(self._last, 0.0)
        for part in self._parts:
            totals["poll"] += part.fetching_seconds
            for stage, seconds in part.spent.items():
                totals[stage] += seconds
        return totals
