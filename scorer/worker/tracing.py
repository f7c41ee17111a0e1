"""SCORER_TRACING=propagate in the worker: a record's trace context goes to what the record brings about.

Where tracing is off nothing here is run: intake and score agent have been given their plain parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scorer.wire.tracing import Trace, trace_of_event, trace_of_record

if TYPE_CHECKING:
    from scorer.domain.outcomes import Outcome
    from scorer.storage.ports import Incoming, Lane
    from scorer.wire.intake import Accepted, Intake
    from scorer.worker.score_partition import ScorePartition

_OTHERS: Final = (b'"cause":"time"', b'"cause":"rules"', b'"cause":"import"')
"""In an outcome that no single record has brought about. Within a text its quotes would be escaped."""


class Carried(NamedTuple):
    """A record for the log, and the context that it carries."""

    lead: bytes
    value: bytes
    trace: Trace


class PlainDoors:
    """Doors whose records' contexts are not looked at."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake

    def reading(self, records: Sequence[Incoming]) -> Any:  # noqa: ARG002 - see below
        """What takes these records in; called as ``Intake`` is."""
        return self.intake

    def give(self, lane: Lane, made: Sequence[Accepted]) -> None:
        """Appends what has been made of them."""
        lane.extend(made)


class TracedDoors(PlainDoors):
    """A context in a record's headers counts, or else that in its event's members."""

    def __init__(self, intake: Intake) -> None:
        super().__init__(intake)
        self._traces: dict[int, Trace] = {}
        """Of the chunk in hand, by offset."""

    def reading(self, records: Sequence[Incoming]) -> Any:
        self._traces = {
            record.offset: trace
            for record in records
            if (trace := trace_of_record(record.headers) or trace_of_event(record.value)) is not None
        }
        return self._take if self._traces else self.intake

    def _take(
        self, topic: str, value: bytes | None, received: int, door: int, offset: int
    ) -> Sequence[Accepted | Carried]:
        taken = self.intake(topic, value, received, door, offset)
        trace = self._traces.get(offset)
        return taken if trace is None else [Carried(*one, trace) for one in taken]

    def give(self, lane: Lane, made: Sequence[Accepted | Carried]) -> None:
        plain: list[Any] = []
        for one in made:
            if isinstance(one, Carried):
                if plain:
                    lane.extend(plain)
                    plain = []
                lane.append(one.lead, one.value, one.trace)
            else:
                plain.append(one)
        if plain:
            lane.extend(plain)


def apply(partition: ScorePartition, records: Sequence[Any]) -> None:
    """The partition takes the records in, whatever context they carry."""
    partition.apply(records)


def apply_traced(partition: ScorePartition, records: Sequence[Any]) -> None:
    """As ``apply``: a record with a context by itself, so that what it brings about is known by its place."""
    begin = 0
    for number, record in enumerate(records):
        headers = record.headers
        trace = trace_of_record(headers) if headers else None
        if trace is None:
            continue
        if number > begin:
            partition.apply(records[begin:number])
        told = len(partition.machine.outcomes)
        begin = number + 1
        try:
            partition.apply(records[number:begin])
        finally:
            _mark(partition.machine.outcomes, told, trace)
    if begin < len(records):
        partition.apply(records[begin:])


def _mark(outcomes: list[Outcome], told: int, trace: Trace) -> None:
    for place in range(told, len(outcomes)):
        outcome = outcomes[place]
        if not any(cause in outcome.value for cause in _OTHERS):
            outcomes[place] = outcome._replace(trace=trace)
