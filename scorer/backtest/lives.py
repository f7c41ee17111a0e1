"""One rule file, and people one after the other: each from their first record to the data's end.

Nothing that a rule file says of a person depends on others, but the clock, and how far that was at each of
their records is known. So everybody's life is lived at once, while all of it is at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.backtest.spill import Taken
from scorer.backtest.watching import Watch
from scorer.backtest.weeks import Stop
from scorer.domain.model import fingerprint
from scorer.domain.partition import EngineFault, LogPartition, PartitionStopped
from scorer.domain.record import Door, Doors, Fact, Record, Rules, decode_record, encode_record
from scorer.domain.state import PartitionState
from scorer.errors import UserError
from scorer.replay.sources import FILE_DOOR

if TYPE_CHECKING:
    from scorer.backtest.gathered import Gathered, Reading
    from scorer.backtest.weeks import Draw
    from scorer.domain.calendar import Calendar
    from scorer.domain.lead import Lead


class _Message:
    __slots__ = ("key", "offset", "value")

    def __init__(self, offset: int, key: bytes | None, value: bytes) -> None:
        self.offset = offset
        self.key = key
        self.value = value


class Lives:
    def __init__(self, model: bytes, draw: Draw, calendar: Calendar, end: int) -> None:
        """``model``: encoded. ``calendar``: of the weeks. ``end``: ms to which time goes on after the last
        record.
        """
        self._end = end
        self._watch = Watch(draw, calendar)
        self._readings: list[Reading] = []
        self._partition = LogPartition(PartitionState(), {}, _nobody)
        self._apply(None, encode_record(Doors(1, [Door(FILE_DOOR, 0, "file", 0)])))
        self._apply(None, encode_record(Rules(1, fingerprint(model), model)))
        self._partition.swept(self._partition.state.milestone)

    @property
    def gathered(self) -> Gathered:
        return self._watch.gathered

    def live(self, records: list[Taken], decoded: list[Record], stops: list[Stop]) -> None:
        """All records of one person, in the order of the file.

        ``decoded``: the same, or empty. ``stops``: when which of the person's leads are looked at; ``NEVER``
        is the last. Raises ``UserError`` where the engine can go no further.
        """
        partition, watch = self._partition, self._watch
        begins = partition.state.position
        skip: list[int] = []
        while True:
            partition.begin_anew()
            partition.state.position, partition.state.skip = begins, skip[:]
            try:
                self._live(records, decoded, stops)
                break
            except EngineFault as fault:
                skip.append(fault.offset)
            except PartitionStopped as stopped:
                raise UserError(f"the engine stops: {stopped.reason}", exit_code=1) from stopped
        watch.gathered.faults += len(skip)
        watch.gathered.dead += len(partition.dead)
        for reading in self._readings:
            watch.gathered.readings.add(reading)
        watch.hear(partition.outcomes)
        for key, lead in partition.leads.items():
            watch.leave(key, lead)

    def _live(self, records: list[Taken], decoded: list[Record], stops: list[Stop]) -> None:
        partition = self._partition
        leads, skips = partition.leads, bool(partition.state.skip)
        self._readings = []
        reached, stop = 0, stops[0][0]
        for number, taken in enumerate(records):
            _, now, key, value = taken
            while now > stop:
                self._look(*stops[reached])
                reached += 1
                stop = stops[reached][0]
            partition.pass_time(now)
            record = decoded[number] if decoded else decode_record(value)
            lead = leads.get(key)
            moved = lead is not None and lead.links is not None and lead.links.moved
            if moved or skips or type(record) is not Fact:
                self._apply(key, value)
            else:
                partition.post(key, record)
        for one in stops[reached:-1]:
            self._look(*one)
        partition.pass_time(self._end)

    def _look(self, _: int, number: int, theirs: int, key: bytes) -> None:
        partition = self._partition
        reading = self._watch.look(partition.rules, key, partition.leads.get(key), number, theirs)
        if reading is not None:
            self._readings.append(reading)

    def _apply(self, key: bytes | None, value: bytes) -> None:
        """There is no log: what the partition sends to it comes back at once."""
        partition = self._partition
        partition.apply((_Message(partition.state.position, key, value),))
        while partition.sends:
            sends, partition.sends = partition.sends, []
            for target, sent in sends:
                partition.apply((_Message(partition.state.position, target, sent),))


def _nobody(_: bytes) -> Lead | None:
    """Everybody of whom anything is known is in memory."""
    return None
