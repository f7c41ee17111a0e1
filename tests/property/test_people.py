"""However late, and in whatever order it is found out who is who: one person is one lead, and its score is
what somebody would have computed who knew it from the start.
"""

from __future__ import annotations

import random

import pytest

from scorer.domain.reading import parts
from tests.property.people import BEGAN, DAY, LASTS, draw, tell, truth

SEEDS = 150
END = BEGAN + LASTS + DAY


@pytest.mark.parametrize("seed", range(SEEDS))
def test_one_person_is_one_lead(seed: int) -> None:
    rng = random.Random(seed)
    said = draw(rng, rng.randrange(1, 6), rng.randrange(5, 80))
    log, right = tell(rng, said), truth(said)
    for person in {one.person for one in said}:
        ids = {one for story in said if story.person == person for one in (story.lead, *story.others)}
        found = {log.lead(one)[0] for one in ids}
        named = {one for story in said if story.person == person for one in story.others}
        if len(ids) > 1 and not named:
            continue  # never named together
        assert len(found) == 1, (person, found)
        lead = log.lead(found.pop())[1]
        wanted = right.lead(f"person-{person}".encode())[1]
        assert lead is not None
        assert wanted is not None
        rules = right.lives[0].partition.rules
        assert parts(rules, lead, END) == pytest.approx(parts(rules, wanted, END), abs=1e-6)
        assert lead.attributes == wanted.attributes
        assert lead.newest == wanted.newest
