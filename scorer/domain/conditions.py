"""Conditions of the model as functions, and the comparison of values that all of them share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any as Anything

from scorer.domain.lead import Lead
from scorer.domain.model import Absent, All, Any, Compare, Condition, InSegment, Not, Recent

Predicate = Callable[[Mapping[str, Anything]], bool]
"""A condition on an activity's properties."""
LeadPredicate = Callable[[Lead, int], bool]
"""A condition on a lead, judged at an instant (ms)."""


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


def compare(node: Compare) -> Callable[[Anything], bool]:
    """The comparison of one value, which is None where the field is missing."""
    op, values = node.op, node.value
    if op == "exists":
        return lambda value: value is not None
    if op == "missing":
        return lambda value: value is None
    if op == "equals":
        return _equals(frozenset(comparable(value) for value in values))
    if op in ("at_least", "at_most", "above", "below"):
        return _order(op, float(values[0]))
    texts = tuple(str(value).casefold() for value in values)
    if op == "prefix":
        return lambda value: type(value) is str and value.casefold().startswith(texts)
    if op == "matches":
        search = re.compile(str(values[0]), re.IGNORECASE).search
        return lambda value: type(value) is str and search(value) is not None
    return _contains(texts)


def _equals(wanted: frozenset[Anything]) -> Callable[[Anything], bool]:
    def equals(value: Anything) -> bool:
        if type(value) is str:
            return value.casefold() in wanted
        return value is not None and comparable(value) in wanted

    return equals


def _order(op: str, bound: float) -> Callable[[Anything], bool]:
    def number(value: Anything) -> bool:
        return type(value) is int or type(value) is float

    if op == "at_least":
        return lambda value: number(value) and value >= bound
    if op == "at_most":
        return lambda value: number(value) and value <= bound
    if op == "above":
        return lambda value: number(value) and value > bound
    return lambda value: number(value) and value < bound


def _contains(texts: tuple[str, ...]) -> Callable[[Anything], bool]:
    def contains(value: Anything) -> bool:
        if type(value) is str:
            folded = value.casefold()
            return any(text in folded for text in texts)
        if type(value) is list:
            return any(type(item) is str and item.casefold() in texts for item in value)
        return False

    return contains


def on_properties(node: Condition) -> Predicate:
    """Compile a condition of a ``Matcher``; raises ``TypeError`` on a node about leads."""
    if isinstance(node, Compare):
        field, test = node.field, compare(node)
        return lambda properties: test(properties.get(field))
    if not isinstance(node, All | Any | Not):
        raise TypeError(f"{type(node).__name__} can't stand in a condition on properties")
    items = tuple(on_properties(item) for item in node.items)
    # Lists, not generators: for two or three items, making a generator costs more than it saves.
    if isinstance(node, All):
        return lambda properties: all([item(properties) for item in items])  # noqa: C419
    if isinstance(node, Not) and len(items) == 1:
        only = items[0]
        return lambda properties: not only(properties)
    if isinstance(node, Any):
        return lambda properties: any([item(properties) for item in items])  # noqa: C419
    return lambda properties: not any([item(properties) for item in items])  # noqa: C419


class LeadConditions:
    """Compiles conditions on leads; ``slots`` name the watches and segments they refer to."""

    def __init__(self, watch: Callable[[Recent | Absent], int], segment: Callable[[str], int]) -> None:
        self._watch = watch
        self._segment = segment

    def compile(self, node: Condition) -> LeadPredicate:
        if isinstance(node, Compare):
            return _on_attribute(node.field, compare(node))
        if isinstance(node, Absent):
            return _absent(self._watch(node), node.window)
        if isinstance(node, Recent):
            return _recent(self._watch(node), node.count, node.window)
        if isinstance(node, InSegment):
            slot = self._segment(node.name)
            return lambda lead, _: slot in lead.holds
        items = tuple(self.compile(item) for item in node.items)
        if isinstance(node, All):
            return lambda lead, at: all(item(lead, at) for item in items)
        if isinstance(node, Any):
            return lambda lead, at: any(item(lead, at) for item in items)
        return lambda lead, at: not any(item(lead, at) for item in items)


def _on_attribute(field: str, test: Callable[[Anything], bool]) -> LeadPredicate:
    def judge(lead: Lead, _: int) -> bool:
        held = lead.attributes.get(field)
        return test(None if held is None else held[1])

    return judge


def absence_start(lead: Lead, slot: int) -> int:
    """Start of the absence window of a watch: the newest activity, but not before watching began."""
    start = lead.starts.get(slot, lead.since)
    times = lead.newest.get(slot)
    return max(times[-1], start) if times else start


def _absent(slot: int, window: int) -> LeadPredicate:
    return lambda lead, at: at - absence_start(lead, slot) >= window


def _recent(slot: int, count: int, window: int) -> LeadPredicate:
    def judge(lead: Lead, at: int) -> bool:
        times = lead.newest.get(slot)
        return times is not None and len(times) >= count and times[-count] > at - window

    return judge


def leaves(node: Condition | None) -> Iterable[Compare | Recent | Absent | InSegment]:
    """Every condition in a tree that is not made of others."""
    if isinstance(node, All | Any | Not):
        for item in node.items:
            yield from leaves(item)
    elif node is not None:
        yield node
