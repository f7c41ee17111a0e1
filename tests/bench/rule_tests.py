"""How much of the default rules their own tests hold fast."""

from __future__ import annotations

from pathlib import Path

from scorer.rulefile import require
from scorer.ruletests import load
from scorer.ruletests.mutation import mutants, noticed
from tests.bench.figures import report, tell

RULES = Path(__file__).parents[2] / "rules" / "default.yaml"


def mutants_caught() -> None:
    """``rule_mutants_caught_ratio``."""
    suite = load(RULES.with_name("default.test.yaml")).suite
    if suite is None:
        raise RuntimeError("the tests of the default rules have mistakes")
    changes = list(mutants(require(RULES)))
    missed = [change.what for change in changes if not noticed(change, suite.tests)]
    tell(f"{len(changes)} changes of the default rules; not noticed: {', '.join(missed) or 'none'}")
    report("rule_mutants_caught_ratio", round(1 - len(missed) / len(changes), 3), "")
