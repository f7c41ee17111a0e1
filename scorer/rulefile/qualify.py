"""The section ``qualify``: when a lead is worth a call, and when no longer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from scorer.domain.model import Score, Threshold
from scorer.rulefile.conditions import when
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, mapping, single
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Mapping, Node, Text
from scorer.rulefile.quantities import calendar_period, number, window
from scorer.rulefile.words import keys

HINTS = {
    "threshold": "write `enter: above 20`",
    "above": "write `enter: above 20`",
    "for": "write `dwell: 2 days`",
    "cooldown": "write `cooling off: 90 days`",
    "require": "write `when: {email: exists}`",
    "fit": "write `minimum: {fit: 10}`",
}
_THRESHOLD = re.compile(r"(above|below) ([-+]?[0-9]{1,7}(?:\.[0-9]{1,9})?)")
_ONCE = re.compile(r"once (?:an?|per|every) (\S+)")


class Qualify:
    """Reads it. ``scores``: those that the file defines, None where they are no good."""

    def __init__(self, segments: Iterable[str], scores: tuple[Score, ...] | None) -> None:
        self._when = partial(when, segments=list(segments))
        self._scores = scores

    def read(self, report: Report, node: Node) -> Threshold | None:
        found = mapping(report, node, "`qualify`", "`{enter: above 20, exit: below 15}`")
        if found is None:
            return None
        fields = Fields(report, found, "`qualify`")
        fields.only(keys("qualify"), HINTS)
        enter = fields.require("enter", above, "`enter: above 20`")
        leave = fields.require("exit", below, "`exit: below 15`")
        more: dict[str, Any] = {
            "dwell": fields.read("dwell", window, 0),
            "minimum": fields.read("minimum", self._minimum, ()),
            "when": fields.read("when", self._when),
        }
        cooling = fields.read("cooling off", _cooling_off)
        more |= cooling or {}
        if enter is None or leave is None:
            return None
        if leave > enter:
            message = f"a lead would qualify above {enter:g} and be dropped again below {leave:g}"
            fields.refuse(("exit",), message, "the exit must not lie above the entry")
            return None
        return Threshold(enter, leave, **{key: value for key, value in more.items() if value is not None})

    def _minimum(self, report: Report, node: Node) -> tuple[tuple[str, float], ...] | None:
        """``{fit: 10}``, or a grade: ``{fit: B}``."""
        found = mapping(report, node, "`minimum`", "`minimum: {fit: 10}`")
        if found is None or self._scores is None:
            return None
        known = {score.name: score for score in self._scores}
        made: dict[str, float] = {}
        for entry in found.entries:
            score = known.get(entry.key.value)
            if score is None:
                if not report.may_be_named(entry.key.value):
                    hint = did_you_mean(entry.key.value, known)
                    report.error(entry.key.place, f"unknown score `{entry.key.value}`", hint)
                continue
            least = _least(report, entry.value, score)
            if least is not None:
                made[score.name] = least
        return tuple(made.items())


def _least(report: Report, node: Node, score: Score) -> float | None:
    """Points, or those that a grade begins with."""
    grades = {grade.name: grade.least for grade in score.grades}
    if isinstance(node, Text) and node.value in grades:
        return grades[node.value]
    if isinstance(node, Text) and node.value == score.lowest:
        report.error(node.place, f"every lead has at least `{score.lowest}`", "choose a better grade")
        return None
    return number(report, node)


def above(report: Report, node: Node) -> float | None:
    """``above 20``."""
    return _bound(report, node, "above")


def below(report: Report, node: Node) -> float | None:
    """``below 15``."""
    return _bound(report, node, "below")


def _bound(report: Report, node: Node, word: str) -> float | None:
    text = single(report, node, "a threshold")
    if text is None:
        return None
    match = _THRESHOLD.fullmatch(" ".join(text.value.split()))
    if match and match[1] == word:
        return float(match[2])
    digits = re.search(r"[-+]?[0-9]+(?:\.[0-9]+)?", text.value)
    hint = f"write `{word} {digits.group()[:10] if digits else 20}`"
    report.error(text.place, f"a threshold is written as `{word} NUMBER`", hint)
    return None


def _cooling_off(report: Report, node: Node) -> dict[str, object] | None:
    """``90 days``, or ``once a quarter``."""
    if isinstance(node, Mapping):
        mapping_hint = "`cooling off: 90 days` or `cooling off: once a quarter`"
        report.error(node.place, "a cooling-off is a single value", mapping_hint)
        return None
    if isinstance(node, Text) and (match := _ONCE.fullmatch(" ".join(node.value.split()))):
        period = calendar_period(report, node, match[1])
        return None if period is None else {"cooling_period": period}
    ms = window(report, node)
    return None if ms is None else {"cooling_off": ms}
