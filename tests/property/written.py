"""A drawn model as a marketer would write it: the other way round, through the text of a rule file."""

from __future__ import annotations

import json
from collections.abc import Iterator

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
    HalfLife,
    InSegment,
    Limit,
    LinearDecay,
    Machines,
    Matcher,
    Model,
    Move,
    Not,
    NotSince,
    Once,
    OncePerObject,
    PerPeriod,
    PerUnit,
    Points,
    PointsPerPeriod,
    Recent,
    Threshold,
)
from scorer.domain.model import Any as AnyOf

_WORDS = {
    "at_least": "at least",
    "at_most": "at most",
    "above": "above",
    "below": "below",
    "contains": "contains",
    "prefix": "starts with",
    "matches": "matches",
}


def written(model: Model) -> str:
    """A rule file that says the same. Some models have none: then the file has mistakes."""
    return "\n".join(_lines(model)) + "\n"


def _lines(model: Model) -> Iterator[str]:
    yield f"model: {model.name}"
    yield f"time zone: {model.time_zone}"
    yield f"grace: {model.grace} ms"
    yield f"memory: {{event ids: {model.dedupe}, objects: {model.objects}}}"
    yield "qualify:"
    yield from ("  " + line for line in _threshold(model.threshold))
    if model.machines is not None:
        yield "machines: " + _machines(model.machines)
    yield "scores:"
    for score in model.scores:
        parts = [f"weight: {_number(score.weight)}", *_bounds(score.cap, score.floor)]
        if score.lowest is not None:
            grades = [f"{grade.name}: {_number(grade.least)}" for grade in score.grades]
            parts.append(f"grades: {{{', '.join([*grades, f'{score.lowest}: otherwise'])}}}")
        yield f"  {score.name}: {{{', '.join(parts)}}}"
    if bounds := _bounds(model.cap, model.floor):
        yield f"total: {{{', '.join(bounds)}}}"
    if model.matrix is not None:
        yield f"matrix: {_matrix(model)}"
    yield "rules:"
    for score in model.scores:
        yield f"  {score.name}:"
        for standing in model.standings:
            if standing.score == score.name:
                rest = f"when: {_condition(standing.when)}, points: {_number(standing.points)}"
                yield f"    - {{rule: {standing.id}, {rest}}}"
        for award in model.awards:
            if award.score == score.name:
                yield f"    - {{{', '.join(_award(award))}}}"
    yield from _sections(model)


def _sections(model: Model) -> Iterator[str]:
    if model.segments:
        yield "segments:"
        yield from (f"  {segment.name}: {_condition(segment.when)}" for segment in model.segments)
    if model.disqualifications:
        yield "disqualify:"
    for rule in model.disqualifications:
        back = "yes" if rule.requalify else "no"
        yield f"  - {{rule: {rule.id}, when: {_condition(rule.when)}, reason: drawn, requalify: {back}}}"
    yield "temperature:"
    yield from (f"  {band.name}: {_condition(band.when)}" for band in model.bands)
    yield f"  otherwise: {model.coldest}"
    if model.staged:
        yield "stages:" + ("" if model.moves else " []")
        yield from (f"  - {{{', '.join(_move(move))}}}" for move in model.moves)
    if model.follow_ups:
        yield "follow up:"
    for one in model.follow_ups:
        parts = [f"rule: {one.id}"]
        parts += [f"when: {_condition(one.when)}"] if one.when is not None else []
        parts += [f"existing owner: {one.existing}"] if one.existing is not None else []
        parts += [f"owners: [{', '.join(one.owners)}]"] if one.owners else []
        parts += [f"due: {one.due} business days"] if one.due is not None else []
        parts += [f"next step: {one.next_step}"] if one.next_step is not None else []
        yield f"  - {{{', '.join(parts)}}}"
    if model.holidays:
        yield f"holidays: [{', '.join(model.holidays)}]"


def _number(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".") if value else "0"


def _bounds(cap: float | None, floor: float | None) -> list[str]:
    parts = [f"cap: {_number(cap)}"] if cap is not None else []
    return parts + ([f"floor: {_number(floor)}"] if floor is not None else [])


def _threshold(threshold: Threshold) -> Iterator[str]:
    yield f"enter: above {_number(threshold.enter)}"
    yield f"exit: below {_number(threshold.exit)}"
    if threshold.dwell:
        yield f"dwell: {threshold.dwell} ms"
    if threshold.minimum:
        yield f"minimum: {{{', '.join(f'{name}: {_number(least)}' for name, least in threshold.minimum)}}}"
    if threshold.when is not None:
        yield f"when: {_condition(threshold.when)}"
    if threshold.cooling_off:
        yield f"cooling off: {threshold.cooling_off} ms"
    elif threshold.cooling_period:
        yield f"cooling off: once a {threshold.cooling_period}"


def _machines(machines: Machines) -> str:
    parts = [f"of: [{', '.join(machines.types)}]"]
    parts += [f"where: {_condition(machines.where)}"] if machines.where is not None else []
    parts += [f"sooner than: {machines.sooner} ms"] if machines.sooner else []
    parts += [f"links: {machines.links} within {machines.within} ms"] if machines.links else []
    parts += [f"counts as: {machines.counts_as or 'nothing'}"]
    return f"{{{', '.join(parts)}}}"


def _matrix(model: Model) -> str:
    matrix = model.matrix
    assert matrix is not None
    rows = next(score for score in model.scores if score.name == matrix.rows)
    names = [*(grade.name for grade in rows.grades), rows.lowest]
    cells = [f"{name}: [{', '.join(row)}]" for name, row in zip(names, matrix.cells, strict=True)]
    return f"{{rows: {matrix.rows}, columns: {matrix.columns}, cells: {{{', '.join(cells)}}}}}"


def _award(award: Award) -> Iterator[str]:
    yield f"rule: {award.id}"
    kinds = {"entering": "segment.entered:", "leaving": "segment.left:"}
    for word, prefix in kinds.items():
        if names := [one.removeprefix(prefix) for one in award.on.types if one.startswith(prefix)]:
            yield f"{word}: [{', '.join(names)}]"
    if types := [one for one in award.on.types if not one.startswith("segment.")]:
        yield f"on: [{', '.join(types)}]"
    if award.on.where is not None:
        yield f"where: {_condition(award.on.where)}"
    if award.given is not None:
        yield f"only if: {_condition(award.given)}"
    yield from _points(award.points)
    if award.limit is not None:
        yield from _limit(award.limit)
    yield f"decay: {_decay(award.decay)}"
    if award.cap is not None:
        yield f"cap: {_number(award.cap)}"


def _points(points: Points) -> Iterator[str]:
    match points:
        case Fixed(amount):
            yield f"points: {_number(amount)}"
        case FirstLater(first, later):
            yield f"first: {_number(first)}"
            yield f"later: {_number(later)}"
        case PerUnit(field, amount):
            yield f"points: {_number(amount)}"
            yield f"multiplied by: {field}"
        case _:
            rows = ", ".join(f"{_scalar(value)}: {_number(amount)}" for value, amount in points.rows)
            other = "" if points.otherwise is None else f", otherwise: {_number(points.otherwise)}"
            yield f"points by: {{property: {points.field}, values: {{{rows}}}{other}}}"


def _limit(limit: Limit) -> Iterator[str]:
    match limit:
        case Once():
            yield "limit: once"
        case OncePerObject(field, former):
            yield f"limit: once per {field}"
            if former is not None:
                yield f"renamed from: {former}"
        case PerPeriod(period, times):
            yield f"limit: {times} times a {period}"
        case PointsPerPeriod(period, points):
            yield f"limit: {_number(points)} points a {period}"


def _decay(decay: Decay | None) -> str:
    match decay:
        case HalfLife(ms):
            return f"half every {ms} ms"
        case LinearDecay(share, days):
            return f"{_number(share * 100)}% every {days} days"
    return "none"


def _move(move: Move) -> Iterator[str]:
    yield f"rule: {move.id}"
    if move.on is not None:
        yield f"on: [{', '.join(move.on.types)}]"
        if move.on.where is not None:
            yield f"where: {_condition(move.on.where)}"
    if move.when is not None:
        yield f"when: {_condition(move.when)}"
    if move.sources:
        yield f"from: [{', '.join(move.sources)}]"
    yield f"to: by {move.field}" if move.to is None else f"to: {move.to}"
    yield f"rearm: {'at once' if move.rearm else 'below exit'}"


def _condition(node: Condition) -> str:  # noqa: PLR0911 - one for each kind
    """On one line, in braces."""
    match node:
        case All(items):
            return f"{{all: [{', '.join(map(_condition, items))}]}}"
        case AnyOf(items):
            return f"{{any: [{', '.join(map(_condition, items))}]}}"
        case Not(items):
            return f"{{none: [{', '.join(map(_condition, items))}]}}"
        case InSegment(name):
            return f"{{in segment: {name}}}"
        case Absent(matcher, window):
            return f"{{no: {_matcher(matcher)}, for: {window} ms}}"
        case Recent(matcher, window, count):
            return f"{{at least: {count}, of: {_matcher(matcher)}, within: {window} ms}}"
        case NotSince(matcher, since, wait):
            after = f", for: {wait} ms" if wait else ""
            return f"{{no: {_matcher(matcher)}, since: {{of: {_matcher(since)}}}{after}}}"
        case Dated(field, low, high):
            return f"{{{field}: {_dated(low, high)}}}"
        case Compare(field, op, values):
            return f"{{{field}: {_compared(op, values)}}}"


def _matcher(matcher: Matcher) -> str:
    where = "" if matcher.where is None else f", where: {_condition(matcher.where)}"
    return f"[{', '.join(matcher.types)}]{where}"


def _dated(low: int | None, high: int | None) -> str:
    if low is None:
        return f"more than {1 - (high or 0)} ms ago"
    if high is None:
        return f"more than {low} ms ahead"
    return f"within the last {1 - low} ms" if high == 1 else f"within the next {high} ms"


def _compared(op: str, values: tuple[object, ...]) -> str:
    if op in ("exists", "missing"):
        return op
    listed = f"[{', '.join(_scalar(value) for value in values)}]"
    if op == "equals":
        return listed
    if op in ("contains", "prefix", "matches"):
        return f"{{{_WORDS[op]}: {listed}}}"
    return f"{_WORDS[op]} {_number(float(str(values[0])))}"


def _scalar(value: object) -> str:
    """Texts in quotes, so that they mean just themselves."""
    return json.dumps(value, ensure_ascii=False)
