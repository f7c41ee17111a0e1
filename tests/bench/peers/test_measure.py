"""Windows of a measurement, from looks at a process that is not there to be looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.bench.peers import measure as m


def at_an_even_pace(records: int, step: int) -> Iterator[int]:
    yield 0
    yield from range(step, records + 1, step)


def test_rate_processor_and_memory_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, used, counts = iter(range(1000)), iter(range(0, 3000, 3)), at_an_even_pace(2_000, 100)
    monkeypatch.setattr(m.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(m.time, "sleep", lambda _: None)
    monkeypatch.setattr(m, "processor_seconds", lambda _: next(used))
    measured = m.measure([os.getpid()], lambda: next(counts), lambda n: n >= 2_000, total=2_000, facts=0.5)
    # A hundred records, of which 50 are events, for each second and three of processor time.
    assert measured.whole == pytest.approx((50, 60_000))
    assert measured.steady == pytest.approx((50, 60_000))
    assert (measured.seconds, measured.records) == (19, 2_000)
    assert measured.peak_mb > 10


def test_who_stops_early_has_no_steady_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m.time, "sleep", lambda _: None)
    counts = at_an_even_pace(2_000, 100)
    measured = m.measure([os.getpid()], lambda: next(counts), lambda n: n >= 600, total=2_000, facts=1.0)
    assert measured.steady is None
    assert measured.records == 600


def test_a_single_look_measures_nothing() -> None:
    with pytest.raises(RuntimeError, match="too few"):
        m.measure([os.getpid()], lambda: 7, lambda n: n >= 7, total=7, facts=1.0)
