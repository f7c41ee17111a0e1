"""The words of insights: what is counted, by what, and where a dimension is looked for."""

from __future__ import annotations

from typing import Final

KINDS: Final = ("created", "qualified", "requalified", "disqualified", "lapsed", "converted")
"""What is counted. Requalified is among qualified, lapsed among disqualified."""
UNITS: Final = ("day", "week", "month", "quarter")
"""Periods, the shortest first."""
DIMENSIONS: Final = ("product", "segment", "source")
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "product": ("product",),
    "segment": ("segment",),
    "source": ("utm_source", "utm.source", "campaign.source", "source"),
}
"""Dimension -> properties of facts that say it; where one fact has several, the first of them counts."""
UNKNOWN: Final = "(unknown)"
"""The group of leads of which no fact has said the dimension."""
LONGEST: Final = 100
"""Characters that are kept of a dimension's value."""
