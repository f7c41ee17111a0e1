"""The lead log, read from Kafka as far as it goes now and written as lines (``scorer.log_lines``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.errors import UserError
from scorer.log_lines import Recorded, line_of
from scorer.wire.dead_letters import TOPIC as DEAD_LETTERS
from scorer.wire.dead_letters import origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorer.broker import Broker, Range

LEAD_LOG = "lead.log.v1"


def ignore(_: int) -> None:
    """Progress that nobody watches."""


class Export:
    """One export; what it covers is settled when it is made."""

    def __init__(self, broker: Broker, partition: int | None = None) -> None:
        """``partition``: only that one. Raises ``UserError`` when there is none of that number."""
        self._broker = broker
        ranges = broker.ranges(LEAD_LOG)
        if partition is not None:
            if partition not in ranges:
                raise UserError(f"{LEAD_LOG} has partitions 0 to {len(ranges) - 1}, not {partition}")
            ranges = {partition: ranges[partition]}
        self.ranges: dict[int, Range] = ranges
        self.records = sum(wanted.end - wanted.start for wanted in ranges.values())

    def lines(self, progress: Callable[[int], None] = ignore) -> Iterator[bytes]:
        """Every record, partition after partition, each in log order; ``progress`` gets counts of them.

        Records that the score agent has put into the dead letters are marked, as long as those keep them.
        """
        dead = dead_lettered(self._broker)
        for partition, wanted in self.ranges.items():
            done = 0
            for stored in self._broker.read(LEAD_LOG, partition, wanted):
                recorded = Recorded(stored.offset, stored.key, stored.value)
                yield line_of(partition, recorded, dead.get((partition, stored.offset)))
                done += 1
                if done % 1000 == 0:
                    progress(1000)
            progress(done % 1000)


def dead_lettered(broker: Broker, progress: Callable[[int], None] = ignore) -> dict[tuple[int, int], str]:
    """(log partition, offset) -> reason, of the log's records that are dead letters."""
    found: dict[tuple[int, int], str] = {}
    for partition, wanted in broker.ranges(DEAD_LETTERS).items():
        for stored in broker.read(DEAD_LETTERS, partition, wanted, headers=True):
            progress(1)
            try:
                told = origin(stored.headers.items())
            except ValueError:
                continue  # anybody may write there; only the agent's own marks count
            if told.topic == LEAD_LOG:
                found[told.partition, told.offset] = told.reason.value
    return found
