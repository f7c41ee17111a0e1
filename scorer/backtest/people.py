"""The records of one bucket, sorted into people: see ``spill``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from scorer.backtest.shares import joined
from scorer.backtest.spill import EACH, HEAD, Taken
from scorer.domain.encoded import is_linking
from scorer.domain.record import Bind, decode_record
from scorer.replay.sources import FILE_DOOR, BadLine
from scorer.wire.dead_letters import Rejected

if TYPE_CHECKING:
    from scorer.event_lines import EventLines

_LINE: Final = 8
"""Bytes before a line without a time: its number."""


class People:
    """Sorts what has been taken in; knows of the whole file what a range of it can't."""

    def __init__(
        self, events: EventLines, length: int, clocks: Sequence[int], first_lines: Sequence[int]
    ) -> None:
        """``length``: bytes of a range; ``clocks``: the clock before each (ms); ``first_lines``: how many
        lines there are before each.
        """
        self._events = events
        self._length = length * EACH
        self._clocks = clocks
        self._first_lines = first_lines
        self.bad: list[BadLine] = []
        """Lines without a time before any that had one."""

    def sort(self, parts: Iterable[bytes], gone: Mapping[bytes, int]) -> Iterator[list[Taken]]:
        """Each person's records, in the order of the file. ``gone``: keys that are in another bucket."""
        found: dict[bytes, list[Taken]] = {}
        ties: list[tuple[bytes, bytes]] = []
        for data in parts:
            self._read(data, gone, found, ties)
        for lead, keys in joined(ties).items():
            records = found[lead]
            for key in keys:
                records += found.pop(key)
        while found:
            _, records = found.popitem()
            records.sort()
            yield records

    def _read(
        self,
        data: bytes,
        gone: Mapping[bytes, int],
        found: dict[bytes, list[Taken]],
        ties: list[tuple[bytes, bytes]],
    ) -> None:
        at, end, size, unpack = 0, len(data), HEAD.size, HEAD.unpack_from
        clocks, length = self._clocks, self._length
        while at < end:
            place, now, key_size, value_size, open_ = unpack(data, at)
            key_at = at + size
            value_at = key_at + key_size
            at = value_at + value_size
            key = data[key_at:value_at]
            if gone and key in gone:
                continue
            before = clocks[place // length]
            if before > now:  # noqa: PLR1730 - compiled, a call costs more
                now = before
            value = data[value_at:at]
            if open_:
                for other in self._dated(place, now, value):
                    _add(found, ties, other)
            else:
                _add(found, ties, (place, now, key, value))

    def _dated(self, place: int, now: int, told: bytes) -> Iterator[Taken]:
        """A line without a time of its own has that of the clock."""
        number = self._first_lines[place // self._length] + int.from_bytes(told[:_LINE], "big")
        try:
            _, accepted = self._events.at_own_time(told[_LINE:], now, FILE_DOOR, place // EACH)
        except Rejected as rejected:
            self.bad.append(BadLine(number, rejected.reason, rejected.detail))
            return
        for nth, (key, value) in enumerate(accepted):
            yield place + nth, now, key, value


def _add(found: dict[bytes, list[Taken]], ties: list[tuple[bytes, bytes]], taken: Taken) -> None:
    key, value = taken[2], taken[3]
    records = found.get(key)
    if records is None:
        found[key] = [taken]
    else:
        records.append(taken)
    if is_linking(value):
        record = decode_record(value)
        if isinstance(record, Bind):
            ties.append((key, record.other))
