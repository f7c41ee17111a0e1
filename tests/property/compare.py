"""The engine beside the oracle, after the same log."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from math import fsum, isclose

import msgspec

from tests.property import show
from tests.property.cases import Case
from tests.property.machine import Machine
from tests.property.shrink import shrink
from tests.property.stories import sensible
from tests.reference.crossing import NearTieError
from tests.reference.lead import windows
from tests.reference.log import Entry
from tests.reference.oracle import Oracle
from tests.reference.told import ROUNDING, differences, milliseconds

DAY = 86_400_000


@dataclass
class Verdict:
    oracle: Oracle
    found: list[str]
    """What engine and oracle disagree about, in words; the oracle's version first."""

    @property
    def kind(self) -> str:
        """Coarse, so that a case can be made smaller and still be the same disagreement."""
        words = ("raised", "outcome", "total", "ledger", "clock", "band", "stage")
        return next((word for word in words if word in "".join(self.found[:1])), "")


def compare(case: Case) -> Verdict:
    """Raises ``NearTieError`` where doubles can't decide."""
    oracle = told_by_oracle(case.log)
    try:
        return Verdict(oracle, disagreements(oracle, case.run()))
    except Exception:  # noqa: BLE001 - whatever the engine raises is a finding
        return Verdict(oracle, ["raised: " + traceback.format_exc()])


def smallest(case: Case, kind: str) -> str:
    """A small case with a disagreement of the same kind, and that disagreement, as text."""

    def fails(other: Case) -> bool:
        try:
            return sensible(other.log) and compare(other).kind == kind
        except (NearTieError, LookupError, TypeError, ValueError):
            return False  # no sense left in it

    small = shrink(case, fails)
    return "\n".join([repr(small), "oracle first, engine second:", *compare(small).found])


def told_by_oracle(log: list[Entry]) -> Oracle:
    """Raises ``NearTieError`` where doubles can't decide."""
    oracle = Oracle()
    for entry in log:
        oracle.apply(entry)
    return oracle


def disagreements(oracle: Oracle, machine: Machine) -> list[str]:
    """In words; ``machine`` has applied the log and swept."""
    found = differences(oracle.outcomes, machine.outcomes)
    for name, lead in oracle.leads.items():
        view = msgspec.json.decode(machine.view(name))
        clock = milliseconds(view["time"])
        if not lead.clock <= clock <= max(lead.clock, oracle.safe):
            found.append(f"{name}: clock {show.clock_time(lead.clock)}, engine {view['time']}")
        timeless = not windows(one.when for one in oracle.model.bands)
        if timeless and view["data"]["band"] != oracle.band(lead):
            found.append(f"{name}: band {oracle.band(lead)}, engine {view['data']['band']}")
        if view["data"]["stage"] != lead.stage:
            found.append(f"{name}: stage {lead.stage}, engine {view['data']['stage']}")
        if view["data"].get("machine_opens", 0) != lead.machines:
            found.append(f"{name}: machines {lead.machines}, engine {view['data'].get('machine_opens')}")
        found += _points(name, clock, oracle, machine)
        found += _points(name, clock + 3 * DAY + 1, oracle, machine)
        total = oracle.sum(name, clock).total[0]
        if not isclose(view["data"]["total"], total, abs_tol=ROUNDING):
            found.append(f"{name}: total {total}, engine's view {view['data']['total']}")
    return found


def _points(name: str, at: int, oracle: Oracle, machine: Machine) -> list[str]:
    lines = machine.ledger(name, at)
    wanted = oracle.sum(name, at)
    found = []
    if not _near(fsum(line.value for line in lines), wanted.total[0]):
        found.append(f"{name} at {show.clock_time(at)}: total {wanted.total[0]}, ledger {lines}")
    for score in oracle.model.scores:
        value = fsum(line.value for line in lines if line.score == score.name)
        if not _near(value, wanted.scores[score.name][0] * score.weight):
            found.append(
                f"{name} at {show.clock_time(at)}: {score.name} {wanted.scores[score.name][0]}, {lines}"
            )
    return found


def _near(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
