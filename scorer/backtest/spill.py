"""Door messages taken in once, by any process, and kept in files until whoever has their lead comes for them.

The messages are taken in range by range of the file, each range by itself; only then does anybody know the
whole: the clock before a range, the data's end, and which leads are one person.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple
from zlib import crc32

from scorer.replay.sources import FILE_DOOR, BadLine
from scorer.wire.dead_letters import Reason, Rejected

if TYPE_CHECKING:
    from scorer.event_lines import EventLines
    from scorer.wire.intake import Accepted

RANGE: Final = 8 << 20
"""Bytes of a file that are taken in at once. Not a matter of how many processes there are."""
HEAD: Final = Struct("<qqHIB")
"""Place, clock, length of the key, length of the value, whether its time is open."""
_EACH: Final = 8
"""Places per byte of the file: the records of a line have one each."""
_SOME_TIME: Final = 1_700_000_000_000
"""ms; stands in for the time of a line that has none, to see whether there is anything else against it."""


class Taken(NamedTuple):
    """A record on its way to its lead."""

    place: int
    """Rises with the place in the file."""
    clock: int
    """The latest time so far, this line's included, within the range; ms."""
    key: bytes
    value: bytes
    """A log record; or, where ``open`` is true, the line's number and the line, which has no time."""
    open: bool


class Segment(NamedTuple):
    """A range's records for one share."""

    path: str
    start: int
    size: int


class RangeTaken(NamedTuple):
    """What came of one range of the file."""

    number: int
    lines: int
    accepted: int
    first: int
    """The earliest event time, ms; 0: no line has one."""
    clock: int
    """The latest; 0: no line has one."""
    ties: list[tuple[bytes, bytes]]
    """(lead, other id of the same person)."""
    bad: list[BadLine]
    """The first of them, numbered from the range's first line."""
    reasons: dict[str, int]
    segments: list[Segment]
    """One per share."""


def ranges(size: int, length: int = RANGE) -> list[tuple[int, int]]:
    """(start, end) in bytes. A line belongs to the range in which it begins."""
    return [(start, min(start + length, size)) for start in range(0, size, length)]


def lines_in(file: BinaryIO, start: int, end: int) -> tuple[int, list[bytes]]:
    """(where the first line begins, the lines that begin in a range without their ends)."""
    file.seek(max(0, start - 1))
    # The byte before says whether a line begins here.
    skipped = len(file.readline()) - 1 if start else 0
    at = start + skipped
    if at >= end:
        return at, []
    data = file.read(end - at)
    if not data.endswith(b"\n"):
        data += file.readline()
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return at, lines


def share_of(key: bytes, shares: int) -> int:
    """Whose a lead is, as far as its own id says."""
    return crc32(key) % shares if shares > 1 else 0


class Spill:
    """Takes in ranges; its files, one per share, are its own."""

    SHOWN = 10

    def __init__(self, events: EventLines, folder: Path, name: str, shares: int) -> None:
        self._events = events
        self._paths = [str(folder / f"{name}-{share}") for share in range(shares)]
        self._sizes = [0] * shares

    def take(self, file: BinaryIO, number: int, start: int, end: int) -> RangeTaken:
        place, lines = lines_in(file, start, end)
        shares = len(self._paths)
        out: list[list[bytes]] = [[] for _ in range(shares)]
        ties: list[tuple[bytes, bytes]] = []
        bad: list[BadLine] = []
        reasons: dict[str, int] = {}
        clock = first = accepted_lines = 0
        take_in, pack = self._events.at_own_time, HEAD.pack
        for count, line in enumerate(lines, 1):
            at = place
            place += len(line) + 1
            if not line.strip():
                continue
            open_ = False
            try:
                time, accepted = take_in(line, 0, FILE_DOOR, at)
            except Rejected as rejected:
                found = self._without_time(line, at, rejected)
                if found is None:
                    reasons[rejected.reason] = reasons.get(rejected.reason, 0) + 1
                    if len(bad) < self.SHOWN:
                        bad.append(BadLine(count, rejected.reason, rejected.detail))
                    continue
                accepted, time, open_ = found, 0, True
            accepted_lines += 1
            clock = max(clock, time)
            if time and (time < first or not first):
                first = time
            lead = accepted[0][0]
            if len(accepted) > 1:
                ties += [(lead, other) for other, _ in accepted[1:]]
            if open_:
                told = count.to_bytes(8, "big") + line
                out[share_of(lead, shares)] += (pack(at * _EACH, clock, len(lead), len(told), 1), lead, told)
                continue
            for nth, (key, value) in enumerate(accepted):
                out[share_of(key, shares)] += (
                    pack(at * _EACH + nth, clock, len(key), len(value), 0),
                    key,
                    value,
                )
        segments = [self._write(share, b"".join(pieces)) for share, pieces in enumerate(out)]
        return RangeTaken(number, len(lines), accepted_lines, first, clock, ties, bad, reasons, segments)

    def _without_time(self, line: bytes, at: int, rejected: Rejected) -> tuple[Accepted, ...] | None:
        """The records of a line against which there is nothing but that it has no time."""
        if rejected.reason != Reason.BAD_TIME:
            return None
        try:
            return self._events.at_own_time(line, _SOME_TIME, FILE_DOOR, at).accepted
        except Rejected:
            return None

    def _write(self, share: int, data: bytes) -> Segment:
        start = self._sizes[share]
        if data:
            with Path(self._paths[share]).open("ab") as file:
                file.write(data)
        self._sizes[share] += len(data)
        return Segment(self._paths[share], start, len(data))


def bytes_of(segment: Segment) -> bytes:
    """Records one after the other, each with a ``HEAD``."""
    if not segment.size:
        return b""
    with Path(segment.path).open("rb") as file:
        file.seek(segment.start)
        return file.read(segment.size)


def records_of(segment: Segment) -> Iterator[Taken]:
    """In the order of the file."""
    data = bytes_of(segment)
    at, head, unpack = 0, HEAD.size, HEAD.unpack_from
    while at < len(data):
        place, clock, key_size, size, open_ = unpack(data, at)
        at += head
        value_at = at + key_size
        yield Taken(place, clock, data[at:value_at], data[value_at : value_at + size], open_ == 1)
        at = value_at + size
