"""The whole road in a test: the commands that prepare it, a publisher with a diary, and what came out."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from scorer import cli
from scorer.wire.partitioner import partition_of
from scorer.wire.times import milliseconds
from tests.bench.road import WorkerProcess, scored_to_the_end, wait_until
from tests.bench.workload import EMAIL
from tests.integration.score_running import outcomes_in
from tests.support.intake import Publisher, event, examine, read_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable
    from pathlib import Path

    from confluent_kafka import Message

    from scorer.broker import Broker
    from scorer.settings import Settings

PATIENCE = 60.0  # seconds


# -- before and after ---------------------------------------------------------------------------------


def command(settings: Settings, *arguments: str) -> None:
    """As `scorer ...` in a terminal."""
    flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
    assert cli.run([*arguments, *flags]) == 0


def prepare_road(settings: Settings, rules: Path, log_partitions: int = 2) -> None:
    command(settings, "topics", "apply", "--partitions", f"lead.log.v1={log_partitions}")
    command(settings, "rules", "apply", str(rules))


async def until(condition: Callable[[], bool], what: str, *workers: WorkerProcess) -> None:
    """Looks from another thread, so that a publisher can get on; fails with the workers' last words."""

    def look() -> bool:
        for worker in workers:
            assert worker.process.poll() is None, worker.last_words()
        return condition()

    try:
        await asyncio.to_thread(wait_until, look, PATIENCE, what, 0.2)
    except TimeoutError as error:
        raise TimeoutError("\n".join([str(error), *(worker.last_words() for worker in workers)])) from None


def clock(worker: WorkerProcess) -> float:
    """The earliest of the log partitions' clocks, ms; 0 before they have been told of every door."""
    clocks = worker.metrics().get("scorer_score_clock_seconds", {}).values()
    return min(clocks, default=0) * 1000


async def settled(worker: WorkerProcess, broker: Broker) -> None:
    """Returns when the log, to which nobody appends any more, is scored and the worker has stopped."""
    await until(lambda: scored_to_the_end(worker, broker), "the log is scored", worker)
    await asyncio.to_thread(worker.stop)


# -- what the road says -------------------------------------------------------------------------------


class Said(NamedTuple):
    """An outcome as its consumers see it."""

    sequence: int
    type: str
    cause: str
    reason: str
    time: int
    """ms."""
    total: float


def said(broker: Broker) -> dict[str, list[Said]]:
    """Every outcome that there is, by lead, in the order of sequence numbers."""
    found = defaultdict(list)
    for outcome in outcomes_in(broker):
        message = msgspec.json.decode(outcome.value)
        data = message["data"]
        one = Said(
            data["sequence"],
            message["type"],
            data["cause"],
            data["reason"],
            milliseconds(message["time"]),
            data["total"],
        )
        assert (message["subject"].encode(), f"{one.type}.v1") == (outcome.key, outcome.topic)
        found[message["subject"]].append(one)
    return {lead: sorted(outcomes) for lead, outcomes in found.items()}


def check_equal(found: dict[str, list[Said]], wanted: dict[str, list[Said]]) -> None:
    """Fails with some of the leads of whom something else was said than was to be."""
    everybody = sorted(found.keys() | wanted.keys())
    wrong = [lead for lead in everybody if found.get(lead) != wanted.get(lead)]
    lines = [f"wrong for {len(wrong)} of {len(everybody)} leads:"]
    for lead in wrong[:5]:
        lines += [lead, f"  said:   {_line(found.get(lead, []))}", f"  wanted: {_line(wanted.get(lead, []))}"]
    assert not wrong, "\n".join(lines)


def _line(outcomes: list[Said]) -> str:
    told = [f"{one.type} by {one.cause} at {one.time} ({one.total})" for one in outcomes]
    return ", ".join(told) or "nothing"


# -- leads who are heard of, and leads who fall silent ------------------------------------------------

WINDOW, GRACE = 4_000, 1_000
"""ms: the silence after which a lead is gone, and what ``SILENCE`` waits for late activities."""
SILENCE = """
model: Silence
grace: 1 second
qualify: {enter: above 20, exit: below 15}
scores:
  engagement: {decay: none}
rules:
  engagement:
    - {rule: Replied, on: email.replied, points: +25}
disqualify:
  - {rule: Gone, when: {no: [email.replied, email.opened], for: 4 seconds}}
"""


class Diary:
    """Publishes what leads do at the moment, and notes when the broker has it, which is when it was done.

    Events name no time of their own, so that the append time counts, and the test's pace does not.
    """

    def __init__(self, settings: Settings) -> None:
        self.publisher = Publisher(settings)
        self.times: dict[str, list[int]] = defaultdict(list)
        """Lead -> append times, ms."""
        self.now = 0
        """The newest of them: the broker's clock."""
        self.alive: dict[str, int] = {}
        """Lead -> partition of the e-mail door, of those who open an e-mail in every round."""

    def did(self, lead: str, door: str, type_: str, partition: int = -1, **data: Any) -> None:
        def taken(message: Message) -> None:
            at = message.timestamp()[1]
            self.times[lead].append(at)
            self.now = max(self.now, at)

        self.publisher.send(door, event(door, lead, type=type_, data=data), None, partition, taken)

    async def flush(self) -> None:
        await asyncio.to_thread(self.publisher.flush)

    async def round(self, type_: str = "email.opened") -> None:
        for lead, partition in self.alive.items():
            self.did(lead, EMAIL, type_, partition)
        await self.flush()

    @asynccontextmanager
    async def rounds(self) -> AsyncIterator[None]:
        """One round after the other, until the end of the block."""
        stop = asyncio.Event()

        async def go_on() -> None:
            while not stop.is_set():
                await self.round()
                await asyncio.sleep(0.2)

        going_on = asyncio.create_task(go_on())
        try:
            yield
        finally:
            stop.set()
            await going_on

    def fall_silent(self, leads: Iterable[str]) -> None:
        for lead in leads:
            del self.alive[lead]

    async def due(self, leads: Collection[str]) -> None:
        """Returns when these, and nobody else, could be called gone, were everything read."""

        def overdue() -> bool:
            return self.now > max(self.times[lead][-1] for lead in leads) + WINDOW + GRACE + 500

        await until(overdue, "rounds go on")

    def outcomes(self, settings: Settings) -> dict[str, list[Said]]:
        """What is to be said of everybody under ``SILENCE``, by the log's clock as it stands in the end."""
        clocks = examine(read_log(settings)).clocks
        wanted = {}
        for lead, unsorted in self.times.items():
            times = sorted(unsorted)
            silence = max((b - a for a, b in pairwise(times)), default=0)
            assert silence < WINDOW, f"no test: its own publisher stood still for {silence} ms"
            wanted[lead] = [Said(1, "lead.qualified", "activity", "score", times[0], 25.0)]
            due = times[-1] + WINDOW
            if due <= clocks[partition_of(lead.encode(), len(clocks))] - GRACE:
                wanted[lead].append(Said(2, "lead.disqualified", "time", "Gone", due, 25.0))
        return wanted
