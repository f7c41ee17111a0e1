"""A broker that is part of this process: librdkafka's mock cluster, which comes with confluent-kafka.

It keeps everything in memory, 5 MB or 100,000 records a partition, oldest dropped first. It creates no topic
on request and compacts nothing; a topic exists, with 4 partitions, once somebody has asked for its metadata.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException, Producer

from scorer.errors import UserError

PARTITIONS = 4
"""Of every topic."""
TIMEOUT = 10.0  # seconds; an answer takes milliseconds


class EmbeddedBroker:
    """Runs from ``with`` to the end of it."""

    def __init__(self) -> None:
        self._owner: Producer | None = None
        self.bootstrap = ""
        """``host:port``, once it runs."""

    def __enter__(self) -> Self:
        # A client with this setting starts the cluster and owns it. Its address is in the metadata.
        self._owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        broker = next(iter(self._metadata().brokers.values()))
        self.bootstrap = f"{broker.host}:{broker.port}"
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.close()

    def create(self, topics: Iterable[str]) -> None:
        """Makes topics exist; those that do are left as they are."""
        for topic in topics:
            self._metadata(topic)

    def _metadata(self, topic: str | None = None):  # type: ignore[no-untyped-def]  # noqa: ANN202 - confluent-kafka has no types
        if self._owner is None:
            raise RuntimeError("the embedded broker is not running")
        try:
            return self._owner.list_topics(topic, timeout=TIMEOUT)
        except KafkaException as error:
            raise UserError(f"the embedded broker does not answer: {error}", exit_code=1) from error
