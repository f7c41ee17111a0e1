"""Which rules, and which ways in which they give points, no test has seen at work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from scorer.domain.model import Model, PerUnit, encode_model
from scorer.domain.rules import build


class Coverage(NamedTuple):
    parts: int
    """Rules, their branches, segments, disqualifications, temperatures."""
    missed: list[str]
    """In the order of the rule file, as an author would call them."""

    @property
    def share(self) -> float:
        return 1.0 if not self.parts else 1 - len(self.missed) / self.parts


def coverage(model: Model, held: Iterable[frozenset[str]]) -> Coverage:
    """``held``: ``Result.held`` of every test of these rules."""
    seen: set[str] = set().union(*held)
    parts = _parts(model)
    return Coverage(len(parts), [shown for key, shown in parts.items() if key not in seen])


def _parts(model: Model) -> dict[str, str]:
    """Key as in ``Seen.held`` -> name."""
    parts: dict[str, str] = {}
    for grant in build(encode_model(model), 1).grants:
        for variant in grant.variants:
            if len(grant.variants) == 1 or isinstance(grant.award.points, PerUnit):
                parts[grant.award.id] = grant.award.id
            elif variant.points:  # a branch without points leaves no line in a ledger
                parts[f"{grant.award.id}\0{variant.label}"] = f"{grant.award.id}: {variant.label}"
    parts |= {standing.id: standing.id for standing in model.standings}
    parts |= {segment.name: f"segment {segment.name}" for segment in model.segments}
    parts |= {rule.id: f"disqualification {rule.id}" for rule in model.disqualifications}
    parts |= {move.id: f"stage rule {move.id}" for move in model.moves}
    parts |= {f"follow up\0{rule.id}": f"follow-up {rule.id}" for rule in model.follow_ups}
    names = [band.name for band in model.bands] + ([model.coldest] if model.bands else [])
    parts |= {f"temperature\0{name}": f"temperature {name}" for name in names}
    return parts
