"""The cut record: everything of a partition that restarting needs beside its leads.

Each checkpoint ends with one, under the key ``CUT`` of the partition's changelog. Keys that begin with
a zero byte are the system's: no lead id can.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

import msgspec

from scorer.storage.ports import Header, Headers

SYSTEM: Final = b"\0"
CUT: Final = b"\0cut"
RULES: Final = b"\0rules:"
SHOWN: Final = b"\0shown"
"""Where the views stand: ``views.Shown.encode``."""

_EPOCH_HEADER: Final = "epoch"
_epoch = Struct(">Q")
_stamp = Struct(">qq")

STAMP_BYTES: Final = _stamp.size
"""Length of what stands before a lead's bytes: its wake time (ms, 0: none) and its fence."""

stamp = _stamp.pack
"""(wake, fence) -> bytes: what a restore needs of a lead, so that it need not decode it."""

read_stamp = _stamp.unpack_from
"""Bytes of a stored lead -> (wake, fence)."""


class Cut(msgspec.Struct, array_like=True, gc=False, frozen=True):
    epoch: int
    """The writer's."""
    position: int
    """Next offset of the lead log."""
    log: bytes
    """Kafka's id of the lead log that ``position`` belongs to; empty where the broker does not say."""
    state: bytes
    """``state.encode_state``: all that is a function of the log, and the sweep's cursor."""


encode_cut = msgspec.msgpack.Encoder().encode
decode_cut = msgspec.msgpack.Decoder(Cut).decode


def rules_key(version: int) -> bytes:
    """The system key under which the model of a rule version is kept."""
    return RULES + str(version).encode()


def rules_version(key: bytes) -> int:
    """The inverse of ``rules_key``."""
    return int(key[len(RULES) :])


def epoch_headers(epoch: int) -> Headers:
    """Marks every changelog record, tombstones too, with its writer."""
    return [(_EPOCH_HEADER, _epoch.pack(epoch))]


def epoch_of(headers: Sequence[Header]) -> int:
    """The writer's epoch; 0 for a record that no worker wrote."""
    for name, value in headers:
        if name == _EPOCH_HEADER and len(value) == _epoch.size:
            epoch: int = _epoch.unpack(value)[0]
            return epoch
    return 0


def next_epoch(highest: int, generation: int) -> int:
    """An epoch above every one in the changelog.

    The high half outlives the consumer group; the low half, its generation, tells two owners apart
    that have read the same changelog.
    """
    return ((highest >> 32) + 1) << 32 | generation & 0xFFFFFFFF
