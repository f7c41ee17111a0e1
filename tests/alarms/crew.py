"""A running Scorer to be struck: a broker, two workers, a collector, and publishers who never rest."""

from __future__ import annotations

import itertools
import sys
import threading
from contextlib import ExitStack
from http.client import HTTPException
from typing import TYPE_CHECKING, Self

from tests.bench.engine import full_rules
from tests.bench.road import Child, free_port, prepare, wait_until
from tests.support.collecting import BASIC, Client, CollectorProcess, track
from tests.support.intake import DOORS, Publisher, event

if TYPE_CHECKING:
    from pathlib import Path

    from scorer.dev.kafka import KafkaCluster
    from scorer.settings import Settings

EVERY = 0.1
"""Seconds between two rounds of the publishers: ten events a second and door."""
SESSION_TIMEOUT = 3.0
PATIENCE = 90.0
DOOR = "activity.email.v1"
"""The one to which evil is done."""


class Worker:
    """One place on which a worker runs, life after life, under the same address."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._port = free_port()
        self._child: Child | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        environment = {
            "SCORER_BOOTSTRAP": self._settings.bootstrap,
            "SCORER_TOPIC_PREFIX": self._settings.topic_prefix,
            "SCORER_LEAD_SECRET": "test",
            "SCORER_SESSION_TIMEOUT": str(SESSION_TIMEOUT),
            "SCORER_METRICS_PORT": str(self._port),
            "SCORER_DATA_DIR": str(self._folder / "data"),
            "SCORER_HUGE_PAGES": "false",
        }
        command = [sys.executable, "-m", "scorer", "worker", "--restart"]
        self._child = Child(command, environment, self._folder / "worker.log")

    def kill(self) -> None:
        """What keeps it alive, and with it the worker itself."""
        if self._child is not None:
            self._child.kill()

    def words(self) -> str:
        return "" if self._child is None else self._child.last_words()


class Publishers:
    """Ten events a second into each door, and one after the other over HTTP."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.paused: str | None = None
        """A door to which nobody writes."""
        self.poisoned: str | None = None
        """A door to which somebody writes what is none of it, too."""
        self._settings = settings
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._doors, self._http)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _doors(self) -> None:
        # What it can't get rid of while the broker is away, it keeps, as real publishers do.
        publisher = Publisher(self._settings, **{"message.timeout.ms": 300_000})
        for number in itertools.count():
            if self._stop.wait(EVERY):
                return
            for door in DOORS:
                if door != self.paused:
                    publisher.send(door, event(door, f"lead-{number % 500}"))
                if door == self.poisoned:
                    publisher.send(door, b'{"specversion": "1.0"}')

    def _http(self) -> None:
        ask = Client(self._port)
        for number in itertools.count():
            if self._stop.wait(EVERY / 2):
                ask.close()
                return
            try:
                ask("/v1/track", track(number), BASIC)
            except (OSError, HTTPException):
                continue


class Crew(ExitStack):
    """All of it, running when the block begins."""

    def __init__(self, kafka: KafkaCluster, folder: Path) -> None:
        super().__init__()
        self.kafka = kafka
        settings, _ = prepare(kafka.bootstrap, full_rules(), "alarms")
        self.workers = [Worker(settings, folder / f"worker-{number}") for number in (1, 2)]
        port = free_port()
        for worker in self.workers:
            self.callback(worker.kill)
            worker.start()
        self.collector = self.enter_context(
            CollectorProcess(settings, folder, environment={"SCORER_COLLECTOR_METRICS_PORT": str(port)})
        )
        self.collector.ready()
        self.publishers = Publishers(settings, self.collector.port)
        self.jobs = {
            "scorer-worker": [worker.address for worker in self.workers],
            "scorer-collector": [f"127.0.0.1:{port}"],
        }

    def publish(self) -> None:
        """From now on: what came before anybody was ready would count as late."""
        self.enter_context(self.publishers)

    def broker_back(self) -> None:
        self.kafka.start_node(1, wait=False)
        wait_until(lambda: not self.kafka.ended(), 5, "the broker runs")
