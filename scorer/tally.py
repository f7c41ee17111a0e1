"""A histogram kept in plain numbers, for where many are counted in a second."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import Histogram


class Tally:
    """What has been counted since ``tell``, which hands it to the metric."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """``bounds``: the metric's buckets, rising; the last is taken to be endless."""
        self._bounds = bounds
        self._counts = [0.0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float, count: float = 1) -> None:
        """``count`` observations of a value."""
        self._counts[bisect_left(self._bounds, value)] += count
        self._sum += value * count

    def tell(self, metric: Histogram) -> None:
        """``metric``: without labels, or a child. Buckets of its own are counted by it one at a time."""
        if not any(self._counts):
            return
        counts, self._counts = self._counts, [0.0] * len(self._counts)
        total, self._sum = self._sum, 0.0
        metric._sum.inc(total)  # noqa: SLF001 - its public way takes one observation at a time
        for bucket, count in zip(metric._buckets, counts, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)
