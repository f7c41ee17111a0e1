"""The rule set: a ``Model`` turned into indexed, ready-to-run rules.

Slots name things in a lead's state. A slot is a hash of what the thing *is* (an award's granting
definition, a segment's name), so that it survives every rule change that leaves that alone and a
changed definition starts from nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from math import log
from typing import Any, Final

import msgspec

from scorer.domain import model
from scorer.domain.calendar import Calendar
from scorer.domain.conditions import (
    LeadConditions,
    LeadPredicate,
    Predicate,
    Properties,
    comparable,
    leaves,
    matchers,
    on_properties,
)
from scorer.domain.dates import instant_of
from scorer.domain.lead import Lead, Slot, new_lead
from scorer.domain.lifecycle import NUMBERS
from scorer.domain.record import PROFILE_UPDATED

STEEPEST = 64.0
"""Decay rate times age at which the landmark is moved: e^64 leaves room for sums in a double."""
AGES = 1 << 60
"""ms."""
FEW: Final = 12
"""Awards found for one record that are put into order by insertion."""
EMAIL_CLICKED: Final = "email.clicked"
EMAIL_DELIVERED: Final = "email.delivered"
ENTERED, LEFT = "segment.entered:", "segment.left:"


def slot(*parts: object) -> int:
    """A 32-bit name, not 0."""
    packed = msgspec.msgpack.encode(parts, enc_hook=repr)
    return int.from_bytes(blake2b(packed, digest_size=4).digest(), "big") or 1


class Variant:
    """One way in which an award grants: one mass."""

    __slots__ = ("group", "label", "points", "rate", "rate_index", "slot")

    def __init__(
        self, slot_: Slot, label: str, points: float, group: int, rate_index: int, rate: float
    ) -> None:
        self.slot = slot_
        self.label = label
        self.points = points
        self.group = group
        """Index into ``Lead.sums``."""
        self.rate_index = rate_index
        """Index into ``RuleSet.rates``."""
        self.rate = rate
        """Decay per ms."""


class Grant:
    """A compiled award."""

    __slots__ = (
        "award",
        "by_value",
        "cap",
        "first_later",
        "given",
        "key",
        "limit",
        "linear",
        "order",
        "period",
        "plain",
        "points_period",
        "rows",
        "score",
        "special",
        "variants",
        "weight",
        "where",
    )

    def __init__(self, award: model.Award, order: int, score: int, weight: float) -> None:
        self.award = award
        self.order = order
        self.score = score
        self.weight = weight
        """Of its score in the total."""
        self.key: Slot = slot("award", award.id, _definition(award))
        self.cap = award.cap
        self.first_later = isinstance(award.points, model.FirstLater)
        self.by_value = isinstance(award.points, model.Table | model.PerUnit)
        self.limit = award.limit
        self.period = award.limit.period if isinstance(award.limit, model.PerPeriod) else ""
        self.points_period = isinstance(award.limit, model.PointsPerPeriod)
        self.given: LeadPredicate | None = None
        self.linear = award.decay if isinstance(award.decay, model.LinearDecay) else None
        self.special = self.cap is not None or self.linear is not None
        """Its value is not part of ``Lead.sums``: it has to be clamped or read by days."""
        self.variants: tuple[Variant, ...] = ()
        self.rows: dict[Any, Variant] = {}
        """Of a by-value table: comparable value -> variant."""
        self.where: Predicate | None = None
        """What is left to test once the index has found the award."""
        self.plain: Variant | None = None
        """Set where granting is nothing but adding to one mass and one sum."""


class Watch:
    """Newest times of matching activities, kept for conditions on recency."""

    __slots__ = ("always", "count", "judged", "leaves", "shortest", "slot", "waits", "where")

    def __init__(self, slot_: Slot, where: Predicate | None) -> None:
        self.slot = slot_
        self.where = where
        self.count = 1
        """Times kept."""
        self.leaves: tuple[tuple[int, int], ...] = ()
        """(activities wanted, window in ms) of each recency; 0 activities wanted: an absence."""
        self.shortest = 0
        """The shortest window, ms."""
        self.waits: tuple[int, ...] = ()
        """How long after its newest time (ms) a "not since" begins to hold."""
        self.always = False
        """Any newer time may turn what depends on it."""
        self.judged: tuple[Judged, ...] = ()
        """What depends on it."""

    def ask(self, count: int, window: int) -> None:
        self.count = max(self.count, count)
        self.leaves = (*self.leaves, (count, window))
        self.shortest = min(window for _, window in self.leaves)

    def truth(self, times: list[int], start: int, at: int) -> int:
        """Which windows hold at an instant, as bits; ``start``: of the watching."""
        bits = 0
        for count, window in self.leaves:
            if count:
                holds = len(times) >= count and times[-count] > at - window
            else:
                holds = at - max(times[-1] if times else start, start) >= window
            bits = bits << 1 | holds
        return bits

    def edge(self, times: list[int], start: int, after: int) -> int:
        """The first instant after ``after`` at which time alone turns a leaf; 0 for none."""
        first = 0
        if times:
            for wait in self.waits:
                edge = times[-1] + wait
                if edge > after and (not first or edge < first):
                    first = edge
        for count, window in self.leaves:
            if not count:
                edge = max(times[-1] if times else start, start) + window
            elif len(times) >= count:
                edge = times[-count] + window
            else:
                continue
            if edge > after and (not first or edge < first):
                first = edge
        return first


class Judged:
    """A condition on the lead whose truth is part of its state."""

    __slots__ = ("entered", "item", "left", "move", "order", "slot", "standing_group", "when")

    def __init__(self, item: Any, slot_: Slot, order: int, when: LeadPredicate) -> None:
        self.item = item
        self.slot = slot_
        self.order = order
        self.when = when
        self.standing_group = -1
        """Of standing points: index into ``Lead.sums``."""
        self.entered: str = ""
        self.left: str = ""
        self.move: Move | None = None
        """The stage rule whose condition this is."""


class Move:
    """A rule that takes a lead to another stage."""

    __slots__ = ("item", "slot", "sources", "to", "where")

    def __init__(self, item: model.Move) -> None:
        self.item = item
        self.slot: Slot = slot("move", item.id)
        self.to = -1 if item.to is None else NUMBERS[item.to]
        """Index into ``lifecycle.STAGES``; -1: what a property says."""
        self.sources = frozenset(NUMBERS[name] for name in item.sources)
        """Empty: any."""
        self.where = None if item.on is None or item.on.where is None else on_properties(item.on.where)

    def target(self, properties: Properties) -> int:
        """Where an activity takes a lead; -1: nowhere."""
        if self.where is not None and not self.where.holds(properties):
            return -1
        if self.item.field is None:
            return self.to
        value = properties.get(self.item.field)
        return NUMBERS.get(value.strip().capitalize(), -1) if type(value) is str else -1


class _FieldIndex:
    """Awards found by the value of one property."""

    __slots__ = ("equal", "heads", "prefix", "shortest")

    def __init__(self) -> None:
        self.equal: dict[Any, list[Grant]] = {}
        self.prefix: dict[str, list[Grant]] = {}
        self.shortest = 0
        """The length of the shortest prefix."""
        self.heads: dict[str, list[int]] = {}
        """The first characters of prefixes, as many as the shortest has -> the lengths of those prefixes."""

    def index_prefixes(self) -> None:
        self.shortest = min(map(len, self.prefix), default=0)
        for prefix in self.prefix:
            lengths = self.heads.setdefault(prefix[: self.shortest], [])
            if len(prefix) not in lengths:
                lengths.append(len(prefix))

    def find(self, value: Any, found: list[Grant]) -> None:
        """Add the awards whose condition on this property holds."""
        if type(value) is str:
            value = value.casefold()
            if self.heads:
                lengths = self.heads.get(value[: self.shortest])
                if lengths is not None:
                    for length in lengths:
                        prefixed = self.prefix.get(value[:length])
                        if prefixed is not None:
                            found.extend(prefixed)
        elif type(value) is not int and type(value) is not float:
            value = comparable(value)
        grants = self.equal.get(value)
        if grants is not None:
            found.extend(grants)


class TypeIndex:
    """What an activity type can set off."""

    __slots__ = ("always", "click", "delivery", "fields", "looks", "mail", "moves", "profile", "watches")

    def __init__(self) -> None:
        self.always: list[Grant] = []
        self.fields: dict[str, _FieldIndex] = {}
        self.watches: list[Watch] = []
        self.moves: list[Move] = []
        self.mail = False
        """May be a machine's, or is a delivery that tells."""
        self.delivery = False
        self.click = False
        self.profile = False
        """Its properties are the lead's attributes."""
        self.looks = False
        """Some rule wants to see its properties."""

    def finish(self) -> None:
        """When everything has been added."""
        self.looks = (
            self.profile
            or self.mail
            or bool(self.fields)
            or any(award.where is not None or award.plain is None for award in self.always)
            or any(watch.where is not None for watch in self.watches)
            or any(move.where is not None or move.item.field is not None for move in self.moves)
        )

    def find(self, properties: Properties) -> list[Grant]:
        """Awards whose indexed condition holds, in rule order; the cost grows with the properties."""
        fields = self.fields
        found: list[Grant] = []
        if len(fields) <= len(properties):
            for name, index in fields.items():
                value = properties.get(name)
                if value is not None:
                    index.find(value, found)
        else:
            for name, value in properties.items():
                asked = fields.get(name)
                if asked is not None:
                    asked.find(value, found)
        if not found:
            return self.always
        if len(found) == 1 and not self.always:
            return found
        found.extend(self.always)
        # A prefix list may name an award twice; the rule order keeps a lead's grants independent of
        # the order in which a publisher wrote the properties.
        return _in_order(found) if len(found) <= FEW else sorted(set(found), key=_order)


def _in_order(grants: list[Grant]) -> list[Grant]:
    """In rule order, each once: by insertion, which for a few is several times faster than sorting a set."""
    ordered = [grants[0]]
    for grant in grants[1:]:
        order, place = grant.order, len(ordered)
        while place and ordered[place - 1].order > order:
            place -= 1
        if not place or ordered[place - 1].order != order:
            ordered.insert(place, grant)
    return ordered


def _order(grant: Grant) -> int:
    return grant.order


EMPTY_INDEX = TypeIndex()


class RuleSet:
    """Everything the engine needs of a model. Built once per version; never changes."""

    def __init__(  # noqa: PLR0915 - a list of what there is
        self, source: model.Model, fingerprint: str, version: int
    ) -> None:
        self.model = source
        self.fingerprint = fingerprint
        self.version = version
        self.calendar = Calendar(source.time_zone)
        self.score_index = {score.name: index for index, score in enumerate(source.scores)}
        self.weights = tuple(score.weight for score in source.scores)
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
        self.rates = _rates(source)
        """Distinct decay rates per ms, the first of them 0."""
        self.rate_count = len(self.rates)
        self.fastest = max(self.rates)
        self.landmark_reach = int(STEEPEST / self.fastest) if self.fastest else AGES
        """ms between a lead's landmark and its clock after which the landmark is moved."""
        self.group_count = len(source.scores) * self.rate_count
        self.clamped = (source.cap is not None or source.floor is not None) or any(
            score.cap is not None or score.floor is not None for score in source.scores
        )
        self.plain_total = not self.clamped and all(weight == 1 for weight in self.weights)
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
        self.grants = tuple(self._grant(award, order) for order, award in enumerate(source.awards))
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
        self.timed_watches = tuple(watch for watch in self.watches.values() if watch.judged)
        self.shortest_window = min(
            (watch.shortest for watch in self.timed_watches if watch.leaves), default=0
        )
        self._read_machines(source.machines)
        self._index()

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
        score = self.score_index[award.score]
        grant = Grant(award, order, score, self.weights[score])
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
        elif isinstance(points, model.Fixed) and award.limit is None and not grant.special:
            grant.plain = made[0]
        return grant

    def _index(self) -> None:
        always: dict[str, list[Grant]] = {}
        for grant in self.grants:
            key, rest = _split(grant.award.on.where)
            grant.where = None if rest is None else on_properties(rest)
            for type_ in grant.award.on.types:
                index = self.types.setdefault(type_, TypeIndex())
                if key is None:
                    always.setdefault(type_, []).append(grant)
                    continue
                field = index.fields.setdefault(key.field, _FieldIndex())
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
    return RuleSet(model.decode_model(encoded), model.fingerprint(encoded), version)


def _rate(decay: model.Decay | None) -> float:
    return log(2) / decay.ms if isinstance(decay, model.HalfLife) else 0.0


def _rates(source: model.Model) -> tuple[float, ...]:
    return (0.0, *sorted({_rate(award.decay) for award in source.awards} - {0.0}))


def _definition(award: model.Award) -> tuple[object, ...]:
    """What an award's grants depend on: all but its points, score and cap."""
    points = award.points
    shape: tuple[object, ...] = (type(points).__name__,)
    if isinstance(points, model.Table):
        others = (
            sorted(str(comparable(value)) for value, _ in points.rows) if points.otherwise is not None else []
        )
        shape = (*shape, points.field, others)
    elif isinstance(points, model.PerUnit):
        shape = (*shape, points.field)
    given = () if award.given is None else (award.given,)
    return (award.on, shape, award.limit, award.decay, *given)


def _split(where: model.Condition | None) -> tuple[model.Compare | None, model.Condition | None]:
    """(a comparison to index the award by, the rest of the condition)."""
    if isinstance(where, model.Compare):
        return (where, None) if _indexable(where) else (None, where)
    if isinstance(where, model.All):
        for position, item in enumerate(where.items):
            if isinstance(item, model.Compare) and _indexable(item):
                rest = where.items[:position] + where.items[position + 1 :]
                if not rest:
                    return item, None
                return item, rest[0] if len(rest) == 1 else model.All(rest)
    return None, where


def _indexable(node: model.Compare) -> bool:
    return bool(node.value) and (
        node.op == "equals" or (node.op == "prefix" and all(type(value) is str for value in node.value))
    )
