"""Measuring a process from outside, every system alike: records, processor time and memory over time."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.road import peak_mb, processor_seconds, stolen_since, ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STEADY = (0.20, 0.65)
"""Shares of all records: after the start, and before partitions begin to run dry."""


class Sample(NamedTuple):
    at: float
    """Monotonic, s."""
    records: int
    processor: float
    """Seconds used by the process and its children since they began."""


class Window(NamedTuple):
    events_per_s: float
    processor: float
    """Seconds per million events."""


class Measured(NamedTuple):
    whole: Window
    """From the first record seen processed to the last."""
    steady: Window | None
    """None where the system did not get that far."""
    seconds: float
    records: int
    peak_mb: float
    """Resident, at its highest, the start included."""
    stolen: float
    """The share (0..1) of the processors' time that other machines on the same hardware took meanwhile."""


def measure(
    pids: Sequence[int],
    count: Callable[[], int],
    finished: Callable[[int], bool],
    *,
    total: int,
    facts: float,
    every: float = 0.1,
) -> Measured:
    """Look on until ``finished(count())``.

    ``pids``: the processes whose time and memory count, with all that they start.
    ``total``: records in the log; ``facts``: the share of them that are events.
    ``every``: seconds between two looks. ``finished`` raises what ends it otherwise: a process that ended,
    a deadline.
    """
    samples: list[Sample] = []
    peak, before = 0.0, (0, 0)
    while True:
        records = count()
        done = finished(records)
        if records and (done or not samples or records > samples[-1].records):
            if not samples:
                before = ticks()
            samples.append(Sample(time.monotonic(), records, sum(map(processor_seconds, pids))))
        peak = max(peak, sum(map(peak_mb, pids)))
        if done:
            break
        time.sleep(every)
    first, last = samples[0], samples[-1]
    steady = None
    if last.records >= STEADY[1] * total:
        begin, end = (_at(samples, share * total) for share in STEADY)
        steady = _window(begin, end, facts)
    return Measured(
        whole=_window(first, last, facts),
        steady=steady,
        seconds=last.at - first.at,
        records=last.records,
        peak_mb=peak,
        stolen=stolen_since(before),
    )


def _window(begin: Sample, end: Sample, facts: float) -> Window:
    events = (end.records - begin.records) * facts
    if events <= 0:
        raise RuntimeError("done at the first look: too few events to measure")
    return Window(events / (end.at - begin.at), (end.processor - begin.processor) / events * 1_000_000)


def _at(samples: Sequence[Sample], records: float) -> Sample:
    """Between two looks everything is taken to be even."""
    for before, after in pairwise(samples):
        if before.records <= records <= after.records and after.records > before.records:
            share = (records - before.records) / (after.records - before.records)
            return Sample(
                before.at + share * (after.at - before.at),
                round(records),
                before.processor + share * (after.processor - before.processor),
            )
    return samples[0]  # the first look came late
