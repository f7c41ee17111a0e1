"""The explanation of a score: an exact ledger. The lines add up to the total."""

from __future__ import annotations

from scorer.domain.grants import Grant, Variant
from scorer.domain.lead import Lead
from scorer.domain.reading import TOLERANCE, cap_value, clamp, parts, variant_value
from scorer.domain.rules import RuleSet


class Line:
    __slots__ = ("detail", "grants", "rule", "score", "value")

    def __init__(self, rule: str, detail: str, score: str, grants: float, value: float) -> None:
        self.rule = rule
        """Rule id; ``cap`` or ``floor`` for what a clamp of a score or of the total takes or gives."""
        self.detail = detail
        """Which variant of the rule, or which clamp."""
        self.score = score
        """Empty for a clamp of the total."""
        self.grants = grants
        """How often granted, decayed."""
        self.value = value
        """Points at the instant read, weighted by its score's weight."""


def ledger(rules: RuleSet, lead: Lead, at: int) -> list[Line]:
    """The lines of a lead's score at an instant (ms) not before its clock; they add up to the total.

    A cap or a floor has a line where it takes or gives more than what rounding does.
    """
    lines: list[Line] = []
    scores = rules.model.scores
    raw = [0.0] * len(scores)
    for judged in rules.judged:
        if judged.standing_group >= 0 and judged.slot in lead.holds:
            index = rules.score_index[judged.item.score]
            raw[index] += judged.item.points
            lines.append(
                Line(judged.item.id, "", judged.item.score, 1.0, judged.item.points * rules.weights[index])
            )
    for grant, variants in _granted(rules, lead):
        index, name = grant.score, grant.award.score
        value = 0.0
        for variant in variants:
            points = variant_value(rules, lead, grant, variant, at)
            value += points
            grants = points / variant.points if variant.points else 0.0
            lines.append(Line(grant.award.id, variant.label, name, grants, points * rules.weights[index]))
        capped = cap_value(value, grant.cap)
        if abs(capped - value) > TOLERANCE:
            lines.append(Line(grant.award.id, "cap", name, 0.0, (capped - value) * rules.weights[index]))
        raw[index] += capped
    total = 0.0
    values = parts(rules, lead, at)
    for index, score in enumerate(scores):
        value = values[index]
        if (score.cap is not None or score.floor is not None) and abs(value - raw[index]) > TOLERANCE:
            kind = "cap" if value < raw[index] else "floor"
            lines.append(Line(kind, score.name, score.name, 0.0, (value - raw[index]) * score.weight))
        total += value * score.weight
    clamped = clamp(total, rules.model.floor, rules.model.cap)
    if abs(clamped - total) > TOLERANCE:
        lines.append(Line("cap" if clamped < total else "floor", "total", "", 0.0, clamped - total))
    return lines


def _granted(rules: RuleSet, lead: Lead) -> list[tuple[Grant, list[Variant]]]:
    """The awards granted to a lead, in the order of the rule file, each with its variants granted."""
    found: dict[int, tuple[Grant, list[Variant]]] = {}
    for slot in (*lead.masses, *(lead.days or ())):
        entry = rules.variants.get(slot)
        if entry is not None and not entry[0].prepared:
            found.setdefault(entry[0].order, (entry[0], []))[1].append(entry[1])
    return [found[order] for order in sorted(found)]
