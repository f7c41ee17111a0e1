"""Thresholds that no lead can reach, points that outlive what is known, and points that can't be changed."""

from __future__ import annotations

from math import inf

from scorer.domain.model import (
    Award,
    FirstLater,
    Fixed,
    HalfLife,
    LinearDecay,
    Model,
    Once,
    PointsPerPeriod,
    Table,
)
from scorer.domain.reading import TOLERANCE, clamp
from scorer.rulefile.diagnostics import Place, Report
from scorer.rulefile.lint_places import Part, Places
from scorer.rulefile.nodes import Mapping
from scorer.rulefile.quantities import DAY, LONGEST_WINDOW, decay


def check(report: Report, places: Places, model: Model) -> None:
    if model.awards or model.standings:  # a file without rules is only begun
        _threshold(report, places, model)
    _decay_of_scores(report, places)
    for award in model.awards:
        part = places.rule(award.id)
        if part is not None:
            _award(report, part, award)


# -- what can be reached --------------------------------------------------------------------------------


def _threshold(report: Report, places: Places, model: Model) -> None:
    qualify = places.section("qualify")
    if qualify is None:
        return
    most = _most(model)
    total = sum(most[score.name] * score.weight for score in model.scores if score.weight)
    total = clamp(total, model.floor, model.cap)
    enter = model.threshold.enter
    # As the engine compares, but rounding must not make a claim of what is just reached.
    if total <= enter + TOLERANCE / 2:
        hint = "lower it, or raise points, weights or caps"
        message = f"no lead qualifies: all points together come to {total:g} at most"
        report.warning(qualify.place("enter"), message, hint)
    for score, least in model.threshold.minimum:
        if most[score] < least - 2 * TOLERANCE:
            message = f"no lead qualifies: `{score}` comes to {most[score]:g} at most"
            report.warning(
                qualify.place("minimum", score), message, "lower it, or raise points or the score's cap"
            )


def _most(model: Model) -> dict[str, float]:
    """The most that each score can be worth, before its weight; infinite where nothing bounds it."""
    sums = {score.name: 0.0 for score in model.scores}
    for award in model.awards:
        sums[award.score] += _most_of(award)
    for standing in model.standings:
        sums[standing.score] += max(standing.points, 0.0)
    return {score.name: clamp(sums[score.name], score.floor, score.cap) for score in model.scores}


def _most_of(award: Award) -> float:
    """Fading takes points away only, so it bounds nothing here."""
    points, often = award.points, not isinstance(award.limit, Once)
    if isinstance(points, Fixed):
        best = points.points
    elif isinstance(points, FirstLater):
        if not often or points.later <= 0:
            best, often = points.first, False
        else:
            best = max(points.first, points.later)
    elif isinstance(points, Table):
        best = max([row[1] for row in points.rows] + [points.otherwise or 0.0])
    else:
        best = inf if points.points else 0.0  # so many units as the publisher says, or below zero
    many = best * inf if often and best > 0 else best
    return max(many if award.cap is None or award.cap < 0 else min(many, award.cap), 0.0)


# -- fading -----------------------------------------------------------------------------------------------


def _decay_of_scores(report: Report, places: Places) -> None:
    scores = places.section("scores")
    if scores is None or not isinstance(scores.body, Mapping):
        return
    for entry in scores.body.entries:
        part = Part(entry.key, entry.value)
        node = part.value("decay")
        fading = None if node is part.name else decay(report, node)
        if fading is not None:
            _outlives(report, node.place, fading[0], expires=False)


def _award(report: Report, part: Part, award: Award) -> None:
    for key in ("decay", "expires"):
        node = part.value(key)
        if node is not part.name:
            _outlives(report, node.place, award.decay, expires=key == "expires")
    points, cap = award.points, award.cap
    if isinstance(points, Table) and points.otherwise and cap:
        # What stands in the rows has been compared with the cap when the rule was read.
        beyond = points.otherwise * cap > 0 and abs(points.otherwise) > abs(cap)
        if beyond and all(abs(row[1]) <= abs(cap) for row in points.rows):
            hint = "raise it to take effect"
            report.warning(part.key("cap"), "the cap is smaller than one award of this rule", hint)
    if isinstance(award.limit, PointsPerPeriod):
        message = "this limit goes by the points in force when they are given: change them later, and what it"
        message += " cut off before stays cut off"
        hint = f"`limit: 3 times a {award.limit.period}` counts the same whatever an award is worth"
        report.note(part.place("limit"), message, hint)


def _outlives(report: Report, place: Place, fading: HalfLife | LinearDecay | None, *, expires: bool) -> None:
    """Fading that shows only when the activity itself is no longer known."""
    if isinstance(fading, HalfLife):
        days, what = fading.ms / DAY, "half is left"
    elif isinstance(fading, LinearDecay):
        days, what = float(fading.days), "the first points fade"
    else:
        return
    if days > LONGEST_WINDOW:
        what = "the points expire" if expires else what
        message = f"{what} after {days:g} days, but nothing older than {LONGEST_WINDOW} days is known"
        report.warning(place, message, f"at most {LONGEST_WINDOW} days, or `decay: none`")
