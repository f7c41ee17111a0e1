"""A model in words: the other direction of the rule file, for people who want an overview."""

from __future__ import annotations

from collections.abc import Iterator

from scorer.domain.model import (
    Absent,
    All,
    Any,
    Award,
    Compare,
    Condition,
    Dated,
    Decay,
    FirstLater,
    Fixed,
    FollowUp,
    HalfLife,
    InSegment,
    Limit,
    Machines,
    Matcher,
    Model,
    Move,
    Not,
    NotSince,
    Once,
    OncePerObject,
    PerUnit,
    Points,
    PointsPerPeriod,
    Recent,
    Scalar,
    Threshold,
    encode_model,
    fingerprint,
)
from scorer.rulefile.quantities import DAY

_SIGNS = {
    "at_least": "at least",
    "at_most": "at most",
    "above": "above",
    "below": "below",
    "contains": "contains",
    "prefix": "starts with",
    "matches": "matches",
}
_UNITS = ((7 * DAY, "week"), (DAY, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"))


def summary(model: Model) -> str:
    """One line: how much there is, and the fingerprint by which outcomes name these rules."""
    rules = len(model.awards) + len(model.standings)
    parts = [_count(rules, "rule"), _count(len(model.scores), "score")]
    parts += [_count(len(model.segments), "segment")] if model.segments else []
    if model.disqualifications:
        parts.append(_count(len(model.disqualifications), "disqualification"))
    parts += [_count(len(model.moves), "stage rule")] if model.moves else []
    parts += [_count(len(model.follow_ups), "follow-up")] if model.follow_ups else []
    return f"{', '.join(parts)}; fingerprint {fingerprint(encode_model(model))}"


def lines(model: Model) -> Iterator[str]:
    """The whole model, a rule a line."""
    yield f"{model.name}: {summary(model)}"
    if model.machines is not None:
        yield f"{_machines(model.machines)}"
    yield _threshold(model.threshold) + f"; days in {model.time_zone}"
    for score in model.scores:
        grades = ", ".join(f"{grade.name} from {grade.least:g}" for grade in score.grades)
        weight = f", times {score.weight:g} in the total" if score.weight != 1 else ""
        yield f"\n{score.name}{_bounds(score.cap, score.floor)}{weight}" + (f"; {grades}" if grades else "")
        for standing in model.standings:
            if standing.score == score.name:
                yield _line(f"{standing.points:+g}", standing.id, f"while {condition(standing.when)}")
        for award in model.awards:
            if award.score == score.name:
                yield _line(_points(award.points), award.id, _award(award))
    if model.cap is not None or model.floor is not None:
        yield f"\ntotal{_bounds(model.cap, model.floor)}"
    yield from _conditions(model)


def _machines(machines: Machines) -> str:
    signs = [condition(machines.where)] if machines.where is not None else []
    if machines.sooner:
        signs.append(f"sooner than {duration(machines.sooner)} after delivery")
    if machines.links:
        signs.append(f"{machines.links} links within {duration(machines.within)}")
    return (
        f"{' or '.join(machines.types)} of machines ({'; '.join(signs)}): {machines.counts_as or 'nothing'}"
    )


def _threshold(threshold: Threshold) -> str:
    text = f"qualified above {threshold.enter:g}"
    if threshold.dwell:
        text += f" for {duration(threshold.dwell)}"
    for name, least in threshold.minimum:
        text += f" with {name} at least {least:g}"
    if threshold.when is not None:
        text += f" if {condition(threshold.when)}"
    if threshold.cooling_off:
        text += f", not again within {duration(threshold.cooling_off)}"
    elif threshold.cooling_period:
        text += f", once a {threshold.cooling_period}"
    return text + f", no longer below {threshold.exit:g}"


def _line(points: str, name: str, text: str) -> str:
    """Points in a column of their own where they are short."""
    if len(points) > _COLUMN:
        text, points = f"{points}; {text}", ""
    return f"  {points:>{_COLUMN}}  {name}: {text}"


_COLUMN = 6


def _conditions(model: Model) -> Iterator[str]:
    if model.segments:
        yield "\nsegments"
        yield from (f"  {segment.name}: {condition(segment.when)}" for segment in model.segments)
    if model.disqualifications:
        yield "\ndisqualified"
        for rule in model.disqualifications:
            last = "" if rule.requalify else "; for good"
            yield f"  {rule.id} ({rule.deal_stage}): {condition(rule.when)}{last}"
    if model.bands:
        yield "\ntemperature"
        yield from (f"  {band.name}: {condition(band.when)}" for band in model.bands)
        yield f"  {model.coldest}: otherwise"
    if model.staged:
        yield "\nstages"
        yield from (f"  {move.id}: {_move(move)}" for move in model.moves)
    if model.follow_ups:
        yield "\nfollow up"
        yield from (f"  {rule.id}: {_follow_up(rule)}" for rule in model.follow_ups)


def _move(move: Move) -> str:
    what = _matcher(move.on) if move.on is not None else "when " + condition(move.when or All(()))
    source = f", from {' or '.join(move.sources)}" if move.sources else ""
    target = f"what `{move.field}` says" if move.to is None else move.to
    rearm = "; it may qualify at once" if move.rearm else ""
    return f"{what}{source} -> {target}{rearm}"


def _follow_up(rule: FollowUp) -> str:
    parts = [f"if {condition(rule.when)}" if rule.when is not None else "otherwise"]
    if rule.existing is not None:
        parts.append(f"owner by `{rule.existing}`")
    if rule.owners:
        parts.append(f"owners {', '.join(rule.owners)} by turn")
    if rule.due is not None:
        parts.append(f"within {_count(rule.due, 'business day')}" if rule.due else "today")
    if rule.next_step is not None:
        parts.append(rule.next_step)
    return "; ".join(parts)


def _award(award: Award) -> str:
    text = _matcher(award.on)
    if award.given is not None:
        text += f" only if {condition(award.given)}"
    if award.limit is not None:
        text += f", {_limit(award.limit)}"
    if award.cap is not None:
        text += f", capped at {award.cap:g}"
    return f"{text}, {_decay(award.decay)}"


def _points(points: Points) -> str:
    if isinstance(points, Fixed):
        return f"{points.points:+g}"
    if isinstance(points, FirstLater):
        return f"{points.first:+g}, later {points.later:+g}"
    if isinstance(points, PerUnit):
        return f"{points.points:+g} x {points.field}"
    rows = [f"{_value(value)} {amount:+g}" for value, amount in points.rows]
    rows += [f"otherwise {points.otherwise:+g}"] if points.otherwise is not None else []
    return f"by {points.field}: {', '.join(rows)}"


def _matcher(matcher: Matcher) -> str:
    named = [
        kind.replace("segment.entered:", "entering ").replace("segment.left:", "leaving ")
        for kind in matcher.types
    ]
    where = f" where {condition(matcher.where)}" if matcher.where else ""
    return " or ".join(named) + where


def _limit(limit: Limit) -> str:
    if isinstance(limit, Once):
        return "once"
    if isinstance(limit, OncePerObject):
        renamed = f" (renamed from {limit.renamed_from})" if limit.renamed_from else ""
        return f"once per {limit.field}{renamed}"
    if isinstance(limit, PointsPerPeriod):
        return f"{limit.points:g} points a {limit.period}"
    times = "once" if limit.times == 1 else f"{limit.times} times"
    return f"{times} a {limit.period}"


def _decay(decay: Decay | None) -> str:
    if decay is None:
        return "lasting"
    if isinstance(decay, HalfLife):
        return f"half every {duration(decay.ms)}"
    return f"{decay.share * 100:g}% every {_count(decay.days, 'day')}"


def condition(node: Condition) -> str:
    """A condition on one line."""
    if isinstance(node, Compare):
        return _compare(node)
    if isinstance(node, InSegment):
        return f"in segment {node.name}"
    if isinstance(node, Absent):
        return f"no {_matcher(node.matcher)} for {duration(node.window)}"
    if isinstance(node, Recent):
        return f"at least {node.count} {_matcher(node.matcher)} within {duration(node.window)}"
    if isinstance(node, NotSince):
        wait = f" for {duration(node.wait)}" if node.wait else ""
        return f"no {_matcher(node.matcher)} since {_matcher(node.since)}{wait}"
    if isinstance(node, Dated):
        return f"{node.field} {dated(node)}"
    inner = [
        condition(item) if not isinstance(item, All | Any) else f"({condition(item)})" for item in node.items
    ]
    if isinstance(node, Not):
        return f"not {inner[0]}" if len(inner) == 1 else f"none of ({'; '.join(inner)})"
    return (" and " if isinstance(node, All) else " or ").join(inner)


def dated(node: Dated) -> str:
    """A date relative to now, in the words of the rule file."""
    if node.low is None:
        return f"more than {duration(1 - (node.high or 0))} ago"
    if node.high is None:
        return f"more than {duration(node.low)} ahead"
    if node.high == 1:
        return f"within the last {duration(1 - node.low)}"
    return f"within the next {duration(node.high)}"


def _compare(node: Compare) -> str:
    values = " or ".join(_value(value) for value in node.value)
    if node.op in {"exists", "missing"}:
        return f"{node.field} {node.op}"
    if node.op == "equals":
        return f"{node.field} is {values}"
    return f"{node.field} {_SIGNS[node.op]} {values}"


def _value(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def duration(ms: int) -> str:
    """In the largest unit that fits: 1_209_600_000 is "2 weeks"; days are preferred from 30 days on."""
    for size, unit in _UNITS:
        if ms % size == 0 and not (unit == "week" and ms >= 30 * DAY):
            return _count(ms // size, unit)
    return f"{ms} ms"


def _bounds(cap: float | None, floor: float | None) -> str:
    text = f", at most {cap:g}" if cap is not None else ""
    return text + (f", at least {floor:g}" if floor is not None else "")


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
