"""Door messages taken in once, by any process, and kept in files: each person's records in one bucket.

The messages are taken in range by range of the file, each range by itself; only then does anybody know the
whole: the clock before a range, the data's end, and which leads are one person. The buckets are so many that
each has room in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple
from zlib import crc32

from scorer.event_lines import EventLines
from scorer.replay.sources import FILE_DOOR, BadLine
from scorer.wire.dead_letters import Reason, Rejected

if TYPE_CHECKING:
    from scorer.wire.intake import Accepted

RANGE: Final = 8 << 20
"""Bytes of a file that are taken in at once. Not a matter of how many processes there are."""
BUCKET: Final = 32 << 20
"""Bytes of a file for which there is one bucket."""
MOST_BUCKETS: Final = 1_024
HEAD: Final = Struct("<qqHIB")
"""Place, clock, length of the key, length of the value, whether its time is open."""
EACH: Final = 8
"""Places per byte of the file: the records of a line have one each."""
_SOME_TIME: Final = 1_700_000_000_000
"""ms; stands in for the time of a line that has none, to see whether there is anything else against it."""

Taken = tuple[int, int, bytes, bytes]
"""A record on its way to its lead: place, clock, key, value. The place rises with the place in the file; the
clock is the latest time so far, this line's included, in ms."""


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


def bucket_of(key: bytes, buckets: int) -> int:
    """Where a lead is, as far as its own id says."""
    return crc32(key) % buckets if buckets > 1 else 0


class Spill:
    """What one process takes in; of each bucket it has a file of its own."""

    SHOWN = 10

    def __init__(self, folder: Path, name: str, buckets: int) -> None:
        self._paths = [folder / f"{bucket}-{name}" for bucket in range(buckets)]

    def take(self, events: EventLines, file: BinaryIO, number: int, start: int, end: int) -> RangeTaken:
        """The lines that begin in a range."""
        place, lines = lines_in(file, start, end)
        buckets = len(self._paths)
        out = [bytearray() for _ in range(buckets)]
        ties: list[tuple[bytes, bytes]] = []
        bad: list[BadLine] = []
        reasons: dict[str, int] = {}
        clock = first = accepted_lines = 0
        pack = HEAD.pack
        for count, line in enumerate(lines, 1):
            at = place
            place += len(line) + 1
            if not line.strip():
                continue
            open_ = False
            try:
                time, accepted = events.at_own_time(line, 0, FILE_DOOR, at)
            except Rejected as rejected:
                found = _without_time(events, line, at, rejected)
                if found is None:
                    reasons[rejected.reason] = reasons.get(rejected.reason, 0) + 1
                    if len(bad) < self.SHOWN:
                        bad.append(BadLine(count, rejected.reason, rejected.detail))
                    continue
                accepted, time, open_ = found, 0, True
            accepted_lines += 1
            if time > clock:  # noqa: PLR1730 - compiled, a call costs more
                clock = time
            if time and (time < first or not first):
                first = time
            lead = accepted[0][0]
            if len(accepted) > 1:
                ties += [(lead, other) for other, _ in accepted[1:]]
            if open_:
                accepted = ((lead, count.to_bytes(8, "big") + line),)
            for nth, (key, value) in enumerate(accepted):
                bucket = out[bucket_of(key, buckets)]
                bucket += pack(at * EACH + nth, clock, len(key), len(value), open_)
                bucket += key
                bucket += value
        self._write(out)
        return RangeTaken(number, len(lines), accepted_lines, first, clock, ties, bad, reasons)

    def move(self, data: bytes, gone: Mapping[bytes, int]) -> None:
        """Of a bucket's records those that belong into another; ``gone``: their key -> which."""
        out = [bytearray() for _ in self._paths]
        at, end, size, unpack = 0, len(data), HEAD.size, HEAD.unpack_from
        while at < end:
            _, _, key_size, value_size, _ = unpack(data, at)
            begins, key_at = at, at + size
            at = key_at + key_size + value_size
            bucket = gone.get(data[key_at : key_at + key_size], -1)
            if bucket >= 0:
                out[bucket] += data[begins:at]
        self._write(out)

    def _write(self, out: list[bytearray]) -> None:
        for path, data in zip(self._paths, out, strict=True):
            if data:
                with path.open("ab") as file:
                    file.write(data)


def spilled(folder: Path, bucket: int, name: str, count: int) -> Iterator[bytes]:
    """What spills of a name have in a bucket: records one after the other, each behind a ``HEAD``."""
    for number in range(count):
        path = folder / f"{bucket}-{name}-{number}"
        if path.exists():
            yield path.read_bytes()


def _without_time(
    events: EventLines, line: bytes, at: int, rejected: Rejected
) -> tuple[Accepted, ...] | None:
    """The records of a line against which there is nothing but that it has no time."""
    if rejected.reason != Reason.BAD_TIME:
        return None
    try:
        return events.at_own_time(line, _SOME_TIME, FILE_DOOR, at)[1]
    except Rejected:
        return None
