"""One share of the leads through all rule files: every record decoded once, applied by each."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from scorer.backtest.gathered import Gathered
from scorer.backtest.spill import HEAD, Segment, Taken, bytes_of, records_of
from scorer.backtest.watching import Watch
from scorer.domain import clock
from scorer.domain.calendar import Calendar
from scorer.domain.model import decode_model, fingerprint
from scorer.domain.partition import PartitionStopped
from scorer.domain.record import Clock, Door, Doors, Rules, decode_heading, encode_record
from scorer.errors import UserError
from scorer.log_lines import Recorded
from scorer.replay.machine import Machine
from scorer.replay.sources import FILE_DOOR, BadLine
from scorer.wire.dead_letters import Rejected

if TYPE_CHECKING:
    from scorer.backtest.weeks import Draw
    from scorer.event_lines import EventLines

CONVERTED: Final = "feedback.converted"
_CONVERSION: Final = b"\0" + bytes([0xA0 | len(CONVERTED)]) + CONVERTED.encode()
"""How such a fact goes on behind the byte that begins its array: its tag, and its type."""
BATCH: Final = 131_072
"""Records that are applied at once."""


class Share(NamedTuple):
    """What there is to know of one share of the leads."""

    number: int
    files: list[Gathered]
    """Per rule file."""
    conversions: dict[bytes, int]
    """Lead id, as the event had it -> ms of its first conversion."""
    bad: list[BadLine]
    """Lines without a time before any that had one."""


def is_conversion(value: bytes | None) -> bool:
    """Whether an encoded record is the fact that a lead has converted."""
    return value is not None and value.startswith(_CONVERSION, 1)


def note_conversion(conversions: dict[bytes, int], lead: bytes, fact: bytes) -> None:
    """Keep the earliest (ms) of a lead's conversions; ``fact``: one of them, encoded."""
    at = decode_heading(fact).time
    conversions[lead] = min(at, conversions.get(lead, at))


class Sharing:
    def __init__(
        self, models: Sequence[bytes], draw: Draw, events: EventLines, number: int, shares: int, cache: int
    ) -> None:
        """``models``: encoded; the first one's time zone is that of the weeks. ``cache``: leads kept decoded
        by each of them.
        """
        self._events = events
        self._number = number
        self._shares = shares
        calendar = Calendar(decode_model(models[0]).time_zone)
        self._draw = draw
        self._machines = [Machine(cache, alone=True) for _ in models]
        self._watches = [Watch(draw, calendar) for _ in models]
        self._batch: list[Recorded] = []
        self._now = 0
        self._stop = 0
        self._conversions: dict[bytes, int] = {}
        self._bad: list[BadLine] = []
        for machine, model in zip(self._machines, models, strict=True):
            begin = (
                Doors(1, [Door(FILE_DOOR, 0, "file", 0)]),
                Rules(1, fingerprint(model), model),
            )
            machine.feed([Recorded(0, None, encode_record(record)) for record in begin], [])

    def run(
        self,
        ranges: Sequence[Sequence[Segment]],
        clocks: Sequence[int],
        first_lines: Sequence[int],
        elsewhere: Mapping[bytes, int],
        end: int,
        done: Callable[[int], None],
    ) -> Share:
        """``ranges``: each one's segments by share; ``clocks``: the clock before each (ms);
        ``first_lines``: how many lines there are before each. ``elsewhere``: see ``shares.exceptions``.
        ``end``: ms to which the clock moves after the last record. ``done`` is told of each range.

        Raises ``UserError`` where the engine can go no further.
        """
        for segments, before, lines in zip(ranges, clocks, first_lines, strict=True):
            if elsewhere:
                for taken in self._own(segments, elsewhere):
                    self._take(taken, before, lines)
            else:
                self._take_all(bytes_of(segments[self._number]), before, lines)
            done(1)
        self._move(end)
        self._flush()
        files = [watch.finish(machine) for watch, machine in zip(self._watches, self._machines, strict=True)]
        return Share(self._number, files, self._conversions, self._bad)

    def _own(self, segments: Sequence[Segment], elsewhere: Mapping[bytes, int]) -> Iterator[Taken]:
        """The records of this share's leads, in order."""
        mine = self._number
        own = records_of(segments[mine])
        streams: list[Iterator[Taken]] = [(one for one in own if one.key not in elsewhere)]
        for share, segment in enumerate(segments):
            if share != mine:
                streams.append(_visitors(segment, elsewhere, mine))
        return heapq.merge(*streams)

    def _take_all(self, data: bytes, before: int, lines: int) -> None:
        """A whole segment; nothing of it is another share's. As ``_take``, in one loop."""
        at, end, size, unpack = 0, len(data), HEAD.size, HEAD.unpack_from
        batch = self._batch
        while at < end:
            place, now, key_size, value_size, open_ = unpack(data, at)
            at += size
            key = data[at : at + key_size]
            at += key_size
            value = data[at : at + value_size]
            at += value_size
            if now > self._now and now > before:
                self._move(now)
                batch = self._batch
            elif before > self._now:
                self._move(before)
                batch = self._batch
            if open_:
                self._take_open(Taken(place, now, key, value, True), lines)  # noqa: FBT003 - as it stands
                batch = self._batch
                continue
            batch.append(Recorded(0, key, value))
            if value.startswith(_CONVERSION, 1):
                note_conversion(self._conversions, key, value)
            if len(batch) >= BATCH:
                self._flush()
                batch = self._batch

    def _take(self, taken: Taken, before: int, lines: int) -> None:
        _, now, key, value, open_ = taken
        now = max(now, before)
        if now > self._now:
            self._move(now)
        if open_:
            self._take_open(taken, lines)
            return
        self._add(key, value)

    def _add(self, key: bytes, value: bytes) -> None:
        batch = self._batch
        batch.append(Recorded(0, key, value))
        if value.startswith(_CONVERSION, 1):
            note_conversion(self._conversions, key, value)
        if len(batch) >= BATCH:
            self._flush()

    def _take_open(self, taken: Taken, lines: int) -> None:
        """A line without a time of its own has that of the clock."""
        number, line = int.from_bytes(taken.value[:8], "big"), taken.value[8:]
        try:
            _, accepted = self._events.at_own_time(line, self._now, FILE_DOOR, taken.place // 8)
        except Rejected as rejected:
            self._bad.append(BadLine(lines + number, rejected.reason, rejected.detail))
            return
        for key, value in accepted:
            self._add(key, value)

    def _move(self, now: int) -> None:
        """The clock; whoever has a Monday before ``now`` is looked at first."""
        if now <= self._now:
            return
        mondays = self._draw.mondays
        while self._stop < len(mondays) and now > mondays[self._stop]:
            self._flush()
            for watch, machine in zip(self._watches, self._machines, strict=True):
                watch.monday(machine, self._stop)
            self._stop += 1
        self._now = now
        self._batch.append(Recorded(0, None, encode_record(Clock(clock.pack({FILE_DOOR: now})))))

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        for watch, machine in zip(self._watches, self._machines, strict=True):
            try:
                outcomes, dead = machine.feed(batch, [])
            except PartitionStopped as stopped:
                raise UserError(f"the engine stops: {stopped.reason}", exit_code=1) from stopped
            watch.hear(outcomes)
            watch.gathered.dead += len(dead)


def _visitors(segment: Segment, elsewhere: Mapping[bytes, int], mine: int) -> Iterator[Taken]:
    return (one for one in records_of(segment) if elsewhere.get(one.key) == mine)
