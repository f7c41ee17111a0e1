"""Why a lead stood where it did at a past instant: its partition of the log, replayed until then.

What the system knew at that instant, by the rules in force then: a partition is read as long as the clock in
its log does not pass it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from scorer.domain.explaining import Explanation, explain
from scorer.domain.outcomes import instant
from scorer.errors import UserError
from scorer.log_export import dead_lettered
from scorer.log_lines import Recorded
from scorer.replay import Replay
from scorer.replay.sources import BATCH, Batch
from scorer.wire.dead_letters import Reason
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from scorer.broker import Broker, Range

    Bar = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]

HOPS = 16
"""Leads followed from one to what it has become part of."""


class Nobody(NamedTuple):
    """There was no such lead then."""

    lead: str
    forgotten: str = ""
    """When the person was forgotten; empty: never."""


def in_replay(replay: Replay, asked: str, until: int | None = None) -> Explanation | Nobody:
    """A lead in a replay that has come to its end; read at ``until`` (ms), or at the replay's clock."""
    lead_id = asked
    for _ in range(HOPS):
        standing = replay.standing(lead_id)
        links = None if standing is None else standing.lead.links
        if links is not None and links.moved:
            lead_id = links.moved.decode()
        elif standing is None or not standing.lead.since:
            erased = 0 if links is None else links.erased
            return Nobody(asked, instant(erased) if erased else "")
        else:
            lead, rules = standing.lead, standing.rules
            now = standing.clock - rules.model.grace if until is None else until
            return explain(
                rules,
                lead,
                lead_id.encode(),
                max(lead.clock, now),
                partition=standing.partition,
                clock=standing.clock,
                asked=asked.encode(),
            )
    raise UserError(f"{asked} does not come to an end in {HOPS} steps", exit_code=1)


class Past:
    """The lead log in Kafka, replayed partition by partition as far as it is asked for."""

    def __init__(self, broker: Broker, until: int, bar: Bar) -> None:
        """``until``: ms. ``bar``: see ``scorer.cli.progress``."""
        self._broker = broker
        self._until = until
        self._bar = bar
        self._count = broker.partitions(LOG)
        self._dead = dead_lettered(broker)
        self._replay = Replay(until=until)
        self._began: dict[int, int] = {}

    def explain(self, asked: str) -> Explanation | Nobody:
        """Raises ``UserError`` where the log's beginning has expired and nothing can be said."""
        for _ in range(HOPS):
            found = in_replay(self._replay, asked, self._until)
            number = partition_of(self._end(asked).encode(), self._count)
            if number in self._began:
                began = self._began[number]
                if isinstance(found, Explanation) and began:
                    return replace(found, exact_since=instant(began))
                return found
            self._read(number)
        raise UserError(f"{asked} does not come to an end in {HOPS} steps", exit_code=1)

    def _end(self, lead_id: str) -> str:
        """The last that is known of what a lead has become part of."""
        for _ in range(HOPS):
            standing = self._replay.standing(lead_id)
            links = None if standing is None else standing.lead.links
            if links is None or not links.moved:
                break
            lead_id = links.moved.decode()
        return lead_id

    def _read(self, number: int) -> None:
        wanted = self._broker.range(LOG, number)
        with self._bar(f"{LOG} partition {number}", wanted.end - wanted.start) as moved:
            for _ in self._replay.run(self._batches(number, wanted, moved)):
                pass
        self._began[number] = 0
        if wanted.start:
            if number in self._replay.unready:
                raise UserError(
                    f"partition {number} of the log begins at offset {wanted.start}, and what is left of it"
                    " says neither doors nor rules",
                    hint="an older instant than the log keeps can't be explained",
                    exit_code=1,
                )
            self._began[number] = self._replay.began(number)

    def _batches(self, number: int, wanted: Range, moved: Callable[[int], None]) -> Iterator[Batch]:
        batch = Batch()
        for stored in self._broker.read(LOG, number, wanted):
            batch.add(number, Recorded(stored.offset, stored.key, stored.value))
            if self._dead.get((number, stored.offset)) == Reason.ENGINE_ERROR:
                batch.skip.setdefault(number, []).append(stored.offset)
            if len(batch.records[number]) >= BATCH:
                moved(BATCH)
                yield batch
                if self._replay.over(number):
                    return
                batch = Batch()
        yield batch
