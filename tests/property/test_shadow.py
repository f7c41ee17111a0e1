"""Rules tried beside the live ones: leads are as if nobody tried, shadows as if the rules were in force."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from scorer.domain.lead import Lead, decode_lead, stored
from scorer.domain.ledger import ledger
from scorer.domain.model import Award, Fixed, HalfLife, Matcher, Model, Score, encode_model, fingerprint
from scorer.domain.reading import parts
from scorer.domain.record import ANNOUNCE_ALL
from scorer.domain.rules import build
from tests.property.dice import Dice, drawn
from tests.property.machine import Machine
from tests.property.models import draw_model, draw_scale, redefine, reprice
from tests.property.people import DAY, MODEL, draw, tell, truth
from tests.property.stories import draw_story
from tests.property.test_oracle import EXAMPLES, PHASES
from tests.property.test_people import END
from tests.property.test_same_anyhow import told
from tests.reference.log import Entry, InForce


class Trial:
    """A log, the place in it where the rules ``shadow`` are tried beside the live ones, and from there on."""

    def __init__(self, log: list[Entry], live: Model, shadow: Model, place: int, cuts: list[int]) -> None:
        self.log, self.live, self.shadow, self.place, self.cuts = log, live, shadow, place, cuts

    def without(self) -> Machine:
        """The record that is in the shadow's place changes nothing."""
        return self.run(InForce(0, self.live))

    def beside(self, *, restart: bool = False, sweep: bool = False) -> Machine:
        return self.run(self.start, restart=restart, sweep=sweep)

    def instead(self) -> Machine:
        return self.run(InForce(2, self.shadow, ANNOUNCE_ALL))

    @property
    def start(self) -> InForce:
        return InForce(2, msgspec.structs.replace(self.live, shadow=self.shadow))

    def run(self, entry: Entry, *, restart: bool = False, sweep: bool = False) -> Machine:
        log = [*self.log[: self.place], entry, *self.log[self.place :]]
        return Machine().run(log, self.cuts, restart=restart, sweep=sweep).sweep()


@st.composite
def trials(draw: DrawFn) -> Trial:
    return draw_trial(drawn(draw))


def draw_trial(dice: Dice) -> Trial:
    scale = draw_scale(dice)
    live = draw_model(dice, scale)
    other = reprice(dice, live) if dice.chance(30) else redefine(dice, scale, live)
    # Some rules stay what they are.
    scores = {score.name for score in other.scores}
    kept = tuple(award for award in live.awards if dice.chance(40) and award.score in scores)
    names = {award.id for award in kept}
    awards = (*kept, *(award for award in other.awards if award.id not in names))
    # What concerns the log as such is the live rules'.
    other = msgspec.structs.replace(
        other, awards=awards, grace=live.grace, dedupe=live.dedupe, identity=live.identity
    )
    log = draw_story(dice, scale, live, imports=True, least=10)
    place = dice.number(2, len(log))
    return Trial(log, live, other, place, sorted(dice.number(1, len(log)) for _ in range(dice.number(0, 4))))


def leads(machine: Machine) -> dict[bytes, Lead]:
    return {key: decode_lead(encoded) for key, encoded in machine.store.items()}


def alone(lead: Lead) -> tuple[Any, ...]:
    """What is stored of a lead but for its shadow, and the number that a shadow's beginning has."""
    lead.shadow, lead.milestone = None, 0
    return stored(lead)


def judged(lead: Lead) -> tuple[Any, ...]:
    """What is stored of a lead but for what its shadow does not have."""
    lead.fence, lead.generation, lead.seen = -1, 0, b""
    lead.links = lead.sealed = lead.company = lead.reported = None
    return alone(lead)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(trials(), st.booleans(), st.booleans())
def test_a_shadow_is_what_the_lead_would_be(trial: Trial, restart: bool, sweep: bool) -> None:
    assume(trial.live != trial.shadow)
    beside, instead = trial.beside(restart=restart, sweep=sweep), trial.instead()
    wanted = leads(instead)
    found = leads(beside)
    assert found.keys() == wanted.keys()
    name = fingerprint(encode_model(trial.shadow))
    outcomes = map(msgspec.json.decode, instead.told)
    would = Counter((one["subject"], one["type"]) for one in outcomes if one["data"]["rules"] == name)
    event(f"would be told: {min(sum(would.values()), 3)}")
    for key, lead in found.items():
        shadow = lead.shadow
        assert shadow is not None
        assert not shadow.failed
        assert judged(shadow.lead) == judged(wanted[key])
        assert shadow.qualified == would[key.decode(), "lead.qualified"]
        assert shadow.disqualified == would[key.decode(), "lead.disqualified"]


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(trials(), st.booleans(), st.booleans())
def test_a_shadow_changes_nothing(trial: Trial, restart: bool, sweep: bool) -> None:
    beside, without = trial.beside(restart=restart, sweep=sweep), trial.without()
    assert told(beside) == told(without)
    found, wanted = leads(beside), leads(without)
    assert {key: alone(lead) for key, lead in found.items()} == {
        key: alone(lead) for key, lead in wanted.items()
    }


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(trials(), st.data())
def test_a_shadow_goes_on_while_the_live_rules_change(trial: Trial, data: st.DataObject) -> None:
    """And is gone when it is stopped."""
    later = msgspec.structs.replace(trial.live, name="later", cap=50.0)
    both = msgspec.structs.replace(later, shadow=trial.shadow)
    start, change, stop = sorted(data.draw(st.integers(2, len(trial.log))) for _ in range(3))

    def run(*rules: InForce, until: int = stop) -> Machine:
        log = trial.log[:until]
        for place, one in reversed([*zip((start, change, stop), rules, strict=False)]):
            log.insert(place, one)
        return Machine().run(log).sweep()

    beside = leads(run(trial.start, InForce(3, both)))
    instead = leads(run(InForce(2, trial.shadow), InForce(0, later)))
    for key, lead in beside.items():
        assert lead.shadow is not None
        assert judged(lead.shadow.lead) == judged(instead[key])
    stopped = run(trial.start, InForce(3, both), InForce(4, later), until=len(trial.log))
    without = run(InForce(0, later), InForce(3, later), InForce(0, later), until=len(trial.log))
    assert all(lead.shadow is None for lead in leads(stopped).values())
    assert told(stopped) == told(without)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(trials(), st.data())
def test_a_promoted_shadow_brings_what_it_has_been_granted(trial: Trial, data: st.DataObject) -> None:
    assume(trial.live != trial.shadow)
    start, switch = sorted(data.draw(st.integers(2, len(trial.log))) for _ in range(2))
    pieces = trial.log[:start], trial.log[start:switch], trial.log[switch:]
    announce = data.draw(st.integers(0, 2))
    begun = [*pieces[0], trial.start, *pieces[1]]
    promoted = Machine().run([*begun, InForce(3, trial.shadow, announce), *pieces[2]]).sweep()
    before = [*pieces[0], InForce(2, trial.shadow), *pieces[1]]
    instead = leads(Machine().run([*before, InForce(0, trial.live), *pieces[2]]).sweep())
    rules = build(encode_model(trial.shadow))
    for key, lead in leads(promoted).items():
        assert lead.shadow is None
        wanted = instead[key]
        assert lead.limits == wanted.limits
        assert lead.newest == wanted.newest
        at = max(lead.clock, wanted.clock)
        for mine, its in zip(ledger(rules, lead, at), ledger(rules, wanted, at), strict=True):
            assert (mine.rule, mine.detail) == (its.rule, its.detail)
            assert mine.value == pytest.approx(its.value, abs=1e-6)


OTHER = msgspec.structs.replace(
    MODEL,
    name="other",
    scores=(Score("fit"), Score("engagement")),
    awards=(
        *MODEL.awards[1:7],
        Award("page", "engagement", Matcher(("page.viewed",)), Fixed(4.5), decay=HalfLife(9 * DAY)),
    ),
    standings=MODEL.standings[1:],
)


@pytest.mark.parametrize("seed", range(60))
def test_two_leads_that_are_one_person_have_one_shadow(seed: int) -> None:
    rng = random.Random(seed)
    said = draw(rng, rng.randrange(1, 6), rng.randrange(5, 80))
    beside = encode_model(msgspec.structs.replace(MODEL, shadow=OTHER))
    log, right = tell(rng, said, rules=beside), truth(said, rules=encode_model(OTHER))
    rules = right.lives[0].partition.rules
    for person in {one.person for one in said}:
        ids = {one for story in said if story.person == person for one in (story.lead, *story.others)}
        found = {log.lead(one)[0] for one in ids}
        if len(found) > 1:
            continue  # never named together
        lead = log.lead(found.pop())[1]
        wanted = right.lead(f"person-{person}".encode())[1]
        assert lead is not None
        assert wanted is not None
        assert lead.shadow is not None
        shadow = lead.shadow.lead
        assert parts(rules, shadow, END) == pytest.approx(parts(rules, wanted, END), abs=1e-6)
        assert shadow.attributes == wanted.attributes
        assert shadow.newest == wanted.newest
