"""Topics in Kafka as its administration interface shows and changes them. Blocking."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicMetadata,
)

from scorer.broker import unreachable
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future

TIMEOUT = 30.0
"""Seconds for one request, and for a new topic to be led everywhere."""
_LOOK_AGAIN = 0.1


class Found(NamedTuple):
    """A topic as it is."""

    id: str
    """Kafka's own: a topic that is deleted and created again has another one."""
    partitions: int
    replicas: int
    """The fewest that any partition has."""
    config: dict[str, str]


class New(NamedTuple):
    """A topic to be created."""

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str]


class Cluster:
    """One Kafka. Names are full names, prefix included. Raises ``UserError`` where Kafka refuses."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        # The client must outlive its futures, or they never resolve.
        self._client = AdminClient(
            {"bootstrap.servers": bootstrap, "socket.timeout.ms": int(TIMEOUT * 1000), "log_level": 2}
        )

    def brokers(self) -> int:
        """How many brokers are up."""
        try:
            return len(self._client.list_topics(timeout=TIMEOUT).brokers)
        except KafkaException as error:
            raise unreachable(self._bootstrap, error) from error

    def find(self, names: Collection[str]) -> dict[str, Found]:
        """Those of the topics that exist."""
        listed = self._listed()
        existing = [name for name in names if name in listed]
        if not existing:
            return {}
        described = self._results(self._client.describe_topics(TopicCollection(existing)))
        wanted = [ConfigResource(ResourceType.TOPIC, name) for name in existing]
        configs = self._results(self._client.describe_configs(wanted))
        return {
            name: Found(
                id=str(described[name].topic_id),
                partitions=len(described[name].partitions),
                replicas=min(len(partition.replicas) for partition in described[name].partitions),
                config={key: entry.value for key, entry in configs[resource].items()},
            )
            for name, resource in zip(existing, wanted, strict=True)
        }

    def create(self, topics: Collection[New]) -> None:
        """All of them at once; returns when they can be used."""
        if not topics:
            return
        new = [
            NewTopic(
                topic.name,
                num_partitions=topic.partitions,
                replication_factor=topic.replicas,
                config=dict(topic.config),
            )
            for topic in topics
        ]
        self._results(self._client.create_topics(new, request_timeout=TIMEOUT))
        self._wait({topic.name: topic.partitions for topic in topics})

    def grow(self, name: str, partitions: int) -> None:
        """Add partitions until there are so many; returns when they can be used."""
        self._results(
            self._client.create_partitions([NewPartitions(name, partitions)], request_timeout=TIMEOUT)
        )
        self._wait({name: partitions})

    def alter(self, name: str, config: Mapping[str, str]) -> None:
        """Set these settings and leave the others."""
        changes = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=changes)
        self._results(self._client.incremental_alter_configs([resource], request_timeout=TIMEOUT))

    def _wait(self, counts: Mapping[str, int]) -> None:
        """Until so many partitions answer: "created" and even a leader's name come before that."""
        silent = {(name, number) for name, count in counts.items() for number in range(count)}
        deadline = time.monotonic() + TIMEOUT
        while silent:
            if time.monotonic() > deadline:
                names = ", ".join(sorted({name for name, _ in silent}))
                raise UserError(f"{names}: not ready after {TIMEOUT:.0f} s", exit_code=1)
            # librdkafka asks for leaders only if nobody has listed them, and then believes the first answer.
            listed = self._listed()
            asked = {
                TopicPartition(name, number): OffsetSpec.latest()
                for name, number in silent
                if name in listed
                and number in listed[name].partitions
                and listed[name].partitions[number].leader >= 0
            }
            answers = self._client.list_offsets(asked, request_timeout=TIMEOUT) if asked else {}
            for partition, future in answers.items():
                if future.exception(TIMEOUT) is None:
                    silent.remove((partition.topic, partition.partition))
            if silent:
                time.sleep(_LOOK_AGAIN)

    def _listed(self) -> dict[str, TopicMetadata]:
        try:
            topics: dict[str, TopicMetadata] = self._client.list_topics(timeout=TIMEOUT).topics
        except KafkaException as error:
            raise unreachable(self._bootstrap, error) from error
        return topics

    def _results(self, futures: Mapping[Any, Future[Any]]) -> dict[Any, Any]:
        try:
            return {name: future.result(TIMEOUT) for name, future in futures.items()}
        except KafkaException as error:
            raise unreachable(self._bootstrap, error) from error
        except TimeoutError:
            raise UserError(f"Kafka at {self._bootstrap}: no answer", exit_code=1) from None
