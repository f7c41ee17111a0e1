"""What replay reads: a log export, or plain door messages turned into a log of their own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import msgspec

from scorer.domain import clock
from scorer.domain.model import fingerprint
from scorer.domain.record import Clock, Door, Doors, Rules, encode_record
from scorer.log_lines import RawLine, Recorded, RulesLine, decode_line, recorded_of
from scorer.wire.dead_letters import Reason, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scorer.event_lines import EventLines

BATCH = 8_192
"""Lines read between two looks at what the engine has said."""
FILE_DOOR = 1
"""The number of the one door that a file of plain messages is."""


class BadLine(NamedTuple):
    """A line that could not be used; ``number`` counts from 1."""

    number: int
    reason: str
    detail: str


class BadLines:
    """How many lines could not be used, by reason, and the first of them."""

    SHOWN = 10

    def __init__(self) -> None:
        self.first: list[BadLine] = []
        self.reasons: Counter[str] = Counter()

    def add(self, number: int, reason: str, detail: str) -> None:
        self.reasons[reason] += 1
        if len(self.first) < self.SHOWN:
            self.first.append(BadLine(number, reason, detail))

    @property
    def count(self) -> int:
        return self.reasons.total()


class Batch:
    """Some records of each partition, in log order, and those among them to pass over."""

    def __init__(self, *, alone: bool = False, own_rules: bool = False) -> None:
        """``alone``: no log ever had them, so what their partition sends to the log comes back to it.

        ``own_rules``: others than the log's, so the states in its merge records are not to be used.
        """
        self.alone = alone
        self.own_rules = own_rules
        self.records: dict[int, list[Recorded]] = {}
        self.skip: dict[int, list[int]] = {}

    def add(self, partition: int, recorded: Recorded, *, skip: bool = False) -> None:
        records = self.records.get(partition)
        if records is None:
            records = self.records[partition] = []
        records.append(recorded)
        if skip:
            self.skip.setdefault(partition, []).append(recorded.offset)


def is_export(line: bytes) -> bool:
    """Whether a file's first line is one of a log export; raises nothing."""
    try:
        decode_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


class ExportSource:
    """The lines of a log export."""

    def __init__(self, bad: BadLines, model: bytes | None = None) -> None:
        """``model``: in force from the first record on, instead of all the rules in the log."""
        self._bad = bad
        self._model = model
        self._last: dict[int, int] = {}
        self.missing: Counter[int] = Counter()
        """Records per partition that the file leaves out, at its start or between others."""
        self.rules_replaced = 0

    def batches(self, lines: Iterable[bytes], read: Callable[[int], None]) -> Iterator[Batch]:
        """``read`` gets the bytes read so far, batch by batch."""
        own = self._model is not None
        batch, size = Batch(own_rules=own), 0
        for number, line in enumerate(lines, 1):
            size += len(line)
            self._take(batch, number, line)
            if number % BATCH == 0:
                read(size)
                yield batch
                batch, size = Batch(own_rules=own), 0
        read(size)
        yield batch

    def _take(self, batch: Batch, number: int, text: bytes) -> None:
        if not text.strip():
            return
        try:
            line = decode_line(text)
            if self._model is not None and isinstance(line, RulesLine):
                self.rules_replaced += 1
                recorded = Recorded(line.offset, None, self._own_rules())
            else:
                recorded = recorded_of(line)
        except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
            self._bad.add(number, "not_a_log_line", str(error))
            return
        partition, offset = line.partition, line.offset
        last = self._last.get(partition, -1)
        if offset <= last:
            self._bad.add(number, "out_of_order", f"partition {partition}: offset {offset} after {last}")
            return
        if last < 0 and offset > 0 and self._model is not None:
            # The log's beginning, and with it the record to replace, is gone.
            batch.add(partition, Recorded(offset - 1, None, self._own_rules()))
        self.missing[partition] += offset - last - 1
        self._last[partition] = offset
        failed = line.dead_lettered == Reason.ENGINE_ERROR
        batch.add(partition, recorded, skip=failed)
        if line.dead_lettered is not None and not failed and not isinstance(line, RawLine):
            self._bad.add(number, line.dead_lettered, "dead-lettered, but it can be decoded here")

    def notes(self) -> Iterator[str]:
        """What the file leaves out, for a person."""
        for partition, count in sorted(self.missing.items()):
            if count:
                what = f"{count:,} records are missing"
                yield f"partition {partition}: {what}, so scores may differ from the live ones"

    def _own_rules(self) -> bytes:
        model = self._model or b""
        return encode_record(Rules(1, fingerprint(model), model))


class EventSource:
    """Plain door messages in file order: one partition, one door, whose clock is the running maximum.

    The clock moves before the message that moves it is applied, so that what time alone does in a gap
    has happened when the next message comes.
    """

    def __init__(self, bad: BadLines, model: bytes, events: EventLines) -> None:
        self._bad = bad
        self._events = events
        self._offset = 0
        self._now = 0
        self._begin = (
            Doors(1, [Door(FILE_DOOR, 0, "file", 0)]),
            Rules(1, fingerprint(model), model),
        )

    def batches(self, lines: Iterable[bytes], read: Callable[[int], None], until: int = 0) -> Iterator[Batch]:
        """``until``: ms to which the clock moves after the last message."""
        batch, size = Batch(alone=True), 0
        for record in self._begin:
            self._append(batch, None, encode_record(record))
        for number, line in enumerate(lines, 1):
            size += len(line)
            if line.strip():
                self._take(batch, number, line)
            if number % BATCH == 0:
                read(size)
                yield batch
                batch, size = Batch(alone=True), 0
        read(size)
        self._move(batch, until)
        yield batch

    def _take(self, batch: Batch, number: int, line: bytes) -> None:
        try:
            time, accepted = self._events.at_own_time(line, self._now, FILE_DOOR, number)
        except Rejected as rejected:
            self._bad.add(number, rejected.reason, rejected.detail)
            return
        self._move(batch, time)
        for key, value in accepted:
            self._append(batch, key, value)

    def _move(self, batch: Batch, time: int) -> None:
        if time > self._now:
            self._now = time
            self._append(batch, None, encode_record(Clock(clock.pack({FILE_DOOR: time}))))

    def _append(self, batch: Batch, key: bytes | None, value: bytes) -> None:
        batch.add(0, Recorded(self._offset, key, value))
        self._offset += 1


Source = ExportSource | EventSource


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """A file's lines, a block at a time."""
    while block := file.readlines(1 << 20):
        yield from block
