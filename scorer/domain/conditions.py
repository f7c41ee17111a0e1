"""Conditions of the model made ready to run, and the comparison of values that all of them share.

Small classes with one method, not closures: compiled, calling a method costs a tenth of calling a function
that is held in a variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any as Anything
from typing import Final

from scorer.domain.dates import instant_of
from scorer.domain.lead import Lead, Slot
from scorer.domain.model import (
    Absent,
    All,
    Any,
    Compare,
    Condition,
    Dated,
    InSegment,
    Matcher,
    Not,
    NotSince,
    Recent,
)

Properties = dict[str, Anything]
SHORT_NAME: Final = 8
"""Bytes."""


def comparable(value: Anything) -> Anything:
    """A hashable stand-in under which equal values are equal: text without case, True unlike 1.

    None for what can't be compared (lists, null).
    """
    if type(value) is str:
        return value.casefold()
    if type(value) is bool:
        return ("bool", value)
    if type(value) is int or type(value) is float:
        return value
    return None


def short_name(value: Anything) -> bytes | None:
    """8 bytes by which a lead's state remembers a value; None for what can't be compared."""
    value = comparable(value)
    if value is None:
        return None
    return blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=SHORT_NAME).digest()


# -- on one value --------------------------------------------------------------------------------


class Test:
    """A comparison of one value, which is None where the field is missing."""

    __test__ = False  # to pytest: no collection of tests

    def holds(self, value: Anything) -> bool:
        raise NotImplementedError


class _Exists(Test):
    __slots__ = ("wanted",)

    def __init__(self, wanted: bool) -> None:  # noqa: FBT001
        self.wanted = wanted

    def holds(self, value: Anything) -> bool:
        return (value is not None) == self.wanted


class _Equals(Test):
    __slots__ = ("wanted",)

    def __init__(self, wanted: frozenset[Anything]) -> None:
        self.wanted = wanted

    def holds(self, value: Anything) -> bool:
        if type(value) is str:
            return value.casefold() in self.wanted
        return value is not None and comparable(value) in self.wanted


class _Order(Test):
    __slots__ = ("bound", "inclusive", "up")

    def __init__(self, op: str, bound: float) -> None:
        self.bound = bound
        self.up = op in ("at_least", "above")
        self.inclusive = op in ("at_least", "at_most")

    def holds(self, value: Anything) -> bool:
        if type(value) is not int and type(value) is not float:
            return False
        if value == self.bound:
            return self.inclusive
        # A comparison with NaN, which no record can bring, would hold neither way.
        return bool(value > self.bound if self.up else value < self.bound)


class _Prefix(Test):
    __slots__ = ("texts",)

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.texts = texts

    def holds(self, value: Anything) -> bool:
        return type(value) is str and value.casefold().startswith(self.texts)


class _Matches(Test):
    __slots__ = ("search",)

    def __init__(self, pattern: str) -> None:
        self.search: Anything = re.compile(pattern, re.IGNORECASE).search

    def holds(self, value: Anything) -> bool:
        return type(value) is str and self.search(value) is not None


class _Contains(Test):
    __slots__ = ("texts",)

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.texts = texts

    def holds(self, value: Anything) -> bool:
        if type(value) is str:
            folded = value.casefold()
            return any(text in folded for text in self.texts)
        if type(value) is list:
            return any(type(item) is str and item.casefold() in self.texts for item in value)
        return False


def _test(node: Compare) -> Test:
    op, values = node.op, node.value
    if op in ("exists", "missing"):
        return _Exists(op == "exists")
    if op == "equals":
        return _Equals(frozenset(comparable(value) for value in values))
    if op in ("at_least", "at_most", "above", "below"):
        return _Order(op, float(values[0]))
    if op == "matches":
        return _Matches(str(values[0]))
    texts = tuple(str(value).casefold() for value in values)
    return _Prefix(texts) if op == "prefix" else _Contains(texts)


# -- on an activity's properties -----------------------------------------------------------------


class Predicate:
    """A condition on an activity's properties."""

    def holds(self, properties: Properties) -> bool:
        raise NotImplementedError


class _OnProperty(Predicate):
    __slots__ = ("field", "test")

    def __init__(self, field: str, test: Test) -> None:
        self.field = field
        self.test = test

    def holds(self, properties: Properties) -> bool:
        return self.test.holds(properties.get(self.field))


class _Group(Predicate):
    """All of some conditions, or any of them; or not."""

    __slots__ = ("answer", "items", "stop")

    def __init__(self, items: tuple[Predicate, ...], stop: bool, answer: bool) -> None:  # noqa: FBT001
        self.items = items
        self.stop = stop
        """The truth of an item that decides."""
        self.answer = answer
        """What holds where an item decides."""

    def holds(self, properties: Properties) -> bool:
        for item in self.items:
            if item.holds(properties) == self.stop:
                return self.answer
        return not self.answer


def on_properties(node: Condition) -> Predicate:
    """Make a condition of a ``Matcher`` ready; raises ``TypeError`` on a node about leads."""
    if isinstance(node, Compare):
        return _OnProperty(node.field, _test(node))
    if not isinstance(node, All | Any | Not):
        raise TypeError(f"{type(node).__name__} can't stand in a condition on properties")
    return _Group(tuple(on_properties(item) for item in node.items), *_deciding(node))


def _deciding(node: All | Any | Not) -> tuple[bool, bool]:
    """(the truth of an item that decides, the truth of the whole then)."""
    if isinstance(node, All):
        return False, False
    return True, isinstance(node, Any)


# -- on a lead -----------------------------------------------------------------------------------


class LeadPredicate:
    """A condition on a lead, judged at an instant (ms)."""

    def holds(self, lead: Lead, at: int) -> bool:
        raise NotImplementedError


class _OnAttribute(LeadPredicate):
    __slots__ = ("field", "test")

    def __init__(self, field: str, test: Test) -> None:
        self.field = field
        self.test = test

    def holds(self, lead: Lead, at: int) -> bool:  # noqa: ARG002
        held = lead.attributes.get(self.field)
        return self.test.holds(None if held is None else held[1])


class _Absent(LeadPredicate):
    __slots__ = ("slot", "window")

    def __init__(self, slot: Slot, window: int) -> None:
        self.slot = slot
        self.window = window

    def holds(self, lead: Lead, at: int) -> bool:
        return at - absence_start(lead, self.slot) >= self.window


class _Recent(LeadPredicate):
    __slots__ = ("count", "slot", "window")

    def __init__(self, slot: Slot, count: int, window: int) -> None:
        self.slot = slot
        self.count = count
        self.window = window

    def holds(self, lead: Lead, at: int) -> bool:
        times = lead.newest.get(self.slot)
        return times is not None and len(times) >= self.count and times[-self.count] > at - self.window


class _NotSince(LeadPredicate):
    __slots__ = ("since", "slot", "wait")

    def __init__(self, slot: Slot, since: Slot, wait: int) -> None:
        self.slot = slot
        self.since = since
        self.wait = wait

    def holds(self, lead: Lead, at: int) -> bool:
        since = lead.newest.get(self.since)
        if not since or at < since[-1] + self.wait:
            return False
        times = lead.newest.get(self.slot)
        return not times or times[-1] <= since[-1]


class _Dated(LeadPredicate):
    __slots__ = ("field", "high", "low", "zone")

    def __init__(self, node: Dated, zone: str) -> None:
        self.field = node.field
        self.low = node.low
        self.high = node.high
        self.zone = zone

    def holds(self, lead: Lead, at: int) -> bool:
        held = lead.attributes.get(self.field)
        date = None if held is None else instant_of(held[1], self.zone)
        if date is None:
            return False
        return (self.low is None or self.low <= date - at) and (self.high is None or date - at < self.high)


class _InSegment(LeadPredicate):
    __slots__ = ("slot",)

    def __init__(self, slot: Slot) -> None:
        self.slot = slot

    def holds(self, lead: Lead, at: int) -> bool:  # noqa: ARG002
        return self.slot in lead.holds


class _LeadGroup(LeadPredicate):
    """As ``_Group``."""

    __slots__ = ("answer", "items", "stop")

    def __init__(self, items: tuple[LeadPredicate, ...], stop: bool, answer: bool) -> None:  # noqa: FBT001
        self.items = items
        self.stop = stop
        self.answer = answer

    def holds(self, lead: Lead, at: int) -> bool:
        for item in self.items:
            if item.holds(lead, at) == self.stop:
                return self.answer
        return not self.answer


class LeadConditions:
    """Makes conditions on leads ready; ``slots`` name the watches and segments they refer to."""

    def __init__(
        self,
        watch: Callable[[Recent | Absent | NotSince, Matcher], int],
        segment: Callable[[str], int],
        zone: str,
    ) -> None:
        self._watch = watch
        self._segment = segment
        self._zone = zone

    def compile(self, node: Condition) -> LeadPredicate:
        if isinstance(node, Compare):
            return _OnAttribute(node.field, _test(node))
        if isinstance(node, Absent):
            return _Absent(self._watch(node, node.matcher), node.window)
        if isinstance(node, Recent):
            return _Recent(self._watch(node, node.matcher), node.count, node.window)
        if isinstance(node, NotSince):
            return _NotSince(self._watch(node, node.matcher), self._watch(node, node.since), node.wait)
        if isinstance(node, Dated):
            return _Dated(node, self._zone)
        if isinstance(node, InSegment):
            return _InSegment(self._segment(node.name))
        return _LeadGroup(tuple(self.compile(item) for item in node.items), *_deciding(node))


def absence_start(lead: Lead, slot: Slot) -> int:
    """Start of the absence window of a watch: the newest activity, but not before watching began."""
    start = lead.watched_since(slot)
    times = lead.newest.get(slot)
    return max(times[-1], start) if times else start


def matchers(leaf: Condition) -> tuple[Matcher, ...]:
    """The activities that a leaf looks back at."""
    if isinstance(leaf, NotSince):
        return (leaf.matcher, leaf.since)
    return (leaf.matcher,) if isinstance(leaf, Recent | Absent) else ()


def leaves(node: Condition | None) -> Iterable[Compare | Recent | Absent | NotSince | Dated | InSegment]:
    """Every condition in a tree that is not made of others."""
    if isinstance(node, All | Any | Not):
        for item in node.items:
            yield from leaves(item)
    elif node is not None:
        yield node
