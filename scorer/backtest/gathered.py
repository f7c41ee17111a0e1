"""What one rule file has said of leads in a backtest: first announcements, weeks, and landmark readings."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING

from scorer.domain.engine import fire
from scorer.domain.ledger import ledger
from scorer.domain.outcomes import LEAD_DISQUALIFIED, LEAD_QUALIFIED, LEAD_STAGE, band
from scorer.domain.reading import total

if TYPE_CHECKING:
    from scorer.domain.lead import Lead
    from scorer.domain.rules import RuleSet

PRESENT = 0.05
"""Points. A rule whose points have faded below counts as one that the lead does not have."""
CREATED = "created"


class Readings:
    """Leads at their landmarks, column by column; a lead's place is its row."""

    def __init__(self) -> None:
        self.leads: list[bytes] = []
        self.mondays = array("l")
        """Index of the Monday."""
        self.totals = array("d")
        self.before = array("d")
        """The total a week before; not a number where the lead was not known then."""
        self.bands: list[str] = []
        self.rules: dict[str, tuple[array[int], array[float]]] = {}
        """Rule -> (rows of leads that have points of it, the points)."""

    def read(
        self, rules: RuleSet, names: Container[str], lead: Lead, key: bytes, monday: int, at: int
    ) -> None:
        """``names``: of the rules that give points. ``lead``: a copy; time alone takes it to ``at`` (ms)."""
        fire(rules, lead, key, at, [])
        at = max(at, lead.clock)
        row = len(self.leads)
        points: dict[str, float] = {}
        for line in ledger(rules, lead, at):
            if line.rule in names:
                points[line.rule] = points.get(line.rule, 0.0) + line.value
        for rule, value in points.items():
            if abs(value) >= PRESENT:
                rows, values = self.rules.setdefault(rule, (array("l"), array("d")))
                rows.append(row)
                values.append(value)
        self.leads.append(key)
        self.mondays.append(monday)
        self.totals.append(total(rules, lead, at))
        self.before.append(float("nan"))
        self.bands.append(band(rules, lead))

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
