"""How each system is started, looked at and stopped, and where its states are."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self

from confluent_kafka.admin import AdminClient, NewTopic

from scorer.broker import Broker
from scorer.dev.artifacts import java
from scorer.settings import Settings
from scorer.wire.registry import DISQUALIFIED, QUALIFIED
from tests.bench.figures import ROOT
from tests.bench.peers import job, parts, progress, states
from tests.bench.peers.log import Round
from tests.bench.peers.oracle import Answer
from tests.bench.road import PARTITIONS, Child, WorkerProcess, scored_to_the_end, wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

COMMIT = 1.0
"""Seconds between two commits, everybody's."""
STOPPING = 90.0
"""Seconds."""


class Running(Child):
    """A peer's process. Its working folder keeps its log."""

    every = 0.1
    """Seconds between two looks: reading a few bytes of a file costs it nothing."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._progress = folder / "progress"
        progress.create(self._progress)
        told = {"PEER_PROGRESS": str(self._progress)}
        super().__init__(command, environment | told, folder / "peer.log", folder)

    @property
    def pids(self) -> list[int]:
        return [self.process.pid]

    def count(self) -> int:
        return progress.read(self._progress)

    def check(self) -> None:
        """Raises ``RuntimeError`` where the process has ended by itself and not well."""
        if self.process.poll():
            raise RuntimeError(f"it ended with {self.process.returncode}: {self.last_words()}")

    def settle(self) -> None:
        """Returns when what it has processed is durable; here stopping sees to that."""

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOPPING)


class RunningFaust(Running):
    def __init__(
        self, command: list[str], environment: dict[str, str], folder: Path, durable: Callable[[], int]
    ) -> None:
        """``durable``: records in its changelog."""
        self.reached = folder / "reached.json"
        self._durable = durable
        super().__init__(command, environment | {"PEER_REACHED": str(self.reached)}, folder)

    def until(self) -> dict[int, int]:
        """Partition -> the first offset that was not processed."""
        reached = json.loads(self.reached.read_text())["reached"]
        return {int(partition): offset for partition, offset in reached.items()}

    def settle(self) -> None:
        changes = json.loads(self.reached.read_text())["changes"]
        wait_until(lambda: self._durable() >= changes, STOPPING, "Faust's changelog is complete")

    def stop(self) -> None:
        self.kill()  # all is acknowledged, and it waits to be ended


class RunningWorkers:
    """The worker, with the same face: one process, or several that share the partitions."""

    every = 0.25
    """Looking at its metrics costs the worker some milliseconds of its own."""

    def __init__(self, where: Round, folder: Path, checkpoint: float, count: int) -> None:
        self._broker = where.broker
        self._workers = [
            WorkerProcess(where.settings, folder / str(number), "--only", "score", checkpoint=checkpoint)
            for number in range(count)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.__exit__(exc_type, exc, traceback)

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid for worker in self._workers]

    def count(self) -> int:
        """Moves once per checkpoint and partition, when that is durable."""
        return sum(int(worker.total("scorer_score_records_total")) for worker in self._workers)

    def check(self) -> None:
        """``count`` raises where a process has ended."""

    def settle(self) -> None:
        first, *others = self._workers
        wait_until(lambda: scored_to_the_end(first, self._broker, *others), STOPPING, "all is durable")

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()


@dataclass(frozen=True)
class Peer:
    name: str
    label: str
    command: Callable[[], list[str]]
    changelog: Callable[[str, Round], str] | None = None
    """(id, round) -> the changelog's whole name; None for a ceiling."""
    read: Callable[[Broker, str], dict[str, job.State]] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    restores: bool = False

    def identity(self, where: Round) -> str:
        return f"{where.settings.topic_prefix}{self.name}"

    def prepare(self, where: Round) -> None:
        """Topics that no system makes by itself, or makes well."""
        if self.changelog is None:
            return
        _create(where, NewTopic(self.outcomes(where), PARTITIONS, 1))

    def start(self, where: Round, folder: Path, wanted: int) -> Running:
        return Running(self.command(), self.variables(where, folder, wanted), folder)

    def variables(self, where: Round, folder: Path, wanted: int) -> dict[str, str]:
        """What its process finds in its environment. ``wanted``: records that it is to process."""
        return {
            "PEER_ID": self.identity(where),
            "PEER_BOOTSTRAP": where.settings.bootstrap,
            "PEER_LOG": where.log,
            "PEER_OUTCOMES": self.outcomes(where),
            "PEER_PARTITIONS": str(PARTITIONS),
            "PEER_RECORDS": str(wanted),
            "PEER_FOLDER": str(folder / "state"),
            "PYTHONPATH": str(ROOT),
        } | self.environment

    def wipe(self, folder: Path) -> None:
        """Lose the local state."""
        shutil.rmtree(folder / "state")

    def answers(self, where: Round) -> dict[str, Answer] | None:
        """The final states; None for a ceiling. Raises where states and output topic disagree."""
        if self.changelog is None or self.read is None:
            return None
        found = self.read(_plain(where), self.changelog(self.identity(where), where))
        said = sum(state["out"] for state in found.values())
        _agree(states.records(_plain(where), self.outcomes(where)), said)
        return {name: states.answer(state) for name, state in found.items()}

    def forget(self, where: Round) -> None:
        """Remove its topics: the broker shall not compact them during another's run."""
        admin = _admin(where)
        mine = [topic for topic in admin.list_topics(timeout=20).topics if self.identity(where) in topic]
        if mine:
            for removed in admin.delete_topics(mine).values():
                removed.result()

    def outcomes(self, where: Round) -> str:
        return f"{self.identity(where)}.outcomes"


class FaustPeer(Peer):
    """Leaves off early, and finds its changelog made: the broker makes no topic by itself."""

    def prepare(self, where: Round) -> None:
        super().prepare(where)
        _create(where, NewTopic(self._table(where), PARTITIONS, 1, config={"cleanup.policy": "compact"}))

    def start(self, where: Round, folder: Path, wanted: int) -> RunningFaust:
        variables = self.variables(where, folder, wanted)
        durable = partial(states.records, _plain(where), self._table(where))
        return RunningFaust(self.command(), variables, folder, durable)

    def _table(self, where: Round) -> str:
        return f"{self.identity(where)}-leads-changelog"


@dataclass(frozen=True)
class Worker:
    name: str
    label: str
    checkpoint: float
    """Seconds; a worker with a backlog takes three times as long."""
    count: int = 1
    """Processes, each a worker of the same group."""
    restores: bool = True

    def prepare(self, where: Round) -> None:
        """Its topics are the registry's, made with the log."""

    def start(self, where: Round, folder: Path, wanted: int) -> RunningWorkers:
        return RunningWorkers(where, folder, self.checkpoint, self.count)

    def wipe(self, folder: Path) -> None:
        for number in range(self.count):
            shutil.rmtree(folder / str(number) / "data")

    def answers(self, where: Round) -> dict[str, Answer]:
        found = states.of_worker(where.broker)
        said = sum(answer.outcomes for answer in found.values())
        _agree(states.records(where.broker, QUALIFIED, DISQUALIFIED), said)
        return found

    def forget(self, where: Round) -> None:
        """Its topics stay: nothing else reads or compacts them within minutes."""


System = Worker | Peer


def _streams() -> list[str]:
    command = [str(java()), "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return [*command, "-cp", parts.streams_class_path(), "dev.scorer.peers.Main"]


def _python(module: str, python: Callable[[], str] = lambda: sys.executable) -> Callable[[], list[str]]:
    return lambda: [python(), "-m", f"tests.bench.peers.{module}"]


def systems(faust_seconds: float, workers: int) -> list[System]:
    """All of them. ``faust_seconds``: how long Faust may take. ``workers``: processes of ours."""
    label = "this worker" if workers == 1 else f"{workers} of this worker"
    return [
        Worker("scorer", label, checkpoint=COMMIT / 3, count=workers),
        Peer(
            "streams",
            "Kafka Streams",
            _streams,
            changelog=lambda identity, _: f"{identity}-leads-changelog",
            read=states.of_streams,
            restores=True,
        ),
        Peer(
            "quix",
            "Quix Streams",
            _python("quix_app", parts.quix_python),
            changelog=lambda identity, where: f"changelog__{identity}--{where.log}--default",
            read=states.of_quix,
            restores=True,
        ),
        FaustPeer(
            "faust",
            "idiomatic Faust",
            _python("faust_app"),
            changelog=lambda identity, _: f"{identity}-leads-changelog",
            read=states.of_faust,
            environment={"PEER_SECONDS": str(faust_seconds)},
        ),
        Peer("aiokafka", "ceiling: aiokafka", _python("ceiling_aiokafka")),
        Peer("confluent", "ceiling: confluent-kafka", _python("ceiling_confluent")),
    ]


def _agree(told: int, said: int) -> None:
    if told != said:
        raise RuntimeError(f"{told:,} outcomes in the output topics, {said:,} in the states")


def _create(where: Round, topic: NewTopic) -> None:
    admin = _admin(where)  # has to live until it is answered
    for made in admin.create_topics([topic]).values():
        made.result()


def _plain(where: Round) -> Broker:
    """For topics by their whole names."""
    return Broker(Settings(bootstrap=where.settings.bootstrap))


def _admin(where: Round) -> AdminClient:
    return AdminClient({"bootstrap.servers": where.settings.bootstrap, "log_level": 2})
