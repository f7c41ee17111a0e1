"""Rule files as texts, and stories: engine and oracle agree. ``pairs`` runs many more."""

from __future__ import annotations

import pytest

from scorer.domain.model import Model
from scorer.rulefile import loads
from tests.property.pairs import counts, draw_pair, judge, kept_seeds
from tests.reference.crossing import NearTieError
from tests.reference.log import Entry, InForce


@pytest.mark.parametrize("first", range(0, 200, 25))
def test_engine_and_oracle_agree(first: int) -> None:
    agreed = 0
    for seed in range(first, first + 25):
        pair = draw_pair(seed)
        try:
            verdict = judge(pair)
        except NearTieError:
            continue
        assert verdict.found == [], f"seed {seed}\n{pair.text}"
        agreed += counts(pair, verdict)
    assert agreed >= 15, "most pairs are too small to count"


def test_seeds_that_once_disagreed() -> None:
    for seed in kept_seeds():
        pair = draw_pair(seed)
        assert judge(pair).found == [], f"seed {seed}\n{pair.text}"


def test_a_fault_in_the_file_is_found() -> None:
    """The comparison can fail: one number of a file is changed, and some story notices."""
    noticed = 0
    for seed in range(30):
        pair = draw_pair(seed)
        other = loads(pair.text.replace("points: ", "points: 1", 1)).model
        if other is None:
            continue
        changed = pair._replace(case=pair.case.but(log=[_with(entry, other) for entry in pair.case.log]))
        try:
            noticed += bool(judge(changed).found)
        except NearTieError:
            continue
    assert noticed > 5


def _with(entry: Entry, model: Model) -> Entry:
    return InForce(entry.version, model, entry.announce) if isinstance(entry, InForce) else entry
