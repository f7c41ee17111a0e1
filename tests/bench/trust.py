"""Whether numbers can be trusted: ``explain_mismatches``, ``rule_change_mismatches``, by the oracle."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.domain.explaining import Explanation
from scorer.explain.past import in_replay
from scorer.settings import Settings
from tests.bench.figures import report, tell
from tests.bench.road import benchmark_kafka
from tests.integration.rule_changing import run, run_rebuild
from tests.property.cases import draw_case
from tests.property.dice import Dice
from tests.property.test_explained import check, explained, known_at
from tests.reference.crossing import NearTieError
from tests.reference.log import ReadThrough

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.property.cases import Case

PAIRS = 1_000
SEED = 2_026


def explain_mismatches() -> None:
    """Explanations of drawn leads at drawn instants, under drawn rules that change, beside the oracle's."""
    rng = random.Random(SEED)
    pairs = wrong = 0
    for case, until in _cases(rng):
        try:
            oracle = known_at(case.log, until)
        except NearTieError:  # doubles can't decide that one
            continue
        if not oracle.leads:
            continue
        lead = rng.choice(sorted(oracle.leads))
        found = in_replay(explained(case.log, [], until), lead, until)
        try:
            assert isinstance(found, Explanation)
            check(oracle, lead, found, until)
        except AssertionError as error:
            wrong += 1
            tell(f"{lead} at {until}: {error}")
        pairs += 1
        if pairs == PAIRS:
            break
    tell(f"{pairs:,} pairs of a lead and an instant, each in a history of its own")
    report("explain_mismatches", wrong, "ledgers")


def _cases(rng: random.Random) -> Iterator[tuple[Case, int]]:
    while True:
        case = draw_case(Dice(rng.randrange), imports=True, rules=True)
        times = [time for one in case.log if isinstance(one, ReadThrough) for time in one.times.values()]
        if times:
            yield case, rng.choice(times) + rng.choice((-1, 0, 1, 1_500, 40_000_000))


def rule_change_mismatches() -> None:
    """Six changes in each of 24 partitions, and one of all with its past; workers are killed meanwhile."""
    with benchmark_kafka() as bootstrap, tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        settings = [
            Settings(bootstrap=bootstrap, topic_prefix=prefix, checkpoint_interval=0.2)
            for prefix in ("rules.", "rebuilt.")
        ]
        changed = run(settings[0], Path(folder, "rules"), partitions=24, facts=400, seed=SEED)
        rebuilt = run_rebuild(settings[1], Path(folder, "rebuilt"), partitions=24, facts=400, seed=SEED)
    mismatches = changed.mismatches + rebuilt.mismatches
    for mismatch in mismatches[:5]:
        tell(mismatch)
    policies = ", ".join(f"{count} times {policy}" for policy, count in sorted(changed.changes.items()))
    tell(
        f"{changed.leads} leads, {changed.outcomes} outcomes, {changed.kills} workers killed at work; rules"
        f" changed and announced {policies}: {changed.silent} outcomes less than if all had been"
    )
    tell(
        f"{rebuilt.leads} leads, {rebuilt.outcomes} outcomes, {rebuilt.kills} workers killed at work; rules"
        f" rebuilt, {rebuilt.again} leads told their past once more"
    )
    report("rule_change_mismatches", len(mismatches), "leads")
