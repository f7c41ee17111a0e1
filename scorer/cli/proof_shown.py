"""What ``scorer erase --prove`` says, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorer.domain.outcomes import instant
from scorer.people.proving import UNSEEN, UNTIL, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorer.people.proving import Proof


def table(proof: Proof) -> Iterator[str]:
    """A line per place, and the sum of it."""
    looked = ", ".join(proof.texts) or "no text"
    yield f"looked for {looked}, and at {len(proof.leads)} lead{'s' * (len(proof.leads) != 1)}"
    for name in proof.not_searched:
        yield f"{name} is too short to be told from chance: not looked for as text"
    rows = [(one.place, said(one), str(one.records or ""), one.detail) for one in proof.findings]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()
    later = [one.gone_by for one in proof.findings if one.state == UNTIL and one.gone_by]
    if any(one.state == UNSEEN for one in proof.findings):
        yield "not everything could be looked at"
    if later:
        yield f"what publishers have sent is gone by {instant(max(later))}"
    count = proof.leftovers
    yield f"{count} leftover{'s' * (count != 1)}" if count else "no leftovers"


def as_dict(proof: Proof) -> dict[str, Any]:
    """For JSON."""
    return {
        "erasure_leftovers": proof.leftovers,
        "leads": proof.leads,
        "texts": proof.texts,
        "not_searched": proof.not_searched,
        "places": [
            {
                "place": one.place,
                "state": one.state,
                "detail": one.detail,
                "records": one.records,
                "gone_by": None if one.gone_by is None else instant(one.gone_by),
            }
            for one in proof.findings
        ],
    }
