"""Rules that come into force with their past: every lead is as if they had granted from its beginning."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from scorer.domain.model import Model, encode_model
from scorer.domain.preparing import past_of, prepare, replayed, slots_of
from scorer.domain.record import ANNOUNCE_NONE
from scorer.domain.rules import build
from tests.property.cases import Case
from tests.property.compare import disagreements, told_by_oracle
from tests.property.dice import Dice, drawn
from tests.property.machine import Machine
from tests.property.models import draw_model, draw_scale, redefine
from tests.property.stories import draw_story
from tests.property.test_oracle import EXAMPLES, PHASES
from tests.reference.crossing import NearTieError
from tests.reference.log import Entry, InForce, Past
from tests.reference.oracle import Oracle

PREPARED, COMING = 2, 3
"""Versions."""


@st.composite
def changes(draw: DrawFn) -> tuple[list[Entry], Model]:
    """A story under one rule set, and the one that is to follow."""
    return draw_change(drawn(draw))


def draw_change(dice: Dice) -> tuple[list[Entry], Model]:
    scale = draw_scale(dice)
    live = draw_model(dice, scale)
    coming = redefine(dice, scale, live)
    # Some rules stay what they are, some keep their names and change.
    kept = tuple(award for award in live.awards if dice.chance(40))
    names = {award.id for award in kept}
    scores = {score.name for score in coming.scores}
    kept = tuple(award for award in kept if award.score in scores)
    awards = (*kept, *(award for award in coming.awards if award.id not in names))
    coming = msgspec.structs.replace(coming, awards=awards, machines=live.machines, identity=live.identity)
    return draw_story(dice, scale, live, least=20), coming


def under(log: list[Entry], model: Model) -> list[Entry]:
    """The log as if these rules had been in force from its beginning."""
    first = next(entry for entry in log if isinstance(entry, InForce))
    return [
        replace(entry, model=model) if entry is first else entry
        for entry in log
        if entry is first or not isinstance(entry, InForce | Past)
    ]


def pasts(log: list[Entry], live: Model, coming: Model, union: Model) -> list[Entry] | None:
    """What the rebuild says after reading a log; None where some lead has to wait."""
    read = Machine().run(under(log, replayed(live, coming))).sweep()
    slots = slots_of(build(encode_model(union), PREPARED))
    found: list[Entry] = []
    for key in sorted(read.store):
        lead = read.partition.get(key)
        assert lead is not None
        if any(click[3] is not None for click in lead.clicks or ()):
            return None
        found.append(Past(key.decode(), past_of(lead, slots, PREPARED, len(log) - 1)))
    return found


def rebuilt(log: list[Entry], live: Model, coming: Model, data: st.DataObject) -> list[Entry] | None:
    """The log with the change in it: prepared, said of all leads too early, said again, in force."""
    union = prepare(live, coming)
    places = sorted(data.draw(st.integers(2, len(log))) for _ in range(4))
    first, early, late, last = places
    told = [*log[:first], InForce(PREPARED, union, ANNOUNCE_NONE)]
    told += log[first:early]
    too_early = pasts(told, live, coming, union) or []
    told += log[early:late]
    told += too_early
    again = pasts(told, live, coming, union)
    if again is None:
        return None
    announce = data.draw(st.integers(0, 2))
    told += again
    told += log[late:last]
    told += too_early  # by now it is too late
    return [*told, InForce(COMING, coming, announce), *log[last:]]


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(changes(), st.data())
def test_every_lead_is_as_if_the_new_rules_had_always_granted(
    change: tuple[list[Entry], Model], data: st.DataObject
) -> None:
    log, coming = change
    live = next(entry.model for entry in log if isinstance(entry, InForce))
    whole = rebuilt(log, live, coming, data)
    assume(whole is not None)
    assert whole is not None
    try:
        oracle = Oracle(rebuilt=Oracle())
        switch = next(
            place for place, one in enumerate(whole) if isinstance(one, InForce) and one.version == COMING
        )
        for place, entry in enumerate(whole):
            if place == switch:
                oracle.rebuilt = told_by_oracle(under(whole[:place], replayed(live, coming)))
            oracle.apply(entry)
    except NearTieError:
        assume(condition=False)
    union = prepare(live, coming)
    event(f"rebuilt: {min(len(union.prepared), 3)}, windows: {min(len(union.watched), 2)}")
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole)), max_size=3)))
    machine = Case(whole, cuts, restart=data.draw(st.booleans()), sweep=data.draw(st.booleans())).run()
    assert not disagreements(oracle, machine)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(changes(), st.data())
def test_what_is_prepared_changes_nothing(change: tuple[list[Entry], Model], data: st.DataObject) -> None:
    log, coming = change
    live = next(entry.model for entry in log if isinstance(entry, InForce))
    union = prepare(live, coming)
    assume(union != live)
    try:
        oracle = told_by_oracle(log)
    except NearTieError:
        assume(condition=False)
    assert not disagreements(oracle, Machine().run(under(log, union)).sweep())
    place = data.draw(st.integers(2, len(log)))
    inserted = [*log[:place], InForce(PREPARED, union, ANNOUNCE_NONE), *log[place:]]
    assert not disagreements(told_by_oracle(log), Machine().run(inserted).sweep())
