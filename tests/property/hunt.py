"""A long hunt outside pytest: ``python -m tests.property.hunt --examples 20000 --imports --prices --rules``.

Prints every seed on which engine and oracle disagree (the first few made small), then how much was compared.
"""

from __future__ import annotations

import argparse
from collections import Counter

from tests.property.cases import draw_case
from tests.property.compare import compare, smallest
from tests.property.dice import seeded
from tests.reference.crossing import NearTieError


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--imports", action="store_true")
    parser.add_argument("--prices", action="store_true")
    parser.add_argument("--rules", action="store_true")
    parser.add_argument("--shrink", type=int, default=5, help="how many disagreements to make small")
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    for seed in range(options.first, options.first + options.examples):
        case = draw_case(seeded(seed), imports=options.imports, prices=options.prices, rules=options.rules)
        try:
            verdict = compare(case)
        except NearTieError:
            seen["near a tie"] += 1
            continue
        for told in verdict.oracle.outcomes:
            seen[f"{told.type} by {told.cause}, {'score' if told.reason == 'score' else 'rule'}"] += 1
        seen["disagree" if verdict.found else "agree"] += 1
        if verdict.found:
            say(f"seed {seed}: {verdict.found[0].splitlines()[0]}")
            if seen["disagree"] <= options.shrink:
                say(smallest(case, verdict.kind) + "\n")
    say(dict(sorted(seen.items())))
    return 1 if seen["disagree"] else 0


def say(text: object) -> None:
    print(text, flush=True)  # noqa: T201 - a command talks to its user


if __name__ == "__main__":
    raise SystemExit(main())
