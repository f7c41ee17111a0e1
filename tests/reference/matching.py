"""Comparisons of fields with values, and which activities a matcher takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scorer.domain.model import All, Compare, Condition, Matcher, Not
from scorer.domain.model import Any as AnyOf


def matches(matcher: Matcher, kind: str, properties: Mapping[str, Any]) -> bool:
    if kind not in matcher.types:
        return False
    return matcher.where is None or holds_for_fields(matcher.where, properties)


def holds_for_fields(condition: Condition, fields: Mapping[str, Any]) -> bool:
    """A condition made of comparisons only."""
    match condition:
        case Compare():
            return compare(condition, fields)
        case All(items):
            return all(holds_for_fields(item, fields) for item in items)
        case AnyOf(items):
            return any(holds_for_fields(item, fields) for item in items)
        case Not(items):
            return not any(holds_for_fields(item, fields) for item in items)
    raise TypeError(f"{condition} needs a lead")


def compare(condition: Compare, fields: Mapping[str, Any]) -> bool:
    if condition.op == "missing":
        return condition.field not in fields
    if condition.op == "exists":
        return condition.field in fields
    if condition.field not in fields:
        return False
    value = fields[condition.field]
    return any(_single(condition.op, value, wanted) for wanted in condition.value)


def _single(operator: str, value: Any, wanted: Any) -> bool:
    if operator == "equals":
        return same(value, wanted)
    if operator == "contains" and isinstance(value, list):
        return any(same(element, wanted) for element in value)
    if operator in ("contains", "prefix", "matches"):
        return isinstance(value, str) and _text(operator, value, wanted)
    return is_number(value) and _number(operator, value, wanted)


def _text(operator: str, value: str, wanted: str) -> bool:
    match operator:
        case "contains":
            return wanted.casefold() in value.casefold()
        case "prefix":
            return value.casefold().startswith(wanted.casefold())
        case _:
            return re.search(wanted, value, re.IGNORECASE) is not None


def _number(operator: str, value: float, wanted: float) -> bool:
    match operator:
        case "at_least":
            return value >= wanted
        case "at_most":
            return value <= wanted
        case "above":
            return value > wanted
        case "below":
            return value < wanted
    raise ValueError(operator)


def same(one: Any, other: Any) -> bool:
    """Text without regard to case, numbers by value, true and false only with themselves."""
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return is_number(one) and is_number(other) and one == other


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
