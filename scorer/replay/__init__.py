"""Replay: the engine over recorded events, without a broker.

replay = Replay()
for outcomes in replay.run(source.batches(lines, read)):
    ...
for lead_id, lead, rules in replay.scores():
    ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scorer.domain.outcomes import score_view
from scorer.domain.partition import PartitionStopped
from scorer.domain.reading import total
from scorer.domain.timers import FOREVER
from scorer.errors import UserError
from scorer.replay.machine import Machine
from scorer.replay.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scorer.domain.lead import Lead
    from scorer.domain.outcomes import Outcome
    from scorer.domain.partition import Dead
    from scorer.domain.rules import RuleSet
    from scorer.log_lines import Recorded
    from scorer.replay.sources import Batch

CACHE = 100_000
"""Leads kept decoded per partition."""


class Standing(NamedTuple):
    """A lead as it stands at the end."""

    lead_id: str
    lead: Lead
    rules: RuleSet
    clock: int
    """C at the end, ms."""
    partition: int

    @property
    def view(self) -> bytes:
        """The value that ``lead.score.v1`` has for it: as of the lead's last change."""
        return score_view(self.rules, self.lead_id, self.lead)

    @property
    def total(self) -> float:
        """The total at the end: decayed up to C less the grace."""
        return total(self.rules, self.lead, max(self.lead.clock, self.clock - self.rules.model.grace))


class Replay:
    """Partitions under replay, made as their records come."""

    def __init__(
        self,
        cache: int = CACHE,
        until: int = FOREVER,
        stops: Sequence[int] = (),
        on_stop: Callable[[Machine, int], None] | None = None,
    ) -> None:
        """``until``: ms; what has been made after it is not applied.

        ``stops``, ``on_stop``: see ``Machine``.
        """
        self._cache = cache
        self._until = until
        self._stops = stops
        self._on_stop = on_stop
        self._machines: dict[int, Machine] = {}
        self._waiting = Waiting()
        self.records = 0
        self.dead: list[tuple[int, Dead]] = []
        """(partition, record) of the first log records that could not be used."""
        self.dead_count = 0

    def run(self, batches: Iterable[Batch]) -> Iterator[list[Outcome]]:
        """Outcomes, batch by batch: partition by partition, each in its own order.

        Raises ``UserError`` where a partition stops, as the worker would there.
        """
        for batch in batches:
            for partition in sorted(batch.records):
                if partition not in self._machines:
                    self._machines[partition] = Machine(
                        self._cache,
                        partition,
                        alone=batch.alone,
                        until=self._until,
                        stops=self._stops,
                        on_stop=self._on_stop,
                    )
                skip = batch.skip.get(partition, [])
                if batch.own_rules:
                    self._waiting.add(partition, batch.records[partition], skip)
                else:
                    yield from self._feed(partition, batch.records[partition], skip)
            while ready := self._waiting.ready():
                for partition, records, skip in ready:
                    yield from self._feed(partition, records, skip)
                    self._waiting.take(partition, records[-1].offset, self._machines[partition].sends)

    def _feed(
        self, partition: int, records: Sequence[Recorded], skip: Sequence[int]
    ) -> Iterator[list[Outcome]]:
        machine = self._machines[partition]
        try:
            outcomes, dead = machine.feed(records, skip)
        except PartitionStopped as stopped:
            raise UserError(
                f"partition {partition} stops at offset {stopped.offset}: {stopped.reason}", exit_code=1
            ) from stopped
        self.records += len(records)
        self.dead_count += len(dead)
        self.dead += [(partition, one) for one in dead[: max(0, 10 - len(self.dead))]]
        if outcomes:
            yield outcomes

    @property
    def held(self) -> list[tuple[int, int]]:
        """(partition, offset) where it waits for a merged lead of a partition that the records lack."""
        return self._waiting.held()

    @property
    def machines(self) -> list[Machine]:
        """By partition."""
        return [self._machines[number] for number in sorted(self._machines)]

    @property
    def unmet(self) -> set[bytes]:
        """Leads that have become part of another, where the log does not say yet that they have arrived."""
        return self._waiting.unmet

    @property
    def leads(self) -> int:
        return sum(machine.leads for machine in self._machines.values())

    @property
    def faults(self) -> list[tuple[int, int]]:
        """(partition, offset) of records at which our own code failed; passed over."""
        return [(number, offset) for number, machine in self._machines.items() for offset in machine.faults]

    @property
    def unready(self) -> list[int]:
        """Partitions that ended without having seen both doors and rules."""
        return sorted(number for number, machine in self._machines.items() if not machine.ready)

    @property
    def clock(self) -> int:
        """The earliest of the partitions' clocks at the end, ms."""
        return min((machine.clock for machine in self._machines.values()), default=0)

    def notes(self) -> Iterator[str]:
        """What has not been applied, for a person."""
        for partition in self.unready:
            yield f"partition {partition}: no doors or no rules record, so nothing was scored"
        for partition, offset in self.held:
            why = "a merge whose other half is missing"
            yield f"partition {partition}: not read from offset {offset} on: {why}"

    def over(self, partition: int) -> bool:
        """Whether nothing more of a partition is applied: it is from after the end."""
        return partition in self._machines and self._machines[partition].over

    def complete_since(self, partition: int) -> int:
        """The partition's clock (ms) when doors and rules had been read; -1: they have not."""
        return self._machines[partition].complete_since if partition in self._machines else -1

    def standing(self, lead_id: str) -> Standing | None:
        """One lead, wherever it is; one that is part of another, too."""
        for number in sorted(self._machines):
            machine = self._machines[number]
            lead = machine.standing(lead_id.encode())
            if lead is not None:
                return Standing(lead_id, lead, machine.rules, machine.clock, number)
        return None

    def standings(self) -> Iterator[Standing]:
        """Every lead, by partition and id."""
        for number in sorted(self._machines):
            machine = self._machines[number]
            for lead_id, lead in machine.scores():
                yield Standing(lead_id, lead, machine.rules, machine.clock, number)
