"""The engine tells what the reference oracle tells, and its ledger adds up to the oracle's total."""

from __future__ import annotations

from hypothesis import Phase, assume, event, given, settings

from tests.property.cases import Case, cases
from tests.property.compare import compare, smallest
from tests.reference.crossing import NearTieError

EXAMPLES = max(200, settings().max_examples)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without Hypothesis' shrinking: ``smallest`` knows what rules and stories are made of, and is faster."""


def check(case: Case) -> None:
    try:
        verdict = compare(case)
    except NearTieError:
        event("nearer to a threshold than doubles can tell")
        assume(False)
        return
    event(f"outcomes: {min(len(verdict.oracle.outcomes), 5)}")
    for told in verdict.oracle.outcomes:
        event(f"{told.type} by {told.cause}")
    if verdict.found:
        raise AssertionError(smallest(case, verdict.kind))


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(cases())
def test_facts_and_clocks(case: Case) -> None:
    check(case)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(cases(prices=True))
def test_rule_sets_that_change_points(case: Case) -> None:
    check(case)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(cases(rules=True))
def test_rule_sets_that_change_everything(case: Case) -> None:
    check(case)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(cases(imports=True, prices=True))
def test_imported_history(case: Case) -> None:
    check(case)
