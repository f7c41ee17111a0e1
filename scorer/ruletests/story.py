"""Rule tests as data. Times are ms after the story's start."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

from scorer.rulefile.diagnostics import Place

Kind = Literal["qualified", "disqualified"]
"""``lead.qualified`` or ``lead.disqualified``."""

START = datetime(2026, 1, 5, 9, 0)  # noqa: DTZ001 - in the rules' time zone, whichever that is
"""A Monday."""


class Does(NamedTuple):
    """The lead does something, ``times`` times at the same instant."""

    at: int
    type: str
    properties: dict[str, Any]
    times: int


class Amount(NamedTuple):
    """What a number is to be: within both bounds, or as written to two decimals."""

    place: Place
    text: str
    """As written."""
    low: float
    high: float

    def fits(self, value: float) -> bool:
        return self.low <= value <= self.high


class Word(NamedTuple):
    place: Place
    text: str


class Emitted(NamedTuple):
    place: Place
    kind: Kind
    earliest: int | None
    """When, to the precision written; None: whenever."""
    latest: int | None
    reason: str | None
    text: str
    """As an author would say it."""


class Expect(NamedTuple):
    """What is to be true at an instant. None: not looked at."""

    at: int
    place: Place
    total: Amount | None
    scores: dict[str, Amount]
    points: dict[str, Amount]
    """By rule."""
    stage: Word | None
    temperature: Word | None
    segments: list[Word] | None
    emitted: list[Emitted] | None
    """All since the expectation before."""
    stages: list[Word] | None
    """Those that the lead came to since the expectation before."""
    grades: dict[str, Word]
    """By score."""
    cell: Word | None
    follow_up: dict[str, Word]
    """Of the last qualification since the expectation before: ``rule``, ``owner``, ``due``, ``next step``."""


Step = Does | Expect


class Test(NamedTuple):
    name: str
    place: Place
    starts: datetime
    """In the rules' time zone."""
    steps: list[Step]


class Suite(NamedTuple):
    rules: Word | None
    """The rule file, relative to this one."""
    tests: list[Test]
