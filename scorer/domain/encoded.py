"""Records of the lead log as bytes, looked at without decoding them: see ``scorer.domain.record``."""

from __future__ import annotations

from typing import Final

import msgspec

encode_number = msgspec.msgpack.Encoder().encode
"""A door's number or an offset -> bytes, as in a record."""

_INT_SIZES: Final = bytes(
    {0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}.get(first, 1)
    for first in range(256)
)
"""First byte of an encoded int -> how many bytes it has."""
_LONGEST_HEAD: Final = 0xC0
"""From here on the first byte of a text says how many bytes its length has, and not its length."""


def is_fact(value: bytes | None) -> bool:
    """Whether an encoded record is a ``Fact``."""
    return value is not None and _tag(value) == 0


def is_time(value: bytes | None) -> bool:
    """Whether an encoded record moves the clock: a ``Clock`` or ``Doors``."""
    return value is not None and 1 <= _tag(value) <= 2  # noqa: PLR2004


def is_rules(value: bytes | None) -> bool:
    """Whether an encoded record is a ``Rules``."""
    return value is not None and _tag(value) == 3  # noqa: PLR2004


def is_linking(value: bytes | None) -> bool:
    """Whether an encoded record is one of ``Linking``."""
    return value is not None and 6 <= _tag(value) <= 10  # noqa: PLR2004


def is_member(value: bytes | None) -> bool:
    """Whether an encoded record is a ``Member``."""
    return value is not None and _tag(value) == 11  # noqa: PLR2004


def _tag(value: bytes) -> int:
    """An array of less than 16 elements begins with one byte, then its tag; -1: it is none."""
    return value[1] if len(value) > 1 and 0x90 <= value[0] <= 0x9F else -1  # noqa: PLR2004


def sent_on(fact: bytes, door: bytes, offset: bytes) -> bytes:
    """An encoded fact as it comes from another door and offset, both by ``encode_number``.

    Its heading has been decoded; what follows is left as it is.
    """
    at = _after_int(fact, _after_int(fact, _after_text(fact, 2)))
    return fact[:at] + door + offset + fact[_after_int(fact, _after_int(fact, at)) :]


def _after_text(encoded: bytes, at: int) -> int:
    first = encoded[at]
    if first < _LONGEST_HEAD:
        return at + 1 + (first & 0x1F)
    size = 1 << (first - 0xD9)
    return at + 1 + size + int.from_bytes(encoded[at + 1 : at + 1 + size], "big")


def _after_int(encoded: bytes, at: int) -> int:
    return at + _INT_SIZES[encoded[at]]
