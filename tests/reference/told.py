"""An outcome as a consumer hears it, in the same form from the oracle and from the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isclose
from typing import Any

import msgspec

ROUNDING = 1.1e-6
"""Messages carry six decimals."""
MORE = (
    "stage",
    "deal_stage",
    "previous",
    "lifecycle",
    "grades",
    "cell",
    "follow_up",
    "owner",
    "due",
    "next_step",
)
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    lead: str
    number: int
    type: str
    time: int
    reason: str
    cause: str
    band: str
    more: dict[str, Any]
    """What else it says: stage, grades, owner and the like, where there is something."""
    total: float = field(compare=False)
    parts: dict[str, float] = field(compare=False)

    def agrees(self, other: Told) -> bool:
        return (
            self == other
            and isclose(self.total, other.total, abs_tol=ROUNDING)
            and self.parts.keys() == other.parts.keys()
            and all(isclose(self.parts[name], other.parts[name], abs_tol=ROUNDING) for name in self.parts)
        )


def read(value: bytes) -> Told:
    """An outcome's CloudEvent."""
    event = msgspec.json.decode(value)
    lead, _, number = event["id"].rpartition(":")
    data = event["data"]
    assert event["subject"] == lead
    assert data["sequence"] == int(number)
    return Told(
        lead,
        int(number),
        event["type"],
        milliseconds(event["time"]),
        data["reason"],
        data["cause"],
        data["band"],
        {name: data[name] for name in MORE if data.get(name) is not None},
        data["total"],
        data["parts"],
    )


def milliseconds(text: str) -> int:
    """RFC 3339 -> ms since 1970."""
    return (datetime.fromisoformat(text) - _START) // timedelta(milliseconds=1)


def differences(one: list[Told], other: list[Told]) -> list[str]:
    """Empty when both tell the same, lead by lead in sequence."""
    found: list[str] = []
    for lead in sorted({told.lead for told in (*one, *other)}):
        left = [told for told in one if told.lead == lead]
        right = [told for told in other if told.lead == lead]
        for place in range(max(len(left), len(right))):
            a = left[place] if place < len(left) else None
            b = right[place] if place < len(right) else None
            if a is None or b is None or not a.agrees(b):
                found.append(f"{lead}, outcome {place + 1}:\n    {a}\n    {b}")
                break
    return found
