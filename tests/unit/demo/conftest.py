from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def score_event() -> Any:
    """Makes the event of a lead.score.v1 record."""

    def make(lead: str, total: float, **data: Any) -> dict[str, Any]:
        parts = {"fit": 0.0, "engagement": total}
        return {
            "type": "lead.score",
            "subject": lead,
            "data": {"total": total, "parts": parts, "band": "cold", "stage": "Open", **data},
        }

    return make


@pytest.fixture
def outcome_event() -> Any:
    """Makes the event of an outcome."""

    def make(lead: str, total: float, kind: str = "lead.qualified", **data: Any) -> dict[str, Any]:
        top = [
            {"rule": "Call booked", "points": 19.0},
            {"rule": "No letter opened", "points": -5.0},
            {"rule": "Call booked", "points": 1.0},
            {"rule": "Repeat visit", "points": 0.0},
        ]
        return {
            "type": kind,
            "subject": lead,
            "data": {"total": total, "reason": "score", "cause": "activity", "top": top, **data},
        }

    return make
