"""The owner of log partitions: feeds them, makes them durable, takes them over and gives them up.

Everything here runs on one event loop and against ports, so that a simulation can drive it. Between two
awaits a partition changes only by ``apply`` and ``sweep``, which are synchronous.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from scorer import metrics
from scorer.domain.partition import EngineFault, Message, PartitionStopped
from scorer.logs import bare
from scorer.storage.ports import Kafka, KeyValue, Offload
from scorer.wire.registry import LOG
from scorer.worker import news
from scorer.worker.checkpoint import Done, checkpoint
from scorer.worker.cut import CUT, decode_cut
from scorer.worker.membership import Membership
from scorer.worker.opening import Opener, OpeningOutbox
from scorer.worker.outbox import Outbox
from scorer.worker.owned import Background, Limits, Owned, Reading
from scorer.worker.score_partition import ScorePartition
from scorer.worker.store import Store
from scorer.worker.takeover import take_over
from scorer.worker.tracing import apply, apply_traced

log = logging.getLogger(__name__)

SWEEP_STEP = 100
"""Leads touched between two looks at the clock."""
SWEEP_MOST = 2_000
"""Leads touched in one slice."""


class ScoreAgent:
    def __init__(
        self,
        kafka: Kafka,
        open_disk: Callable[[int], KeyValue],
        reading: Reading,
        *,
        clock: Callable[[], float],
        offload: Offload,
        on_error: Callable[[BaseException], object],
        log_partitions: int,
        dead_letter_partitions: int,
        from_log_start: bool = False,
        limits: Limits | None = None,
        opener: Opener | None = None,
        traced: bool = False,
        cleaned_before: Callable[[], int] = lambda: 0,
    ) -> None:
        """``clock``: monotonic seconds. ``on_error`` ends the process with what failed in the background.

        ``cleaned_before``: ms; Kafka may have compacted changelog records older than that.
        ``opener``: reads what is sealed into outcomes; without it they carry nothing of the person.
        ``traced``: outcomes carry the trace context of the record that brought them about.
        """
        self._kafka = kafka
        self._open_disk = open_disk
        self._reading = reading
        self._clock = clock
        self._offload = offload
        self._background = Background(on_error)
        self._log_partitions = log_partitions
        self._dead_letter_partitions = dead_letter_partitions
        self._from_log_start = from_log_start
        self._cleaned_before = cleaned_before
        self._limits = limits or Limits()
        self._opener = opener
        self._apply = apply_traced if traced else apply
        self._owned: dict[int, Owned] = {}
        self._slots = asyncio.Semaphore(self._limits.overlap)
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()
        self._hurry = asyncio.Event()  # somebody waits for the checkpoint under way
        self._accepting = False  # between a completed assignment and the final checkpoint
        self._restoring = True
        self._untold = False  # since the assignment: what has piled up waits for its first checkpoint
        self._rules_news = news.RulesNews()
        self.spent = {"send": 0.0, "encode": 0.0, "sweep": 0.0, "checkpoint": 0.0}
        """Seconds so far, by stage: see ``metrics.WORKER_LOOP_SECONDS``."""
        self.membership = Membership(clock, self._limits.silence, self._still_member)

    # -- assignment -------------------------------------------------------------------------------

    async def assigned(self, numbers: Iterable[int], generation: int) -> None:
        """Own exactly these partitions; returns early when the group moves on meanwhile."""
        began = self._clock()
        self._restoring = True
        self._accepting = False
        await self._drop()
        wanted = set(numbers)
        news.assigned(wanted, set(self._owned))
        for number in set(self._owned) - wanted:
            await self._give_up(number)
        for number in wanted - set(self._owned):
            store, limits = Store(self._open_disk(number)), self._limits
            partition = ScorePartition(number, store, limits.cache_leads, limits.near_timers)
            self._owned[number] = Owned(partition, self._outbox(number))
        partitions = {number: owned.partition for number, owned in self._owned.items()}
        ours = await take_over(
            partitions,
            self._kafka,
            generation=generation,
            from_log_start=self._from_log_start,
            clock=self._clock,
            still_ours=lambda: self._reading.generation() == generation,
            cleaned_before=self._cleaned_before(),
        )
        if not ours:
            return
        for owned in self._owned.values():
            owned.partition.running = True
            owned.seeking = False
            owned.metrics.stopped.set(0)
            owned.durable = owned.partition.machine.state.position
            owned.metrics.durable(owned.durable)
        self._accepting = self._untold = True
        self._restoring = False
        seconds = self._clock() - began
        metrics.TAKEOVER_SECONDS.set(seconds)
        news.taken_over({number: owned.durable for number, owned in self._owned.items()}, seconds)
        self._rules_news.look(self._owned)

    def _outbox(self, number: int) -> Outbox:
        counts = self._log_partitions, self._dead_letter_partitions
        if self._opener is None:
            return Outbox(self._kafka, number, *counts)
        return OpeningOutbox(self._kafka, number, *counts, self._opener)

    def start_positions(self) -> dict[int, int]:
        """Partition -> where to read on; none of them before they are restored."""
        if not self._accepting:
            return {}
        return {number: owned.partition.machine.state.position for number, owned in self._owned.items()}

    async def _give_up(self, number: int) -> None:
        owned = self._owned.pop(number)
        async with owned.lock:
            owned.partition.drop()
            owned.partition.store.close()
        owned.metrics.forget()

    async def close(self) -> None:
        """After the final checkpoint."""
        for number in list(self._owned):
            await self._give_up(number)

    # -- records ----------------------------------------------------------------------------------

    def apply(self, number: int, start: int, records: Sequence[Message]) -> None:
        """Take in consecutive records, the first at offset ``start``. Synchronous from first to last."""
        owned = self._owned.get(number)
        if owned is None or not self._accepting:
            return  # the next owner gets them
        partition = owned.partition
        if not partition.running:
            return  # being restored after a fault; they will be read again
        position = partition.machine.state.position
        if start != position:
            if owned.seeking:
                return
            raise RuntimeError(f"partition {number}: records from {start} on came instead of {position}")
        owned.seeking = False
        try:
            self._apply(partition, records)
        except EngineFault as fault:
            self._failed(owned, fault)
            return
        except PartitionStopped as stopped:
            self._stop(owned, stopped.reason, f"offset {stopped.offset}")
        began = self._clock()
        owned.outbox.send(*partition.drain())
        self.spent["send"] += self._clock() - began
        partition.trim()
        if partition.past_faults and not owned.lock.locked():
            # So that the next fault repeats little of the log.
            self._background.start(self._checkpoint(owned))

    async def drained(self) -> None:
        """Back-pressure: waits while too much is in memory that is not durable."""
        while self._crowded:
            self._settled.clear()
            self._hurry.set()
            await self._settled.wait()

    @property
    def _crowded(self) -> bool:
        return self._unsaved() > self._limits.unsaved_leads

    def _unsaved(self) -> int:
        # Only what a checkpoint would make durable: nothing is to wait for what will not come.
        return sum(owned.partition.unsaved for owned in self._owned.values() if owned.partition.changed)

    # -- failures of our own code -----------------------------------------------------------------

    def _failed(self, owned: Owned, fault: EngineFault) -> None:
        number, offset = owned.partition.number, fault.offset
        cause = fault.__cause__ or fault
        log.error(
            "partition %d: our code failed at offset %d; the record becomes a dead letter once a later one"
            " has succeeded",
            number,
            offset,
            exc_info=bare(cause),
            extra={"topic": LOG, "partition": number, "offset": offset, "reason": type(cause).__name__},
        )
        metrics.SCORE_FAULTS.labels(str(number)).inc()
        owned.partition.fault(offset)
        self._background.start(self._recover(owned))

    async def _recover(self, owned: Owned) -> None:
        """Memory is undefined: start again from the last cut, and pass over the record."""
        partition = owned.partition
        async with owned.lock:
            if not self._accepting or self._owned.get(partition.number) is not owned:
                return  # the next owner starts from the same cut
            stored = partition.store.get(CUT)
            if stored is None:
                raise RuntimeError(f"partition {partition.number} has no cut record")
            partition.begin(decode_cut(stored))
            partition.running = owned.seeking = True
            position = partition.machine.state.position
        await self._reading.read_from(partition.number, position)

    def _stop(self, owned: Owned, reason: str, where: str) -> None:
        partition = owned.partition
        partition.stopped = f"{reason} ({where})"
        partition.running = False
        self._reading.stop_reading(partition.number)
        owned.metrics.stopped.set(1)
        log.critical(
            "partition %d stopped: %s; nothing is lost, it goes on after a restart with mended code",
            partition.number,
            partition.stopped,
            extra={"topic": LOG, "partition": partition.number, "reason": partition.stopped},
        )

    # -- checkpoints ------------------------------------------------------------------------------

    async def checkpoint(self, *, final: bool = False) -> bool:
        """Make durable what was applied. ``final``: nothing is applied any more until ``assigned``.

        Raises what failed; the process must end then.
        """
        if final:
            self._accepting = False
            self._hurry.set()
            if self._reading.generation() < 0:
                # The group has given our partitions away already: what we would write could only disturb.
                log.warning("no longer a member of the consumer group: dropping what is not durable")
                await self._drop()
                return False
        elif not self._crowded:
            self._hurry.clear()
        owned = list(self._owned.values())
        pause = 0.0 if self._untold else self._limits.spread / max(len(owned), 1)
        done = await asyncio.gather(*(self._checkpoint(one, turn * pause) for turn, one in enumerate(owned)))
        positions = {
            one.partition.number: report.position
            for one, report in zip(owned, done, strict=True)
            if report is not None
        }
        self._untold = self._untold and not any(report.leads for report in done if report is not None)
        if positions:
            await self._kafka.commit(positions)
        self._rules_news.look(self._owned)
        if final:
            news.given_back({number: owned.durable for number, owned in self._owned.items()})
            await self._drop()
        return bool(positions)

    async def _checkpoint(self, owned: Owned, wait: float = 0.0) -> Done | None:
        """``wait``: seconds to stay out of the way of records, unless somebody is in a hurry."""
        if wait:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), wait)
        async with self._slots, owned.lock:
            async with self._turn:
                await asyncio.sleep(0)  # records are applied between two partitions' cuts
            began = self._clock()
            partition = owned.partition
            done = await checkpoint(
                partition,
                owned.outbox,
                self._kafka,
                offload=self._offload,
                clock=self._clock,
                confirm=self.membership.confirm,
            )
            if done is None:
                if partition.running and not partition.machine.state.failing:
                    owned.metrics.durable()
                return None
            metrics.CHECKPOINT_SECONDS.observe(self._clock() - began)
            metrics.CHECKPOINT_CUT_SECONDS.observe(done.cut_seconds)
            metrics.CHECKPOINT_LEADS.inc(done.leads)
            metrics.CHANGELOG_BYTES.inc(done.changelog_bytes)
            self.spent["encode"] += done.cut_seconds
            self.spent["checkpoint"] += done.stored_seconds
            owned.durable = done.position
            owned.metrics.durable(done.position)
            owned.outbox.told.tell(done.views)
            if partition.running:
                owned.metrics.update(partition)
        self._settled.set()
        return done

    async def _still_member(self) -> bool:
        return await self._kafka.commit({number: owned.durable for number, owned in self._owned.items()})

    async def _drop(self) -> None:
        """Forget what memory holds, once no checkpoint is under way: the next owner may be we ourselves."""
        for owned in self._owned.values():
            async with owned.lock:
                owned.partition.drop()
        self._settled.set()

    # -- sweeping ---------------------------------------------------------------------------------

    def sweep(self, seconds: float) -> int:
        """Take idle leads past what concerns all of them, for about that long; returns how many."""
        if not self._accepting:
            return 0
        began = self._clock()
        until = began + seconds
        touched = 0
        for owned in self._owned.values():
            partition = owned.partition
            while partition.sweepable and touched < SWEEP_MOST and self._clock() < until:
                try:
                    count = partition.sweep(SWEEP_STEP)
                except Exception as error:
                    log.error(  # noqa: TRY400 - without the message
                        "partition %d: our code failed on an idle lead",
                        partition.number,
                        exc_info=bare(error),
                        extra={"partition": partition.number, "reason": type(error).__name__},
                    )
                    self._stop(owned, f"our code failed on an idle lead: {type(error).__name__}", "sweep")
                    break
                owned.outbox.send(*partition.drain())
                owned.metrics.swept.inc(count)
                partition.trim()
                touched += count
        self.spent["sweep"] += self._clock() - began
        return touched

    @property
    def sweeping(self) -> bool:
        """Whether ``sweep`` has something to do."""
        return self._accepting and any(owned.partition.sweepable for owned in self._owned.values())

    # -- looking at it ----------------------------------------------------------------------------

    @property
    def partitions(self) -> dict[int, ScorePartition]:
        """Those owned, by number."""
        return {number: owned.partition for number, owned in self._owned.items()}

    def owned(self, number: int) -> Owned | None:
        """A partition of ours and what is kept beside it."""
        return self._owned.get(number)

    def owns(self, number: int) -> bool:
        """Whether a partition is ours, perhaps still being restored. On any thread."""
        return number in self._owned

    def problems(self) -> list[str]:
        """Why the worker is not ready; empty when it is."""
        if self._restoring:
            return ["no assignment yet, or its state is being restored"]
        found = []
        for number, owned in sorted(self._owned.items()):
            state = owned.partition.machine.state
            if owned.partition.stopped:
                found.append(f"partition {number} stopped: {owned.partition.stopped}")
            elif not state.doors_version:
                found.append(f"partition {number} knows no doors: run `scorer topics apply`")
            elif not state.version:
                found.append(f"partition {number} knows no rules: run `scorer rules apply`")
        return found
