"""The engine tells what the reference oracle tells, and its ledger adds up to the oracle's total."""

from __future__ import annotations

import pytest
from hypothesis import assume, event, given, settings

from tests.property.cases import Case, cases
from tests.property.compare import disagreements, told_by_oracle
from tests.reference.crossing import NearTieError

EXAMPLES = max(200, settings().max_examples)


def check(case: Case) -> None:
    try:
        oracle = told_by_oracle(case.log)
    except NearTieError:
        event("nearer to a threshold than doubles can tell")
        assume(False)  # noqa: FBT003 - Hypothesis has no other word for it
        return
    event(f"outcomes: {min(len(oracle.outcomes), 5)}")
    for told in oracle.outcomes:
        event(f"{told.type} by {told.cause}")
    found = disagreements(oracle, case.run())
    if found:
        pytest.fail("\n".join(["oracle first, engine second:", *found]), pytrace=False)


@settings(max_examples=EXAMPLES)
@given(cases())
def test_facts_and_clocks(case: Case) -> None:
    check(case)


@settings(max_examples=EXAMPLES)
@given(cases(rules=True))
def test_rule_sets_that_change_points(case: Case) -> None:
    check(case)


@settings(max_examples=EXAMPLES)
@given(cases(imports=True))
def test_imported_history(case: Case) -> None:
    check(case)
