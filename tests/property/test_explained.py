"""An explanation of any lead at any past instant is the oracle's, who stopped reading there."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from math import fsum, isclose

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from scorer.domain.explaining import FORESEEN, Explanation
from scorer.domain.lifecycle import LIFECYCLE, STAGES
from scorer.explain.past import Nobody, in_replay
from scorer.log_lines import Recorded
from scorer.replay import Replay
from scorer.replay.sources import Batch
from tests.property.cases import Case, cases
from tests.property.machine import messages
from tests.property.test_oracle import EXAMPLES, PHASES
from tests.reference.crossing import NearTieError
from tests.reference.log import About, Entry, ReadThrough
from tests.reference.oracle import Oracle
from tests.reference.points import clamp, grants, worth
from tests.reference.told import ROUNDING, milliseconds

AHEAD = 400 * 86_400_000


def known_at(log: list[Entry], until: int) -> Oracle:
    """The oracle, which has read what the system had when its clock stood at ``until`` or before."""
    reading, end = Oracle(), len(log)
    for place, entry in enumerate(log):
        reading.apply(entry)
        if reading.clock > until or (isinstance(entry, About) and entry.fact.received > until):
            end = place
            break
    oracle = Oracle()
    for entry in log[:end]:
        oracle.apply(entry)
    if oracle.clock:  # and then time alone goes on
        oracle.apply(ReadThrough(dict.fromkeys(oracle.doors, until + oracle.model.grace)))
    return oracle


def explained(log: list[Entry], chunks: list[int], until: int) -> Replay:
    replay = Replay(until=until)
    records = [Recorded(one.offset, one.key, one.value) for one in messages(log)]
    batches = []
    for start, end in zip([0, *chunks], [*chunks, len(records)], strict=True):
        batch = Batch()
        for record in records[start:end]:
            batch.add(0, record)
        batches.append(batch)
    for _ in replay.run(batches):
        pass
    return replay


def by_rule(oracle: Oracle, lead: str, at: int) -> dict[str, float]:
    """Rule -> points, weighted, as the rule's cap lets them be; the clamps of scores and total aside."""
    model, found = oracle.model, oracle.leads[lead]
    weights = {score.name: score.weight for score in model.scores}
    made = grants(model, found)
    values: dict[str, float] = defaultdict(float)
    for award in model.awards:
        value = fsum(worth(model, award, one, at) for one in made if one.rule == award.id)
        if award.cap is not None:
            limits = (award.cap, None) if award.cap >= 0 else (None, award.cap)
            value = clamp((value, value), *limits)[0]
        values[award.id] += value * weights[award.score]
    for rule in model.standings:
        if rule.id in found.standing:
            values[rule.id] += rule.points * weights[rule.score]
    return values


def near(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def check(oracle: Oracle, lead: str, found: Explanation, until: int) -> None:
    known = oracle.leads[lead]
    at = milliseconds(found.at)
    assert at == max(known.clock, until)
    wanted = oracle.sum(lead, at)
    assert near(found.total, wanted.total[0])
    assert near(fsum(line.points for line in found.ledger), wanted.total[0])
    assert found.parts.keys() == wanted.scores.keys()
    assert all(near(value, wanted.scores[name][0]) for name, value in found.parts.items())
    rules = by_rule(oracle, lead, at)
    lines: dict[str, float] = defaultdict(float)
    for line in found.ledger:
        lines[line.rule] += line.points
    clamps = {"cap", "floor"}
    assert all(near(lines[rule], rules[rule]) for rule in (lines.keys() | rules.keys()) - clamps)
    assert (found.stage, found.machine_opens) == (known.stage, known.machines)
    assert found.lifecycle == (LIFECYCLE[STAGES.index(known.stage)] if oracle.model.staged else None)
    assert found.sequence == sum(one.lead == lead for one in oracle.outcomes)


def check_next(oracle: Oracle, lead: str, found: Explanation, until: int) -> None:
    """What time alone does: what the oracle tells if it hears nothing but the clock."""
    later = deepcopy(oracle)
    before = len(later.outcomes)
    end = until + AHEAD + 3 * 86_400_000
    later.apply(ReadThrough(dict.fromkeys(later.doors, end)))
    told = [one for one in later.outcomes[before:] if one.lead == lead]
    for wanted, coming in zip(told, found.next, strict=False):
        assert (coming.type, milliseconds(coming.time), coming.reason) == (
            wanted.type,
            wanted.time,
            wanted.reason,
        )
        assert isclose(coming.total, wanted.total, abs_tol=ROUNDING)
    assert len(found.next) == min(len(told), FORESEEN)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(cases(rules=True, imports=True), st.data())
def test_a_past_instant(case: Case, data: st.DataObject) -> None:
    times = sorted({time for one in case.log if isinstance(one, ReadThrough) for time in one.times.values()})
    assume(times)
    until = data.draw(st.sampled_from(times)) + data.draw(st.sampled_from([-1, 0, 1, 1_500, 40_000_000]))
    chunks = sorted(data.draw(st.sets(st.integers(1, len(case.log)), max_size=3)))
    try:
        oracle = known_at(case.log, until)
        replay = explained(case.log, chunks, until)
        names = {one.lead for one in case.log if hasattr(one, "lead")}
        for lead in sorted(names):
            found = in_replay(replay, lead, until)
            if lead not in oracle.leads:
                assert isinstance(found, Nobody)
                event("not yet")
                continue
            assert isinstance(found, Explanation)
            check(oracle, lead, found, until)
            event(f"foreseen: {len(found.next)}")
            if found.next and oracle.doors and not oracle.imports:
                check_next(oracle, lead, found, until)
    except NearTieError:
        event("nearer to a threshold than doubles can tell")
        assume(False)
