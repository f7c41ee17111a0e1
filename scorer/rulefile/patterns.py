"""Regular expressions of the rule file: only those that a long text can't keep busy for ever."""

from __future__ import annotations

import re
import warnings

LONGEST = 300
_MOST_REPEATS = 3
"""Unbounded repeats in a pattern; the time for a text of n characters grows with n to that power."""

_UNBOUNDED = re.compile(r"[*+]|\{[0-9]*,[0-9]*\}|\{[0-9]{3,}\}")
"""A bounded repeat of many is as slow as an unbounded one."""
_BOUNDED = re.compile(r"\?|\{[0-9]{1,2}\}")


def pattern_problem(pattern: str) -> tuple[str, str | None] | None:
    """What is wrong with a pattern, and a hint; None if nothing is."""
    if len(pattern) > LONGEST:
        return f"a pattern has at most {LONGEST} characters", None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python doubts, the author should doubt
            re.compile(pattern, re.IGNORECASE)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        return f"this is not a regular expression: {error}", "`starts with` and `contains` need none"
    repeats, nested = _repeats(pattern)
    if nested:
        hint = "(a+)+ and (a|b)+ can take hours on one text; repeat single characters or classes: [ab]+"
        return "a group that repeats or chooses must not be repeated itself", hint
    if repeats > _MOST_REPEATS:
        return (
            f"a pattern repeats without bound at most {_MOST_REPEATS} times",
            "a pattern may begin anywhere",
        )
    return None


def _repeats(pattern: str) -> tuple[int, bool]:
    """(unbounded repeats, a group with a repeat or a choice inside is repeated)."""
    count = 0
    nested = False
    inside = [False]  # per open group: it holds a repeat or a choice
    closed = False  # what ended just before is such a group
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        unbounded = _UNBOUNDED.match(pattern, at)
        if repeat := unbounded or _BOUNDED.match(pattern, at):
            count += unbounded is not None
            nested |= closed and repeat.group() != "?"
            inside[-1] |= unbounded is not None
            at = repeat.end()
            if pattern[at : at + 1] in {"?", "+"}:  # lazy or possessive
                at += 1
            closed = False
            continue
        closed = False
        if letter == "\\":
            at += 2
            continue
        if letter == "[":
            at = _class_end(pattern, at)
            continue
        if letter == "(":
            inside.append(False)
        elif letter == ")" and len(inside) > 1:
            closed = inside.pop()
            inside[-1] |= closed
        elif letter == "|":
            inside[-1] = True
        at += 1
    return count, nested


def _class_end(pattern: str, at: int) -> int:
    """The index after the ``]`` of the class that begins at ``at``."""
    at += 1
    if pattern[at : at + 1] == "^":
        at += 1
    if pattern[at : at + 1] == "]":
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at + 1
