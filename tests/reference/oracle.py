"""The oracle: the lead log in, outcomes out. README.md says what it takes the invariants to mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from scorer.domain.model import Award, FirstLater, Fixed, Model, PerUnit, Table
from scorer.domain.record import NO_DOOR, Doors, Fact, ImportBegin, ImportEnd
from tests.reference.crossing import Totals
from tests.reference.lead import Happening, Lead, watches
from tests.reference.log import About, Entry, InForce, ReadThrough
from tests.reference.points import Sum, grants
from tests.reference.told import Told

DAY = 86_400_000


Kind = Literal["lead.qualified", "lead.disqualified"]
Cause = Literal["activity", "time", "rules", "import"]


@dataclass
class Oracle:
    model: Model = field(default_factory=lambda: Model(name="none", scores=()))
    rules_version: int = 0
    doors_version: int = 0
    doors: set[int] = field(default_factory=set)
    read_through: dict[int, int] = field(default_factory=dict)
    clock: int = 0
    """C, ms; 0 before every door has been heard of."""
    began: int = 0
    """The first value of C."""
    highest: dict[int, int] = field(default_factory=dict)
    """Door number -> the highest offset seen."""
    imports: set[int] = field(default_factory=set)
    leads: dict[str, Lead] = field(default_factory=dict)
    outcomes: list[Told] = field(default_factory=list)

    @property
    def safe(self) -> int:
        """J: the instant through which every activity is known, ms; 0 before the clock is complete."""
        return self.clock - self.model.grace if self.clock else 0

    def apply(self, entry: Entry) -> None:
        match entry:
            case About(lead, fact):
                self._fact(lead, fact)
            case ReadThrough(times):
                self._clock(times)
            case Doors(version, doors) if version > self.doors_version:
                self.doors_version = version
                self.doors = {door.number for door in doors}
            case InForce(version, model) if version > self.rules_version:
                self._rules(version, model)
            case ImportBegin(number):
                self.imports.add(number)
            case ImportEnd(number):
                self._import_end(number)

    # -- control records ------------------------------------------------------------------------

    def _clock(self, times: dict[int, int]) -> None:
        for door, time in times.items():
            self.read_through[door] = max(time, self.read_through.get(door, 0))
        if self.doors and self.doors <= self.read_through.keys():
            self.clock = max(self.clock, min(self.read_through[door] for door in self.doors))
            self.began = self.began or self.clock
        for lead in self.leads.values():
            self._fire_timers(lead)

    def _rules(self, version: int, model: Model) -> None:
        before = {award.id: _granting(award) for award in self.model.awards}
        watched = {window.matcher for window in watches(self.model)}
        self.rules_version, self.model = version, model
        names = {segment.name for segment in model.segments}
        rules = {rule.id for rule in model.disqualifications}
        for lead in self.leads.values():
            for award in model.awards:
                if before.get(award.id) != _granting(award):
                    lead.starts[award.id] = len(lead.history)
            lead.segments &= names
            lead.clock = max(lead.clock, self.safe)
            for window in watches(model):
                if window.matcher not in watched:
                    lead.watched[window.matcher] = len(lead.history), self.safe
            if lead.status == "disqualified" and lead.disqualified_by not in rules:
                lead.status, lead.disqualified_by = "open", ""
            self._evaluate(lead, self.safe, "rules")

    def _import_end(self, number: int) -> None:
        self.imports.discard(number)
        for lead in self.leads.values():
            if lead.importing:
                lead.importing = False
                lead.clock = max(lead.clock, self.safe)
                self._evaluate(lead, self.safe, "import")

    # -- facts ----------------------------------------------------------------------------------

    def _fact(self, name: str, fact: Fact) -> None:
        imported = fact.door in self.imports
        if fact.door != NO_DOOR:
            if fact.offset <= self.highest.get(fact.door, -1):
                return
            self.highest[fact.door] = fact.offset
        lead = self.leads.get(name)
        if lead and not imported and self._seen_before(lead, fact.digest):
            return
        if lead is None:
            since = fact.time if imported else max(fact.time, self.safe)
            lead = self.leads[name] = Lead(name, since=since, clock=since)
        happening = Happening(fact.type, fact.time, fact.properties)
        if imported:
            lead.importing = True
            lead.clock = max(lead.clock, fact.time)
            lead.history.append(happening)
            return
        lead.remembered.append((fact.digest, self.clock))
        lead.clock = max(lead.clock, fact.time, self.safe)
        without = self._totals(lead), lead.status
        lead.history.append(happening)
        self._evaluate(lead, self.safe, "activity", without)

    def _seen_before(self, lead: Lead, digest: bytes) -> bool:
        kept = lead.remembered[-self.model.dedupe :]
        return any(one == digest and self.clock - max(first, self.began) < DAY for one, first in kept)

    # -- time alone -----------------------------------------------------------------------------

    def _fire_timers(self, lead: Lead) -> None:
        if lead.importing or not self.clock:
            return
        while (due := self._due(lead, self.safe)) is not None:
            ahead = lead.clock > due
            lead.clock = max(lead.clock, due)
            without = self._totals(lead), lead.status
            self._evaluate(lead, due, "time", without if ahead else None)

    def _due(self, lead: Lead, end: int) -> int | None:
        """The next instant through ``end`` at which time alone changes something."""
        edges = [edge for edge in lead.edges(self.model) if lead.judged < edge <= end]
        edge = min(edges, default=None)
        crossing = self._totals(lead).first(lead.status, lead.clock, end if edge is None else edge)
        return edge if crossing is None else crossing

    # -- judging --------------------------------------------------------------------------------

    def _evaluate(
        self, lead: Lead, judged: int, cause: Cause, without: tuple[Totals, str] | None = None
    ) -> None:
        """``without``: what the lead would be at the same clock without what is being applied."""
        lead.judged = judged
        self._judge_segments(lead)
        lead.standing = {rule.id for rule in self.model.standings if lead.holds(rule.when, judged)}
        if self._judge_disqualifications(lead, cause):
            return
        totals = self._totals(lead)
        if not totals.crosses(lead.status, lead.clock):
            return
        if without is not None:
            before, status = without
            if status == lead.status and before.crosses(status, lead.clock):
                return
        if lead.status == "qualified":
            lead.status = "open"
            self._emit(lead, "lead.disqualified", cause)
        else:
            lead.status = "qualified"
            self._emit(lead, "lead.qualified", cause)

    def _judge_segments(self, lead: Lead) -> None:
        for segment in self.model.segments:
            inside = lead.holds(segment.when, lead.judged)
            if inside and segment.name not in lead.segments:
                lead.segments.add(segment.name)
                lead.history.append(Happening(f"segment.entered:{segment.name}", lead.clock, {}, caused=True))
            elif not inside and segment.name in lead.segments:
                lead.segments.remove(segment.name)
                lead.history.append(Happening(f"segment.left:{segment.name}", lead.clock, {}, caused=True))

    def _judge_disqualifications(self, lead: Lead, cause: Cause) -> bool:
        """True when a rule disqualified the lead."""
        holding = {rule.id for rule in self.model.disqualifications if lead.holds(rule.when, lead.judged)}
        for rule in self.model.disqualifications:
            if rule.id == lead.disqualified_by and rule.id not in holding and rule.requalify:
                lead.status, lead.disqualified_by = "open", ""
        if lead.status == "disqualified":
            return False
        for rule in self.model.disqualifications:
            if rule.id in holding:
                lead.status, lead.disqualified_by = "disqualified", rule.id
                self._emit(lead, "lead.disqualified", cause, rule.id)
                return True
        return False

    def _emit(self, lead: Lead, kind: Kind, cause: Cause, reason: str = "score") -> None:
        lead.number += 1
        points = self._totals(lead).at(lead.clock)
        parts = {name: value for name, (value, _) in points.scores.items()}
        told = Told(
            lead.id, lead.number, kind, lead.clock, reason, cause, self.band(lead), points.total[0], parts
        )
        self.outcomes.append(told)

    def band(self, lead: Lead) -> str:
        """The lead's temperature, as last judged."""
        holding = (band.name for band in self.model.bands if lead.holds(band.when, lead.judged))
        return next(holding, self.model.coldest)

    def _totals(self, lead: Lead) -> Totals:
        return Totals.of(self.model, grants(self.model, lead), lead)

    def sum(self, lead: str, at: int) -> Sum:
        return self._totals(self.leads[lead]).at(at)


def _granting(award: Award) -> Award:
    """What a grant depends on: the award without its numbers of points, score and cap."""
    match award.points:
        case Fixed():
            points: Fixed | FirstLater | PerUnit | Table = Fixed(0)
        case FirstLater():
            points = FirstLater(0, 0)
        case PerUnit(name):
            points = PerUnit(name, 0)
        case Table(name, rows, otherwise):
            points = Table(name, tuple((value, 0.0) for value, _ in rows), None if otherwise is None else 0.0)
    return msgspec.structs.replace(award, points=points, score="", cap=None)
