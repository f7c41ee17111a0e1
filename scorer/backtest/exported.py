"""A log export through one or two rule files, one process each: leads of all partitions may be one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from scorer.backtest.gathered import Gathered
from scorer.backtest.processes import Step, run_all
from scorer.backtest.running import (
    SHOWN,
    Bar,
    Material,
    calendar_of,
    notes_of,
    resolved,
    standing,
    without_accounts,
)
from scorer.backtest.sharing import is_conversion, note_conversion
from scorer.backtest.watching import Watch
from scorer.backtest.weeks import Draw
from scorer.domain.calendar import Calendar
from scorer.domain.partition import NO_RECORD, LogPartition
from scorer.domain.record import Clock, Doors, Fact, Rules, decode_record
from scorer.domain.state import PartitionState
from scorer.errors import UserError
from scorer.log_lines import decode_line, recorded_of
from scorer.replay import Replay
from scorer.replay.machine import Machine
from scorer.replay.sources import BadLine, BadLines, Batch, ExportSource, lines_of

_NO_KEY = b'"key":null'
"""What the line of a control record has, as ``line_of`` writes it: such lines are decoded beforehand."""


CACHE = 100_000
"""Leads kept decoded, by all processes and rule files together; some 3.5 KB each."""


class Survey(NamedTuple):
    """What has to be known before the first record is applied."""

    model: bytes
    """The newest rules in the log; empty where there are none."""
    start: int
    """When the first fact was received, ms."""
    end: int
    """How far the doors had been read on all partitions, ms."""
    partitions: int


class _Given(NamedTuple):
    path: Path
    model: bytes | None
    """None: the rules in the log."""
    calendar: bytes
    """The model whose time zone counts."""
    survey: Survey
    horizon: int
    cache: int


class _Replayed(NamedTuple):
    gathered: Gathered
    conversions: dict[bytes, int]
    records: int
    bad: list[BadLine]
    reasons: Counter[str]
    notes: list[str]


def survey(path: Path) -> Survey:
    """Of a file whose lines are an export's; lines that are none are passed over."""
    partitions: dict[int, LogPartition] = {}
    model, version, start = b"", 0, 0
    with path.open("rb") as file:
        for text in lines_of(file):
            if start and _NO_KEY not in text:
                continue
            try:
                line = decode_line(text)
                recorded = recorded_of(line)
                record = decode_record(recorded.value or b"")
            except (ValueError, OverflowError, *NO_RECORD):
                continue
            if isinstance(record, Rules):
                if record.version > version:
                    model, version = record.model, record.version
            elif isinstance(record, Clock | Doors):
                if line.partition not in partitions:
                    partitions[line.partition] = LogPartition(PartitionState(), {}, _nobody)
                partitions[line.partition].apply([recorded])
            elif isinstance(record, Fact) and not start:
                start = record.received
    end = min((one.state.clock for one in partitions.values()), default=0)
    return Survey(model, start, end, len(partitions))


def _nobody(_: bytes) -> None:
    """No lead is read beforehand."""


def backtest_export(
    path: Path, today: bytes | None, change: bytes | None, horizon: int, jobs: int, bar: Bar
) -> Material:
    """``today``: encoded; None: the rules in the log. ``change``: None: there is no change.

    ``horizon``: ms. Raises ``UserError``.
    """
    found = survey(path)
    model = today or found.model
    if not model:
        raise UserError("the log export has no rules", hint="name a rule file: --rules FILE")
    models = [model] if change is None else [model, change]
    cache = CACHE // len(models) // max(1, found.partitions)
    given = [None if one is None else without_accounts(one) for one in (today, change)[: len(models)]]
    work = [_Given(path, one, model, found, horizon, cache) for one in given]
    size = path.stat().st_size
    with bar("scoring", size * len(work)) as step:
        at_once = len(work) if jobs > 1 else 1
        parts = (work[start : start + at_once] for start in range(0, len(work), at_once))
        replayed = [one for part in parts for one in run_all(_replay, part, step)]
    files = [one.gathered for one in replayed]
    first = replayed[0]
    notes = [note for one in replayed for note in one.notes]
    return Material(
        models,
        [standing(one) for one in files],
        resolved(first.conversions, files[0]),
        Draw(calendar_of(model), found.start, found.end, horizon),
        found.start,
        found.end,
        first.records,
        first.bad[:SHOWN],
        first.reasons,
        list(dict.fromkeys([*notes, *notes_of(files)])),
    )


def _replay(one: _Given, step: Step) -> _Replayed:
    calendar = calendar_of(one.calendar)
    draw = Draw(calendar, one.survey.start, one.survey.end, one.horizon)
    watches: dict[int, _Mondays] = {}

    def on_stop(machine: Machine, at: int) -> None:
        watch = watches.setdefault(machine.number, _Mondays(draw, calendar))
        watch.look(machine, draw.mondays.index(at))

    bad = BadLines()
    source = ExportSource(bad, one.model)
    replay = Replay(one.cache, stops=draw.mondays, on_stop=on_stop)
    conversions: dict[bytes, int] = {}
    told = Watch(draw, calendar)
    with one.path.open("rb") as file:
        batches = source.batches(lines_of(file), step)
        for outcomes in replay.run(_noting(batches, conversions)):
            told.hear(outcomes)
    for machine in replay.machines:
        watches.setdefault(machine.number, _Mondays(draw, calendar)).finish(machine)
    gathered = Gathered.joined([told.gathered, *(watches[number].gathered for number in sorted(watches))])
    gathered.dead = replay.dead_count
    return _Replayed(
        gathered, conversions, replay.records, bad.first, bad.reasons, [*replay.notes(), *source.notes()]
    )


class _Mondays:
    """Of one partition: which of its leads are looked at when."""

    def __init__(self, draw: Draw, calendar: Calendar) -> None:
        self._draw = draw
        self._watch = Watch(draw, calendar)
        self._known = 0
        self._due: dict[int, list[bytes]] = {}

    @property
    def gathered(self) -> Gathered:
        return self._watch.gathered

    def look(self, machine: Machine, number: int) -> None:
        """The clock has come to a Monday, and to nothing after it."""
        for key in islice(machine.known(), self._known, None):
            self._known += 1
            theirs = self._draw.of(key)
            if theirs >= number:
                self._due.setdefault(theirs, []).append(key)
        for theirs, keys in (
            (number, self._due.pop(number, ())),
            (number + 1, self._due.get(number + 1, ())),
        ):
            for key in keys:
                reading = self._watch.look(machine.rules, key, machine.standing(key), number, theirs)
                if reading is not None:
                    self.gathered.readings.add(reading)

    def finish(self, machine: Machine) -> None:
        """At the end of the records."""
        for key in machine.known():
            lead = machine.standing(key)
            if lead is not None:
                self._watch.leave(key, lead)
        self.gathered.faults += len(machine.faults)


def _noting(batches: Iterable[Batch], conversions: dict[bytes, int]) -> Iterator[Batch]:
    """The batches as they are; who converts in them, and when (ms), is noted."""
    for batch in batches:
        for records in batch.records.values():
            for recorded in records:
                if is_conversion(recorded.value) and recorded.key:
                    note_conversion(conversions, recorded.key, recorded.value or b"")
        yield batch
