"""People after the storm: who is one lead, and whether it counts what was published."""

from __future__ import annotations

from math import fsum, isclose
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer.domain.ledger import ledger
from tests.reference import lead as reference
from tests.reference.oracle import granting
from tests.reference.points import at_instant, grants
from tests.storm.findings import Findings

if TYPE_CHECKING:
    from scorer.domain.lead import Lead
    from scorer.domain.model import Model
    from scorer.domain.rules import RuleSet
    from tests.storm.by_oracle import Order

ORDER_MATTERS = "Page viewed"
"""The award whose first grant is another than its later ones."""
AFTER_MS = 5_000
"""How long after a lead's own clock its total is compared."""


class Seen(NamedTuple):
    """A lead as the careful pass leaves it."""

    into: str
    """The lead that it is part of; empty: it stands for itself."""
    at: int
    """ms; when its total was read. 0: it has had no fact."""
    total: float
    """Without awards that what was published does not decide."""
    steady: float
    """Without the award whose first grant counts differently, too: it depends on what came first."""


def see(rules: RuleSet, lead: Lead, left_out: set[str]) -> Seen:
    into = "" if lead.links is None else lead.links.moved.decode()
    if not lead.since:
        return Seen(into, 0, 0.0, 0.0)
    at = lead.clock + AFTER_MS
    lines = [line for line in ledger(rules, lead, at) if line.rule not in left_out]
    steady = fsum(line.value for line in lines if line.rule != ORDER_MATTERS)
    return Seen(into, at, fsum(line.value for line in lines), steady)


def undecided(orders: list[Order]) -> set[str]:
    """Awards whose points depend on more than what was published: when rules changed, what came first."""
    begun: dict[str, bool] = {}
    before: dict[str, object] = {}
    for order in orders:
        for award in order.model.awards:
            if before and before.get(award.id) != granting(award):
                begun[award.id] = not order.rebuild
        before = {award.id: granting(award) for award in order.model.awards}
    return {
        award.id for award in orders[-1].model.awards if begun.get(award.id, False) or award.given is not None
    }


class Person(NamedTuple):
    name: str
    """The lead that all of it has become."""
    several: bool
    """It was several."""
    seen: Seen
    history: list[reference.Happening]


def people(
    leads: dict[str, Seen],
    history: dict[str, list[reference.Happening]],
    links: list[tuple[str, ...]],
    found: Findings,
) -> list[Person]:
    """Who was named together is one lead, and nobody else is part of it.

    ``history``: of each lead as its records name it; ``links``: leads that were named together.
    """
    groups = {lead: [lead] for lead in history}
    for named in links:
        together = groups.setdefault(named[0], [named[0]])
        for other in named[1:]:
            theirs = groups.setdefault(other, [other])
            if theirs is not together:
                together += theirs
                groups.update(dict.fromkeys(theirs, together))
    everybody: list[Person] = []
    wrong: list[str] = []
    taken: dict[str, list[str]] = {}
    for group in {id(group): group for group in groups.values()}.values():
        roots = {_root(leads, lead) for lead in group}
        root = min(roots)
        if len(roots) > 1 or root in taken or root not in leads:
            wrong.append(f"{group}: {roots}, {taken.get(root)}")
            continue
        taken[root] = group
        happened = [one for lead in group for one in history.get(lead, ())]
        everybody.append(Person(root, sum(lead in history for lead in group) > 1, leads[root], happened))
    found.people = len(everybody)
    found.wrong("mismatched", wrong, len(wrong))
    return everybody


def _root(leads: dict[str, Seen], lead: str) -> str:
    while lead in leads and leads[lead].into:
        lead = leads[lead].into
    return lead


def totals(orders: list[Order], persons: list[Person]) -> Findings:
    """Each total by the reference: from what was published, and nothing that came after.

    The last rules have always been in force: changed points hold for the past, and so do rules that were
    rebuilt. Those that began from nothing are left to the oracle.
    """
    found = Findings()
    lost: list[str] = []
    double: list[str] = []
    model = _without(orders[-1].model, undecided(orders))
    steady = _without(model, {ORDER_MATTERS})
    for name, several, seen, history in persons:
        rules, value = (steady, seen.steady) if several else (model, seen.total)
        made = grants(rules, reference.Lead(name, since=0, history=history))
        right = at_instant(rules, made, set(), seen.at).total[0]
        if not isclose(value, right, rel_tol=1e-9, abs_tol=1e-6):
            (lost if value < right else double).append(f"{name}: {value} instead of {right}")
    found.wrong("lost", lost, len(lost))
    found.wrong("double_counted", double, len(double))
    return found


def _without(model: Model, awards: set[str]) -> Model:
    kept = tuple(award for award in model.awards if award.id not in awards)
    return msgspec.structs.replace(model, awards=kept)
