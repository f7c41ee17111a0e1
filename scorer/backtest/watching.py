"""What the backtest wants to know of leads under one rule file: what is told of them, where they stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from scorer.backtest.gathered import COUNTED, CREATED, Gathered, Reading, rule_names
from scorer.backtest.told import decode_told
from scorer.backtest.weeks import Draw
from scorer.domain.calendar import Calendar
from scorer.domain.engine import fire
from scorer.domain.lead import Lead, copy_of
from scorer.domain.ledger import ledger
from scorer.domain.outcomes import LEAD_QUALIFIED, LEAD_STAGE, band
from scorer.domain.reading import total
from scorer.domain.rules import RuleSet
from scorer.wire.times import milliseconds

if TYPE_CHECKING:
    from scorer.domain.outcomes import Outcome

_SUFFIX: Final = len(".v1")
_UNKNOWN: Final = float("nan")


class Watch:
    """Gathers it; see ``Gathered``."""

    def __init__(self, draw: Draw, calendar: Calendar) -> None:
        """``calendar``: of the weeks."""
        self.gathered = Gathered()
        self._draw = draw
        self._calendar = calendar
        self._before: dict[bytes, float] = {}
        self._rules: RuleSet | None = None
        self._names: dict[str, None] = {}

    def hear(self, outcomes: Iterable[Outcome]) -> None:
        gathered = self.gathered
        for outcome in outcomes:
            kind = outcome.topic[:-_SUFFIX]
            if kind not in COUNTED:
                continue
            told = decode_told(outcome.value)
            at = milliseconds(told.time)
            if kind == LEAD_QUALIFIED:
                gathered.qualified.setdefault(outcome.key, at)
            what = f"{kind}:{told.data.stage}" if kind == LEAD_STAGE else kind
            gathered.weeks[self._calendar.period("week", at), what] += 1

    def look(self, rules: RuleSet, key: bytes, lead: Lead | None, number: int, theirs: int) -> Reading | None:
        """A lead on a Monday, all before it having been applied, and nothing after it; it stays as it is.

        ``number``: index of the Monday; it is that of the lead's own, ``theirs``, or of the one before.
        """
        before = self._before.pop(key, _UNKNOWN)
        # An import that is not complete has not changed it.
        if lead is None or not lead.since or lead.touched or (lead.links is not None and lead.links.moved):
            return None
        at = self._draw.mondays[number]
        if 0 < lead.wake <= at:
            lead = copy_of(lead)
            fire(rules, lead, key, at, [])
        at = max(at, lead.clock)
        now = total(rules, lead, at)
        if number != theirs:
            self._before[key] = now
            return None
        if self._rules is not rules:
            self._rules, self._names = rules, rule_names(rules.model)
        points: dict[str, float] = {}
        for line in ledger(rules, lead, at):
            if line.rule in self._names:
                points[line.rule] = points.get(line.rule, 0.0) + line.value
        return Reading(key, number, now, before, band(rules, lead), points)

    def leave(self, key: bytes, lead: Lead) -> None:
        """A lead as it is after the last record."""
        gathered, links = self.gathered, lead.links
        if links is not None and links.moved:
            gathered.moved[key] = links.moved
        elif lead.since:
            gathered.leads += 1
            gathered.weeks[self._calendar.period("week", lead.since), CREATED] += 1
        elif links is not None and links.erased:
            gathered.forgotten.add(key)
