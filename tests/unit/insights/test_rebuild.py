"""Replaying an export gives the tables that the topics gave."""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from scorer.cli import run
from scorer.cli.options import default_rules
from scorer.domain.model import encode_model
from scorer.insights.figures import Asking, Question
from scorer.insights.files import read_only
from scorer.insights.reading import KIND_OF, noted_of, told_of
from scorer.insights.rebuild import rebuild
from scorer.log_lines import Recorded, line_of
from scorer.replay.sources import BadLines, ExportSource
from scorer.rulefile import require
from scorer.wire.registry import LOG
from tests.property import people
from tests.property.people import DAY, LASTS, Log, Said, draw
from tests.property.test_erasure import END, HALF, erase, take_in
from tests.unit.insights.story import Topics
from tests.unit.insights.test_figures import KEY, dump, feed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAYS = (
    ("page.viewed", lambda rng: {"path": "/pricing", "utm.source": rng.choice(("ads", "mail"))}),
    ("email.opened", lambda rng: {"kind": "newsletter"}),
    ("app.trial_started", lambda rng: {"plan": "team", "product": rng.choice(("team", "solo"))}),
    ("booking.created", lambda rng: {"booking_id": str(rng.randrange(9))}),
    ("profile.updated", lambda rng: {"role": rng.choice(("student", "boss", None)), "segment": "b2b"}),
    ("feedback.accepted", lambda rng: {}),
    ("feedback.converted", lambda rng: {}),
    ("feedback.rejected", lambda rng: {"reason": "no budget"}),
)


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "ENCODED", encode_model(require(default_rules())))
    monkeypatch.setattr(people, "SAYS", SAYS)


def scored(seed: int) -> Log:
    """A log of people who are found out to be one, and some of whom are forgotten."""
    rng = random.Random(seed)
    said: list[Said] = draw(rng, 6, 150)
    log = Log(rng)
    numbered = list(enumerate(said, 1))
    take_in(log, [one for one in numbered if one[1].time <= HALF], crashes=False)
    for one in rng.sample(said, 3):
        erase(log, one.lead, HALF + rng.randrange(DAY), blocked=rng.random() < 0.2)
        log.settle()
    late = [(offset + 1_000, one) for offset, one in numbered[:20]]
    take_in(log, sorted(late + [one for one in numbered if one[1].time > HALF]), crashes=False)
    log.settle()
    for day in range(LASTS // DAY // 2, LASTS // DAY + 30):
        log.tick(people.BEGAN + day * DAY)
    log.tick(END + 60 * DAY)
    log.settle()
    return log


def topics_of(log: Log) -> Topics:
    found: Topics = {}
    for number, records in enumerate(log.logs):
        # Every record has its place, so that offsets are the topics'.
        found[LOG, number] = [one for record in records if (one := noted_of(record.key, record.value))]
    for number, life in enumerate(log.lives):
        for outcome in life.partition.outcomes:
            if outcome.topic in KIND_OF:
                told = told_of(outcome.topic, outcome.key, outcome.value)
                assert told is not None
                found.setdefault((outcome.topic, number), []).append(told)
    return found


def exported(log: Log) -> Iterator[bytes]:
    for number, records in enumerate(log.logs):
        for record in records:
            yield line_of(number, Recorded(*record)) + b"\n"


@pytest.mark.parametrize("seed", range(15))
def test_the_same_tables(seed: int, tmp_path: Path) -> None:
    log = scored(seed)
    feed(tmp_path / "fed", topics_of(log), random.Random(seed))
    replay = rebuild(tmp_path / "built", ExportSource(BadLines()).batches(exported(log), lambda _: None), KEY)
    assert not replay.faults
    tables = dump(tmp_path / "fed")
    assert dump(tmp_path / "built") == tables
    kinds = {row[2] for row in tables["outcomes"]}
    assert {"qualified", "stage", "erased"} <= kinds
    if seed == 0:  # not by chance
        assert {"merged", "disqualified"} <= kinds


def test_a_lead_that_the_engine_has_not_made_is_not_created(tmp_path: Path) -> None:
    log = scored(4)
    feed(tmp_path / "fed", topics_of(log), random.Random(1))
    # Who stands for himself in the end, and has never been forgotten or become part of another.
    alive = {
        key.decode(): lead
        for life in log.lives
        for key in {*life.leads, *life.partition.leads}
        if key[0] > 1 and (lead := life.partition.get(key)) is not None and lead.since
    }
    with closing(read_only(tmp_path / "fed")) as connection:
        known = {
            name
            for (name,) in connection.execute(
                "SELECT lead FROM lives WHERE life = person AND lead IS NOT NULL"
            )
        }
        asking = Asking(connection)
        assert known == set(alive)
        standing = sum(
            count for (count,) in connection.execute("SELECT count(*) FROM standing GROUP BY stage")
        )
        assert standing == len(alive)
        created = asking.volume("quarter", Question()).totals[0].created
        assert created.leads >= standing


def test_the_command_replaces_the_file_when_the_new_one_is_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, file = tmp_path / "log.jsonl", tmp_path / "db"
    lines = list(exported(scored(0)))
    path.write_bytes(b"".join(lines))
    assert run(["insights", "rebuild", "--db", str(file), "--export", str(path)]) == 0
    assert f"{len(lines):,} records" in capsys.readouterr().err
    first = figures(file)
    path.write_bytes(b"".join(lines[: len(lines) // 3]))
    assert run(["insights", "rebuild", "--db", str(file), "--export", str(path)]) == 0
    assert figures(file) != first
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("db")] == ["db"]
    path.write_bytes(b'{"specversion":"1.0"}\n')
    assert run(["insights", "rebuild", "--db", str(file), "--export", str(path)]) == 2
    assert "is no export of the lead log" in capsys.readouterr().err


def test_a_rebuild_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    log = scored(1)
    batches = ExportSource(BadLines()).batches
    rebuild(tmp_path / "db", batches(exported(log), lambda _: None), KEY)
    before = dump(tmp_path / "db")

    def broken() -> Iterator[bytes]:
        yield from list(exported(log))[:50]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(tmp_path / "db", ExportSource(BadLines()).batches(broken(), lambda _: None), KEY)
    assert dump(tmp_path / "db") == before
    assert [one.name for one in tmp_path.iterdir()] == ["db"]


def figures(path: Path) -> Any:
    with closing(read_only(path)) as connection:
        return Asking(connection).volume("day", Question())
