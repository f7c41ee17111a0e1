"""The answer that every system must give: one obvious pass over the log, with arithmetic of its own.

Points are faded from one instant to the next (no landmark, no masses), and what time does to a lead is
caught up with when something is asked of it; see the package's docstring for why that is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scorer.domain import clock
from scorer.domain.record import Clock, Fact, decode_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.bench.workload import Entry

POINTS = {
    "email.opened": 3.0,
    "email.clicked": 1.0,
    "page.viewed": 1.0,
    "app.task_created": 5.0,
    "booking.created": 20.0,
}
OPENED = "email.opened"
DAY_MS = 86_400_000
HALF_LIFE_MS = ABSENCE_MS = 30 * DAY_MS
ABSENCE_POINTS = -5.0
ENTER, EXIT, NEAR = 20.0, 15.0, 1e-9
GRACE_MS = 2_000
REMEMBERED_S, REMEMBERED = 86_400, 256
CLOSE = 1e-6
"""Points by which a total may differ."""


class Answer(NamedTuple):
    """A lead's final state, as any system must report it."""

    total: float
    """Points, read at the closing instant."""
    opened: int
    """Newest time of an opened e-mail, ms; 0: none."""
    qualified: bool
    outcomes: int
    """How often the lead has become qualified, and ceased to be."""


class OracleLead:
    def __init__(self, now: int) -> None:
        self.since = self.clock = now
        self.points = 0.0
        """Without the absence's, at ``clock``."""
        self.opened = 0
        self.qualified = False
        self.outcomes = 0
        self.seen: dict[bytes, int] = {}
        """Event id -> s of the log's clock when it was applied, oldest first."""

    def total(self, judged: int) -> float:
        absent = judged - (self.opened or self.since) >= ABSENCE_MS
        return self.points + (ABSENCE_POINTS if absent else 0.0)

    def pass_to(self, now: int, judged: int) -> None:
        """Let time pass: points fade to ``now``, absence is judged at ``judged``, a lead may cease to be
        qualified. Time alone qualifies nobody, because by these rules it only takes."""
        self.points *= 0.5 ** ((now - self.clock) / HALF_LIFE_MS)
        self.clock = now
        if self.qualified and self.total(judged) < EXIT - NEAR:
            self.qualified = False
            self.outcomes += 1

    def repeats(self, digest: bytes, seconds: int) -> bool:
        forget = max(seconds - REMEMBERED_S, 0)
        return self.seen.get(digest, -1) > forget

    def remember(self, digest: bytes, seconds: int) -> None:
        self.seen.pop(digest, None)
        self.seen[digest] = seconds
        if len(self.seen) > REMEMBERED:
            del self.seen[next(iter(self.seen))]

    def take_in(self, fact: Fact, judged: int) -> None:
        """Apply a fact that is no repetition; time has passed through ``judged``."""
        self.pass_to(max(self.clock, fact.time, judged), judged)
        points = POINTS.get(fact.type, 0.0)
        self.points += points * 0.5 ** ((self.clock - fact.time) / HALF_LIFE_MS)
        if fact.type == OPENED:
            self.opened = max(self.opened, fact.time)
        if points and not self.qualified and self.total(judged) > ENTER + NEAR:
            self.qualified = True
            self.outcomes += 1

    def answer(self, instant: int) -> Answer:
        self.pass_to(max(self.clock, instant), instant)
        return Answer(self.total(instant), self.opened, self.qualified, self.outcomes)


class Oracle:
    """Takes the log in, record by record, any number of partitions."""

    def __init__(self) -> None:
        self.leads: dict[str, OracleLead] = {}
        self._clocks: dict[int, int] = {}

    def apply(self, entries: Iterable[Entry], until: Mapping[int, int] | None = None) -> None:
        """``until``: partition -> the first offset that is not applied; all are where it is None."""
        for entry in entries:
            if until is None or entry.offset < until.get(entry.partition, 0):
                self._apply(entry)

    def answers(self, instant: int) -> dict[str, Answer]:
        """Every lead's, as of an instant (ms) not before the log's clock."""
        return {name: lead.answer(instant) for name, lead in self.leads.items()}

    def _apply(self, entry: Entry) -> None:
        record = decode_record(entry.value or b"")
        through = self._clocks.get(entry.partition, 0)
        if isinstance(record, Clock):
            # Every clock record of the workload names every door.
            self._clocks[entry.partition] = max(through, min(clock.unpack(record.packed).values()))
        elif isinstance(record, Fact):
            name = (entry.key or b"").decode()
            judged = max(through - GRACE_MS, 0)
            seconds = max(through // 1000, 1)  # what is seen before the first clock record is remembered too
            lead = self.leads.get(name)
            if lead is None:
                lead = self.leads[name] = OracleLead(max(record.time, judged))
            lead.pass_to(max(lead.clock, judged), judged)
            if not lead.repeats(record.digest, seconds):
                lead.remember(record.digest, seconds)
                lead.take_in(record, judged)


def differences(found: Mapping[str, Answer], wanted: Mapping[str, Answer]) -> list[str]:
    """What is not equal, a line each; totals may differ by ``CLOSE``."""
    lines = [f"{name}: missing" for name in wanted.keys() - found.keys()]
    lines += [f"{name}: nobody's" for name in found.keys() - wanted.keys()]
    for name in found.keys() & wanted.keys():
        one, other = found[name], wanted[name]
        if abs(one.total - other.total) > CLOSE or one[1:] != other[1:]:
            lines.append(f"{name}: {tuple(one)} instead of {tuple(other)}")
    return sorted(lines)
