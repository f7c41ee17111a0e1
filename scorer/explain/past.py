"""Why a lead stood where it did at a past instant: its partition of the log, replayed until then.

What the system knew at that instant, by the rules in force then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from scorer.domain.explaining import Explanation, brought_to, explain
from scorer.domain.outcomes import instant
from scorer.errors import UserError
from scorer.log_export import dead_lettered
from scorer.log_lines import Recorded
from scorer.replay import Replay
from scorer.replay.sources import BATCH, Batch
from scorer.wire.asking import HOPS
from scorer.wire.dead_letters import Reason
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import DEAD_LETTERS, LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from scorer.broker import Broker, Range
    from scorer.replay import Standing

    Bar = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]


class Nobody(NamedTuple):
    """There was no such lead then."""

    lead: str
    forgotten: str = ""
    """When the person was forgotten; empty: never."""


def followed(replay: Replay, asked: str) -> tuple[str, Standing | None]:
    """(what a lead has become part of in the end, as far as has been read; how that stands)."""
    lead_id = asked
    for _ in range(HOPS):
        standing = replay.standing(lead_id)
        links = None if standing is None else standing.lead.links
        if links is None or not links.moved:
            return lead_id, standing
        lead_id = links.moved.decode()
    raise UserError(f"{asked} does not come to an end in {HOPS} steps", exit_code=1)


def in_replay(replay: Replay, asked: str, until: int | None = None) -> Explanation | Nobody:
    """A lead in a replay that has come to its end, at the instant ``until`` (ms) or at the replay's clock.

    Time alone has taken it there: what was due between the last clock and ``until`` counts as having come.
    """
    lead_id, standing = followed(replay, asked)
    if standing is None or not standing.lead.since:
        links = None if standing is None else standing.lead.links
        return Nobody(asked, instant(links.erased) if links is not None and links.erased else "")
    lead, rules, key = standing.lead, standing.rules, lead_id.encode()
    at = standing.clock - rules.model.grace if until is None else until
    if until is not None and standing.clock:
        lead = brought_to(rules, lead, key, until)
    return explain(
        rules,
        lead,
        key,
        max(lead.clock, at),
        partition=standing.partition,
        clock=standing.clock,
        asked=asked.encode(),
    )


class Past:
    """The lead log in Kafka, replayed partition by partition as far as it is asked for."""

    def __init__(self, broker: Broker, until: int, bar: Bar) -> None:
        """``until``: ms. ``bar``: see ``scorer.cli.progress``."""
        self._broker = broker
        self._until = until
        self._bar = bar
        self._count = broker.partitions(LOG)
        ranges = broker.ranges(DEAD_LETTERS).values()
        with bar(DEAD_LETTERS, sum(wanted.end - wanted.start for wanted in ranges)) as moved:
            self._dead = dead_lettered(broker, moved)
        self._replay = Replay(until=until)
        self._began: dict[int, int] = {}

    def explain(self, asked: str) -> Explanation | Nobody:
        """Raises ``UserError`` where the log's beginning has expired and nothing can be said."""
        while (number := self._partition(asked)) not in self._began:
            self._read(number)
        found = in_replay(self._replay, asked, self._until)
        if isinstance(found, Explanation) and self._began[number]:
            # Of a lead that has come from another partition, that one's beginning counts too.
            return replace(found, exact_since=instant(max(self._began.values())))
        return found

    def _partition(self, asked: str) -> int:
        """Where a lead is, as far as has been read."""
        lead_id, _ = followed(self._replay, asked)
        return partition_of(lead_id.encode(), self._count)

    def _read(self, number: int) -> None:
        wanted = self._broker.range(LOG, number)
        with self._bar(f"{LOG} partition {number}", wanted.end - wanted.start) as moved:
            for _ in self._replay.run(self._batches(number, wanted, moved)):
                pass
        self._began[number] = 0
        if wanted.start:
            self._began[number] = self._replay.complete_since(number)
            if self._began[number] < 0:
                raise UserError(
                    f"partition {number} of the log begins at offset {wanted.start} by now, and the records"
                    " that said which doors and rules there were have expired",
                    hint="`scorer log export` keeps a log for as long as you like: --replay reads it",
                    exit_code=1,
                )

    def _batches(self, number: int, wanted: Range, moved: Callable[[int], None]) -> Iterator[Batch]:
        batch = Batch()
        for stored in self._broker.read(LOG, number, wanted):
            failed = self._dead.get((number, stored.offset)) == Reason.ENGINE_ERROR
            batch.add(number, Recorded(stored.offset, stored.key, stored.value), skip=failed)
            if len(batch.records[number]) >= BATCH:
                moved(BATCH)
                yield batch
                if self._replay.over(number):
                    return
                batch = Batch()
        yield batch
