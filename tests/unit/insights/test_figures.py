"""The figures are the reference's, in whatever order, pieces and lives of the process they were read."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from scorer.insights.figures import Asking, Question
from scorer.insights.files import read_only
from scorer.insights.pipeline import pipeline, stage_times
from scorer.insights.store import Piece, Store
from scorer.insights.words import DIMENSIONS, KINDS, UNITS
from tests.unit.insights.slow import Slow
from tests.unit.insights.story import Topics, repeated, tell

if TYPE_CHECKING:
    from pathlib import Path

    from scorer.insights.figures import Volume

KEY = b"k" * 16
GROUPS = (None, *DIMENSIONS)


def feed(path: Path, topics: Topics, rng: random.Random) -> None:
    """Topics in turns, a few records at a time; the process ends now and then, in a transaction too."""
    store = Store.open(path, KEY)
    left = [place for place, records in topics.items() if records]
    while left:
        topic, number = rng.choice(left)
        records = topics[topic, number]
        start = store.places(topic).get(number, 0)
        end = min(start + rng.randrange(1, 12), len(records))
        fate = rng.random()
        said: list[Any] = records[start:end]
        if fate < 0.1:
            # Killed before the transaction is committed: something in the midst of it fails.
            with pytest.raises(AttributeError):
                store.add([Piece(topic, number, start, end, [*said, object()])])  # type: ignore[list-item]
        else:
            store.add([Piece(topic, number, start, end, said)])
            if end == len(records):
                left.remove((topic, number))
        if fate < 0.2:
            store.close()
            store = Store.open(path, KEY)
    store.close()


@pytest.mark.parametrize("seed", range(40))
def test_as_the_reference_has_them(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    story = tell(seed)
    zone = rng.choice(("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"))
    feed(tmp_path / "db", repeated(rng, story.topics), rng)
    slow = Slow(story.topics, zone)
    with closing(read_only(tmp_path / "db")) as connection:
        asking = Asking(connection, zone)
        for group in GROUPS:
            question = Question(group=group)
            for by in UNITS:
                found = asking.volume(by, question)
                assert counted(found) == slow.volume(by, group, date.min, date.max)
                assert totals(found) == slow.volume("all", group, date.min, date.max)
                assert {
                    (row.period, row.group): (row.leads, row.converted, row.median_days)
                    for row in asking.cohorts(by, question).rows
                } == slow.cohorts(by, group)
            pipe = pipeline(asking, question)
            assert {(one.stage, one.group): one.leads for one in pipe.standing} == slow.standing(group)
            assert {
                (one.stage, one.following): (one.stays, one.share) for one in pipe.conversions
            } == slow.conversions()
            assert {
                (one.stage, one.group): [
                    (length.stays, length.median, length.ninetieth)
                    for length in (one.completed, one.going_on, one.everything)
                ]
                for one in stage_times(asking, question, story.ends).rows
            } == slow.times(group, story.ends)
        first, last = date(2025, 10, 23), date(2025, 10, 27)
        part = Question(first=first, last=last)
        assert counted(asking.volume("day", part)) == slow.volume("day", None, first, last)


def counted(volume: Volume) -> dict[Any, tuple[int, int]]:
    return _counts(volume.rows)


def totals(volume: Volume) -> dict[Any, tuple[int, int]]:
    return _counts(volume.totals)


def _counts(rows: Any) -> dict[Any, tuple[int, int]]:
    return {
        (row.period, row.group, kind): (one.events, one.leads)
        for row in rows
        for kind in KINDS
        if (one := getattr(row, kind)).events
    }


@pytest.mark.parametrize("seed", range(12))
def test_the_same_rows_in_whatever_order_they_were_read(seed: int, tmp_path: Path) -> None:
    story = tell(seed, leads=6, steps=200)
    dumps = []
    for turn in range(3):
        rng = random.Random(seed * 10 + turn)
        feed(tmp_path / f"db{turn}", repeated(rng, story.topics), rng)
        dumps.append(dump(tmp_path / f"db{turn}"))
    assert dumps[0] == dumps[1] == dumps[2]


LIFE = "hex(lives.digest) || coalesce(lives.ends, '')"
TARGET = "hex(target.digest) || coalesce(target.ends, '')"
TABLES = {
    "lives": f"SELECT {LIFE}, lives.lead, lives.ends, lives.erased_at, {TARGET} FROM lives"
    " JOIN lives AS target ON target.life = lives.person",
    "firsts": f"SELECT {LIFE}, after, at, product, segment, source FROM firsts JOIN lives USING (life)",
    "outcomes": f"SELECT {LIFE}, sequence, kind, at, stage, previous, reason, cause, deal_stage, total, band,"
    f" owner, {TARGET} FROM outcomes JOIN lives USING (life)"
    " LEFT JOIN lives AS target ON target.life = into_life",
    "heard": "SELECT * FROM heard",
    "settings": "SELECT * FROM settings",
}


def dump(path: Path) -> dict[str, list[Any]]:
    """The tables, with lives by what they are instead of by the order in which they were met."""
    with closing(read_only(path)) as connection:
        return {name: sorted(connection.execute(query), key=repr) for name, query in TABLES.items()}
