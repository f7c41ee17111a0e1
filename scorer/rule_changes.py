"""What another rule set changes, in words: at once for every lead, or from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scorer.domain import model as m
from scorer.domain.conditions import leaves, matchers
from scorer.domain.grants import slot
from scorer.domain.rules import build

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scorer.domain.grants import Grant
    from scorer.domain.rules import RuleSet


_PLAIN = bool | int | float | str | None
_OTHERWISE = {
    "when": "another condition",
    "on": "other activities",
    "sources": "from other stages",
    "owners": "other owners",
}
"""What differs, by field, where its values are too long to be told."""
BELOW_ZERO = "below zero"
"""The label of the variant that holds a by-value award's negative values."""


class Changes(NamedTuple):
    """Lines for a person, in the order of the rule file."""

    at_once: list[str]
    """Every lead's score is read with the new values, its past included."""
    from_nothing: list[str]
    """What no lead has a past for: it counts what happens from now on."""
    rebuilt: list[str]
    """What has been prepared: it brings its past along."""

    @property
    def any(self) -> bool:
        return bool(self.at_once or self.from_nothing or self.rebuilt)


def changes(before: bytes, after: bytes, *, rebuilt: bool = False) -> Changes:
    """Compare two encoded models; raises ``msgspec.MsgspecError`` on bytes that are none.

    ``rebuilt``: what ``before`` prepares has got its past.
    """
    old, new = build(before), build(after)
    result = Changes([], [], [])
    _awards(old, new, result, rebuilt=rebuilt)
    _conditions(old, new, result)
    result.at_once.extend(_settings(old.model, new.model))
    return result


def _awards(old: RuleSet, new: RuleSet, result: Changes, *, rebuilt: bool) -> None:
    held = {grant.award.id: grant for grant in old.grants if not grant.prepared}
    prepared = {grant.key for grant in old.grants if grant.prepared and rebuilt}
    for grant in new.grants:
        former = held.pop(grant.award.id, None)
        name = grant.award.id
        if grant.key in prepared:
            result.rebuilt.append(f"{name}: " + ("new" if former is None else "what earns it has changed"))
        elif former is None:
            result.from_nothing.append(f"{name}: new")
        elif former.key != grant.key:
            result.from_nothing.append(f"{name}: what earns it has changed, points earned so far are dropped")
        else:
            _same_award(former, grant, result)
    result.at_once.extend(f"{name}: removed, its points are dropped" for name in held)


def _same_award(old: Grant, new: Grant, result: Changes) -> None:
    name, before, after = new.award.id, old.award, new.award
    known = {variant.slot: variant.points for variant in old.variants}
    for variant in new.variants:
        if variant.label == BELOW_ZERO:
            continue  # the other side of the same points
        label = f"{name} ({variant.label})" if variant.label else name
        points = known.pop(variant.slot, None)
        if points is None:
            result.from_nothing.append(f"{label}: new")
        elif points != variant.points:
            result.at_once.append(f"{label}: {_value(points)} -> {_value(variant.points)} points")
    result.at_once.extend(
        f"{name} ({variant.label}): removed, its points are dropped"
        for variant in old.variants
        if variant.slot in known and variant.label != BELOW_ZERO
    )
    if before.score != after.score:
        result.at_once.append(f"{name}: counts as {after.score} instead of {before.score}")
    if before.cap != after.cap:
        result.at_once.append(f"{name}: cap {_value(before.cap)} -> {_value(after.cap)}")


def _conditions(old: RuleSet, new: RuleSet, result: Changes) -> None:
    kinds: tuple[tuple[str, Iterable[Any], Iterable[Any]], ...] = (
        ("segment", old.model.segments, new.model.segments),
        ("standing points", old.model.standings, new.model.standings),
        ("disqualification", old.model.disqualifications, new.model.disqualifications),
        ("band", old.model.bands, new.model.bands),
        ("stage rule", old.model.moves, new.model.moves),
        ("follow-up", old.model.follow_ups, new.model.follow_ups),
    )
    for kind, before, after in kinds:
        held = {_name(item): item for item in before}
        for item in after:
            former = held.pop(_name(item), None)
            if former is None:
                result.at_once.append(f"{kind} {_name(item)}: new")
            elif former != item:
                result.at_once.append(f"{kind} {_name(item)}: {'; '.join(_differences(former, item))}")
        result.at_once.extend(f"{kind} {name}: removed" for name in held)
    for _, _, after in kinds:
        for item in after:
            if _watches(item) - old.watches.keys():
                result.from_nothing.append(
                    f"{_name(item)}: its windows begin now, nothing is known of before"
                )


def _differences(old: Any, new: Any) -> Iterator[str]:
    """Of two things of one kind."""
    for field in old.__struct_fields__:
        was, now = getattr(old, field), getattr(new, field)
        if was == now:
            continue
        if isinstance(was, _PLAIN) and isinstance(now, _PLAIN):
            yield f"{field.replace('_', ' ')} {_value(was)} -> {_value(now)}"
        else:
            yield _OTHERWISE.get(field, f"another {field.replace('_', ' ')}")


def _watches(item: Any) -> set[int]:
    """The slots of what the condition of a segment, a stage rule and the like watches."""
    return {slot("watch", matcher) for leaf in leaves(item.when) for matcher in matchers(leaf)}


def _settings(old: m.Model, new: m.Model) -> Iterator[str]:
    scores = {score.name: score for score in old.scores}
    for score in new.scores:
        former = scores.pop(score.name, None)
        if former is None:
            yield f"score {score.name}: new"
        else:
            yield from _fields(f"score {score.name}: ", former, score, ("weight", "cap", "floor"))
            if (former.grades, former.lowest) != (score.grades, score.lowest):
                yield f"score {score.name}: other grades"
    for name in scores:
        yield f"score {name}: removed"
    bounds = ("enter", "exit", "dwell", "cooling_off", "cooling_period")
    yield from _fields("threshold: ", old.threshold, new.threshold, bounds)
    if (old.threshold.minimum, old.threshold.when) != (new.threshold.minimum, new.threshold.when):
        yield "threshold: what else a lead needs to qualify"
    if old.machines != new.machines:
        yield "which opens and clicks are a machine's, from now on"
    if old.matrix != new.matrix:
        yield "another matrix"
    if old.holidays != new.holidays:
        yield "other holidays"
    yield from _fields("total: ", old, new, ("cap", "floor"))
    kinds = ("anonymous_ids", "emails", "user_ids", "lead_ids")
    yield from _fields("of one person: ", old.identity, new.identity, kinds)
    if old.accounts is None or new.accounts is None:
        if old.accounts != new.accounts:
            yield "accounts: " + ("none any more" if new.accounts is None else "companies have a score")
    else:
        names = ("combine", "best", "half_life", "enter", "exit", "people")
        yield from _fields("accounts: ", old.accounts, new.accounts, names)
    yield from _fields("", old, new, ("name", "time_zone", "grace", "coldest", "staged", "dedupe", "objects"))


def _fields(prefix: str, old: object, new: object, fields: Iterable[str]) -> Iterator[str]:
    for field in fields:
        was, now = getattr(old, field), getattr(new, field)
        if was != now:
            yield f"{prefix}{field.replace('_', ' ')} {_value(was)} -> {_value(now)}"


def _name(item: Any) -> str:
    return str(item.id if hasattr(item, "id") else item.name)


def _value(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
