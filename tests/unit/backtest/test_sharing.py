"""Sharing out leads, ranges of a file, and weeks."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from random import Random
from zoneinfo import ZoneInfo

import pytest

from scorer.backtest.shares import followed, moves
from scorer.backtest.spill import bucket_of, lines_in, ranges
from scorer.backtest.weeks import DAY, Draw, mondays, week_name
from scorer.domain.calendar import Calendar

BERLIN = Calendar("Europe/Berlin")


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("buckets", [2, 3, 5])
def test_all_ids_of_a_person_come_into_one_bucket(seed: int, buckets: int) -> None:
    rng = Random(seed)
    ids = [b"lead-%d" % number for number in range(60)]
    ties = [(rng.choice(ids), rng.choice(ids)) for _ in range(35)]
    moving = moves(ties, buckets)
    where = {key: moving[bucket_of(key, buckets)].get(key, bucket_of(key, buckets)) for key in ids}
    assert all(where[one] == where[other] for one, other in ties)
    for bucket, gone in enumerate(moving):
        assert all(bucket_of(key, buckets) == bucket != target for key, target in gone.items())
    assert moves(reversed(ties), buckets) == moving


def test_from_one_bucket_nobody_moves() -> None:
    assert moves([(b"a", b"b")], 1) == [{}]


def test_a_lead_is_followed_to_the_end_and_not_in_circles() -> None:
    assert followed({b"a": b"b", b"b": b"c"}, b"a") == b"c"
    assert followed({}, b"a") == b"a"
    assert followed({b"a": b"b", b"b": b"a"}, b"a") in {b"a", b"b"}


@pytest.mark.parametrize("length", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("text", [b"one\ntwo\n\nthree\n", b"one\ntwo\n\nthree", b"\n\n", b"one", b""])
def test_every_line_is_in_one_range(text: bytes, length: int) -> None:
    found = []
    for start, end in ranges(len(text), length):
        at, lines = lines_in(BytesIO(text), start, end)
        for line in lines:
            assert text[at : at + len(line)] == line
            found.append(line)
            at += len(line) + 1
    expected = text.split(b"\n")
    assert found == (expected if expected[-1] else expected[:-1])


def test_mondays_begin_in_the_zone_over_the_change_of_clocks() -> None:
    start, end = _ms("2027-03-20T12:00:00+01:00"), _ms("2027-04-05T00:00:00+02:00")
    local = [
        datetime.fromtimestamp(at / 1000, ZoneInfo("Europe/Berlin")).isoformat()
        for at in mondays(BERLIN, start, end)
    ]
    assert local == [
        "2027-03-22T00:00:00+01:00",
        "2027-03-29T00:00:00+02:00",
        "2027-04-05T00:00:00+02:00",
    ]


def test_weeks_are_named_by_iso_8601() -> None:
    assert week_name(BERLIN.period("week", _ms("2026-12-31T12:00:00+01:00"))) == "2026-W53"
    assert week_name(BERLIN.period("week", _ms("2027-01-03T23:59:59+01:00"))) == "2026-W53"
    assert week_name(BERLIN.period("week", _ms("2027-01-04T00:00:00+01:00"))) == "2027-W01"


def test_every_monday_that_leaves_a_horizon_is_drawn_and_no_other() -> None:
    start, end = _ms("2027-01-01T00:00:00+01:00"), _ms("2027-04-01T00:00:00+02:00")
    draw = Draw(BERLIN, start, end, 30 * DAY)
    assert draw.mondays[0] == _ms("2027-01-04T00:00:00+01:00")
    assert draw.mondays[-1] <= end - 30 * DAY < draw.mondays[-1] + 7 * DAY
    drawn = [draw.of(b"lead-%d" % number) for number in range(2_000)]
    counts = [drawn.count(place) for place in range(len(draw.mondays))]
    assert min(counts) > 150
    assert sum(counts) == 2_000
    assert Draw(BERLIN, start, end, 400 * DAY).of(b"lead") == -1
    assert Draw(BERLIN, 0, 0, DAY).mondays == []
