"""Rules with one thing changed: a test suite that notices none of it does not hold the rule fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from scorer.domain.model import (
    Absent,
    All,
    Award,
    Compare,
    Condition,
    Dated,
    Decay,
    FirstLater,
    Fixed,
    FollowUp,
    HalfLife,
    Machines,
    Matcher,
    Model,
    Move,
    Not,
    NotSince,
    OncePerObject,
    PerPeriod,
    PerUnit,
    Points,
    PointsPerPeriod,
    Recent,
    Score,
    Stage,
    Table,
    Threshold,
)
from scorer.domain.model import Any as AnyOf
from scorer.ruletests.running import number, run
from scorer.ruletests.story import Test

_OPPOSITE = {"at_least": "below", "at_most": "above", "above": "at_most", "below": "at_least"}
_OPPOSITE |= {"exists": "missing", "missing": "exists"}
_replace = msgspec.structs.replace


class Mutant(NamedTuple):
    what: str
    """What was changed, as an author would say it."""
    model: Model


def noticed(mutant: Mutant, tests: Iterable[Test]) -> bool:
    """Whether one of the tests fails by these rules."""
    return any(run(test, mutant.model).failures for test in tests)


def mutants(model: Model) -> Iterator[Mutant]:
    """Every model that differs in one number, window, operator, limit or fading."""
    yield from _threshold(model)
    for field, each in (
        ("awards", _award),
        ("standings", _standing),
        ("segments", _conditional),
        ("disqualifications", _conditional),
        ("bands", _conditional),
        ("moves", _move),
        ("follow_ups", _follow_up),
    ):
        items: tuple[Any, ...] = getattr(model, field)
        for place, item in enumerate(items):
            for what, changed in each(item):
                one = (*items[:place], changed, *items[place + 1 :])
                yield Mutant(f"{_name(item)}: {what}", _replace(model, **{field: one}))
    if model.machines is not None:
        for what, machines in _machines(model.machines):
            yield Mutant(f"machines: {what}", _replace(model, machines=machines))
    for place, score in enumerate(model.scores):
        for what, changed in (*_bounds(score), *_grades(score)):
            scores = (*model.scores[:place], changed, *model.scores[place + 1 :])
            yield Mutant(f"score {score.name}: {what}", _replace(model, scores=scores))
    for what, changed in _bounds(model):
        yield Mutant(f"total: {what}", changed)


def _name(item: Any) -> str:
    return str(item.id if hasattr(item, "id") else item.name)


def _threshold(model: Model) -> Iterator[Mutant]:
    threshold = model.threshold
    for field, by in (("enter", 1), ("exit", -1)):
        before = getattr(threshold, field)
        changed = _replace(threshold, **{field: before + by})
        what = _from_to(field, before, before + by)
        yield Mutant(f"qualify: {what}", _replace(model, threshold=changed))
    for what, changed in _qualifying(threshold):
        yield Mutant(f"qualify: {what}", _replace(model, threshold=changed))


def _qualifying(threshold: Threshold) -> Iterator[tuple[str, Threshold]]:
    if threshold.dwell:
        yield "without its dwell", _replace(threshold, dwell=0)
        yield "dwell twice as long", _replace(threshold, dwell=threshold.dwell * 2)
    for place, (name, least) in enumerate(threshold.minimum):
        higher = (*threshold.minimum[:place], (name, least + 1), *threshold.minimum[place + 1 :])
        yield _from_to(f"minimum of {name}", least, least + 1), _replace(threshold, minimum=higher)
        fewer = (*threshold.minimum[:place], *threshold.minimum[place + 1 :])
        yield f"without the minimum of {name}", _replace(threshold, minimum=fewer)
    if threshold.when is not None:
        yield "without its condition", _replace(threshold, when=None)
        for what, when in _condition(threshold.when):
            yield what, _replace(threshold, when=when)
    if threshold.cooling_off or threshold.cooling_period:
        yield "without cooling off", _replace(threshold, cooling_off=0, cooling_period="")


def _machines(machines: Machines) -> Iterator[tuple[str, Machines]]:
    for kind in machines.types if len(machines.types) > 1 else ():
        yield f"not for {kind}", _replace(machines, types=tuple(x for x in machines.types if x != kind))
    if machines.where is not None:
        for what, where in _condition(machines.where):
            yield what, _replace(machines, where=where)
    if machines.sooner:
        yield "sooner than half as long", _replace(machines, sooner=max(machines.sooner // 2, 1))
        yield "sooner than twice as long", _replace(machines, sooner=machines.sooner * 2)
    if machines.links:
        yield (
            _from_to("links", machines.links, machines.links + 1),
            _replace(machines, links=machines.links + 1),
        )
        yield "links within half as long", _replace(machines, within=max(machines.within // 2, 1))
        yield "links within twice as long", _replace(machines, within=machines.within * 2)


def _grades(score: Score) -> Iterator[tuple[str, Score]]:
    for place, grade in enumerate(score.grades):
        worse = _replace(grade, least=grade.least + 1)
        grades = (*score.grades[:place], worse, *score.grades[place + 1 :])
        yield _from_to(f"grade {grade.name}", grade.least, worse.least), _replace(score, grades=grades)


def _move(move: Move) -> Iterator[tuple[str, Move]]:
    if move.on is not None:
        for what, matcher in _matcher(move.on):
            yield what, _replace(move, on=matcher)
    if move.when is not None:
        for what, when in _condition(move.when):
            yield what, _replace(move, when=when)
    for source in move.sources if len(move.sources) > 1 else ():
        yield f"not from {source}", _replace(move, sources=tuple(x for x in move.sources if x != source))
    if move.to is not None:
        other: Stage = "Inactive" if move.to != "Inactive" else "Nurture"
        yield f"to {other} instead of {move.to}", _replace(move, to=other)


def _follow_up(rule: FollowUp) -> Iterator[tuple[str, FollowUp]]:
    if rule.when is not None:
        for what, when in _condition(rule.when):
            yield what, _replace(rule, when=when)
    if rule.existing is not None:
        yield "without the existing owner", _replace(rule, existing=None)
    if rule.owners:
        yield "other owners", _replace(rule, owners=("nobody",))
    if rule.due is not None:
        yield _from_to("due", rule.due, rule.due + 1), _replace(rule, due=rule.due + 1)
    if rule.next_step is not None:
        yield "without the next step", _replace(rule, next_step=None)


def _bounds(item: Any) -> Iterator[tuple[str, Any]]:
    for field in ("cap", "floor"):
        if getattr(item, field) is not None:
            yield f"without its {field}", _replace(item, **{field: None})
    if getattr(item, "weight", None) is not None:
        yield _from_to("weight", item.weight, item.weight + 1), _replace(item, weight=item.weight + 1)


def _award(award: Award) -> Iterator[tuple[str, Award]]:
    for what, points in _points(award.points):
        yield what, _replace(award, points=points)
    for what, matcher in _matcher(award.on):
        yield what, _replace(award, on=matcher)
    if award.limit is not None:
        yield "without its limit", _replace(award, limit=None)
    if isinstance(award.limit, PerPeriod):
        limit = _replace(award.limit, times=award.limit.times + 1)
        yield _from_to("limit", award.limit.times, limit.times), _replace(award, limit=limit)
    if isinstance(award.limit, PointsPerPeriod):
        more = _replace(award.limit, points=award.limit.points + 1)
        yield _from_to("limit", award.limit.points, more.points), _replace(award, limit=more)
    if isinstance(award.limit, OncePerObject) and award.limit.renamed_from is not None:
        yield "without renaming", _replace(award, limit=_replace(award.limit, renamed_from=None))
    if award.given is not None:
        yield "for every lead", _replace(award, given=None)
        for what, given in _condition(award.given):
            yield what, _replace(award, given=given)
    if award.cap is not None:
        yield "without its cap", _replace(award, cap=None)
    if award.decay is not None:
        yield "without fading", _replace(award, decay=None)
        yield "fading twice as fast", _replace(award, decay=_faster(award.decay))


def _faster(decay: Decay) -> Decay:
    if isinstance(decay, HalfLife):
        return HalfLife(max(decay.ms // 2, 1))
    return _replace(decay, share=min(decay.share * 2, 1.0) if decay.share < 1 else decay.share / 2)


def _points(points: Points) -> Iterator[tuple[str, Points]]:
    if isinstance(points, Fixed | PerUnit):
        yield _from_to("points", points.points, points.points + 1), _replace(points, points=points.points + 1)
    elif isinstance(points, FirstLater):
        yield _from_to("first", points.first, points.first + 1), _replace(points, first=points.first + 1)
        yield _from_to("later", points.later, points.later + 1), _replace(points, later=points.later + 1)
    elif isinstance(points, Table):
        for place, (value, worth) in enumerate(points.rows):
            rows = (*points.rows[:place], (value, worth + 1), *points.rows[place + 1 :])
            yield _from_to(f"points for {value}", worth, worth + 1), _replace(points, rows=rows)
        if points.otherwise is not None:
            other = points.otherwise
            yield _from_to("points otherwise", other, other + 1), _replace(points, otherwise=other + 1)


def _standing(item: Any) -> Iterator[tuple[str, Any]]:
    yield _from_to("points", item.points, item.points + 1), _replace(item, points=item.points + 1)
    yield from _conditional(item)


def _conditional(item: Any) -> Iterator[tuple[str, Any]]:
    for what, when in _condition(item.when):
        yield what, _replace(item, when=when)


def _matcher(matcher: Matcher) -> Iterator[tuple[str, Matcher]]:
    if len(matcher.types) > 1:
        for kind in matcher.types:
            types = tuple(one for one in matcher.types if one != kind)
            yield f"not for {kind}", _replace(matcher, types=types)
    if matcher.where is not None:
        for what, where in _condition(matcher.where):
            yield what, _replace(matcher, where=where)


def _condition(condition: Condition) -> Iterator[tuple[str, Condition]]:
    if isinstance(condition, Compare):
        yield from _compare(condition)
    elif isinstance(condition, All | AnyOf | Not):
        yield from _group(condition)
    elif isinstance(condition, Recent):
        yield from _window(condition)
        more = _replace(condition, count=condition.count + 1)
        yield _from_to("at least", condition.count, more.count), more
    elif isinstance(condition, Absent):
        yield from _window(condition)
    elif isinstance(condition, NotSince):
        yield from _not_since(condition)
    elif isinstance(condition, Dated):
        yield "the opposite", Not((condition,))
        for field in ("low", "high"):
            bound = getattr(condition, field)
            if bound is not None and abs(bound) > 1:
                yield "a time twice as long", _replace(condition, **{field: bound * 2})


def _not_since(condition: NotSince) -> Iterator[tuple[str, Condition]]:
    if condition.wait:
        yield "a wait twice as long", _replace(condition, wait=condition.wait * 2)
    for what, matcher in _matcher(condition.matcher):
        yield what, _replace(condition, matcher=matcher)
    for what, since in _matcher(condition.since):
        yield f"since: {what}", _replace(condition, since=since)


def _compare(compare: Compare) -> Iterator[tuple[str, Condition]]:
    where = compare.field
    if compare.op in _OPPOSITE:
        turned = compare.op.replace("_", " ")
        opposite = _OPPOSITE[compare.op]
        yield f"{where}: {opposite.replace('_', ' ')} instead of {turned}", _replace(compare, op=opposite)
    else:
        yield f"{where}: the opposite", Not((compare,))
    bound = compare.value[0] if len(compare.value) == 1 else None
    if isinstance(bound, int | float) and compare.op in _OPPOSITE:
        yield _from_to(where, bound, bound + 1), _replace(compare, value=(bound + 1,))
    elif len(compare.value) > 1:
        for place, one in enumerate(compare.value):
            fewer = (*compare.value[:place], *compare.value[place + 1 :])
            yield f"{where}: without {one}", _replace(compare, value=fewer)


def _group(group: All | AnyOf | Not) -> Iterator[tuple[str, Condition]]:
    if isinstance(group, All | AnyOf) and len(group.items) > 1:
        other: Callable[..., Condition] = AnyOf if isinstance(group, All) else All
        words = ("any", "all") if isinstance(group, All) else ("all", "any")
        yield f"{words[0]} instead of {words[1]}", other(group.items)
    for place, item in enumerate(group.items):
        for what, changed in _condition(item):
            items = (*group.items[:place], changed, *group.items[place + 1 :])
            yield what, _replace(group, items=items)


def _window(condition: Recent | Absent) -> Iterator[tuple[str, Condition]]:
    yield "a window twice as long", _replace(condition, window=condition.window * 2)
    yield "a window half as long", _replace(condition, window=max(condition.window // 2, 1))
    for what, matcher in _matcher(condition.matcher):
        yield what, _replace(condition, matcher=matcher)


def _from_to(what: str, before: float, after: float) -> str:
    return f"{what} {number(after)} instead of {number(before)}"
