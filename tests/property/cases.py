"""A drawn log, how it is cut into chunks, and a repr that a person can read."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.property import show
from tests.property.dice import Dice, drawn
from tests.property.machine import Machine
from tests.property.models import draw_model, draw_scale
from tests.property.stories import draw_story
from tests.reference.log import Entry


class Case:
    """``cuts``: chunks end in front of these offsets, and there the machine restarts or sweeps, or both."""

    def __init__(
        self, log: list[Entry], cuts: list[int], *, restart: bool = False, sweep: bool = False
    ) -> None:
        self.log = log
        self.cuts = cuts
        self.restart = restart
        self.sweep = sweep

    def __repr__(self) -> str:
        how = "chunks" + " and restarts" * self.restart + " and sweeps" * self.sweep
        return f"Case({how} end in front of offsets {self.cuts})\n{show.story(self.log)}\n"

    def but(self, log: list[Entry] | None = None, cuts: list[int] | None = None) -> Case:
        """The same with another log or other cuts."""
        chosen = self.log if log is None else log
        return Case(chosen, self.cuts if cuts is None else cuts, restart=self.restart, sweep=self.sweep)

    def run(self) -> Machine:
        return Machine().run(self.log, self.cuts, restart=self.restart, sweep=self.sweep).sweep()


def draw_case(dice: Dice, *, imports: bool = False, prices: bool = False, rules: bool = False) -> Case:
    scale = draw_scale(dice)
    log = draw_story(dice, scale, draw_model(dice, scale), imports=imports, prices=prices, rules=rules)
    cuts = sorted(dice.number(1, len(log)) for _ in range(dice.number(0, 3)))
    return Case(log, cuts, restart=dice.chance(50), sweep=dice.chance(50))


@st.composite
def cases(draw: DrawFn, *, imports: bool = False, prices: bool = False, rules: bool = False) -> Case:
    """With brackets of imported history; with rule sets that change points, or everything."""
    return draw_case(drawn(draw), imports=imports, prices=prices, rules=rules)
