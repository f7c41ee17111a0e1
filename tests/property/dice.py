"""Where drawn models and stories get their choices from: Hypothesis, or a plain seed for long hunts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

T = TypeVar("T")


class Dice:
    """Choices come first in the order of simplicity: Hypothesis shrinks towards the first."""

    def __init__(self, below: Callable[[int], int]) -> None:
        self._below = below

    def number(self, low: int, high: int) -> int:
        """From ``low`` through ``high``."""
        return low + self._below(high - low + 1)

    def one(self, *choices: T) -> T:
        return choices[self._below(len(choices))]

    def some(self, least: int, most: int, choices: Sequence[T]) -> tuple[T, ...]:
        """Different ones, ``least`` to ``most`` of them."""
        left = list(choices)
        return tuple(
            left.pop(self._below(len(left))) for _ in range(self.number(least, min(most, len(left))))
        )

    def chance(self, percent: int) -> bool:
        return self._below(100) >= 100 - percent

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return list(self.some(len(items), len(items), items))


def seeded(seed: int) -> Dice:
    return Dice(Random(seed).randrange)


def drawn(draw: DrawFn) -> Dice:
    return Dice(lambda count: draw(st.integers(0, count - 1)) if count > 1 else 0)
