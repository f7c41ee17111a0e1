"""The job for the peers in Python: a lead's state is a dict that JSON can hold; see the package."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, Any

from scorer.domain import clock

if TYPE_CHECKING:
    from scorer.domain.record import Clock, Fact

State = dict[str, Any]
Outcome = dict[str, Any]

POINTS = {
    "email.opened": 3.0,
    "email.clicked": 1.0,
    "page.viewed": 1.0,
    "app.task_created": 5.0,
    "booking.created": 20.0,
}
DAY_MS = 86_400_000
RATE = log(2) / (30 * DAY_MS)
ABSENCE_MS = 30 * DAY_MS
ABSENCE_POINTS = -5.0
ENTER, EXIT = 20.0 + 1e-9, 15.0 - 1e-9
GRACE_MS = 2_000
REMEMBERED_S = 86_400
ID, ENTRY = 16, 24
"""Hex digits of an event id, and of an entry: the id and when it was seen (s)."""
SEEN = 256 * ENTRY


def through(record: Clock) -> int:
    """The time (ms) through which every door has been read."""
    return min(clock.unpack(record.packed).values())


def step(state: State | None, key: str, fact: Fact, now: int) -> tuple[State, list[Outcome]] | None:
    """The lead's new state and its outcomes, or None for a repeated event. ``now``: C, ms."""
    judged = max(now - GRACE_MS, 0)
    seconds = max(now // 1000, 1)
    digest = fact.digest.hex()
    at = max(fact.time, judged)
    outcomes: list[Outcome] = []
    if state is None:
        state = {"since": at, "clock": at, "mass": 0.0, "opened": 0, "on": False, "out": 0, "seen": ""}
    else:
        if _seen(state["seen"], digest, seconds - REMEMBERED_S):
            return None
        if state["on"] and total(state, max(state["clock"], judged), judged) < EXIT:
            _turn(state, key, judged, outcomes)
        at = max(at, state["clock"])
    state["seen"] = _remember(state["seen"], digest, seconds)
    state["clock"] = at
    points = POINTS.get(fact.type)
    if points is not None:
        state["mass"] += points * exp(RATE * (fact.time - state["since"]))
        if fact.type == "email.opened" and fact.time > state["opened"]:
            state["opened"] = fact.time
        if not state["on"] and total(state, at, judged) > ENTER:
            _turn(state, key, at, outcomes)
    return state, outcomes


def total(state: State, at: int, judged: int) -> float:
    """Points at an instant (ms), absence judged at another."""
    points: float = state["mass"] * exp(-RATE * (at - state["since"]))
    if judged - (state["opened"] or state["since"]) >= ABSENCE_MS:
        points += ABSENCE_POINTS
    return points


def _turn(state: State, key: str, at: int, outcomes: list[Outcome]) -> None:
    state["on"] = not state["on"]
    state["out"] += 1
    outcomes.append({"lead": key, "qualified": state["on"], "sequence": state["out"], "time": at})


def _seen(seen: str, digest: str, forget: int) -> bool:
    found = seen.find(digest)
    while found >= 0:
        if found % ENTRY == 0 and int(seen[found + ID : found + ENTRY], 16) > forget:
            return True
        found = seen.find(digest, found + 1)
    return False


def _remember(seen: str, digest: str, seconds: int) -> str:
    forget = f"{max(seconds - REMEMBERED_S, 0):08x}"
    start = max(len(seen) + ENTRY - SEEN, 0)
    while start < len(seen) and seen[start + ID : start + ENTRY] <= forget:
        start += ENTRY
    return f"{seen[start:]}{digest}{seconds:08x}"
