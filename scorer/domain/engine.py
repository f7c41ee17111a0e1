"""The engine: what one record, one timer or one milestone does to a lead.

Deterministic: everything depends on the lead's state, the rules and the arguments. ``judged_at`` is the
partition's clock less the grace (ms): the instant at which absences and recency are judged. Points are
read at the lead's own clock, which may be later.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from math import exp
from typing import Any, Final

from scorer.domain.conditions import Properties
from scorer.domain.granting import grant, rebase, resum
from scorer.domain.grants import Grant
from scorer.domain.indexing import EMPTY_INDEX, TypeIndex
from scorer.domain.lead import OPEN, QUALIFIED, SPENT, Lead, Slot
from scorer.domain.machines import next_release, released, sift
from scorer.domain.outcomes import Outcome
from scorer.domain.record import ANNOUNCE_ALL
from scorer.domain.rules import RuleSet, date_edge
from scorer.domain.settling import (
    SHORT,
    UNKNOWN,
    Moved,
    adopt_stage,
    level,
    may_move,
    move_imported,
    moves_on,
    settle,
)
from scorer.domain.solve import next_crossing, next_edge, no_crossing_before, stays_low
from scorer.domain.watching import Judged, Watch

ATTRIBUTES: Final = 256
"""Attributes kept per lead; a further one is not taken."""
ATTRIBUTE_TEXT: Final = 1_024
"""Characters of an attribute's text, or of a list's texts and its elements; a longer one is not taken."""

RAISED: Final = 1
LOWERED: Final = 2
TURNED: Final = 4
"""What a change did: points added, points taken, something else turned that a decision depends on."""
NO_MOVES: Final[list[Moved]] = []
"""In rules without stages."""


def step(
    rules: RuleSet,
    lead: Lead,
    key: bytes,
    index: TypeIndex | None,
    time: int,
    properties: Properties,
    judged_at: int,
    out: list[Outcome],
) -> None:
    """Apply a fact to a lead whose timers up to ``judged_at`` have fired, and emit what it brings about.

    ``index``: of the fact's type in these rules. ``time``: the event's, ms. ``properties`` may be left out
    where ``index.looks`` says that nobody wants to see them.
    """
    if lead.touched:
        _step_in_import(rules, lead, key, index, time, properties, judged_at, out)
        return
    clock = lead.clock
    # Comparisons instead of max(): a call costs as much as decoding three fields.
    at = clock if clock > time else time  # noqa: FURB136
    at = judged_at if judged_at > at else at  # noqa: FURB136
    fresh = not lead.since
    before = UNKNOWN
    if fresh:
        _begin(rules, lead, at)
    elif 0 < lead.crossing <= at:
        # Time alone may have taken the total beyond a threshold by now; then it waits for its timer.
        before = level(rules, lead, at)
        if before == SHORT:
            lead.ready_since = 0  # time has taken it below again, whatever comes now
    lead.clock = at
    if judged_at > lead.judged:  # noqa: PLR1730
        lead.judged = judged_at
    affected: list[Judged] = [*rules.initial] if fresh else []
    if index is not None and index.mail:
        index = sift(rules, lead, index, properties, time, judged_at)
        if index is EMPTY_INDEX and lead.clicks:  # it may have been held back
            _schedule(lead, next_release(rules, lead))
    moves = NO_MOVES
    if rules.moves:
        moves = [] if index is None or not index.moves else moves_on(index, properties)
        if moves and not may_move(lead, moves):
            moves = []
    change = 0 if index is None else _take_in(rules, lead, index, properties, time, affected)
    if affected:
        change |= _judge(rules, lead, affected, lead.judged, moves)
    if moves:
        change |= TURNED
    if change:
        _conclude(rules, lead, key, change, before, moves, out)
    if fresh and rules.shortest_window:
        _schedule(lead, lead.since + rules.shortest_window)
    if 0 < lead.wake <= judged_at:
        fire(rules, lead, key, judged_at, out)


def step_imported(
    rules: RuleSet, lead: Lead, index: TypeIndex | None, time: int, properties: Properties, number: int
) -> None:
    """Apply a fact of the open import ``number``: it changes state, and is evaluated when the import ends."""
    at = max(lead.clock, time)
    if not lead.since:
        _begin(rules, lead, at)
    lead.clock = at
    lead.touched = number
    if lead.clicks:
        moves: list[Moved] = []
        _release(rules, lead, time, moves)
        move_imported(lead, moves)
    if index is not None:
        if index.mail:
            index = sift(rules, lead, index, properties, time, lead.judged)
        _take_in(rules, lead, index, properties, time, [])
        if index.moves:
            move_imported(lead, moves_on(index, properties))


def fire(rules: RuleSet, lead: Lead, key: bytes, judged_at: int, out: list[Outcome]) -> None:
    """Fire the lead's timers that are due at or before ``judged_at``, each at its own instant, in order."""
    while 0 < lead.wake <= judged_at and not lead.touched:
        due = lead.wake
        edge = next_edge(rules, lead, lead.judged)
        turns, crosses = 0 < edge <= due, 0 < lead.crossing <= due
        # Beyond the clock nothing has been read yet: all that holds there is time's doing. Short of it,
        # only what an ending window turns is due now.
        before = level(rules, lead, lead.clock) if due < lead.clock else UNKNOWN
        lead.judged = max(lead.judged, due)
        moves: list[Moved]
        if turns or crosses:
            lead.clock = max(lead.clock, due)
            _keep_landmark_near(rules, lead)
            moves = []
            if turns:
                _judge(rules, lead, rules.timed, lead.judged, moves)
            settle(rules, lead, key, "time", before, moves, out)
            _look_ahead(rules, lead)
        elif lead.clicks and 0 < next_release(rules, lead) <= due:
            lead.clock = max(lead.clock, due)
            if 0 < lead.crossing <= lead.clock:
                before = level(rules, lead, lead.clock)
            moves = []
            change, affected = _release(rules, lead, due, moves)
            change |= _judge(rules, lead, affected, lead.judged, moves)
            if change or moves:
                settle(rules, lead, key, "activity", before, moves, out)
                lead.crossing = no_crossing_before(rules, lead)
            lead.wake = lead.crossing
            _schedule(lead, next_edge(rules, lead, lead.judged))
            _schedule(lead, next_release(rules, lead))
        else:
            # The window that was to end has moved on with the lead's activities.
            lead.wake = edge if not lead.crossing or 0 < edge < lead.crossing else lead.crossing
            if lead.clicks:
                _schedule(lead, next_release(rules, lead))


def evaluate(
    rules: RuleSet,
    lead: Lead,
    key: bytes,
    judged_at: int,
    cause: str,
    out: list[Outcome],
    announce: int = ANNOUNCE_ALL,
) -> None:
    """Judge everything anew as of a milestone (new rules, an import's end) and emit what holds.

    ``announce``: of it; see ``record.Rules``.
    """
    lead.clock = max(lead.clock, judged_at)
    lead.judged = max(lead.judged, judged_at)
    lead.touched = 0
    _keep_landmark_near(rules, lead)
    moves: list[Moved] = []
    if lead.clicks:
        _release(rules, lead, lead.judged, moves)
    _judge(rules, lead, rules.judged, lead.judged, moves)
    settle(rules, lead, key, cause, UNKNOWN, moves, out, announce)
    _look_ahead(rules, lead)


def adopt(previous: RuleSet | None, rules: RuleSet, lead: Lead, as_of: int) -> None:
    """Carry a lead's state over to a new rule set: what the new rules don't know is dropped."""
    if not lead.since:
        return
    lead.masses = {slot: mass for slot, mass in lead.masses.items() if slot in rules.variants}
    if lead.days is not None:
        lead.days = {slot: days for slot, days in lead.days.items() if slot in rules.variants} or None
    keys = {award.key for award in rules.grants} | rules.variants.keys()
    lead.limits = {key: kept for key, kept in lead.limits.items() if key in keys}
    lead.newest = {
        slot: times[-rules.watches[slot].count :]
        for slot, times in lead.newest.items()
        if slot in rules.watches
    }
    lead.holds = tuple(slot for slot in lead.holds if slot in rules.by_slot)
    known = previous.watches if previous is not None else {}
    starts = {slot: start for slot, start in (lead.starts or {}).items() if slot in rules.watches}
    for slot in rules.watches:
        if slot not in known:
            # Nobody watched until now, so nobody can have been found inactive.
            starts[slot] = max(as_of, lead.since)
    lead.starts = starts or None
    adopt_stage(rules, lead)
    if not rules.sooner:
        lead.delivered = None
    resum(rules, lead)


def adopt_at_once(rules: RuleSet, lead: Lead, begun: Mapping[Slot, int]) -> None:
    """Carry a lead's state over from much older rules.

    ``begun``: what the rules had not got then, or not all the time since -> when it began, ms.
    """
    if not lead.since:
        return
    lead.masses = {slot: mass for slot, mass in lead.masses.items() if slot not in begun}
    if lead.days is not None:
        lead.days = {slot: days for slot, days in lead.days.items() if slot not in begun}
    lead.limits = {key: kept for key, kept in lead.limits.items() if key not in begun}
    lead.newest = {slot: times for slot, times in lead.newest.items() if slot not in begun}
    lead.holds = tuple(slot for slot in lead.holds if slot not in begun)
    starts = {slot: max(at, lead.since) for slot, at in begun.items() if slot in rules.watches}
    lead.starts = {**(lead.starts or {}), **starts}
    adopt(rules, rules, lead, lead.judged)


def _keep_landmark_near(rules: RuleSet, lead: Lead) -> None:
    """Whatever is granted next is granted at the lead's clock or before."""
    if lead.clock - lead.landmark > rules.landmark_reach:
        rebase(rules, lead, lead.clock)


def _release(rules: RuleSet, lead: Lead, until: int, moves: list[Moved]) -> tuple[int, list[Judged]]:
    """Take in the clicks that were held back and are known by now.

    (What they did to the points, conditions that they may have turned.) Adds the stage rules they set off.
    """
    affected: list[Judged] = []
    change = 0
    for index, properties, time in released(rules, lead, until):
        moves.extend(moves_on(index, properties))
        change |= _take_in(rules, lead, index, properties, time, affected)
    return change, affected


def _look_ahead(rules: RuleSet, lead: Lead) -> None:
    """Compute anew, and exactly, what time alone will do next."""
    lead.crossing = next_crossing(rules, lead, lead.clock)
    lead.wake = lead.crossing
    _schedule(lead, next_edge(rules, lead, lead.judged))
    if lead.clicks:
        _schedule(lead, next_release(rules, lead))


def _begin(rules: RuleSet, lead: Lead, at: int) -> None:
    lead.since = lead.landmark = at
    lead.sums = [0.0] * rules.group_count


def _step_in_import(
    rules: RuleSet,
    lead: Lead,
    key: bytes,
    index: TypeIndex | None,
    time: int,
    properties: Properties,
    judged_at: int,
    out: list[Outcome],
) -> None:
    """A live fact for a lead that an open import has changed: what the fact itself turns is evaluated."""
    at = max(lead.clock, time, judged_at)
    lead.judged = max(lead.judged, judged_at)
    before = level(rules, lead, at)
    held = [judged.when.holds(lead, lead.judged) for judged in rules.judged]
    lead.clock = at
    if index is not None and index.mail:
        index = sift(rules, lead, index, properties, time, lead.judged)
    moves = [] if index is None else moves_on(index, properties)
    change = TURNED if moves else 0
    if index is not None:
        change |= _take_in(rules, lead, index, properties, time, [])
    turned = [
        judged
        for judged, was in zip(rules.judged, held, strict=True)
        if judged.when.holds(lead, lead.judged) != was
    ]
    change |= _judge(rules, lead, turned, lead.judged, moves)
    if change:
        settle(rules, lead, key, "activity", before, moves, out)


# -- taking a fact in --------------------------------------------------------------------------------


def _take_in(
    rules: RuleSet, lead: Lead, index: TypeIndex, properties: Properties, at: int, affected: list[Judged]
) -> int:
    """Change state by a fact; what it did to the points. Adds the conditions that it may have turned."""
    _keep_landmark_near(rules, lead)
    if index.profile:
        _update_attributes(rules, lead, properties, at, affected)
    change = 0
    found = index.find(properties) if index.fields else index.always
    if found:
        change = _award(rules, lead, found, properties, at)
    for watch in index.watches:
        where = watch.where
        if (where is None or where.holds(properties)) and _note(lead, watch, at):
            affected.extend(watch.judged)
    return change


def _award(rules: RuleSet, lead: Lead, found: list[Grant], properties: Properties, at: int) -> int:
    change = 0
    for award in found:
        where = award.where
        if where is not None and not where.holds(properties):
            continue
        variant = award.plain
        if variant is None:
            points = grant(rules, lead, award, properties, at)
        else:
            points = variant.points
            growth = exp(variant.rate * (at - lead.landmark))
            masses, slot = lead.masses, variant.slot
            masses[slot] = masses.get(slot, 0.0) + growth
            lead.sums[variant.group] += points * growth
        if points:
            # A score that counts against the total turns the direction around.
            change |= RAISED if points * award.weight > 0 else LOWERED
    return change


def _note(lead: Lead, watch: Watch, at: int) -> bool:
    """Note an activity's time where it is watched; whether that may turn a condition."""
    times, judged = lead.newest.get(watch.slot), lead.judged
    if times is not None and watch.count == 1:
        last = times[0]
        if at <= last:
            return False
        times[0] = at
        if judged - last < watch.shortest and not watch.always:
            return False  # every window was open, and is
        before = watch.truth([last], lead.watched_since(watch.slot), judged)
    else:
        if times is None:
            times = lead.newest[watch.slot] = []
        before = watch.truth(times, lead.watched_since(watch.slot), judged)
        if times and at < times[-1]:
            insort(times, at)
        else:
            times.append(at)
        if len(times) > watch.count:
            del times[0]
    start = lead.watched_since(watch.slot)
    if watch.truth(times, start, judged) == before and not watch.always:
        return False
    _schedule(lead, watch.edge(times, start, judged))
    return bool(watch.judged)


def _update_attributes(
    rules: RuleSet, lead: Lead, properties: Properties, at: int, affected: list[Judged]
) -> None:
    attributes = lead.attributes
    for name, value in properties.items():
        held = attributes.get(name)
        if held is None:
            if len(attributes) >= ATTRIBUTES:
                continue
        elif at < held[0]:
            continue
        if type(value) is str:
            if len(value) > ATTRIBUTE_TEXT:
                continue
        elif type(value) is list and _size(value) > ATTRIBUTE_TEXT:
            continue
        attributes[name] = (at, value)
        entries = rules.by_attribute.get(name)
        if entries is not None:
            affected.extend(entries)
    if rules.dated:
        _schedule(lead, date_edge(rules, lead, lead.judged))


def _size(values: list[Any]) -> int:
    """Elements, and characters of those that are texts."""
    size = len(values)
    for value in values:
        if type(value) is str:
            size += len(value)
    return size


# -- judging and deciding ----------------------------------------------------------------------------


def _judge(rules: RuleSet, lead: Lead, entries: Sequence[Judged], at: int, moves: list[Moved]) -> int:
    """Bring conditions up to date, in rule order, with the awards of segments entered or left.

    Adds the stage rules whose condition has come to hold.
    """
    change = 0
    for entry in entries if len(entries) == 1 else sorted(set(entries), key=_order):
        holds = entry.when.holds(lead, at)
        if holds == (entry.slot in lead.holds):
            continue
        if holds:
            lead.holds = (*lead.holds, entry.slot)
        else:
            lead.holds = tuple(slot for slot in lead.holds if slot != entry.slot)
        if entry.standing_group >= 0:
            points = entry.item.points if holds else -entry.item.points
            lead.sums[entry.standing_group] += points
            weighted = points * rules.weights[rules.score_index[entry.item.score]]
            change |= RAISED if weighted > 0 else LOWERED
        elif entry.entered:
            index = rules.types.get(entry.entered if holds else entry.left, EMPTY_INDEX)
            change |= _award(rules, lead, index.always, {}, lead.clock)
        else:
            change |= TURNED
            move = entry.move
            if move is not None and holds:
                moves.append((move, move.to))
    return change


def _order(entry: Judged) -> int:
    return entry.order


def _conclude(
    rules: RuleSet,
    lead: Lead,
    key: bytes,
    change: int,
    before: int,
    moves: list[Moved],
    out: list[Outcome],
) -> None:
    """Decide after a fact, looking only at what its change can have brought about."""
    if not change & TURNED:
        # Against the direction of the threshold nothing happens: what was due, if anything, is due later.
        status = lead.status
        if status == OPEN:
            if not lead.ready_since:
                if not change & RAISED and not rules.minimum:
                    return
                if stays_low(rules, lead):
                    lead.crossing = 0
                    return
        elif not change & LOWERED or (status != QUALIFIED and status != SPENT):  # noqa: PLR1714 - compiled
            return
    settle(rules, lead, key, "activity", before, moves, out)
    lead.crossing = no_crossing_before(rules, lead)
    _schedule(lead, lead.crossing)


def _schedule(lead: Lead, due: int) -> None:
    if due and (not lead.wake or due < lead.wake):
        lead.wake = due
