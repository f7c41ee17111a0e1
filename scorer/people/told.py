"""Who has been forgotten, as the score agents have told it (``lead.erased.v1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer.wire.dead_letters import Rejected
from scorer.wire.registry import ERASED
from scorer.wire.times import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorer.broker import Broker, Stored


class _Data(msgspec.Struct, gc=False):
    sequence: int
    request: str
    blocked: bool


class _Event(msgspec.Struct, gc=False):
    time: str
    data: _Data


_decode = msgspec.json.Decoder(_Event).decode


class Told(NamedTuple):
    """One outcome."""

    lead: bytes
    partition: int
    offset: int
    sequence: int
    request: str
    blocked: bool
    at: int
    """What was received until then (ms) counts no more."""


def erasures(broker: Broker) -> Iterator[Told]:
    """All that there are, each lead's in order."""
    for partition, wanted in broker.ranges(ERASED).items():
        for record in broker.read(ERASED, partition, wanted):
            told = _told(record, partition)
            if told is not None:
                yield told


def _told(record: Stored, partition: int) -> Told | None:
    if record.key is None or record.value is None:
        return None
    try:
        event = _decode(record.value)
        at = milliseconds(event.time)
    except (msgspec.MsgspecError, Rejected):
        return None  # anybody may write there
    data = event.data
    return Told(record.key, partition, record.offset, data.sequence, data.request, data.blocked, at)
