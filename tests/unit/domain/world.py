"""A few words to write scoring tests in; each test runs on the engine and on the reference oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count
from math import fsum
from typing import Any, Literal

from scorer.domain.model import Award, Decay, Fixed, Limit, Matcher, Model, Points, Score, Threshold
from scorer.domain.record import (
    ANNOUNCE_ALL,
    NO_DOOR,
    PROFILE_UPDATED,
    Door,
    Doors,
    Fact,
    ImportBegin,
    ImportEnd,
)
from tests.property.machine import Machine
from tests.reference.log import About, Entry, InForce, ReadThrough
from tests.reference.oracle import Oracle
from tests.reference.told import Told

NOW = 1_750_000_000_000
"""2025-06-15 15:06:40 UTC, a Sunday."""
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
HISTORY = 2**32 + 1
"""Number of an import."""
OPENED, CLICKED, VIEWED = "email.opened", "email.clicked", "page.viewed"

_numbers = count()


@dataclass
class World:
    """One lead log and who reads it. Times are ms after ``NOW``."""

    reader: Literal["engine", "oracle"]
    log: list[Entry] = field(default_factory=list)
    _machine: Machine = field(default_factory=Machine)
    _oracle: Oracle = field(default_factory=Oracle)

    def rules(self, model: Model, version: int = 1, announce: int = ANNOUNCE_ALL) -> World:
        if not self.log:
            self.add(Doors(1, [Door(1, 0, "activity.email.v1", 0)]))
        return self.add(InForce(version, model, announce))

    def fact(
        self,
        kind: str,
        at: int,
        /,
        *,
        lead: str = "ann",
        door: int = NO_DOOR,
        offset: int = -1,
        id: str | None = None,  # noqa: A002 - as CloudEvents calls it
        **properties: Any,
    ) -> World:
        name = f"event-{next(_numbers)}" if id is None else id
        digest = blake2b(name.encode(), digest_size=8).digest()
        return self.add(
            About(lead, Fact(kind, NOW + at, NOW + at, door, offset, digest, name, "test", properties))
        )

    def opened(self, at: int, /, **rest: Any) -> World:
        return self.fact(OPENED, at, **rest)

    def profile(self, at: int, /, **attributes: Any) -> World:
        return self.fact(PROFILE_UPDATED, at, **attributes)

    def clock(self, at: int) -> World:
        """The one door has been read through ``at``."""
        return self.add(ReadThrough({1: NOW + at}))

    def import_begins(self) -> World:
        return self.add(ImportBegin(HISTORY))

    def import_ends(self) -> World:
        return self.add(ImportEnd(HISTORY))

    def add(self, entry: Entry) -> World:
        self.log.append(entry)
        if self.reader == "oracle":
            self._oracle.apply(entry)
        else:
            self._machine.run([entry])
        return self

    # -- what came of it ------------------------------------------------------------------------

    @property
    def outcomes(self) -> list[Told]:
        return self._oracle.outcomes if self.reader == "oracle" else self._machine.sweep().outcomes

    @property
    def told(self) -> list[tuple[str, int, str]]:
        """(qualified or disqualified, ms after ``NOW``, reason) of every outcome."""
        return [(one.type.removeprefix("lead."), one.time - NOW, one.reason) for one in self.outcomes]

    def total(self, at: int, lead: str = "ann") -> float:
        if self.reader == "oracle":
            return self._oracle.sum(lead, NOW + at).total[0]
        return fsum(value for _, _, value in self.lines(at, lead))

    def lines(self, at: int, lead: str = "ann") -> list[tuple[str, str, float]]:
        """The engine's ledger: (rule or clamp, detail, points)."""
        machine = self._machine.sweep()
        return [(line.rule, line.detail, line.value) for line in machine.ledger(lead, NOW + at)]


Make = Callable[[Model], World]


def award(
    points: float | Points,
    kind: str = OPENED,
    *,
    id: str = "opens",  # noqa: A002
    score: str = "engagement",
    decay: Decay | None = None,
    limit: Limit | None = None,
    cap: float | None = None,
) -> Award:
    worth = Fixed(points) if isinstance(points, int | float) else points
    return Award(id, score, Matcher((kind,)), worth, limit, decay, cap)


def model(*awards: Award, enter: float = 20.0, leave: float = 15.0, grace: int = 2_000, **rest: Any) -> Model:
    scores = rest.pop("scores", (Score("fit"), Score("engagement")))
    return Model("test", scores, Threshold(enter, leave), grace=grace, awards=awards, **rest)
