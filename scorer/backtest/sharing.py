"""One share of the people through all rule files, and who of them converts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from scorer.backtest.lives import Lives
from scorer.backtest.spill import Taken
from scorer.backtest.weeks import Draw
from scorer.domain.record import Record, decode_heading, decode_record

CONVERTED: Final = "feedback.converted"
_CONVERSION: Final = b"\0" + bytes([0xA0 | len(CONVERTED)]) + CONVERTED.encode()
"""How such a fact goes on behind the byte that begins its array: its tag, and its type."""
MANY: Final = 10_000
"""Records of a person; where there are more, each rule file decodes them one by one, so as to save memory."""


def live_all(
    people: Iterable[list[Taken]], lives: Sequence[Lives], draw: Draw, conversions: dict[bytes, int]
) -> None:
    """Each person's life under each rule file; notes the earliest conversions (ms) by lead id.

    Raises ``UserError``: see ``Lives.live``.
    """
    for records in people:
        decoded: list[Record] = []
        keys: set[bytes] = set()
        for _, _, key, value in records:
            keys.add(key)
            if value.startswith(_CONVERSION, 1):
                note_conversion(conversions, key, value)
            if len(records) <= MANY:
                decoded.append(decode_record(value))
        stops = draw.stops(keys)
        for one in lives:
            one.live(records, decoded, stops)


def is_conversion(value: bytes | None) -> bool:
    """Whether an encoded record is the fact that a lead has converted."""
    return value is not None and value.startswith(_CONVERSION, 1)


def note_conversion(conversions: dict[bytes, int], lead: bytes, fact: bytes) -> None:
    """Keep the earliest (ms) of a lead's conversions; ``fact``: one of them, encoded."""
    at = decode_heading(fact).time
    conversions[lead] = min(at, conversions.get(lead, at))
