"""The packing of clock records: per door partition, the time through which it has been read.

Layout: the newest time (ms) as a varint; then, by rising door number, a varint of the number less the
one before it and a varint of the newest time less the partition's. A second's lag costs two bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BITS: Final = 0x7F
"""Of a varint's byte: the number's bits."""
_MORE: Final = 0x80
"""The mark that another byte follows."""


def pack(times: Mapping[int, int]) -> bytes:
    """Door number -> ms since 1970 (not negative), as bytes."""
    newest = max(times.values(), default=0)
    out = bytearray()
    _append(out, newest)
    previous = 0
    for number in sorted(times):
        _append(out, number - previous)
        _append(out, newest - times[number])
        previous = number
    return bytes(out)


def unpack(packed: bytes) -> dict[int, int]:
    """The inverse of ``pack``; raises ``ValueError`` on bytes that ``pack`` can't have made."""
    times: dict[int, int] = {}
    newest = door = value = shift = count = 0
    for byte in packed:
        if byte > _BITS:
            value |= (byte & _BITS) << shift
            shift += 7
            continue
        value |= byte << shift
        if not count:
            newest = value
        elif count % 2:
            door += value
        else:
            times[door] = newest - value
        count += 1
        value = shift = 0
    if shift or count % 2 == 0:
        raise ValueError("truncated clock record")
    return times


def _append(out: bytearray, number: int) -> None:
    while number > _BITS:
        out.append(number & _BITS | _MORE)
        number >>= 7
    out.append(number)
