"""Recorded events through one or two rule files, on several processes; ``Material`` is what comes of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from msgspec.structs import replace

from scorer.backtest.gathered import Gathered
from scorer.backtest.processes import Step, run_all
from scorer.backtest.shares import exceptions, followed
from scorer.backtest.sharing import Share, Sharing
from scorer.backtest.spill import RANGE, RangeTaken, Segment, Spill, ranges
from scorer.backtest.weeks import Draw
from scorer.domain.calendar import Calendar
from scorer.domain.model import decode_model, encode_model
from scorer.event_lines import EventLines
from scorer.replay.sources import BadLine
from scorer.settings import from_environment
from scorer.wire.identity import identity_of

Bar = Callable[[str, int], AbstractContextManager[Step]]
CACHE = 100_000
"""Leads kept decoded, by all processes and rule files together; some 3.5 KB each."""
SHOWN = 10


class Material(NamedTuple):
    """What all figures are made of."""

    models: list[bytes]
    files: list[Gathered]
    """Per rule file; leads are those that stand for themselves."""
    conversions: dict[bytes, int]
    """Lead -> ms of its first conversion."""
    draw: Draw
    start: int
    end: int
    """Of the data, ms."""
    records: int
    """Lines, or log records, that were used."""
    bad: list[BadLine]
    """The first of the lines that were not."""
    reasons: Counter[str]
    notes: list[str]


class _TakeIn(NamedTuple):
    path: Path
    folder: Path
    number: int
    shares: int
    ranges: list[tuple[int, int]]
    """Of the file. Neighbours go to different processes, so that all are busy until the end."""


class _Apply(NamedTuple):
    models: list[bytes]
    start: int
    end: int
    horizon: int
    ranges: list[list[Segment]]
    clocks: list[int]
    first_lines: list[int]
    elsewhere: dict[bytes, int]
    until: int
    number: int
    shares: int
    cache: int


def backtest_events(
    path: Path,
    models: Sequence[bytes],
    horizon: int,
    jobs: int,
    bar: Bar,
    until: int = 0,
    length: int = RANGE,
) -> Material:
    """Door messages in a file. ``horizon``: ms; ``until``: ms to which time goes on after the last message.

    ``length``: bytes of the file that are taken in at once.

    Raises ``UserError``.
    """
    with TemporaryDirectory(prefix="scorer-backtest-") as folder:
        pieces = ranges(path.stat().st_size, length)
        with bar("reading", len(pieces)) as step:
            work = [_TakeIn(path, Path(folder), number, jobs, pieces[number::jobs]) for number in range(jobs)]
            taken = sorted(
                (one for several in run_all(_take_in, work, step) for one in several),
                key=lambda one: one.number,
            )
        start = next((one.first for one in taken if one.first), 0)
        end = max([until, *(one.clock for one in taken)])
        clocks = list(accumulate((one.clock for one in taken), max, initial=0))
        first_lines = list(accumulate((one.lines for one in taken), initial=0))
        segments = [one.segments for one in taken]
        elsewhere = exceptions((tie for one in taken for tie in one.ties), jobs)
        with bar("scoring", len(taken) * jobs) as step:
            apply = [
                _Apply(
                    [without_accounts(model) for model in models],
                    start,
                    end,
                    horizon,
                    segments,
                    clocks[:-1],
                    first_lines[:-1],
                    elsewhere,
                    end,
                    number,
                    jobs,
                    CACHE // jobs // len(models),
                )
                for number in range(jobs)
            ]
            shares = run_all(_apply, apply, step)
    return _material(models, taken, first_lines, shares, start, end, horizon)


def _take_in(one: _TakeIn, step: Step) -> list[RangeTaken]:
    spill = Spill(_events(), one.folder, f"from-{one.number}", one.shares)
    found = []
    with one.path.open("rb") as file:
        for nth, (start, end) in enumerate(one.ranges):
            found.append(spill.take(file, nth * one.shares + one.number, start, end))
            step(1)
    return found


def _apply(one: _Apply, step: Step) -> Share:
    draw = Draw(calendar_of(one.models[0]), one.start, one.end, one.horizon)
    sharing = Sharing(one.models, draw, _events(), one.number, one.shares, one.cache)
    return sharing.run(one.ranges, one.clocks, one.first_lines, one.elsewhere, one.until, step)


def _events() -> EventLines:
    return EventLines(identity_of(from_environment(os.environ)))


def calendar_of(model: bytes) -> Calendar:
    return Calendar(decode_model(model).time_zone)


def _material(
    models: Sequence[bytes],
    taken: Sequence[RangeTaken],
    first_lines: Sequence[int],
    shares: Sequence[Share],
    start: int,
    end: int,
    horizon: int,
) -> Material:
    reasons: Counter[str] = Counter()
    bad: list[BadLine] = [line for share in shares for line in share.bad]
    for line in bad:
        reasons[line.reason] += 1
    late = len(bad)
    for one, before in zip(taken, first_lines, strict=False):
        reasons.update(one.reasons)
        bad += [BadLine(before + line.number, line.reason, line.detail) for line in one.bad]
    files = [Gathered.joined([share.files[number] for share in shares]) for number in range(len(models))]
    conversions: dict[bytes, int] = {}
    for share in shares:
        conversions.update(share.conversions)
    return Material(
        list(models),
        [standing(one) for one in files],
        resolved(conversions, files[0]),
        Draw(calendar_of(models[0]), start, end, horizon),
        start,
        end,
        sum(one.accepted for one in taken) - late,
        sorted(bad)[:SHOWN],
        reasons,
        notes_of(files),
    )


def without_accounts(model: bytes) -> bytes:
    """A company's score changes nothing about its people's, and its people may be in different shares."""
    return encode_model(replace(decode_model(model), accounts=None))


def resolved(times: dict[bytes, int], by: Gathered) -> dict[bytes, int]:
    """Times (ms) of leads, by what they have become part of in the end; the earliest counts."""
    found: dict[bytes, int] = {}
    for lead, at in times.items():
        final = followed(by.moved, lead)
        if final not in by.forgotten:
            found[final] = min(at, found.get(final, at))
    return found


def standing(one: Gathered) -> Gathered:
    """First announcements by what the leads have become part of; without those who have been forgotten."""
    one.qualified = resolved(one.qualified, one)
    return one


def notes_of(files: Sequence[Gathered]) -> list[str]:
    """What makes the figures less than whole."""
    notes = []
    for one in files:
        if one.faults:
            notes.append(f"the engine failed at {one.faults:,} records and passed over them")
        if one.dead:
            notes.append(f"{one.dead:,} log records are dead letters")
    return list(dict.fromkeys(notes))
