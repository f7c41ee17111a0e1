"""How far the workers have come with the lead log, as anybody can see it from outside.

The log's own clock says through which time each door has been read, the score group's commits how far the
log has been scored, and everything that a commit covers has been told before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer.domain import clock
from scorer.domain.encoded import is_linking
from scorer.domain.outcomes import instant
from scorer.domain.record import Bind, Clock, Doors, Erase, decode_posted, ids_in
from scorer.wire.doors import load_entry
from scorer.wire.registry import LOG

if TYPE_CHECKING:
    from confluent_kafka import Message

    from scorer.broker import Broker
    from scorer.domain.record import Door

_CONTROL = (b"\x92\x01", b"\x93\x02")
"""How a Clock and a Doors record begin: an array of so many, its tag."""
SHOWN = 5
"""Doors or partitions that are named."""


class Behind(NamedTuple):
    """Why it is not done."""

    why: str
    hint: str


class LogProgress:
    """From where the log ends when this is made; ``ids`` may grow meanwhile."""

    def __init__(self, broker: Broker, group: str, ids: set[bytes], request: str) -> None:
        """``group``: the score group's name without the prefix. ``ids`` gets whom the score agents find to be
        forgotten by the same request.
        """
        self._request = request
        self._broker = broker
        self._group = group
        self._ids = ids
        self._tail = broker.tail(LOG, {number: one.end for number, one in broker.ranges(LOG).items()})
        entry = load_entry(broker)
        self._doors: dict[int, Door] = (
            {} if entry is None else {door.number: door for door in entry.record.doors}
        )
        self._clocks: dict[int, dict[int, int]] = {number: {} for number in self._tail.positions}
        self.named = 0
        """Records read so far that say of one of ``ids`` who it is."""
        self.newest_bind = 0
        """When what was last heard of their being one with another was received, ms."""

    def close(self) -> None:
        self._tail.close()

    def read_on(self) -> dict[int, int]:
        """Read what has come; returns partition -> where that ends."""
        for message in self._tail.read():
            value = message.value()
            if value is not None and (value[:2] in _CONTROL or is_linking(value)):
                self._take(message, value)
        return dict(self._tail.positions)

    def unread(self, at: int) -> Behind | None:
        """Who has not read the doors beyond ``at`` (ms); None: all have, and every log partition knows."""
        for partition, clocks in self._clocks.items():
            late = [door for number, door in self._doors.items() if clocks.get(number, 0) <= at]
            if not late:
                continue
            heard = [clocks[door.number] for door in late if door.number in clocks]
            names = ", ".join(f"{door.topic}[{door.partition}]" for door in late[:SHOWN])
            more = f" and {len(late) - SHOWN} more" if len(late) > SHOWN else ""
            since = f" beyond {instant(min(heard))}" if len(heard) == len(late) else ""
            return Behind(
                f"no worker has read {names}{more}{since}, says partition {partition} of the lead log",
                "is an intake worker running? `scorer worker` is one",
            )
        return None

    def unscored(self, ends: dict[int, int]) -> Behind | None:
        """Which partitions of the log have not been scored up to these offsets; None: all have."""
        committed = self._broker.committed(self._group, LOG)
        late = [number for number, end in ends.items() if committed.get(number, -1) < end]
        if not late:
            return None
        names = ", ".join(str(number) for number in late[:SHOWN])
        more = f" and {len(late) - SHOWN} more" if len(late) > SHOWN else ""
        return Behind(
            f"no worker has scored partition {names}{more} of the lead log to its end",
            "is a score worker running? `scorer worker` is one",
        )

    def _take(self, message: Message, value: bytes) -> None:
        try:
            record = decode_posted(value)
            if isinstance(record, Clock):
                clocks = self._clocks[message.partition()]
                for number, at in clock.unpack(record.packed).items():
                    clocks[number] = max(clocks.get(number, 0), at)
                return
        except (msgspec.MsgspecError, ValueError):
            return  # a dead letter, soon
        if isinstance(record, Doors):
            self._doors = {door.number: door for door in record.doors}
        elif isinstance(record, Erase) and record.request == self._request:
            self._ids.add(message.key())
            self.named += 1
        elif is_linking(value) and not {message.key(), *ids_in(record)}.isdisjoint(self._ids):
            self.named += 1
            if isinstance(record, Bind):
                self.newest_bind = max(self.newest_bind, record.received)
