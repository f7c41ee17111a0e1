"""Dead letters of the doors: who is to blame, and how it is sent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scorer import metrics
from scorer.logs import bare
from scorer.wire.dead_letters import Envelopes, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka.structs import ConsumerRecord
    from faust.types import TP

    from scorer.storage.ports import Headers
    from scorer.worker.batches import Lane
    from scorer.worker.door_position import DoorPosition

log = logging.getLogger(__name__)

FAULTS_IN_A_ROW = 20
"""Records of a door partition in a row on which our own code fails; then the records are not to blame."""


Refused = tuple["ConsumerRecord", Reason, str]
"""A record of a door, why it is refused, and the detail."""


class IntakeDeadLetters:
    def __init__(self, lanes: Sequence[Lane], max_bytes: int) -> None:
        """``lanes``: of the dead letters' partitions. ``max_bytes``: for key and value together."""
        self._lanes = lanes
        self._max_bytes = max_bytes
        self._counters: dict[tuple[str, Reason], Any] = {}
        self._last_fault: tuple[TP, int] | None = None
        self._faults = 0

    def send(self, door: DoorPosition, refused: Sequence[Refused]) -> None:
        """Appends the letters of a chunk, in the order of its records, and counts them."""
        append = self._lanes[door.number % len(self._lanes)].append
        headers_of = Envelopes(door.door, door.tp.partition).headers
        counts: dict[Reason, int] = {}
        for record, reason, detail in refused:
            key, value = record.key, record.value
            headers: Headers = headers_of(reason, detail, record.offset, record.timestamp)
            if len(key or b"") + len(value or b"") > self._max_bytes:
                key, value, headers = cut(key, value, headers, self._max_bytes)
            append(key, value, headers)
            counts[reason] = counts.get(reason, 0) + 1
        for reason, count in counts.items():
            self._counter(door.door, reason).inc(count)

    def fault(self, door: DoorPosition, record: ConsumerRecord, error: Exception) -> Refused:
        """Our own code failed on the record: a dead letter too; too many in a row raise ``RuntimeError``."""
        in_a_row = self._last_fault == (door.tp, record.offset - 1)
        self._last_fault = (door.tp, record.offset)
        self._faults = self._faults + 1 if in_a_row else 1
        kind = type(error).__name__
        topic, partition = door.tp
        log.error(
            "%s[%d] offset %d: our code failed; the record is a dead letter",
            topic,
            partition,
            record.offset,
            exc_info=bare(error),
            extra={"topic": topic, "partition": partition, "offset": record.offset, "reason": kind},
        )
        if self._faults > FAULTS_IN_A_ROW:
            raise RuntimeError(f"our code failed on {self._faults} records in a row: {kind}") from None
        return record, Reason.ENGINE_ERROR, kind

    def _counter(self, door: str, reason: Reason) -> Any:
        counter = self._counters.get((door, reason))
        if counter is None:
            counter = self._counters[door, reason] = metrics.INTAKE_REJECTED.labels(door, reason)
        return counter


def cut(
    key: bytes | None, value: bytes | None, headers: Headers, limit: int
) -> tuple[bytes | None, bytes | None, Headers]:
    """Key, value and headers of a dead letter, of which Kafka would not take the whole record.

    Doors limit compressed batches: a record that was compressed well can be larger than any topic
    takes. Its key and value are cut to ``limit`` bytes together, and the header ``cut`` gives the lengths
    that they had; the whole record is in the door while that keeps it.
    """
    sizes = len(key or b""), len(value or b"")
    key = None if key is None else key[: limit // 2]
    value = None if value is None else value[: limit - len(key or b"")]
    return key, value, [*headers, ("cut", b"%d %d" % sizes)]
