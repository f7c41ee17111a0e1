"""How a log is read changes nothing: chunks, restarts, sweeps, other leads. Outcomes byte for byte."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings

from scorer.domain.lead import decode_lead, stored
from scorer.domain.record import NO_DOOR, Fact
from tests.property.cases import Case, cases
from tests.property.machine import Machine
from tests.reference.log import About, Entry

EXAMPLES = max(100, settings().max_examples)
EVERYTHING = cases(imports=True, rules=True)


def told(machine: Machine) -> dict[str, list[bytes]]:
    """Each lead's outcomes as they were written, in sequence."""
    found: dict[str, list[bytes]] = {}
    for outcome, value in zip(machine.outcomes, machine.told, strict=True):
        found.setdefault(outcome.lead, []).append(value)
    return found


def leads(machine: Machine) -> dict[bytes, tuple[Any, ...]]:
    return {key: stored(decode_lead(encoded)) for key, encoded in machine.store.items()}


def points(machine: Machine, lead: str) -> list[tuple[str, str, float]]:
    found = machine.partition.get(lead.encode())
    assert found is not None
    return [(line.rule, line.detail, line.value) for line in machine.ledger(lead, found.clock)]


@settings(max_examples=EXAMPLES)
@given(EVERYTHING)
def test_chunks_change_nothing(case: Case) -> None:
    whole = Machine().run(case.log)
    pieces = Machine().run(case.log, list(range(1, len(case.log))))
    assert pieces.told == whole.told
    assert leads(pieces) == leads(whole)
    assert pieces.timers == whole.timers


@settings(max_examples=EXAMPLES)
@given(EVERYTHING)
def test_restarts_change_nothing(case: Case) -> None:
    whole = Machine().run(case.log, case.cuts)
    restarted = Machine().run(case.log, list(range(1, len(case.log))), restart=True)
    assert restarted.told == whole.told
    assert leads(restarted) == leads(whole)
    assert restarted.timers == whole.timers


@settings(max_examples=EXAMPLES)
@given(EVERYTHING)
def test_sweeps_change_nothing_but_when_it_is_told(case: Case) -> None:
    last = Machine().run(case.log).sweep()
    always = Machine().run(case.log, list(range(1, len(case.log))), sweep=True).sweep()
    assert told(always) == told(last)
    for lead in last.store:
        assert points(always, lead.decode()) == points(last, lead.decode())


@settings(max_examples=EXAMPLES)
@given(EVERYTHING)
def test_another_lead_changes_nothing(case: Case) -> None:
    alone = Machine().run(case.log).sweep()
    together = Machine().run(_with_a_stranger(case.log)).sweep()
    assert {lead: of for lead, of in told(together).items() if lead != "stranger"} == told(alone)
    for lead in alone.store:
        assert points(together, lead.decode()) == points(alone, lead.decode())


def _with_a_stranger(log: list[Entry]) -> list[Entry]:
    """Every fact happens to a stranger as well, a year ago."""
    found: list[Entry] = []
    for entry in log:
        found.append(entry)
        if isinstance(entry, About):
            found.append(About("stranger", _a_year_ago(entry.fact)))
    return found


def _a_year_ago(fact: Fact) -> Fact:
    return msgspec.structs.replace(fact, door=NO_DOOR, offset=-1, time=fact.time - 365 * 86_400_000)
