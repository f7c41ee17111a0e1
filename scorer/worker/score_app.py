"""The score app: reads the lead log, keeps every lead's state, says who qualifies.

app = build_score_app(settings)
await supervise([app])          # or embed it: app.owner.leads is a Mapping
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NoReturn

from faust.types import TP
from mode import Service

from scorer import metrics
from scorer.errors import UserError
from scorer.settings import PROPAGATE
from scorer.storage.key_table import key_table
from scorer.storage.rocks import RocksFolder
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import CHANGELOG, DEAD_LETTERS, LOG, RULES
from scorer.wire.sealing import field_names
from scorer.worker.explainer import NotHere, Standing
from scorer.worker.huge_pages import HugePages
from scorer.worker.opening import Opener
from scorer.worker.owned import Limits
from scorer.worker.score_agent import ScoreAgent
from scorer.worker.score_kafka import ScoreKafka
from scorer.worker.score_meter import ScoreMeter
from scorer.worker.score_topics import NEEDED, check_changelog, check_counts
from scorer.worker.score_watch import RulesTopic, Whereabouts, bytes_in
from scorer.worker.supervise import fatal
from scorer.worker.table import LeadTable
from scorer.worker.transport import ChunkedApp, Fetching
from scorer.worker.views import VIEWS

if TYPE_CHECKING:
    from scorer.settings import Settings
    from scorer.storage.key_table import KeyTable
    from scorer.storage.ports import Bounds
    from scorer.worker.score_partition import ScorePartition
    from scorer.worker.transport import Chunk

log = logging.getLogger(__name__)

COMPLAIN_EVERY = 10.0
"""Seconds between reminders of a missing command."""
LOOK_AGAIN = 0.5
TICK = 0.05
"""Seconds between two looks for idle leads to sweep."""
SWEEP_BUSY, SWEEP_IDLE = 0.005, 0.035
"""Seconds of sweeping per tick while records come in, and while none do."""
GATHER_EVERY = 5.0
"""Seconds between two looks at whether memory is to be gathered into huge pages."""
MEASURE_EVERY = 1.0
"""Seconds between two tellings of what was measured."""
LOOK_AT_DOORS, LOOK_AT_FILES, LOOK_AT_RULES = 5, 15, 30
"""Of these tellings, how many there are to one with: doors and rules in force, files, the rules topic."""
PENDING_BYTES = 64 << 20
"""Unacknowledged bytes beyond which nothing more is fetched."""


def build_score_app(
    settings: Settings,
    *,
    from_log_start: bool = False,
    limits: Limits | None = None,
    table: KeyTable | None = None,
    on_fatal: Callable[[BaseException], NoReturn] = fatal,
) -> ChunkedApp:
    """An app of its own for each call. ``from_log_start``: a first start may begin after expired records.

    ``table``: the leads' keys, if another app of this process reads them too. Raises ``UserError`` where a
    setting does not fit.
    """
    fetching = Fetching(
        group=f"{settings.topic_prefix}{settings.app_id}-score",
        accept_holes=False,
        sticky=True,  # partitions stay where their state is
        isolation_level="read_uncommitted",
    )
    app = ChunkedApp(settings, fetching, on_fatal=on_fatal)
    opener = None
    if fields := field_names(settings.open_in_outcomes, "SCORER_OPEN_IN_OUTCOMES"):
        opener = Opener(fields, table or key_table(settings, "score", on_fatal))
    app.own(ScoreOwner(app, settings, from_log_start=from_log_start, limits=limits, opener=opener))
    app.consume("score", [settings.topic_prefix + LOG])
    return app


class ScoreOwner(Service):
    """Faust's side of the score agent: a service of the app, and its ``ChunkOwner``."""

    abstract = False
    mundane_level = "debug"  # "Starting..." is no news

    def __init__(
        self,
        app: ChunkedApp,
        settings: Settings,
        *,
        from_log_start: bool,
        limits: Limits | None,
        opener: Opener | None = None,
    ) -> None:
        super().__init__()
        self.app = app
        self.settings = settings
        self._from_log_start = from_log_start
        self._limits = limits or Limits(
            cache_leads=settings.cache_leads,
            spread=settings.checkpoint_interval / 2,
            silence=settings.session_timeout / 2,
        )
        self._opener = opener
        self._kafka = ScoreKafka(app, settings)
        self._meter = ScoreMeter(self._kafka.lane)
        self._agent: ScoreAgent | None = None
        self._log_partitions = 0
        self._compaction_lag = 0  # ms
        self._missing = ""
        self._applied = 0  # chunks
        self.leads = LeadTable(self._partitions, lambda: self._log_partitions)
        """Lead id -> lead, read-only."""

    # -- service ----------------------------------------------------------------------------------

    async def on_start(self) -> None:
        kafka, settings = self._kafka, self.settings
        if settings.broker_profile == "embedded":
            await kafka.start()
            counts = await self._topics()
        else:
            _, counts = await asyncio.gather(kafka.start(), self._topics())
        check_counts(counts)
        await kafka.know((LOG, CHANGELOG, RULES, *VIEWS))
        self._log_partitions = counts[LOG]
        if self._opener is not None:
            await self._opener.table.open()
        folder = RocksFolder(settings.data_dir / "leads")
        self._agent = ScoreAgent(
            kafka,
            lambda number: folder.open(str(number)),
            self,
            clock=time.monotonic,
            offload=asyncio.to_thread,
            on_error=self.app.fatal,
            log_partitions=counts[LOG],
            dead_letter_partitions=counts[DEAD_LETTERS],
            from_log_start=self._from_log_start,
            limits=self._limits,
            opener=self._opener,
            traced=settings.tracing == PROPAGATE,
            cleaned_before=lambda: int(time.time() * 1000) - self._compaction_lag,
        )

    async def _topics(self) -> dict[str, int]:
        """Partitions of each topic that we need; returns when all of them exist."""
        if self.settings.broker_profile == "embedded":
            self._compaction_lag = sys.maxsize  # it compacts nothing
            return {topic: await self._kafka.partitions(topic) for topic in NEEDED}
        complained = -COMPLAIN_EVERY
        while missing := set(NEEDED) - set(counts := await self._kafka.counts(NEEDED)):
            self._missing = f"no topic {', '.join(sorted(missing))}: run `scorer topics apply`"
            if time.monotonic() - complained >= COMPLAIN_EVERY:
                complained = time.monotonic()
                log.warning("scoring waits: %s", self._missing, extra={"reason": self._missing})
            await asyncio.sleep(LOOK_AGAIN)
        self._missing = ""
        configuration = await self._kafka.configuration(CHANGELOG)
        self._compaction_lag = check_changelog(configuration, self.settings.session_timeout)
        return counts

    async def on_stop(self) -> None:
        if self._agent is not None:
            await self._agent.close()
        if self._opener is not None:
            await self._opener.table.close()
        await self._kafka.stop()

    @Service.task
    async def _keep_time(self) -> None:
        applied = 0
        while not self.should_stop:
            await self.sleep(TICK)
            agent = self._agent
            if agent is None:
                continue
            agent.membership.tick()
            if agent.sweeping:
                busy, applied = self._applied != applied, self._applied
                agent.sweep(SWEEP_BUSY if busy else SWEEP_IDLE)

    @Service.task
    async def _gather_memory(self) -> None:
        pages = HugePages()
        while not self.should_stop:
            await self.sleep(GATHER_EVERY)
            if self.settings.huge_pages and pages.worth_it:
                await asyncio.to_thread(pages.gather)

    @Service.task
    async def _measure(self) -> None:
        embedded = self.settings.broker_profile == "embedded"
        whereabouts, turn = Whereabouts(), 0
        rules = RulesTopic(self.settings, self._rules_bounds)
        while not self.should_stop:
            await self.sleep(MEASURE_EVERY)
            agent = self._agent
            if agent is None or not (partitions := agent.partitions):
                continue
            ends = await self.app.ends([self._tp(number) for number in partitions])
            self._meter.tell(agent, {tp.partition: end for tp, end in ends.items()})
            metrics.SCORE_PENDING_BYTES.set(self._kafka.pending_bytes)
            if turn % LOOK_AT_DOORS == 0:
                self._meter.keep(list(partitions))
                whereabouts.tell([one.machine for one in partitions.values() if one.running])
            if turn % LOOK_AT_FILES == 0:
                await asyncio.to_thread(self._look_at_files, agent)
            if turn % LOOK_AT_RULES == 0 and not embedded:
                try:
                    newest = await rules.look()
                    metrics.SCORE_RULES_NEWEST.set(newest.version)
                    metrics.SCORE_RULES_WRITTEN.set(newest.written)
                except UserError as error:
                    log.warning("the rules topic could not be looked at: %s", error.message)
            turn += 1

    async def _rules_bounds(self) -> Bounds:
        return (await self._kafka.bounds(RULES, [0]))[0]

    def _look_at_files(self, agent: ScoreAgent) -> None:
        for number in agent.partitions:
            if (owned := agent.owned(number)) is not None:
                size = bytes_in(self.settings.data_dir / "leads" / str(number))
                owned.metrics.state_bytes.set(size)

    # -- ChunkOwner -------------------------------------------------------------------------------

    async def assigned(self, assignment: set[TP]) -> None:
        await self._running().assigned({tp.partition for tp in assignment}, self.app.consumer_generation_id)

    def start_positions(self, assignment: Iterable[TP]) -> Mapping[TP, int]:
        positions = self._running().start_positions()
        return {tp: positions[tp.partition] for tp in assignment if tp.partition in positions}

    def apply(self, chunk: Chunk) -> None:
        self._applied += 1
        self._meter.apply(self._running(), chunk.tp.partition, chunk.start, chunk.records)

    async def drained(self) -> None:
        await self._running().drained()
        await self._kafka.room(PENDING_BYTES)

    async def checkpoint(self, *, final: bool = False) -> bool:
        if self._agent is None:
            return False
        return await self._agent.checkpoint(final=final)

    # -- Reading ----------------------------------------------------------------------------------

    async def read_from(self, partition: int, position: int) -> None:
        await self.app.read_from({self._tp(partition): position})

    def stop_reading(self, partition: int) -> None:
        self.app.stop_reading(self._tp(partition))

    def generation(self) -> int:
        # aiokafka drops its generation as soon as the group has refused a heartbeat; Faust's copy stays.
        coordinator = self.app.consumer._thread._ensure_consumer()._coordinator  # noqa: SLF001
        return int(self.app.consumer_generation_id if coordinator.generation >= 0 else -1)

    # -- looking at it ----------------------------------------------------------------------------

    @property
    def spent(self) -> Mapping[str, float]:
        """Stage -> seconds so far: see ``metrics.WORKER_LOOP_SECONDS``."""
        return self._meter.spent if self._agent is None else self._meter.spent | self._agent.spent

    def problems(self) -> list[str]:
        """Why the worker is not ready; empty when it is."""
        if self._agent is None:
            return [self._missing or "starting"]
        return self._agent.problems()

    def standing(self, key: bytes) -> Standing:
        """A lead as this worker has it; raises ``NotHere``."""
        if (elsewhere := self.elsewhere(key)) is not None:
            raise elsewhere
        agent, number = self._running(), partition_of(key, self._log_partitions)
        partition = agent.partitions[number]
        machine = partition.machine
        # Not while it is restored, nor where the group may have given it to another meanwhile.
        sound = machine.ready and (partition.running or bool(partition.stopped))
        if not sound or agent.membership.doubtful or self.generation() < 0:
            raise NotHere(number, "")
        return Standing(machine.standing(key), machine.rules, number, machine.state.clock)

    def elsewhere(self, key: bytes) -> NotHere | None:
        """Where to ask for a lead of somebody else's; None: it is ours. On any thread."""
        agent = self._agent
        if agent is None or not self._log_partitions:
            return NotHere(0, "")
        number = partition_of(key, self._log_partitions)
        if agent.owns(number):
            return None
        return NotHere(number, self.app.assignor.owner_of(self.settings.topic_prefix + LOG, number))

    def _partitions(self) -> Mapping[int, ScorePartition]:
        return {} if self._agent is None else self._agent.partitions

    def _running(self) -> ScoreAgent:
        if self._agent is None:
            raise RuntimeError("the service has not started")
        return self._agent

    def _tp(self, partition: int) -> TP:
        return TP(self.settings.topic_prefix + LOG, partition)
