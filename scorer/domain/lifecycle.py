"""Stages: where a lead stands between the first visit and the last deal, and who may move it where.

Marketing's stages wait for the score: a lead in one of them is announced when it becomes ready. In sales'
stages the score rests: whoever talks to the lead knows more.
"""

from __future__ import annotations

from typing import Final, get_args

from scorer.domain.model import Stage

OPEN_STAGE: Final = 0
CONTACTED: Final = 1
NURTURE: Final = 2
QUALIFIED_STAGE: Final = 3
NEGOTIATION: Final = 4
CUSTOMER: Final = 5
INACTIVE: Final = 6
UNQUALIFIED: Final = 7

STAGES: Final[tuple[str, ...]] = get_args(Stage)
"""The names, in the order of the numbers above (``Lead.stage``)."""
NUMBERS: Final = {name: number for number, name in enumerate(STAGES)}

SALES: Final = frozenset({CONTACTED, NEGOTIATION, CUSTOMER})
"""Stages in which the score neither qualifies nor drops a lead."""

_FOLLOWING: Final = {
    "Open": ("Contacted", "Nurture", "Qualified", "Negotiation", "Customer", "Inactive", "Unqualified"),
    "Contacted": ("Open", "Nurture", "Negotiation", "Customer", "Inactive", "Unqualified"),
    "Nurture": ("Open", "Contacted", "Qualified", "Negotiation", "Customer", "Inactive", "Unqualified"),
    "Qualified": ("Open", "Contacted", "Nurture", "Negotiation", "Customer", "Inactive", "Unqualified"),
    "Negotiation": ("Contacted", "Nurture", "Customer", "Inactive", "Unqualified"),
    "Customer": ("Nurture", "Inactive"),  # won back or lost, never unqualified
    "Inactive": ("Open", "Contacted", "Nurture", "Qualified", "Negotiation", "Customer", "Unqualified"),
    "Unqualified": ("Open", "Contacted", "Nurture", "Inactive"),
}
LEGAL: Final = tuple(frozenset(NUMBERS[after] for after in _FOLLOWING[name]) for name in STAGES)
"""Stage -> the stages that may follow it."""

LIFECYCLE: Final = ("lead", "SAL", "lead", "MQL", "SQL", "customer", "lead", "lead")
"""Stage -> what marketing and sales call such a lead: qualified by marketing, accepted by sales, by sales."""


def legal(source: int, target: int) -> bool:
    return target in LEGAL[source]
