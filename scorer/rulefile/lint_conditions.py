"""Conditions that can never hold, and what is decided before it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from scorer.domain.conditions import comparable, leaves
from scorer.domain.model import (
    All,
    Award,
    Compare,
    Condition,
    Dated,
    InSegment,
    Model,
    Standing,
)
from scorer.rulefile.diagnostics import Place, Report
from scorer.rulefile.lint_logic import Conflict, Reasoner
from scorer.rulefile.lint_places import Part, Places, entries, values

MOST_COMPARED = 20_000
"""Comparisons (values, not conditions) made to find what is shadowed within one section."""
_AT_MOST_SHOWN = 60

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class _Case(NamedTuple):
    """A condition, where it stands, and what it decides."""

    name: str
    condition: Condition | None
    part: Part | None
    key: tuple[str, ...] = ("when",)
    """The condition under the part's body; empty: the body itself."""


def check(report: Report, places: Places, model: Model) -> None:
    reasoner = Reasoner()
    bands = [_Case(one.name, one.when, places.part("temperature", one.name), ()) for one in model.bands]
    out = [_Case(one.id, one.when, places.rule(one.id)) for one in model.disqualifications]
    follow_ups = [_Case(one.id, one.when, places.rule(one.id)) for one in model.follow_ups]
    never: set[str] = set()
    for case in [*_rules(places, model), *bands, *out, *follow_ups]:
        conflict = None if case.condition is None else reasoner.conflict(case.condition)
        if conflict is not None:
            never.add(case.name)
            _report_never(report, case, conflict)
    _shadowed(report, [one for one in bands if one.name not in never], reasoner)
    _shadowed(report, [one for one in out if one.name not in never], reasoner)
    _shadowed(report, [one for one in follow_ups if one.name not in never], reasoner, said_of_next=True)
    _copies(report, places, model)
    _contradict_qualification(report, [one for one in out if one.name not in never], model, reasoner)


def _rules(places: Places, model: Model) -> Iterable[_Case]:
    """Everything whose condition stands for itself."""
    for award in model.awards:
        yield _Case(award.id, award.on.where, places.rule(award.id), ("where",))
        yield _Case(award.id, award.given, places.rule(award.id), ("only if",))
    for standing in model.standings:
        yield _Case(standing.id, standing.when, places.rule(standing.id))
    for segment in model.segments:
        yield _Case(segment.name, segment.when, places.part("segments", segment.name), ())
    for move in model.moves:
        where = None if move.on is None else move.on.where
        yield _Case(move.id, where, places.rule(move.id), ("where",))
        yield _Case(move.id, move.when, places.rule(move.id))
    if model.machines is not None:
        yield _Case("machines", model.machines.where, places.section("machines"), ("where",))
    yield _Case("qualify", model.threshold.when, places.section("qualify"))


# -- never ---------------------------------------------------------------------------------------------


def _report_never(report: Report, case: _Case, conflict: Conflict) -> None:
    if case.part is None:
        return
    if conflict.field is not None:
        why = f"no value of `{_short(conflict.field)}` is all that is asked"
        hint = "a field has one value; values of which one is enough stand in a list: `country: [US, UK]`"
    elif conflict.segment is not None:
        why = f"no lead is in `{conflict.segment}` and not in it"
        hint = "conditions of which one is enough stand under `any`"
    elif conflict.activity is not None:
        why = f"what is asked of `{conflict.activity}` does not go together"
        hint = "conditions of which one is enough stand under `any`"
    else:
        why = "each of its alternatives contradicts itself or the rest"
        hint = "try them one by one"
    place = _offending(case.part, case.key, conflict)
    report.warning(place, f"the condition of `{_short(case.name)}` never holds: {why}", hint)


def _offending(part: Part, keys: tuple[str, ...], conflict: Conflict) -> Place:
    """The last value that the conflict is about; the name where it can't be told."""
    node = part.value(*keys) if keys else part.body
    found: Place | None = None
    for one in entries(node):
        if conflict.field is not None and one.key.value == conflict.field:
            found = one.value.place
    wanted = conflict.segment or conflict.activity
    for text in values(node):
        if wanted is not None and text.value == wanted:
            found = text.place
    return found or part.name.place


def _short(text: str) -> str:
    return text if len(text) <= _AT_MOST_SHOWN else text[: _AT_MOST_SHOWN - 1] + "\N{HORIZONTAL ELLIPSIS}"


# -- the first that holds counts -------------------------------------------------------------------------


def _shadowed(
    report: Report, cases: Sequence[_Case], reasoner: Reasoner, *, said_of_next: bool = False
) -> None:
    """Cases that never decide, because an earlier one holds whenever they do.

    Only those are compared that may have to do with each other: whoever is implied asks nothing of what the
    other does not speak of. ``said_of_next``: the reader has warned of what follows a case for every lead.
    """
    left = MOST_COMPARED
    index: dict[object, list[int]] = {}
    always: int | None = None
    for number, case in enumerate(cases):
        earlier = None if always is None else cases[always]
        if earlier is None:
            candidates = sorted({at for topic in _topics(case.condition) for at in index.get(topic, ())})
            for at in candidates:
                left -= _size(case.condition) + _size(cases[at].condition)
                if left < 0:
                    return
                if reasoner.implies(case.condition, cases[at].condition):
                    earlier = cases[at]
                    break
        if earlier is not None:
            told = said_of_next and earlier.condition is None and always == number - 1
            if case.part is not None and not told:
                hint = "the first that holds counts: the narrower one belongs above the wider one"
                message = f"`{_short(case.name)}` never counts: whenever it holds, `{_short(earlier.name)}` "
                report.warning(case.part.name.place, message + "above does too", hint)
            continue
        if reasoner.implies(None, case.condition):
            always = number
        else:
            for topic in _needed(case.condition):
                index.setdefault(topic, []).append(number)


def _topics(condition: Condition | None) -> set[object]:
    """What a condition speaks of, and the values that it asks for."""
    found: set[object] = set()
    for leaf in leaves(condition):
        found.add(_topic(leaf))
        if isinstance(leaf, Compare) and leaf.op == "equals" and leaf.value:
            # Where the other asks for one of a list of values, it asks for the first of these, or is not
            # implied.
            found.add((leaf.field, comparable(leaf.value[0])))
    return found


def _needed(condition: Condition | None) -> set[object]:
    """Things of one of which a condition must speak to imply this one: one part of it is enough to go by."""
    parts: Sequence[Condition | None] = condition.items if isinstance(condition, All) else (condition,)
    for part in parts:
        if isinstance(part, Compare) and part.op == "equals":
            return {(part.field, comparable(value)) for value in part.value}
    return {_topic(leaf) for leaf in leaves(parts[0])}


def _topic(leaf: Condition) -> object:
    if isinstance(leaf, Compare | Dated):
        return leaf.field
    if isinstance(leaf, InSegment):
        return ("segment", leaf.name)
    return "activities"


def _size(condition: Condition | None) -> int:
    return sum(1 + (len(leaf.value) if isinstance(leaf, Compare) else 0) for leaf in leaves(condition))


# -- the same twice ----------------------------------------------------------------------------------------


def _copies(report: Report, places: Places, model: Model) -> None:
    """Rules of one score that are the same in all but name."""
    seen: dict[bytes, str] = {}
    rules: tuple[Award | Standing, ...] = (*model.awards, *model.standings)
    for rule in rules:
        first = seen.setdefault(_encode(msgspec.structs.replace(rule, id="")), rule.id)
        if first == rule.id:
            continue
        one, other = places.rule(first), places.rule(rule.id)
        if one is None or other is None:
            continue
        message = f"`{_short(rule.id)}` is the same as `{_short(first)}` on line {one.name.place.line}"
        report.warning(
            other.name.place,
            message + " in all but name",
            "the points count twice; remove one, or raise its points",
        )


# -- disqualified by qualifying ------------------------------------------------------------------------------


def _contradict_qualification(
    report: Report, cases: Sequence[_Case], model: Model, reasoner: Reasoner
) -> None:
    requirement = model.threshold.when
    if reasoner.never(requirement):
        return
    for case in cases:
        if case.part is None:
            continue
        if reasoner.implies(None, case.condition):
            message, hint = "every lead", "no lead can qualify; narrow its condition"
        elif requirement is not None and reasoner.implies(requirement, case.condition):
            message = "every lead that `qualify: when` asks for"
            hint = "no lead can qualify; narrow the one condition or the other"
        else:
            continue
        report.warning(case.part.name.place, f"`{_short(case.name)}` disqualifies {message}", hint)
