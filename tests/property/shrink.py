"""Make a failing case small: leave out what the failure does not need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from scorer.domain.model import Condition, Fixed, HalfLife, LinearDecay, Model
from tests.property.cases import Case
from tests.reference.log import About, Entry, InForce

replace = msgspec.structs.replace
PARTS = ("awards", "standings", "segments", "disqualifications", "bands", "scores")


def shrink(case: Case, fails: Callable[[Case], bool]) -> Case:
    """``fails`` is asked about smaller and smaller cases; the smallest that fails is returned."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(case):
            if fails(candidate):
                case, smaller = candidate, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    log, cuts = case.log, case.cuts
    if cuts or case.restart or case.sweep:
        yield Case(log, [])
        for place in range(len(cuts)):
            yield case.but(cuts=cuts[:place] + cuts[place + 1 :])
        if case.restart and case.sweep:
            yield Case(log, cuts, restart=True)
            yield Case(log, cuts, sweep=True)
    size = len(log) // 2
    while size:
        for start in range(1, len(log), size):
            if not (start <= 1 < start + size):
                kept = [cut - size if cut > start else cut for cut in cuts]
                yield case.but(log=log[:start] + log[start + size :], cuts=kept)
        size //= 2
    alone = sum(isinstance(entry, InForce) for entry in log) == 1
    for place, entry in enumerate(log):
        if isinstance(entry, About) or alone:
            for other in _simpler(entry):
                yield case.but(log=[*log[:place], other, *log[place + 1 :]])
    if not alone:
        yield from (case.but(log=other) for other in _without_a_rule(log))


def _without_a_rule(log: list[Entry]) -> Iterator[list[Entry]]:
    """Several rule sets stay alike: what one loses, all lose."""
    models = [entry.model for entry in log if isinstance(entry, InForce)]
    for name in PARTS:
        for place in range(min(len(getattr(model, name)) for model in models)):
            yield [
                InForce(entry.version, _cut(entry.model, name, place), entry.announce)
                if isinstance(entry, InForce)
                else entry
                for entry in log
            ]


def _cut(model: Model, name: str, place: int) -> Model:
    items = getattr(model, name)
    return replace(model, **{name: items[:place] + items[place + 1 :]})


def _simpler(entry: Entry) -> Iterator[Entry]:
    if isinstance(entry, About):
        fact = entry.fact
        for name in fact.properties:
            rest = {key: value for key, value in fact.properties.items() if key != name}
            yield About(entry.lead, replace(fact, properties=rest))
    elif isinstance(entry, InForce):
        for model in _simpler_models(entry.model):
            yield InForce(entry.version, model, entry.announce)
        if entry.announce:
            yield InForce(entry.version, entry.model)


def _simpler_models(model: Model) -> Iterator[Model]:
    for name in PARTS:
        for place in range(len(getattr(model, name))):
            yield _cut(model, name, place)
    simple: dict[str, Any] = {"cap": None, "floor": None, "time_zone": "UTC", "grace": 0, "dedupe": 256}
    yield from _with(model, simple | {"objects": 1_000})
    for name, defaults in (
        ("awards", {"limit": None, "decay": None, "cap": None, "points": Fixed(10.0)}),
        ("scores", {"weight": 1.0, "cap": None, "floor": None}),
        ("standings", {"points": 10.0}),
        ("disqualifications", {"requalify": True}),
        ("segments", {}),
    ):
        items = getattr(model, name)
        for place, item in enumerate(items):
            for other in (*_with(item, defaults), *_simpler_parts(item)):
                yield replace(model, **{name: (*items[:place], other, *items[place + 1 :])})


def _simpler_parts(item: Any) -> Iterator[Any]:
    if hasattr(item, "when"):
        for condition in _simpler_conditions(item.when):
            yield replace(item, when=condition)
    if hasattr(item, "on"):
        if item.on.where is not None:
            yield replace(item, on=replace(item.on, where=None))
        for kind in item.on.types if len(item.on.types) > 1 else ():
            yield replace(item, on=replace(item.on, types=(kind,)))
    if isinstance(getattr(item, "decay", None), LinearDecay):
        yield from (replace(item, decay=decay) for decay in (LinearDecay(0.5, 1),) if decay != item.decay)
    elif isinstance(getattr(item, "decay", None), HalfLife) and item.decay.ms != 1_000:
        yield replace(item, decay=HalfLife(1_000))


def _simpler_conditions(condition: Condition) -> Iterator[Condition]:
    for item in getattr(condition, "items", ()):
        yield item
    items = getattr(condition, "items", ())
    for place in range(len(items) if len(items) > 1 else 0):
        yield replace(condition, items=items[:place] + items[place + 1 :])
    for place, item in enumerate(items):
        for other in _simpler_conditions(item):
            yield replace(condition, items=(*items[:place], other, *items[place + 1 :]))
    matcher = getattr(condition, "matcher", None)
    if matcher is not None:
        if matcher.where is not None:
            yield replace(condition, matcher=replace(matcher, where=None))
        for kind in matcher.types if len(matcher.types) > 1 else ():
            yield replace(condition, matcher=replace(matcher, types=(kind,)))


def _with(item: Any, defaults: dict[str, Any]) -> Iterator[Any]:
    for name, default in defaults.items():
        if getattr(item, name) != default:
            yield replace(item, **{name: default})
