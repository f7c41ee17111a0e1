"""Doors on a real Kafka, an intake worker at work on them, and a reader of what it wrote."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import msgspec
from confluent_kafka import Producer

from scorer import rules_apply
from scorer.broker import Broker, Range
from scorer.domain import clock
from scorer.domain.model import Model, encode_model
from scorer.domain.record import HOPS, Clock, Doors, Fact, decode_record
from scorer.settings import Settings
from scorer.wire.dead_letters import Origin, origin
from scorer.wire.registry import DEAD_LETTERS, LOG, Registry
from scorer.wire.topic_plan import Wishes
from scorer.wire.topics import apply_topics
from scorer.worker.intake_app import build_intake_app
from scorer.worker.supervise import supervise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from pathlib import Path

    from confluent_kafka import Message

    from scorer.worker.intake_agent import IntakeOwner

REGISTRY = Registry.load()
PATIENCE = 60.0  # seconds


def reaching(settings: Settings) -> dict[str, str]:
    """The environment of a process that is to reach the same Kafka in the same way."""
    names = ["bootstrap", *(name for name in Settings.__struct_fields__ if name.startswith("kafka_"))]
    given = {name: getattr(settings, name) for name in names}
    return {f"SCORER_{name.upper()}": str(value) for name, value in given.items() if value}


# -- before -------------------------------------------------------------------------------------------


def make_topics(settings: Settings, **wishes: Any) -> Doors:
    """As `scorer topics apply` does."""
    return apply_topics(settings, REGISTRY, Wishes(**wishes)).doors


def prepare(settings: Settings, **wishes: Any) -> Doors:
    """Topics and some rules."""
    doors = make_topics(settings, **wishes)
    rules_apply.apply(Broker(settings), encode_model(Model(name="none", scores=())))
    return doors


# -- events -------------------------------------------------------------------------------------------

TYPE_OF = {
    "activity.email.v1": "email.opened",
    "activity.page.v1": "page.viewed",
    "activity.app.v1": "app.task_created",
    "activity.booking.v1": "booking.created",
    "activity.social.v1": "social.clicked",
    "lead.profile.v1": "profile.updated",
    "lead.feedback.v1": "feedback.accepted",
}
DOORS = tuple(TYPE_OF)
_ids = itertools.count()


def event(door: str, lead: str = "lead-1", **changes: Any) -> bytes:
    """A valid event for a door; ``id`` counts up."""
    fields = {
        "specversion": "1.0",
        "id": f"e{next(_ids)}",
        "source": "/tests",
        "type": TYPE_OF[door],
        "subject": lead,
        "data": {"path": "/pricing"},
    } | changes
    return msgspec.json.encode(fields)


class Publisher:
    """Sends to doors; ``flush`` returns when the broker has everything, and raises what it refused."""

    def __init__(self, settings: Settings, **config: Any) -> None:
        self._prefix = settings.topic_prefix
        self._errors: list[Any] = []
        self.producer = Producer(settings.kafka.librdkafka() | {"linger.ms": 5, "log_level": 2} | config)

    def send(
        self,
        door: str,
        value: bytes | None,
        key: bytes | str | None = None,
        partition: int = -1,
        taken: Callable[[Message], object] = lambda _: None,
    ) -> None:
        """``taken`` gets the message once the broker has it: its partition and append time are set then."""

        def delivered(error: Any, message: Message) -> None:
            if error is not None:
                self._errors.append(error)
            else:
                taken(message)

        self.producer.produce(self._prefix + door, value, key, partition, on_delivery=delivered)
        self.producer.poll(0)

    def flush(self) -> None:
        assert self.producer.flush(30) == 0
        assert self._errors == []


# -- at work ------------------------------------------------------------------------------------------


class IntakeProcess:
    """`scorer worker --only intake`."""

    def __init__(self, settings: Settings, folder: Path, **environment: str) -> None:
        given = {
            **reaching(settings),
            "SCORER_TOPIC_PREFIX": settings.topic_prefix,
            "SCORER_CHECKPOINT_INTERVAL": "0.2",
            "SCORER_METRICS_PORT": "0",
        }
        self._output = folder / f"intake-{next(_ids)}.log"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scorer", "worker", "--only", "intake"],
                env=os.environ | given | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait_for(self, what: Callable[[], object]) -> None:
        """Until it is so; fails with the worker's words when it ends before, or takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output()}"
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def wait_ready(self) -> Self:
        self.wait_for(lambda: self.status("/readyz")[0] == 200)
        return self

    def status(self, path: str) -> tuple[int, str]:
        """HTTP status (0 when there is no server yet) and body."""
        _, _, rest = self.output().partition("metrics on ")
        if "/metrics" not in rest:
            return 0, ""
        try:
            with urlopen(  # noqa: S310 - our own server
                rest.partition("/metrics")[0] + path, timeout=5
            ) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except URLError:
            return 0, ""

    def ended(self) -> tuple[int, str]:
        """Exit code and output of a worker that is to end by itself."""
        return self.process.wait(PATIENCE), self.output()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0, self.output()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Ended(Exception):  # noqa: N818
    """What would have ended the process."""


@asynccontextmanager
async def intake_here(settings: Settings, **options: Any) -> AsyncIterator[IntakeOwner]:
    """An intake app in this process, so that its pace can be set; raises what would have ended it."""
    failures: list[BaseException] = []
    stop = asyncio.Event()

    def on_fatal(error: BaseException) -> NoReturn:
        failures.append(error)
        stop.set()
        raise Ended(repr(error)) from error

    app = build_intake_app(settings, on_fatal=on_fatal, **options)
    running = asyncio.create_task(supervise([app], stop))
    try:
        yield app.owner
    finally:
        stop.set()
        await running
    if failures:
        raise failures[0]


async def notice(intake: IntakeOwner) -> None:
    """What a consumer does by itself when its metadata is 5 s old."""
    thread = intake.app.consumer._thread

    async def ask() -> None:
        await thread._ensure_consumer()._client.force_metadata_update()

    await thread.call(ask())


async def eventually(what: Callable[[], object]) -> None:
    """Until it is so; looks from another thread, so that the app can get on."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(what):  # noqa: ASYNC110 - Kafka sets no events
            await asyncio.sleep(0.05)


# -- afterwards ---------------------------------------------------------------------------------------


class Written(NamedTuple):
    partition: int
    offset: int
    lead: bytes | None
    record: Any


_read: dict[tuple[str, str], dict[int, list[Written]]] = {}


def read_log(settings: Settings) -> list[Written]:
    """Every record of the lead log, partition by partition in log order.

    What an earlier call has read is not read again: tests look many times while a log grows.
    """
    broker = Broker(settings)
    known = _read.setdefault((settings.bootstrap, settings.topic_prefix), {})
    log: list[Written] = []
    for partition, wanted in broker.ranges(LOG).items():
        records = known.setdefault(partition, [])
        following = records[-1].offset + 1 if records else wanted.start
        records += [
            Written(partition, stored.offset, stored.key, decode_record(stored.value or b""))
            for stored in broker.read(LOG, partition, Range(following, wanted.end))
        ]
        log += records
    return log


def facts(log: Iterable[Written]) -> Iterator[tuple[Written, Fact]]:
    return ((written, written.record) for written in log if isinstance(written.record, Fact))


def end_of(settings: Settings, topic: str) -> int:
    """Records ever written to a topic, all partitions together."""
    return sum(wanted.end for wanted in Broker(settings).ranges(topic).values())


def ids_in(settings: Settings) -> set[str]:
    return {fact.id for _, fact in facts(read_log(settings))}


class Letter(NamedTuple):
    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def read_dead_letters(settings: Settings) -> list[Letter]:
    broker = Broker(settings)
    return [
        Letter(origin(stored.headers.items()), stored.key, stored.value, stored.headers)
        for partition, wanted in broker.ranges(DEAD_LETTERS).items()
        for stored in broker.read(DEAD_LETTERS, partition, wanted, headers=True)
    ]


@dataclass
class Findings:
    """What ``examine`` has seen, so that a test can be sure that it has looked at something."""

    ahead: list[str] = field(default_factory=list)
    """Facts older than the clock that they came behind, and clock values beyond what had been written."""
    disorder: list[str] = field(default_factory=list)
    """Facts written behind a later one of their door partition: readers would take them for repeated."""
    facts: int = 0
    repeated: int = 0
    clocks: dict[int, int] = field(default_factory=dict)
    """Partition -> its clock at the end, ms; 0 while a door is waited for."""
    held_back: int = 0
    """Clock records while some announced door had not been heard of."""


def examine(log: Iterable[Written]) -> Findings:
    """Checks the promises of every log partition's clock, by the sentences of the design.

    The clock is the minimum, over all doors announced, of the highest time told. A fact appended to its
    door at time A may only be written while no clock record has told more than A of that door.
    """
    found = Findings()
    for partition, written in itertools.groupby(log, key=lambda one: one.partition):
        told: dict[int, int] = {}
        doors: set[int] = set()
        version = now = 0
        seen: dict[int, set[int]] = {}
        highest: dict[int, int] = {}
        for one in written:
            record = one.record
            where = f"[{partition}]@{one.offset}"
            if isinstance(record, Doors) and record.version > version:
                version, doors = record.version, {door.number for door in record.doors}
            elif isinstance(record, Clock):
                for number, at in clock.unpack(record.packed).items():
                    told[number] = max(told.get(number, 0), at)
                if doors <= told.keys():
                    now = max(now, min(told[number] for number in doors))
                else:
                    found.held_back += 1
            elif isinstance(record, Fact) and record.door < HOPS:  # else forwarded, whenever that was
                found.facts += 1
                offsets = seen.setdefault(record.door, set())
                if record.offset in offsets:
                    found.repeated += 1
                    continue
                if record.offset < highest.get(record.door, -1):
                    found.disorder.append(f"{where}: {record}")
                highest[record.door] = max(record.offset, highest.get(record.door, -1))
                offsets.add(record.offset)
                if record.received < told.get(record.door, 0):
                    found.ahead.append(f"{where}: door {record.door} was told {told[record.door]}, {record}")
                if record.received < now:
                    found.ahead.append(f"{where}: the clock was {now}, {record}")
        found.clocks[partition] = now
    return found
