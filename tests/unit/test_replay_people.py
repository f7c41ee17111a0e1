"""Replay of a log in which leads have become one: by the log's own rules, and by others."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from scorer.domain.model import Fixed, encode_model
from scorer.domain.reading import parts
from scorer.log_lines import Recorded, line_of
from scorer.replay import Replay
from scorer.replay.sources import BadLines, ExportSource
from tests.property import people
from tests.property.people import Log, draw, tell, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER = msgspec.structs.replace(
    people.MODEL,
    awards=tuple(
        msgspec.structs.replace(award, points=Fixed(4.25)) if award.id == "page" else award
        for award in people.MODEL.awards
        if award.id != "plan"
    ),
)


def exported(log: Log) -> Iterator[bytes]:
    """Partition after partition, as `scorer log export` writes it."""
    for number, records in enumerate(log.logs):
        for record in records:
            yield line_of(number, Recorded(*record)) + b"\n"


def replayed(log: Log, model: bytes | None = None, leave_out: int = -1) -> Replay:
    bad = BadLines()
    source = ExportSource(bad, model)
    lines = [line for line in exported(log) if b'"partition":%d,' % leave_out not in line]
    replay = Replay()
    for _ in replay.run(source.batches(lines, lambda _: None)):
        pass
    assert not bad.count
    return replay


@pytest.mark.parametrize("seed", range(30))
def test_by_its_own_rules_it_ends_as_the_workers_did(seed: int) -> None:
    rng = random.Random(seed)
    log = tell(rng, draw(rng, 4, 60))
    wanted = {
        key.decode(): lead.masses
        for life in log.lives
        for key in {*life.leads, *life.partition.leads}
        if (lead := life.partition.get(key)) is not None and lead.since
    }
    assert {one.lead_id: one.lead.masses for one in replayed(log).standings()} == wanted


@pytest.mark.parametrize("seed", range(30))
def test_by_other_rules_it_ends_as_if_these_had_been_in_force(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    said = draw(rng, 4, 60)
    log = tell(rng, said)
    replay = replayed(log, encode_model(OTHER))
    assert replay.held == []
    monkeypatch.setattr(people, "ENCODED", encode_model(OTHER))
    right = truth(said)
    rules = right.lives[0].partition.rules
    at = people.BEGAN + people.LASTS + people.DAY
    found = {one.lead_id: parts(rules, one.lead, at) for one in replay.standings()}
    for one in said:
        person = right.lead(f"person-{one.person}".encode())[1]
        lead = log.lead(one.lead)[0].decode()
        assert person is not None
        links = log.lead(one.lead)[1]
        if links is not None and links.links is not None and not links.links.refused:
            assert found[lead] == pytest.approx(parts(rules, person, at), abs=1e-6)


def test_a_partition_that_is_missing_holds_others_up_and_is_told_of() -> None:
    rng = random.Random(3)
    log = tell(rng, draw(rng, 5, 60))
    assert replayed(log, encode_model(OTHER), leave_out=1).held
