"""The road that the demonstration runs on: a broker, and what has to be there before a worker can work."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from scorer.demo.embedded import EmbeddedBroker
from scorer.settings import Settings

if TYPE_CHECKING:
    from scorer.demo.stopping import Stopping

KEYS_FILE = "keys.yaml"
"""In the folder; whoever starts the collector writes it first."""
CHECKPOINT = 0.5
"""Seconds between the worker's checkpoints: how old a score on the display may be."""


class Road:
    """Its broker runs from ``with`` to the end of it; what it makes on a Kafka of yours is removed then.

    ``given``: how an existing Kafka is reached; ``kafka``: one started for it; neither: the embedded broker.
    ``rules``: the rule file. ``folder``: for whatever goes to disk. ``say`` gets a few words about each step.
    """

    def __init__(
        self,
        folder: Path,
        rules: Path,
        *,
        given: Settings | None,
        kafka: bool,
        stopping: Stopping,
        say: Callable[[str], None],
    ) -> None:
        self._given = given
        self._kafka = kafka
        self._folder = folder
        self._rules = rules
        self._stopping = stopping
        self._say = say
        self._embedded: EmbeddedBroker | None = None
        self._stack = ExitStack()
        self.settings = Settings(
            lead_secret=secrets.token_hex(16),
            data_dir=folder / "worker",
            checkpoint_interval=CHECKPOINT,
            metrics_port=0,
            collector_keys=folder / KEYS_FILE,
            collector_port=0,
            collector_metrics_port=0,
        )
        """Of this road's commands, its worker and its collector."""

    def __enter__(self) -> Self:
        with self._stack:
            self._start_broker()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def prepare(self) -> None:
        """Makes the topics, and puts doors and rules into the log. Its parts may be waiting for them."""
        from scorer.demo import preparing  # noqa: PLC0415 - loads while the worker does

        preparing.make_topics(self.settings, self._embedded, self._say)
        self._say("putting the rules in force")
        preparing.apply_rules(self.settings, self._rules)

    @property
    def environment(self) -> dict[str, str]:
        """The settings as the environment of its parts."""
        values = {name: getattr(self.settings, name) for name in self.settings.__struct_fields__}
        return {f"SCORER_{name.upper()}": str(value) for name, value in values.items() if value is not None}

    def bring_in(self, history: Callable[[int], Iterator[dict[str, Any]]]) -> int:
        """Imports what ``history(now)`` gives; returns the number of events."""
        from scorer.demo import preparing  # noqa: PLC0415 - as above

        now = int(time.time() * 1000)
        return preparing.import_history(self.settings, self._folder / "history.jsonl", now, history(now))

    def _start_broker(self) -> None:
        if self._kafka:
            self._start_kafka()
        elif self._given:
            self._use_kafka(self._given)
        else:
            self._say("starting the embedded broker")
            self._embedded = self._stack.enter_context(EmbeddedBroker())
            self._settle(bootstrap=self._embedded.bootstrap, broker_profile="embedded")

    def _use_kafka(self, given: Settings) -> None:
        from scorer.demo import preparing  # noqa: PLC0415 - as above

        self._say(f"looking for Kafka at {given.bootstrap}")
        with self._stopping.interruptible():
            preparing.find(given.kafka)
        names = ["bootstrap", *(name for name in given.__struct_fields__ if name.startswith("kafka_"))]
        reached = {name: getattr(given, name) for name in names}
        self._settle(topic_prefix=f"scorer-demo-{secrets.token_hex(4)}.", **reached)
        self._stack.callback(self._remove)

    def _start_kafka(self) -> None:
        from scorer.dev.kafka import KafkaCluster  # noqa: PLC0415 - only here

        self._say("starting Apache Kafka")
        # The first time it is fetched, which takes half a minute.
        with self._stopping.interruptible():
            kafka = self._stack.enter_context(KafkaCluster(tell=self._say))
        self._settle(bootstrap=kafka.bootstrap)

    def _remove(self) -> None:
        """Deletes this road's topics and groups from a Kafka that is somebody's."""
        from scorer.demo import preparing  # noqa: PLC0415 - as above

        self._say("removing the demonstration's topics")
        preparing.remove(self.settings)

    def _settle(self, **settings: Any) -> None:
        self.settings = msgspec.structs.replace(self.settings, **settings)
