"""Whether one field can have a value of which several comparisons are true at once.

A value is missing, a truth, a number, a text or a list. Each kind is tried by itself; where it takes more
than a look at the values, the answer is that there may be one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any as Anything

from scorer.domain.conditions import comparable
from scorer.domain.model import Compare, Dated

FieldLeaf = Compare | Dated
Asked = tuple[FieldLeaf, bool]
"""A comparison, and whether it has to be true or false."""

_ORDERS = {"at_least", "at_most", "above", "below"}
_UP = {"at_least", "above"}
_INCLUSIVE = {"at_least", "at_most"}
_TURNED = {"at_least": "below", "at_most": "above", "above": "at_most", "below": "at_least"}
MOST_PAIRS = 2_000
"""Beginnings of texts that are compared with each other."""


def satisfiable(literals: Sequence[Asked]) -> bool:
    """There may be a value (or none) that makes them all true or false as they are wanted."""
    if len(literals) == 1:
        leaf, holds = literals[0]
        return not holds or isinstance(leaf, Dated) or bool(leaf.value) or _bare(leaf)
    wanted = [leaf for leaf, holds in literals if holds]
    unwanted = [leaf for leaf, holds in literals if not holds]
    if all(_is(leaf, "missing") for leaf in wanted) and not any(_is(leaf, "missing") for leaf in unwanted):
        return True
    if any(_is(leaf, "missing") for leaf in wanted) or any(_is(leaf, "exists") for leaf in unwanted):
        return False
    there = _There(
        [leaf for leaf in wanted if not _is(leaf, "exists")],
        [leaf for leaf in unwanted if not _is(leaf, "missing")],
    )
    return there.truth() or there.number() or there.text() or there.list()


def _bare(leaf: Compare) -> bool:
    return leaf.op in ("exists", "missing")


def _is(leaf: FieldLeaf, *ops: str) -> bool:
    return isinstance(leaf, Compare) and leaf.op in ops


def _compares(leaves: Iterable[FieldLeaf], *ops: str) -> list[Compare]:
    return [leaf for leaf in leaves if isinstance(leaf, Compare) and leaf.op in ops]


def _folded(leaf: Compare) -> list[str]:
    return [str(value).casefold() for value in leaf.value]


class _There:
    """Comparisons with a value that is there."""

    def __init__(self, wanted: list[FieldLeaf], unwanted: list[FieldLeaf]) -> None:
        self._wanted = wanted
        self._unwanted = unwanted
        pools = [{comparable(value) for value in leaf.value} for leaf in _compares(wanted, "equals")]
        self._pool: set[Anything] | None = set.intersection(*pools) if pools else None
        """The values that it can have; None: any."""
        self._banned = {comparable(value) for leaf in _compares(unwanted, "equals") for value in leaf.value}
        if self._pool is not None:
            self._pool -= self._banned

    def _only(self, *ops: str, dated: bool = False) -> bool:
        """Nothing but these is asked, so that a value of the kind to which they apply is possible."""
        return all(_is(leaf, *ops) or (dated and isinstance(leaf, Dated)) for leaf in self._wanted)

    def truth(self) -> bool:
        pool = {("bool", True), ("bool", False)} - self._banned
        return self._only("equals") and bool(pool if self._pool is None else pool & self._pool)

    def list(self) -> bool:
        """A list contains several texts at once, each of them whole."""
        banned = {text for leaf in _compares(self._unwanted, "contains") for text in _folded(leaf)}
        return self._only("contains") and all(
            any(text not in banned for text in _folded(leaf)) for leaf in _compares(self._wanted, "contains")
        )

    # -- numbers --------------------------------------------------------------------------------

    def number(self) -> bool:
        if not self._only("equals", *_ORDERS):
            return False
        bounds = [(leaf.op, leaf.value[0]) for leaf in _compares(self._wanted, *_ORDERS)]
        bounds += [(_TURNED[leaf.op], leaf.value[0]) for leaf in _compares(self._unwanted, *_ORDERS)]  # type: ignore[misc]
        ups = [(float(value), op not in _INCLUSIVE) for op, value in bounds if op in _UP]
        downs = [(float(value), op in _INCLUSIVE) for op, value in bounds if op not in _UP]
        low, above = max(ups, default=(-inf, False))
        high, included = min(downs, default=(inf, True))
        if self._pool is None:
            return low < high or (low == high and not above and included and low not in self._banned)
        numbers = (value for value in self._pool if isinstance(value, int | float))
        return any(
            (value > low or (value == low and not above)) and (value < high or (value == high and included))
            for value in numbers
        )

    # -- texts ----------------------------------------------------------------------------------

    def text(self) -> bool:
        """Patterns are not understood: only the same pattern wanted and not wanted contradicts itself."""
        if not self._only("equals", "prefix", "contains", "matches", dated=True) or not self._date():
            return False
        patterns = {leaf.value for leaf in _compares(self._wanted, "matches")}
        if any(leaf.value in patterns for leaf in _compares(self._unwanted, "matches")):
            return False
        beginnings = [_folded(leaf) for leaf in _compares(self._wanted, "prefix")]
        parts = [_folded(leaf) for leaf in _compares(self._wanted, "contains")]
        good = self._allowed()
        if self._pool is not None:
            return any(
                isinstance(value, str)
                and good(value)
                and all(value.startswith(tuple(texts)) for texts in beginnings)
                and all(any(text in value for text in texts) for texts in parts)
                for value in self._pool
            )
        # A part or a beginning that is not allowed makes every text with it not allowed either.
        if not all(any(self._without(text) for text in texts) for texts in parts):
            return False
        heads = [""]
        for texts in beginnings:
            if len(heads) * len(texts) > MOST_PAIRS:
                return True
            heads = list({longer for head in heads for text in texts if (longer := _longer(head, text))})
        return any(good(head) for head in heads)

    def _without(self, text: str) -> bool:
        """No text in it that must not be there."""
        return not any(
            part in text for leaf in _compares(self._unwanted, "contains") for part in _folded(leaf)
        )

    def _allowed(self) -> Callable[[str], bool]:
        """Whether a text begins and goes on as it may."""
        banned = tuple(text for leaf in _compares(self._unwanted, "prefix") for text in _folded(leaf))
        return lambda text: not text.startswith(banned) and self._without(text)

    def _date(self) -> bool:
        """The dates that are wanted are not all excluded; True where none is."""
        dates = [leaf for leaf in self._wanted if isinstance(leaf, Dated)]
        if not dates:
            return True
        low = max(-inf if leaf.low is None else leaf.low for leaf in dates)
        high = min(inf if leaf.high is None else leaf.high for leaf in dates)
        excluded = [
            (-inf if leaf.low is None else leaf.low, inf if leaf.high is None else leaf.high)
            for leaf in self._unwanted
            if isinstance(leaf, Dated)
        ]
        for first, last in sorted(excluded):
            if first <= low:
                low = max(low, last)
        for first, last in sorted(excluded, key=lambda one: -one[1]):
            if last >= high:
                high = min(high, first)
        return low < high


def _longer(one: str, other: str) -> str | None:
    """The beginning of texts that begin with both; None if there are none."""
    if one.startswith(other):
        return one
    return other if other.startswith(one) else None
