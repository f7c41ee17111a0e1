"""Recorded events through one or two rule files, on several processes; ``Material`` is what comes of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate, chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from msgspec.structs import replace

from scorer.backtest.gathered import Gathered
from scorer.backtest.lives import Lives
from scorer.backtest.people import People
from scorer.backtest.processes import Step, run_all
from scorer.backtest.shares import followed, moves
from scorer.backtest.sharing import live_all
from scorer.backtest.spill import BUCKET, MOST_BUCKETS, RANGE, RangeTaken, Spill, ranges, spilled
from scorer.backtest.weeks import Draw
from scorer.domain.calendar import Calendar
from scorer.domain.model import decode_model, encode_model
from scorer.event_lines import EventLines
from scorer.replay.sources import BadLine
from scorer.settings import from_environment
from scorer.wire.identity import identity_of

Bar = Callable[[str, int], AbstractContextManager[Step]]
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


class Share(NamedTuple):
    """What there is to know of one share of the people."""

    files: list[Gathered]
    """Per rule file."""
    conversions: dict[bytes, int]
    """Lead id, as the event had it -> ms of its first conversion."""
    bad: list[BadLine]
    """Lines without a time before any that had one."""


class _TakeIn(NamedTuple):
    path: Path
    folder: Path
    number: int
    jobs: int
    ranges: list[tuple[int, int]]
    """Of the file. Neighbours go to different processes, so that all are busy until the end."""
    buckets: int


class _Move(NamedTuple):
    folder: Path
    number: int
    jobs: int
    moves: list[dict[bytes, int]]
    """Of every bucket; empty for those of other processes."""


class _Live(NamedTuple):
    models: list[bytes]
    draw: Draw
    end: int
    folder: Path
    number: int
    jobs: int
    moves: list[dict[bytes, int]]
    length: int
    clocks: list[int]
    first_lines: list[int]


def backtest_events(
    path: Path,
    models: Sequence[bytes],
    horizon: int,
    jobs: int,
    bar: Bar,
    until: int = 0,
    length: int = RANGE,
    bucket: int = BUCKET,
) -> Material:
    """Door messages in a file. ``horizon``: ms; ``until``: ms to which time goes on after the last message.

    ``length``: bytes of the file that are taken in at once; ``bucket``: whose people are in memory at once.

    Raises ``UserError``.
    """
    with TemporaryDirectory(prefix="scorer-backtest-") as name:
        folder, size = Path(name), path.stat().st_size
        pieces = ranges(size, length)
        buckets = min(-(-size // (bucket * jobs)) * jobs, MOST_BUCKETS)
        with bar("reading", len(pieces)) as step:
            work = [
                _TakeIn(path, folder, number, jobs, pieces[number::jobs], buckets) for number in range(jobs)
            ]
            taken = sorted(
                (one for several in run_all(_take_in, work, step) for one in several),
                key=lambda one: one.number,
            )
        moving = moves((tie for one in taken for tie in one.ties), buckets)
        shared = [
            [one if place % jobs == number else {} for place, one in enumerate(moving)]
            for number in range(jobs)
        ]
        if any(moving):
            with bar("sorting", buckets) as step:
                run_all(_move, [_Move(folder, number, jobs, shared[number]) for number in range(jobs)], step)
        start = next((one.first for one in taken if one.first), 0)
        end = max([until, *(one.clock for one in taken)])
        draw = Draw(calendar_of(models[0]), start, end, horizon)
        clocks = list(accumulate((one.clock for one in taken), max, initial=0))
        first_lines = list(accumulate((one.lines for one in taken), initial=0))
        with bar("scoring", buckets) as step:
            shares = run_all(
                _live,
                [
                    _Live(
                        [without_accounts(model) for model in models],
                        draw,
                        end,
                        folder,
                        number,
                        jobs,
                        shared[number],
                        length,
                        clocks,
                        first_lines,
                    )
                    for number in range(jobs)
                ],
                step,
            )
    return _material(models, taken, first_lines, shares, draw, start, end)


def _take_in(one: _TakeIn, step: Step) -> list[RangeTaken]:
    spill, events = Spill(one.folder, f"taken-{one.number}", one.buckets), _events()
    found = []
    with one.path.open("rb") as file:
        for nth, (start, end) in enumerate(one.ranges):
            found.append(spill.take(events, file, nth * one.jobs + one.number, start, end))
            step(1)
    return found


def _move(one: _Move, step: Step) -> None:
    spill = Spill(one.folder, f"moved-{one.number}", len(one.moves))
    for bucket in range(one.number, len(one.moves), one.jobs):
        if one.moves[bucket]:
            for data in spilled(one.folder, bucket, "taken", one.jobs):
                spill.move(data, one.moves[bucket])
        step(1)


def _live(one: _Live, step: Step) -> Share:
    calendar = calendar_of(one.models[0])
    people = People(_events(), one.length, one.clocks, one.first_lines)
    lives = [Lives(model, one.draw, calendar, one.end) for model in one.models]
    conversions: dict[bytes, int] = {}
    for bucket in range(one.number, len(one.moves), one.jobs):
        parts = (spilled(one.folder, bucket, name, one.jobs) for name in ("taken", "moved"))
        live_all(people.sort(chain.from_iterable(parts), one.moves[bucket]), lives, one.draw, conversions)
        step(1)
    return Share([life.gathered for life in lives], conversions, people.bad)


def _events() -> EventLines:
    return EventLines(identity_of(from_environment(os.environ)))


def calendar_of(model: bytes) -> Calendar:
    return Calendar(decode_model(model).time_zone)


def _material(
    models: Sequence[bytes],
    taken: Sequence[RangeTaken],
    first_lines: Sequence[int],
    shares: Sequence[Share],
    draw: Draw,
    start: int,
    end: int,
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
        draw,
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
