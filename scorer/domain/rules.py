"""The rule set: a ``Model`` turned into indexed, ready-to-run rules."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import Any, Final

from msgspec.structs import replace

from scorer.domain import model
from scorer.domain.calendar import Calendar
from scorer.domain.conditions import LeadConditions, comparable, leaves, matchers, on_properties
from scorer.domain.dates import instant_of
from scorer.domain.grants import Grant, Variant, slot
from scorer.domain.indexing import EMPTY_INDEX, FieldIndex, TypeIndex, split
from scorer.domain.lead import Lead, Slot, new_lead
from scorer.domain.record import PROFILE_UPDATED
from scorer.domain.watching import Judged, Move, Watch

STEEPEST = 64.0
"""Decay rate times age at which the landmark is moved: e^64 leaves room for sums in a double."""
AGES = 1 << 60
"""ms."""
EMAIL_CLICKED: Final = "email.clicked"
EMAIL_DELIVERED: Final = "email.delivered"
ENTERED, LEFT = "segment.entered:", "segment.left:"


class RuleSet:
    """Everything the engine needs of a model. Built once per version; never changes."""

    def __init__(  # noqa: PLR0915 - a list of what there is
        self, source: model.Model, fingerprint: str, version: int
    ) -> None:
        self.model = source
        self.fingerprint = fingerprint
        self.version = version
        self.preparing = bool(source.prepared or source.watched)
        """They are the rules before them, with what the coming ones need: nothing is to be judged anew."""
        self.shadow: RuleSet | None = None
        """The rules that are tried beside these."""
        self.silent = False
        """What they would tell is counted, and not put into words."""
        self.calendar = Calendar(source.time_zone)
        self.score_index = {score.name: index for index, score in enumerate(source.scores)}
        self.weights = tuple(score.weight for score in source.scores)
        if source.prepared:
            self.weights = (*self.weights, 0.0)  # of what counts nowhere
        self.enter = source.threshold.enter
        self.exit = source.threshold.exit
        self.dwell = source.threshold.dwell
        self.cooling = bool(source.threshold.cooling_off or source.threshold.cooling_period)
        self.minimum = tuple((self.score_index[name], least) for name, least in source.threshold.minimum)
        """(score, the least value that a lead must have to qualify)."""
        self.requirement: Slot = 0 if source.threshold.when is None else slot("requirement")
        self.staged = source.staged
        self.graded = any(score.lowest is not None for score in source.scores)
        self.plain_threshold = not (
            self.dwell or self.cooling or self.minimum or self.requirement or self.staged
        )
        """A lead is ready when its total is above ``enter``, and then it qualifies; there are no stages."""
        self.plain_entry = self.plain_threshold or not (
            self.dwell or self.cooling or self.minimum or self.requirement
        )
        identity = source.identity
        self.limits = (identity.anonymous_ids, identity.emails, identity.user_ids, identity.lead_ids)
        """How many ids of each kind one person may have, in the order of ``links.kind_of``."""
        self.rates = _rates(source)
        """Distinct decay rates per ms, the first of them 0."""
        self.rate_count = len(self.rates)
        self.fastest = max(self.rates)
        self.landmark_reach = int(STEEPEST / self.fastest) if self.fastest else AGES
        """ms between a lead's landmark and its clock after which the landmark is moved."""
        self.group_count = len(self.weights) * self.rate_count
        self.clamped = (source.cap is not None or source.floor is not None) or any(
            score.cap is not None or score.floor is not None for score in source.scores
        )
        self.plain_total = not self.clamped and all(score.weight == 1 for score in source.scores)
        """The total is the sum of ``Lead.sums``, decayed, and of specials."""
        self.rate_weights = tuple(
            tuple(
                (score * self.rate_count + rate, weight)
                for score, weight in enumerate(self.weights)
                if weight
            )
            for rate in range(self.rate_count)
        )
        """For each rate: (group, weight of its score)."""
        self.types: dict[str, TypeIndex] = {}
        self.watches: dict[int, Watch] = {}
        self.grants = tuple(
            self._grant(award, order) for order, award in enumerate((*source.awards, *source.prepared))
        )
        self.specials = {grant.key: grant for grant in self.grants if grant.special}
        self.variants = {
            variant.slot: (grant, variant) for grant in self.grants for variant in grant.variants
        }
        self.fading = tuple(
            (group, weight)
            for rate, groups in zip(self.rates, self.rate_weights, strict=True)
            for group, weight in groups
            if rate
        )
        """(group, weight of its score) of every sum that decays."""
        self.fading_specials = frozenset(
            grant.key
            for grant in self.grants
            if grant.special and any(v.points * self.weights[grant.score] < 0 for v in grant.variants)
        )
        """Keys of awards outside the sums whose decay may raise the total."""
        self.moves = tuple(Move(item) for item in source.moves)
        self.moves_by_slot = {move.slot: move for move in self.moves}
        self.judged = self._judge_all()
        self.by_slot = {judged.slot: judged for judged in self.judged}
        self.disqualifications = tuple(j for j in self.judged if isinstance(j.item, model.Disqualification))
        self.dated = tuple(
            dict.fromkeys(
                leaf
                for judged in self.judged
                for leaf in leaves(judged.item.when)
                if isinstance(leaf, model.Dated)
            )
        )
        """The dates among the attributes that time alone makes near or past."""
        self.by_attribute, self.initial, self.timed = self._dependencies()
        self.follow_ups = tuple(
            (item, None if item.when is None else self._lead_conditions().compile(item.when))
            for item in source.follow_ups
        )
        self.holidays = frozenset(source.holidays)
        self.bands = tuple((band.name, self._lead_conditions().compile(band.when)) for band in source.bands)
        for condition in source.watched:
            self._lead_conditions().compile(condition)
        self.timed_watches = tuple(watch for watch in self.watches.values() if watch.judged)
        self.shortest_window = min(
            (watch.shortest for watch in self.timed_watches if watch.leaves), default=0
        )
        self._read_machines(source.machines)
        self._index()

    def slots(self) -> set[Slot]:
        """All under which a lead keeps something for these rules."""
        awards = {grant.key for grant in self.grants}
        return awards | self.variants.keys() | self.watches.keys() | self.by_slot.keys()

    def _read_machines(self, machines: model.Machines | None) -> None:
        where = None if machines is None else machines.where
        self.machine = None if where is None else on_properties(where)
        self.sooner = 0 if machines is None else machines.sooner
        self.burst = 0 if machines is None else machines.links
        self.burst_within = 0 if machines is None else machines.within
        self.machine_index = EMPTY_INDEX
        self.click_index = self.types.setdefault(EMAIL_CLICKED, TypeIndex())
        if machines is None:
            return
        if machines.counts_as is not None:
            self.machine_index = self.types.setdefault(machines.counts_as, TypeIndex())
        for type_ in machines.types:
            index = self.types.setdefault(type_, TypeIndex())
            index.mail, index.click = True, type_ == EMAIL_CLICKED
        if machines.sooner:
            index = self.types.setdefault(EMAIL_DELIVERED, TypeIndex())
            index.mail = index.delivery = True

    # -- awards -------------------------------------------------------------------------------

    def group(self, score: int, rate: int) -> int:
        return score * self.rate_count + rate

    def _grant(self, award: model.Award, order: int) -> Grant:
        prepared = order >= len(self.model.awards)
        score = len(self.model.scores) if prepared else self.score_index[award.score]
        grant = Grant(award, order, score, self.weights[score])
        grant.prepared = prepared
        decay = _rate(award.decay)
        rate = self.rates.index(decay)
        made: list[Variant] = []

        def variant(label: str, points: float, *name: object) -> Variant:
            made.append(Variant(slot(grant.key, *name), label, points, self.group(score, rate), rate, decay))
            return made[-1]

        points = award.points
        if isinstance(points, model.Fixed):
            variant("", points.points)
        elif isinstance(points, model.FirstLater):
            variant("first", points.first, "first")
            variant("later", points.later, "later")
        elif isinstance(points, model.PerUnit):
            # A mass must not change its sign: the bounds that find crossings rest on that.
            variant("", points.points, "up")
            variant("below zero", -points.points, "down")
        else:
            for value, row_points in points.rows:
                grant.rows[comparable(value)] = variant(str(value), row_points, comparable(value))
            if points.otherwise is not None:
                variant("otherwise", points.otherwise, "otherwise")
        grant.variants = tuple(made)
        if award.given is not None:
            grant.given = self._lead_conditions().compile(award.given)
        elif isinstance(points, model.Fixed) and award.limit is None and not grant.special and not prepared:
            grant.plain = made[0]
        return grant

    def _index(self) -> None:
        always: dict[str, list[Grant]] = {}
        for grant in self.grants:
            key, rest = split(grant.award.on.where)
            grant.where = None if rest is None else on_properties(rest)
            for type_ in grant.award.on.types:
                index = self.types.setdefault(type_, TypeIndex())
                if key is None:
                    always.setdefault(type_, []).append(grant)
                    continue
                field = index.fields.setdefault(key.field, FieldIndex())
                table = field.equal if key.op == "equals" else field.prefix
                for value in {comparable(value) for value in key.value}:
                    table.setdefault(value, []).append(grant)
        for type_, grants in always.items():
            self.types[type_].always = grants
        for move in self.moves:
            for type_ in move.item.on.types if move.item.on is not None else ():
                self.types.setdefault(type_, TypeIndex()).moves.append(move)
        for index in self.types.values():
            for field in index.fields.values():
                field.index_prefixes()
        self.types.setdefault(PROFILE_UPDATED, TypeIndex()).profile = True
        for index in self.types.values():
            index.finish()

    # -- conditions on leads ------------------------------------------------------------------

    def _watch(self, node: model.Recent | model.Absent | model.NotSince, matcher: model.Matcher) -> int:
        name = slot("watch", matcher)
        watch = self.watches.get(name)
        if watch is None:
            where = matcher.where
            watch = self.watches[name] = Watch(name, None if where is None else on_properties(where))
            for type_ in dict.fromkeys(matcher.types):
                index = self.types.setdefault(type_, TypeIndex())
                index.watches.append(watch)
        if isinstance(node, model.NotSince):
            watch.always = True
            if matcher == node.since:
                watch.waits = (*watch.waits, node.wait)
        else:
            watch.ask(node.count if isinstance(node, model.Recent) else 0, node.window)
        return name

    def _lead_conditions(self) -> LeadConditions:
        return LeadConditions(self._watch, lambda name: slot("segment", name), self.model.time_zone)

    def _judge_all(self) -> tuple[Judged, ...]:
        conditions = self._lead_conditions()
        judged: list[Judged] = []
        kinds: tuple[tuple[str, Iterable[Any]], ...] = (
            ("segment", self.model.segments),
            ("standing", self.model.standings),
            ("disqualification", self.model.disqualifications),
            ("move", (item for item in self.model.moves if item.when is not None)),
        )
        for kind, items in kinds:
            for item in items:
                name = item.name if kind == "segment" else item.id
                entry = Judged(item, slot(kind, name), len(judged), conditions.compile(item.when))
                if kind == "segment":
                    entry.entered, entry.left = ENTERED + name, LEFT + name
                if kind == "standing":
                    entry.standing_group = self.group(self.score_index[item.score], 0)
                if kind == "move":
                    entry.move = self.moves_by_slot[entry.slot]
                judged.append(entry)
        requirement = self.model.threshold.when
        if requirement is not None:
            when = conditions.compile(requirement)
            judged.append(Judged(self.model.threshold, self.requirement, len(judged), when))
        return tuple(judged)

    def _dependencies(
        self,
    ) -> tuple[dict[str, tuple[Judged, ...]], tuple[Judged, ...], tuple[Judged, ...]]:
        """(attribute -> what to judge when it changes, what holds for a blank lead, what time changes)."""
        attributes: dict[str, list[Judged]] = {}
        watches: dict[int, list[Judged]] = {}
        reach: dict[str, tuple[set[str], set[int], bool]] = {}
        timed = []
        for judged in self.judged:
            names: set[str] = set()
            slots: set[int] = set()
            dated = False
            for leaf in leaves(judged.item.when):
                if isinstance(leaf, model.Compare | model.Dated):
                    names.add(leaf.field)
                    dated = dated or isinstance(leaf, model.Dated)
                elif isinstance(leaf, model.InSegment):
                    names |= reach[leaf.name][0]
                    slots |= reach[leaf.name][1]
                    dated = dated or reach[leaf.name][2]
                else:
                    slots.update(slot("watch", matcher) for matcher in matchers(leaf))
            if isinstance(judged.item, model.Segment):
                reach[judged.item.name] = (names, slots, dated)
            for name in names:
                attributes.setdefault(name, []).append(judged)
            for watch in slots:
                watches.setdefault(watch, []).append(judged)
            if slots or dated:
                timed.append(judged)
        for watch, entries in watches.items():
            self.watches[watch].judged = tuple(entries)
        blank = new_lead()
        initial = []
        for judged in self.judged:
            if judged.when.holds(blank, 0):
                blank.holds = (*blank.holds, judged.slot)
                initial.append(judged)
        return {name: tuple(entries) for name, entries in attributes.items()}, tuple(initial), tuple(timed)


def date_edge(rules: RuleSet, lead: Lead, after: int) -> int:
    """The first instant after ``after`` at which time alone turns a condition on a date; 0 for none."""
    first = 0
    for node in rules.dated:
        held = lead.attributes.get(node.field)
        date = None if held is None else instant_of(held[1], rules.model.time_zone)
        if date is None:
            continue
        for bound in (node.low, node.high):
            if bound is not None:
                edge = date - bound + 1
                if edge > after and (not first or edge < first):
                    first = edge
    return first


def build(encoded: bytes, version: int = 1) -> RuleSet:
    """The rule set of an encoded model; raises ``msgspec.MsgspecError`` on bytes that are none."""
    source = model.decode_model(encoded)
    if source.shadow is not None:
        return build_model(source, version)
    return RuleSet(source, model.fingerprint(encoded), version)


def build_model(source: model.Model, version: int = 1) -> RuleSet:
    """The rule set of a model; a shadow changes nothing about it, its fingerprint neither."""
    live = source if source.shadow is None else replace(source, shadow=None)
    rules = RuleSet(live, model.fingerprint(model.encode_model(live)), version)
    if source.shadow is not None:
        name = model.fingerprint(model.encode_model(source.shadow))
        rules.shadow = RuleSet(_beside(source.shadow, live), name, version)
        rules.shadow.silent = True
    return rules


def _beside(shadow: model.Model, live: model.Model) -> model.Model:
    """What concerns the log and its leads as such is the live rules'."""
    return replace(shadow, grace=live.grace, dedupe=live.dedupe, identity=live.identity, accounts=None)


def _rate(decay: model.Decay | None) -> float:
    return log(2) / decay.ms if isinstance(decay, model.HalfLife) else 0.0


def _rates(source: model.Model) -> tuple[float, ...]:
    awards = (*source.awards, *source.prepared)
    return (0.0, *sorted({_rate(award.decay) for award in awards} - {0.0}))
