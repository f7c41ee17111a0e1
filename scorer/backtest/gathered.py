"""What one rule file has said of leads in a backtest: first announcements, weeks, and landmark readings."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from scorer.domain.outcomes import LEAD_DISQUALIFIED, LEAD_QUALIFIED, LEAD_STAGE

if TYPE_CHECKING:
    from scorer.domain.model import Model

PRESENT = 0.05
"""Points. A rule whose points have faded below counts as one that the lead does not have."""
CREATED = "created"


class Reading(NamedTuple):
    """One lead at its landmark."""

    lead: bytes
    monday: int
    """Index of it."""
    total: float
    before: float
    """The total a week before; not a number where the lead was not known then."""
    band: str
    points: dict[str, float]
    """Of each rule that gives any."""


class Readings:
    """Leads at their landmarks, column by column (see ``Reading``); a lead's place is its row."""

    def __init__(self) -> None:
        self.leads: list[bytes] = []
        self.mondays = array("l")
        self.totals = array("d")
        self.before = array("d")
        self.bands: list[str] = []
        self.rules: dict[str, tuple[array[int], array[float]]] = {}
        """Rule -> (rows of leads that have points of it, the points)."""

    def add(self, reading: Reading) -> None:
        row = len(self.leads)
        for rule, value in reading.points.items():
            if abs(value) >= PRESENT:
                rows, values = self.rules.setdefault(rule, (array("l"), array("d")))
                rows.append(row)
                values.append(value)
        self.leads.append(reading.lead)
        self.mondays.append(reading.monday)
        self.totals.append(reading.total)
        self.before.append(reading.before)
        self.bands.append(reading.band)

    @classmethod
    def joined(cls, parts: Sequence[Readings]) -> Readings:
        """All of them, ordered by lead: the same, however the leads were shared out."""
        order = sorted(
            (lead, number, row) for number, one in enumerate(parts) for row, lead in enumerate(one.leads)
        )
        whole = cls()
        places: list[dict[int, int]] = [{} for _ in parts]
        for place, (lead, number, row) in enumerate(order):
            part = parts[number]
            places[number][row] = place
            whole.leads.append(lead)
            whole.mondays.append(part.mondays[row])
            whole.totals.append(part.totals[row])
            whole.before.append(part.before[row])
            whole.bands.append(part.bands[row])
        for rule in sorted({rule for part in parts for rule in part.rules}):
            found = sorted(
                (places[number][row], value)
                for number, part in enumerate(parts)
                if rule in part.rules
                for row, value in zip(*part.rules[rule], strict=True)
            )
            rows = array("l", (row for row, _ in found))
            whole.rules[rule] = (rows, array("d", (value for _, value in found)))
        return whole


class Gathered:
    """Of one rule file, or of a share of the leads under it."""

    def __init__(self) -> None:
        self.qualified: dict[bytes, int] = {}
        """Lead -> ms of its first announcement."""
        self.weeks: Counter[tuple[int, str]] = Counter()
        """(number of the week, what) -> how often. What: ``created``, ``lead.qualified``,
        ``lead.disqualified``, or ``lead.stage`` and a colon and the stage."""
        self.leads = 0
        """Those that stand for themselves at the end."""
        self.moved: dict[bytes, bytes] = {}
        """Lead -> what it has become part of."""
        self.forgotten: set[bytes] = set()
        """Leads whose person was forgotten."""
        self.readings = Readings()
        self.faults = 0
        """Records at which our own code failed."""
        self.dead = 0
        """Records that could not be used."""

    @classmethod
    def joined(cls, parts: Iterable[Gathered]) -> Gathered:
        """All of them; the leads of each are its own."""
        parts = list(parts)
        whole = cls()
        for part in parts:
            for lead, at in part.qualified.items():
                whole.qualified[lead] = min(at, whole.qualified.get(lead, at))
            whole.weeks.update(part.weeks)
            whole.moved.update(part.moved)
            whole.forgotten |= part.forgotten
            whole.leads += part.leads
            whole.faults += part.faults
            whole.dead += part.dead
        whole.readings = Readings.joined([part.readings for part in parts])
        return whole


COUNTED = frozenset({LEAD_QUALIFIED, LEAD_DISQUALIFIED, LEAD_STAGE})


def rule_names(model: Model) -> dict[str, None]:
    """The rules that give points, each once."""
    every: tuple[Any, ...] = (*model.standings, *model.awards)
    return dict.fromkeys(one.id for one in every)
