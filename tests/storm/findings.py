"""What the judge of a storm has seen, and what is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN = 5
"""Examples of each kind."""


@dataclass
class Findings:
    records: int = 0
    """In the doors."""
    facts: int = 0
    """In the lead log, repeated ones included."""
    repeated: int = 0
    """Of them: read from a door for a second time, and skipped by the fence."""
    leads: int = 0
    accounts: int = 0
    people: int = 0
    merged: int = 0
    """Leads that became part of another."""
    forwarded: int = 0
    """Facts that were passed on to the lead that theirs had become part of."""
    mismatched: int = 0
    """People who are several leads although they were named together, or one with somebody else."""
    outcomes: int = 0
    by_time: int = 0
    duplicates: int = 0
    """Outcomes that are there more than once, to the byte."""
    dead: int = 0
    lost: int = 0
    """Records that are neither in the log nor among the dead letters, and leads that count too little."""
    double_counted: int = 0
    """Leads that count too much, and log records that nobody published."""
    missing: int = 0
    """Outcomes."""
    invented: int = 0
    """Outcomes that the log does not give."""
    wrong_letters: int = 0
    """Dead letters too many or too few."""
    wrong_clocks: int = 0
    """Records behind a clock record that says they had been read, or out of their door's order."""
    wrong_rules: int = 0
    """Leads that are not what the oracle makes of the rule files, what is told against the policy, and rules
    in the log that nobody has ordered."""
    alone: int = 0
    """Leads beside the oracle."""
    ties: int = 0
    """Of them: left out, doubles can't decide."""
    announced: Counter[int] = field(default_factory=Counter)
    """Outcomes that changes of rules alone have brought about, by policy."""
    unheard: int = 0
    """Crossings of the leads beside the oracle that a policy has kept quiet."""
    examples: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def flawless(self) -> bool:
        return not (
            self.lost
            or self.double_counted
            or self.missing
            or self.invented
            or self.wrong_letters
            or self.wrong_clocks
            or self.wrong_rules
            or self.mismatched
        )

    def wrong(self, name: str, examples: Iterable[object], count: int) -> None:
        if count:
            setattr(self, name, getattr(self, name) + count)
            shown = [str(one) for one, _ in zip(examples, range(SHOWN), strict=False)]
            self.examples.append(f"{name}: {count}, such as " + "; ".join(shown))
