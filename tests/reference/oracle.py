"""The oracle: the lead log in, outcomes out. README.md says what it takes the invariants to mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from scorer.domain.following import by_turn
from scorer.domain.lifecycle import LIFECYCLE, NUMBERS, STAGES, legal
from scorer.domain.model import (
    Award,
    FirstLater,
    Fixed,
    Model,
    Move,
    PerUnit,
    PointsPerPeriod,
    Table,
)
from scorer.domain.record import (
    ANNOUNCE_ALL,
    ANNOUNCE_NONE,
    ANNOUNCE_UPWARD,
    NO_DOOR,
    Doors,
    Fact,
    ImportBegin,
    ImportEnd,
)
from tests.reference.calendar import business_day, next_period
from tests.reference.crossing import MARGIN, TOLERANCE, Level, NearTieError, Totals
from tests.reference.lead import Happening, Lead, Status, watched, windows_of
from tests.reference.log import About, Entry, InForce, ReadThrough
from tests.reference.mails import next_release, release, sifted
from tests.reference.matching import matches
from tests.reference.points import Sum, grants, share
from tests.reference.told import Told

Moved = tuple[Move, str]
"""A stage rule that applies, and the stage that it leads to."""

SECOND = 1_000
"""ms."""
DAY = 86_400
"""s."""


SALES = ("Contacted", "Negotiation", "Customer")
Kind = Literal["lead.qualified", "lead.disqualified", "lead.stage"]
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
    announce: int = ANNOUNCE_ALL
    """What is told at this moment."""
    rebuilt: Oracle | None = None
    """Who has read the same log under the rules that are prepared, from its beginning."""

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
            case InForce(version, model, announce) if version > self.rules_version:
                self.announce = announce
                self._rules(version, model)
                self.announce = ANNOUNCE_ALL
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
        if model.prepared or model.watched:  # the same rules, as far as leads can tell
            self.rules_version, self.model = version, model
            return
        before = {award.id: granting(award) for award in self.model.awards}
        known = watched(self.model)
        prepared = self.model.prepared if self.rebuilt is not None else ()
        before |= {award.id: granting(award) for award in prepared if award in model.awards}
        known |= windows_of(self.model.watched) if self.rebuilt is not None else set()
        self.rules_version, self.model = version, model
        names = {segment.name for segment in model.segments}
        moves = {move.id for move in model.moves}
        for lead in self.leads.values():
            self._remember(lead, {award.id for award in prepared if award in model.awards})
            for award in model.awards:
                if before.get(award.id) != granting(award):
                    lead.starts[award.id] = len(lead.history)
            lead.segments &= names
            lead.clock = max(lead.clock, self.safe)
            for matcher in watched(model) - known:
                lead.watched[matcher] = len(lead.history), self.safe
            lead.moving &= moves
            lead.zone = model.time_zone
            self._adopt_stage(lead)
            if not (model.machines and model.machines.sooner):
                lead.delivered = []
            self._milestone(lead, "rules")

    def _remember(self, lead: Lead, awards: set[str]) -> None:
        """What of these awards depended on the lead as it was: from who has looked at it all along."""
        if not awards or self.rebuilt is None:
            return
        mine = [place for place, one in enumerate(lead.history) if not one.caused]
        others = [one for one in self.rebuilt.leads[lead.id].history if not one.caused]
        for place, other in zip(mine, others, strict=True):
            one = lead.history[place]
            shares = {name: share for name, share in one.shares.items() if name not in awards}
            shares |= {name: share for name, share in other.shares.items() if name in awards}
            given = (one.given - awards) | (other.given & awards)
            lead.history[place] = replace(one, given=given, shares=shares)
        for name in awards:
            lead.starts.pop(name, None)

    def _adopt_stage(self, lead: Lead) -> None:
        threshold = self.model.threshold
        if not threshold.dwell:
            lead.ready_since = None
        if not (threshold.cooling_off or threshold.cooling_period):
            lead.quiet_until = 0
        if not self.model.staged:
            if lead.status in ("resting", "spent"):
                lead.status = "open"
            lead.stage = {"open": "Open", "qualified": "Qualified", "disqualified": "Unqualified"}[
                lead.status
            ]
            known = lead.told if lead.silent else lead.stage
            lead.told = known if known in ("Qualified", "Unqualified") else "Open"
            lead.silent = lead.told != lead.stage

    def _import_end(self, number: int) -> None:
        self.imports.discard(number)
        for lead in self.leads.values():
            if lead.importing:
                lead.importing = False
                lead.clock = max(lead.clock, self.safe)
                self._milestone(lead, "import")

    def _milestone(self, lead: Lead, cause: Cause) -> None:
        moves: list[Moved] = []
        for one in release(self.model.machines, lead, self.safe):
            moves += self._take_in(lead, one)
        self._evaluate(lead, self.safe, cause, None, moves)

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
            lead = self.leads[name] = Lead(name, since=since, clock=since, zone=self.model.time_zone)
        happening = Happening(fact.type, fact.time, fact.properties)
        machines = self.model.machines
        if imported:
            lead.importing = True
            lead.clock = max(lead.clock, fact.time)
            for one in release(machines, lead, fact.time):
                self._take_in_silence(lead, one)
            counted = sifted(machines, lead, happening, lead.judged)
            if counted is not None:
                self._take_in_silence(lead, counted)
            return
        lead.remembered.append((fact.digest, self.clock))
        lead.clock = max(lead.clock, fact.time, self.safe)
        counted = sifted(machines, lead, happening, self.safe)
        without = self._totals(lead).level(lead.clock)
        moves: list[Moved] = []
        if counted is not None:
            moves = self._take_in(lead, counted)
        self._evaluate(lead, self.safe, "activity", without, moves)

    def _take_in(self, lead: Lead, one: Happening) -> list[Moved]:
        """Into the history; the stage rules that it sets off."""
        lead.history.append(self._happening(lead, one))
        return self._moves_on(one)

    def _take_in_silence(self, lead: Lead, one: Happening) -> None:
        for move, target in self._take_in(lead, one):
            if self._put(lead, move, target):
                lead.silent = False  # the import's end tells what is new

    def _happening(self, lead: Lead, one: Happening) -> Happening:
        """With what has to be known of the lead before it."""
        given = [award for award in self.model.awards if award.given is not None]
        one = replace(one, given=frozenset(x.id for x in given if x.given and lead.holds(x.given, one.time)))
        for award in self.model.awards:
            limited = isinstance(award.limit, PointsPerPeriod)
            if limited and matches(award.on, one.type, one.properties):
                earlier = lead.history[lead.starts.get(award.id, 0) :]
                one.shares[award.id] = share(self.model, award, earlier, one)
        return one

    def _moves_on(self, one: Happening) -> list[Moved]:
        found: list[Moved] = []
        for move in self.model.moves:
            if move.on is not None and matches(move.on, one.type, one.properties):
                said = one.properties.get(move.field) if move.field else move.to
                name = said.strip().capitalize() if isinstance(said, str) else ""
                if name in STAGES:
                    found.append((move, name))
        return found

    def _seen_before(self, lead: Lead, digest: bytes) -> bool:
        kept = lead.remembered[-self.model.dedupe :]
        now = self.clock // SECOND
        return any(one == digest and now - max(first, self.began) // SECOND < DAY for one, first in kept)

    # -- time alone -----------------------------------------------------------------------------

    def _fire_timers(self, lead: Lead) -> None:
        if lead.importing or not self.clock:
            return
        while (found := self._due(lead, self.safe)) is not None:
            due, alone = found
            ahead = lead.clock > due
            lead.clock = max(lead.clock, due)
            if alone:
                without = self._totals(lead).level(lead.clock)
                moves: list[Moved] = []
                for one in release(self.model.machines, lead, due):
                    moves += self._take_in(lead, one)
                self._evaluate(lead, due, "activity", without, moves)
                continue
            without = self._totals(lead).level(lead.clock) if ahead else None
            self._evaluate(lead, due, "time", without)

    def _due(self, lead: Lead, end: int) -> tuple[int, bool] | None:
        """The next instant through ``end`` at which something is due.

        True: a click that was held back, alone; what time alone changes at the same instant comes first.
        """
        edges = [edge for edge in lead.edges(self.model) if lead.judged < edge <= end]
        known = next_release(self.model.machines, lead)
        edge = min(edges, default=None)
        limit = min(one for one in (end, edge, known) if one is not None)
        crossing = self._totals(lead).next(lead.clock, limit)
        if crossing is not None:
            return crossing, False
        if edge is not None and (known is None or edge <= known):
            return edge, False
        return (known, True) if known is not None and known <= end else None

    # -- judging --------------------------------------------------------------------------------

    def _evaluate(
        self,
        lead: Lead,
        judged: int,
        cause: Cause,
        without: Level | None = None,
        moves: Sequence[Moved] = (),
    ) -> None:
        """``without``: what the lead would be at the same clock without what is being applied."""
        lead.judged = judged
        if without == "short":
            lead.ready_since = None
        self._judge_segments(lead)
        lead.standing = {rule.id for rule in self.model.standings if lead.holds(rule.when, judged)}
        moves = [*moves, *self._turned(lead)]
        requirement = self.model.threshold.when
        lead.required = requirement is None or lead.holds(requirement, judged)
        status = lead.status
        if lead.told != lead.stage and not lead.silent:
            if self.announce == ANNOUNCE_ALL:
                self._tell_stage(lead, cause, lead.told, cause)
            else:
                lead.silent = True
        for move, target in moves:
            before = lead.stage
            if self._put(lead, move, target):
                without = None
                kind: Kind | None = "lead.disqualified" if target == "Unqualified" else None
                self._tell(lead, before, kind, cause, move.id, move.deal_stage)
        self._judge_disqualifications(lead, cause)
        now = self._totals(lead).level(lead.clock)
        if now == "waiting" and self.announce == ANNOUNCE_NONE and lead.ready_since is None:
            now = "there"
        came_back = status == "disqualified" and lead.status == "open"
        if came_back and now != "there" and lead.silent and lead.told == "Qualified":
            self._enter(lead, "open", "Open", "lead.disqualified", cause, "score")
        if now == "short":
            lead.ready_since = None
        elif status == lead.status and now == without:
            return
        elif lead.status == "open" and now == "waiting":
            if self.model.threshold.dwell and lead.ready_since is None:
                lead.ready_since = lead.clock
        elif lead.status == "open":
            self._cool_off(lead)
            self._enter(lead, "qualified", "Qualified", "lead.qualified", cause, "score")
        elif lead.status == "spent" and now == "there":
            lead.status = "open"
        elif now == "there":
            self._enter(lead, "open", "Open", "lead.disqualified", cause, "score")

    def _cool_off(self, lead: Lead) -> None:
        threshold = self.model.threshold
        if threshold.cooling_off:
            lead.quiet_until = lead.clock + threshold.cooling_off
        elif threshold.cooling_period:
            lead.quiet_until = next_period(self.model.time_zone, threshold.cooling_period, lead.clock)

    def _turned(self, lead: Lead) -> list[Moved]:
        """Stage rules whose condition has come to hold."""
        holding = {
            move.id
            for move in self.model.moves
            if move.when is not None and lead.holds(move.when, lead.judged)
        }
        turned = [move for move in self.model.moves if move.id in holding - lead.moving]
        lead.moving = holding
        return [(move, move.to) for move in turned if move.to is not None]

    def _put(self, lead: Lead, move: Move, target: str) -> bool:
        """Take the lead to a stage if it may go there."""
        if target == "Qualified" or (move.sources and lead.stage not in move.sources):
            return False
        if not legal(NUMBERS[lead.stage], NUMBERS[target]):
            return False
        if target == "Unqualified":
            status: Status = "disqualified"
        elif target in SALES:
            status = "resting"
        elif lead.status in ("open", "spent"):
            status = lead.status
        else:
            status = "open" if move.rearm else "spent"
        lead.disqualified_by = ("move", move.id) if status == "disqualified" else ("", "")
        if status != "open":
            lead.ready_since = None
        lead.status, lead.stage = status, target
        return True

    def _judge_segments(self, lead: Lead) -> None:
        for segment in self.model.segments:
            inside = lead.holds(segment.when, lead.judged)
            if inside and segment.name not in lead.segments:
                lead.segments.add(segment.name)
                self._cause(lead, f"segment.entered:{segment.name}")
            elif not inside and segment.name in lead.segments:
                lead.segments.remove(segment.name)
                self._cause(lead, f"segment.left:{segment.name}")

    def _cause(self, lead: Lead, kind: str) -> None:
        lead.history.append(self._happening(lead, Happening(kind, lead.clock, {}, caused=True)))

    def _judge_disqualifications(self, lead: Lead, cause: Cause) -> None:
        holding = {rule.id for rule in self.model.disqualifications if lead.holds(rule.when, lead.judged)}
        if lead.status == "disqualified":
            kind, by = lead.disqualified_by
            rules = {rule.id: rule for rule in self.model.disqualifications}
            known = {move.id for move in self.model.moves} if kind == "move" else rules.keys()
            gone = by not in known
            if gone or (kind == "rule" and by not in holding and rules[by].requalify):
                lead.disqualified_by = ("", "")
                self._enter(lead, "open", "Open", None, cause, "rules" if gone else by)
        if lead.status == "disqualified" or not legal(NUMBERS[lead.stage], NUMBERS["Unqualified"]):
            return
        for rule in self.model.disqualifications:
            if rule.id in holding:
                lead.disqualified_by = ("rule", rule.id)
                stage = rule.deal_stage
                self._enter(lead, "disqualified", "Unqualified", "lead.disqualified", cause, rule.id, stage)
                return

    # -- telling --------------------------------------------------------------------------------

    def _enter(
        self,
        lead: Lead,
        status: Status,
        stage: str,
        kind: Kind | None,
        cause: Cause,
        reason: str,
        deal_stage: str | None = None,
    ) -> None:
        before = lead.stage
        lead.status, lead.stage = status, stage
        if status != "open":
            lead.ready_since = None
        self._tell(lead, before, kind, cause, reason, deal_stage)

    def _tell(
        self, lead: Lead, before: str, kind: Kind | None, cause: Cause, reason: str, deal_stage: str | None
    ) -> None:
        """Where the lead has come to, if that is to be told and is new to those who listen."""
        was_silent, heard = lead.silent, lead.told if lead.silent else before
        news = self.announce == ANNOUNCE_ALL or (
            self.announce == ANNOUNCE_UPWARD and lead.stage == "Qualified"
        )
        if (was_silent or self.announce != ANNOUNCE_ALL) and (heard == lead.stage or not news):
            lead.told, lead.silent = heard, heard != lead.stage
            return
        if was_silent and lead.stage == "Open" and heard != "Qualified":
            kind = None
            unheard = True
        else:
            unheard = False
        falls = was_silent and kind is None and lead.status == "open" and heard == "Qualified"
        if falls and lead.stage == "Open" and not unheard:
            return  # where it is, is told when its points have been looked at
        lead.silent = was_silent and kind is None and not self.model.staged
        if lead.silent:
            return
        if falls:
            self._emit(lead, "lead.disqualified", cause, "score")
        if kind is not None:
            self._emit(lead, kind, cause, reason, deal_stage=deal_stage)
        self._tell_stage(lead, cause, heard, reason)

    def _tell_stage(self, lead: Lead, cause: Cause, before: str, reason: str) -> None:
        lead.told = lead.stage
        if self.model.staged and before != lead.stage:
            self._emit(lead, "lead.stage", cause, reason, previous=before)

    def _emit(
        self,
        lead: Lead,
        kind: Kind,
        cause: Cause,
        reason: str,
        *,
        deal_stage: str | None = None,
        previous: str | None = None,
    ) -> None:
        lead.number += 1
        points = self._totals(lead).at(lead.clock)
        parts = {name: value for name, (value, _) in points.scores.items()}
        more: dict[str, Any] = {"stage": lead.stage, "deal_stage": deal_stage, "previous": previous}
        if self.model.staged:
            more["lifecycle"] = LIFECYCLE[NUMBERS[lead.stage]]
        more |= self._grades(parts)
        if kind == "lead.qualified":
            more |= self._follow_up(lead)
        more = {name: value for name, value in more.items() if value is not None}
        band, total = self.band(lead), points.total[0]
        told = Told(lead.id, lead.number, kind, lead.clock, reason, cause, band, more, total, parts)
        self.outcomes.append(told)

    def _grades(self, parts: dict[str, float]) -> dict[str, Any]:
        found: dict[str, str] = {}
        places: dict[str, int] = {}
        for score in self.model.scores:
            if score.lowest is None:
                continue
            value = parts[score.name]
            if any(abs(value - grade.least + TOLERANCE) < MARGIN for grade in score.grades):
                raise NearTieError
            names = [grade.name for grade in score.grades if value >= grade.least - TOLERANCE]
            found[score.name] = names[0] if names else score.lowest
            places[score.name] = len(score.grades) - len(names)
        if not found:
            return {}
        matrix = self.model.matrix
        cell = None if matrix is None else matrix.cells[places[matrix.rows]][places[matrix.columns]]
        return {"grades": found, "cell": cell}

    def _follow_up(self, lead: Lead) -> dict[str, str | None]:
        for rule in self.model.follow_ups:
            if rule.when is not None and not lead.holds(rule.when, lead.judged):
                continue
            owner = lead.attributes().get(rule.existing) if rule.existing else None
            if not isinstance(owner, str) or not owner:
                owner = by_turn(lead.id, rule.owners)
            due = None
            if rule.due is not None:
                due = business_day(self.model.time_zone, lead.clock, rule.due, self.model.holidays)
            return {"follow_up": rule.id, "owner": owner, "due": due, "next_step": rule.next_step}
        return {}

    def band(self, lead: Lead) -> str:
        """The lead's temperature, as last judged."""
        holding = (band.name for band in self.model.bands if lead.holds(band.when, lead.judged))
        return next(holding, self.model.coldest)

    def _totals(self, lead: Lead) -> Totals:
        return Totals.of(self.model, grants(self.model, lead), lead)

    def sum(self, lead: str, at: int) -> Sum:
        return self._totals(self.leads[lead]).at(at)


def granting(award: Award) -> Award:
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
