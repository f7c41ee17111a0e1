"""When will a lead's total cross a threshold if nothing happens? Solved, not polled.

Every positive contribution only falls with time and every negative one only rises towards 0, so on an
interval each is between its values at the two ends, and so is every sum and clamp of them. Intervals in
which those bounds exclude a crossing are passed over; the others are halved down to 1 ms. Decay in steps
and clamps need no care of their own: the bounds hold for them too.
"""

from __future__ import annotations

from math import ceil, exp, isfinite, log
from typing import Final

from scorer.domain.grants import Grant, Variant
from scorer.domain.lead import OPEN, QUALIFIED, SPENT, Lead
from scorer.domain.reading import (
    TOLERANCE,
    below,
    cap_value,
    clamp,
    ready,
    total,
    variant_value,
)
from scorer.domain.rules import RuleSet, date_edge

HORIZON: Final = 100 * 365 * 86_400_000
"""ms. No crossing is looked for later than this; the search goes on from there when the time has come."""
FIRST_STEP: Final = 3_600_000
NEVER: Final[list[int]] = []
CLOSE_ENOUGH: Final = 0.25
"""ms. The last step of Newton's method: the answer is a whole ms."""
EVALUATIONS: Final = 4_000
"""Bounds computed in one search at the most; past it the answer is the instant reached."""
RISES: Final = 0
FALLS: Final = 1
UNREADY: Final = 2
"""What is looked for: the lead becomes ready, its total falls below the exit, it is ready no longer."""


def next_crossing(rules: RuleSet, lead: Lead, at: int) -> int:
    """The first ms >= ``at`` at which time alone gives the lead's status what it waits for.

    0: never. May answer an earlier instant than the true one (a search that took too long, or one at the
    horizon), never a later one: asking again from there goes on.
    """
    if lead.status in (QUALIFIED, SPENT):
        return _first(rules, lead, at, FALLS)
    if lead.status != OPEN or (rules.requirement and rules.requirement not in lead.holds):
        return 0  # the requirement is judged when what it depends on changes
    if not rules.dwell:
        return _first(rules, lead, max(at, lead.quiet_until), RISES)
    if not lead.ready_since:
        return _first(rules, lead, at, RISES)
    due = max(lead.ready_since + rules.dwell, lead.quiet_until, at)
    unready = _first(rules, lead, at, UNREADY)
    return unready if 0 < unready < due else due


def no_crossing_before(rules: RuleSet, lead: Lead) -> int:
    """``Lead.crossing``: before it, time alone takes the total beyond no threshold. 0: it never does.

    A cheap bound where the points are plain sums: what rises or falls does so no faster than the fastest
    rate. ``next_crossing`` is asked when the instant has come.
    """
    status, at = lead.status, lead.clock
    if rules.clamped or lead.specials or (status == OPEN and not rules.plain_entry):
        return next_crossing(rules, lead, at)
    if status not in (OPEN, QUALIFIED, SPENT):
        return 0
    elapsed = at - lead.landmark
    constant = positive = negative = 0.0
    sums = lead.sums
    for rate, groups in zip(rules.rates, rules.rate_weights, strict=True):
        points = 0.0
        for group, weight in groups:
            points += sums[group] * weight
        if not rate:
            constant = points
        elif points > 0:
            positive += points * exp(-rate * elapsed)
        elif points:
            negative -= points * exp(-rate * elapsed)
    if status == OPEN:
        room = constant + positive - rules.enter - TOLERANCE
        if room <= 0:
            return 0
        return at if negative <= room else at + int(log(negative / room) / rules.fastest)
    left = rules.exit - TOLERANCE - constant + negative
    if left <= 0:
        return 0
    return at if positive <= left else at + int(log(positive / left) / rules.fastest)


def stays_low(rules: RuleSet, lead: Lead) -> bool:
    """The positive points as they stood at the landmark don't reach the threshold: no later total does."""
    if lead.specials or not rules.plain_total:
        return False
    most = 0.0
    for points in lead.sums:
        if points > 0:
            most += points
    return most <= rules.enter


def may_rise(rules: RuleSet, lead: Lead) -> bool:
    """Some of the lead's points fade from below zero, so that time alone can raise the total."""
    sums = lead.sums
    for group, weight in rules.fading:
        if sums[group] * weight < 0:
            return True
    return bool(lead.specials) and not rules.fading_specials.isdisjoint(lead.specials)


def _first(rules: RuleSet, lead: Lead, at: int, goal: int) -> int:
    if goal == FALLS:
        if below(rules, total(rules, lead, at)):
            return at
    elif ready(rules, lead, at) == (goal == RISES):
        return at
    if not may_rise(rules, lead):
        if goal == RISES:
            return 0
        if goal == FALLS and not rules.clamped and not lead.specials:
            return _falling_exponentials(rules, lead, at)
    return _Search(rules, lead, at, goal).run()


def _falling_exponentials(rules: RuleSet, lead: Lead, at: int) -> int:
    """Newton's method on a sum of falling exponentials: convex, so from the left it never oversteps."""
    target = rules.exit - TOLERANCE
    constant = 0.0
    terms = []
    for rate, groups in zip(rules.rates, rules.rate_weights, strict=True):
        points = sum(lead.sums[group] * weight for group, weight in groups)
        if rate:
            terms.append((rate, points * exp(-rate * (at - lead.landmark))))
        else:
            constant = points
    if constant >= target:
        return 0
    elapsed = 0.0
    for _ in range(200):
        value, slope = constant - target, 0.0
        for rate, points in terms:
            term = points * exp(-rate * elapsed)
            value += term
            slope -= rate * term
        if value <= 0 or slope == 0:
            break
        step = -value / slope
        elapsed += step
        if step < CLOSE_ENOUGH or elapsed > HORIZON:
            break
    if not isfinite(elapsed) or elapsed > HORIZON:
        return at + HORIZON
    due = at + max(1, ceil(elapsed))
    # The instant has to be the first by the very arithmetic that is used when it comes.
    while due > at + 1 and below(rules, total(rules, lead, due - 1)):
        due -= 1
    while not below(rules, total(rules, lead, due)):
        due += 1
    return due


class _Search:
    def __init__(self, rules: RuleSet, lead: Lead, at: int, goal: int) -> None:
        self.rules = rules
        self.lead = lead
        self.at = at
        self.goal = goal
        threshold = rules.model.threshold
        self.target = threshold.exit - TOLERANCE if goal == FALLS else threshold.enter + TOLERANCE
        self.budget = EVALUATIONS
        # Awards of one rate are netted before they are bounded: apart, +10 and -10 that fade alike would
        # leave bounds too wide to exclude anything.
        self.terms = [
            (group // rules.rate_count, rules.rates[group % rules.rate_count], points)
            for group, points in enumerate(lead.sums)
            if points
        ]
        self.specials = [rules.specials[key] for key in lead.specials if key in rules.specials]

    def run(self) -> int:
        start, step = self.at, FIRST_STEP
        while start - self.at < HORIZON:
            if not self._possible(start, None):
                return 0
            end = start + step
            found = self._search(start, end)
            if found:
                return found
            start, step = end, step * 2
        return start

    def _search(self, start: int, end: int) -> int:
        """The first crossing in (start, end], 0 for none; ``start`` itself is known not to be one."""
        if not self._possible(start, end):
            return 0
        if end - start == 1:
            return end
        if self.budget <= 0:
            return start + 1
        middle = (start + end) // 2
        return self._search(start, middle) or self._search(middle, end)

    def _possible(self, start: int, end: int | None) -> bool:
        """The bounds on [start + 1, end] allow a crossing; ``end`` None is the end of time."""
        self.budget -= 1
        low, high, lows, highs = self._bounds(start + 1, end)
        if self.goal == FALLS:
            return low < self.target
        minimum = self.rules.minimum
        if self.goal == RISES:
            return high > self.target and all(highs[index] >= least - TOLERANCE for index, least in minimum)
        return low <= self.target or any(lows[index] < least - TOLERANCE for index, least in minimum)

    def _bounds(self, start: int, end: int | None) -> tuple[float, float, list[float], list[float]]:
        """(the total's, each score's) least and greatest values on [start, end]."""
        rules = self.rules
        lead = self.lead
        lows = [0.0] * len(rules.weights)
        highs = [0.0] * len(rules.weights)
        for place, rate, points in self.terms:
            first = points * exp(-rate * (start - lead.landmark))
            last = first if not rate else 0.0 if end is None else points * exp(-rate * (end - lead.landmark))
            lows[place] += min(first, last)
            highs[place] += max(first, last)
        for grant in self.specials:
            low = high = 0.0
            for variant in grant.variants:
                first, last = self._value(grant, variant, start), self._value(grant, variant, end)
                low += min(first, last)
                high += max(first, last)
            lows[grant.score] += cap_value(low, grant.cap)
            highs[grant.score] += cap_value(high, grant.cap)
        low = high = 0.0
        for index, score in enumerate(rules.model.scores):
            lows[index] = clamp(lows[index], score.floor, score.cap)
            highs[index] = clamp(highs[index], score.floor, score.cap)
            one, other = lows[index] * score.weight, highs[index] * score.weight
            low += min(one, other)
            high += max(one, other)
        floor, cap = rules.model.floor, rules.model.cap
        return clamp(low, floor, cap), clamp(high, floor, cap), lows, highs

    def _value(self, grant: Grant, variant: Variant, at: int | None) -> float:
        if at is not None:
            return variant_value(self.rules, self.lead, grant, variant, at)
        fades = grant.linear is not None or self.rules.rates[variant.rate_index]
        return 0.0 if fades else variant_value(self.rules, self.lead, grant, variant, 0)


def next_edge(rules: RuleSet, lead: Lead, after: int) -> int:
    """The first instant after ``after`` at which time alone turns a condition; 0 for none."""
    first = date_edge(rules, lead, after) if rules.dated else 0
    newest = lead.newest
    for watch in rules.timed_watches:
        edge = watch.edge(newest.get(watch.slot) or NEVER, lead.watched_since(watch.slot), after)
        if edge and (not first or edge < first):
            first = edge
    return first
