"""One rule file over one partition of recorded events: what it says, where leads stand on their Mondays."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from scorer.backtest.gathered import COUNTED, CREATED, Gathered
from scorer.domain.calendar import Calendar
from scorer.domain.engine import fire
from scorer.domain.lead import Lead
from scorer.domain.outcomes import LEAD_QUALIFIED, LEAD_STAGE
from scorer.domain.reading import total
from scorer.wire.times import milliseconds

if TYPE_CHECKING:
    from scorer.backtest.weeks import Draw
    from scorer.domain.model import Model
    from scorer.domain.outcomes import Outcome
    from scorer.replay.machine import Machine

_SUFFIX = len(".v1")


class _Data(msgspec.Struct, gc=False):
    stage: str = ""


class _Told(msgspec.Struct, gc=False):
    time: str
    data: _Data


_decode = msgspec.json.Decoder(_Told).decode


class Watch:
    """Everything about one machine that the backtest wants to know; see ``Gathered``."""

    def __init__(self, draw: Draw, calendar: Calendar) -> None:
        self.gathered = Gathered()
        self._draw = draw
        self._calendar = calendar
        self._known = 0
        self._due: dict[int, list[bytes]] = {}
        self._before: dict[bytes, float] = {}

    def hear(self, outcomes: Iterable[Outcome]) -> None:
        gathered = self.gathered
        for outcome in outcomes:
            kind = outcome.topic[:-_SUFFIX]
            if kind not in COUNTED:
                continue
            told = _decode(outcome.value)
            at = milliseconds(told.time)
            if kind == LEAD_QUALIFIED:
                gathered.qualified.setdefault(outcome.key, at)
            what = f"{kind}:{told.data.stage}" if kind == LEAD_STAGE else kind
            gathered.weeks[self._calendar.period("week", at), what] += 1

    def monday(self, machine: Machine, number: int) -> None:
        """The clock has come to a Monday, and to nothing after it: read those whose Monday it is."""
        self._sort_new(machine, number)
        at = self._draw.mondays[number]
        rules = machine.rules
        names = rule_names(rules.model)
        readings = self.gathered.readings
        for key in self._due.pop(number, ()):
            lead = _standing(machine, key)
            before = self._before.pop(key, None)
            if lead is None:
                continue
            readings.read(rules, names, lead, key, number, at)
            if before is not None:
                readings.before[-1] = before
        for key in self._due.get(number + 1, ()):
            lead = _standing(machine, key)
            if lead is not None:
                fire(rules, lead, key, at, [])
                self._before[key] = total(rules, lead, max(at, lead.clock))

    def _sort_new(self, machine: Machine, number: int) -> None:
        """Those that are known since the last Monday wait for their own, unless it is over."""
        for key in islice(machine.known(), self._known, None):
            self._known += 1
            theirs = self._draw.of(key)
            if theirs >= number:
                self._due.setdefault(theirs, []).append(key)

    def finish(self, machine: Machine) -> Gathered:
        """At the end of the records."""
        gathered = self.gathered
        for key in machine.known():
            lead = machine.standing(key)
            if lead is None:
                continue
            if lead.links is not None and lead.links.moved:
                gathered.moved[key] = lead.links.moved
            elif lead.since:
                gathered.leads += 1
                gathered.weeks[self._calendar.period("week", lead.since), CREATED] += 1
            elif lead.links is not None and lead.links.erased:
                gathered.forgotten.add(key)
        gathered.faults += len(machine.faults)
        return gathered


def rule_names(model: Model) -> dict[str, None]:
    """The rules that give points, each once."""
    every: tuple[Any, ...] = (*model.standings, *model.awards)
    return dict.fromkeys(one.id for one in every)


def _standing(machine: Machine, key: bytes) -> Lead | None:
    """A copy of a lead that stands for itself; an import that is not complete has not changed it."""
    lead = machine.standing(key)
    if lead is None or not lead.since or lead.touched or (lead.links is not None and lead.links.moved):
        return None
    return lead
