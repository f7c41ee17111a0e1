"""A long hunt outside pytest: ``python -m tests.property.hunt --examples 20000 [--imports] [--rules]``.

Prints every seed on which engine and oracle disagree (the first of each kind shrunk), then how much was
compared.
"""

from __future__ import annotations

import argparse
import traceback
from collections import Counter

from tests.property.cases import Case, draw_case
from tests.property.compare import disagreements, told_by_oracle
from tests.property.dice import seeded
from tests.property.shrink import shrink
from tests.property.stories import sensible
from tests.reference.crossing import NearTieError


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--imports", action="store_true")
    parser.add_argument("--rules", action="store_true")
    parser.add_argument("--shrink", type=int, default=5, help="how many disagreements to shrink")
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    for seed in range(options.first, options.first + options.examples):
        case = draw_case(seeded(seed), imports=options.imports, rules=options.rules)
        found = problem(case, seen)
        if not found:
            continue
        print(f"seed {seed}: {found.splitlines()[0]}")
        if options.shrink > 0:
            options.shrink -= 1
            kind = _kind(found)
            small = shrink(case, lambda other, kind=kind: sensible(other.log) and _kind(problem(other)) == kind)
            print(f"{small}{problem(small)}\n", flush=True)
    print(dict(sorted(seen.items())))
    return 1 if seen["disagree"] else 0


def problem(case: Case, seen: Counter[str] | None = None) -> str:
    """What engine and oracle disagree about; empty: nothing."""
    counts = Counter() if seen is None else seen
    try:
        oracle = told_by_oracle(case.log)
    except NearTieError:
        counts["near a tie"] += 1
        return ""
    except (KeyError, TypeError, ValueError):
        return ""  # shrunk to nonsense
    try:
        machine = case.run()
        found = disagreements(oracle, machine)
    except Exception:  # noqa: BLE001 - whatever the engine raises is a finding
        found = ["raised: " + traceback.format_exc()]
    counts["disagree" if found else "agree"] += 1
    for told in oracle.outcomes:
        counts[f"{told.type} by {told.cause}, {'rule' if told.reason != 'score' else 'score'}"] += 1
    return "\n".join(found)


def _kind(found: str) -> str:
    """Coarse enough for shrinking to stay with one disagreement."""
    for word in ("raised", "outcome", "total", "ledger", "clock", "band", "stage"):
        if word in found.partition("\n")[0]:
            return word
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
