"""Topics in Kafka as its administration interface shows and changes them. Blocking."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
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

from scorer.errors import UserError
from scorer.kafka_errors import (
    FORBIDDEN,
    Heard,
    NotAllowedError,
    ask_metadata,
    hear,
    not_allowed,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future

    from scorer.kafka_access import KafkaAccess

TIMEOUT = 30.0
"""Seconds for one request, and for a new topic to be led everywhere."""
_LOOK_AGAIN = 0.1
_HEAR_EVERY = 1.0


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


class _UnknownError(UserError):
    """No such topic, or no such group."""


def _in_words(operation: str) -> str:
    """``DESCRIBE_CONFIGS`` as Kafka's tools have it."""
    return "".join(word.capitalize() for word in operation.split("_"))


class Cluster:
    """One Kafka. Names are full names, prefix included. Raises ``UserError`` where Kafka refuses."""

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access
        self._heard = Heard()
        # The client must outlive its futures, or they never resolve.
        self._client = AdminClient(
            access.librdkafka()
            | {"error_cb": self._heard, "socket.timeout.ms": int(TIMEOUT * 1000), "log_level": 2}
        )

    def brokers(self) -> int:
        """How many brokers are up."""
        return len(ask_metadata(self._client, self._access, self._heard, TIMEOUT).brokers)

    def find(self, names: Collection[str]) -> dict[str, Found]:
        """Those of the topics that exist."""
        described = self._described(names)
        configs = self.configs(described)
        return {
            name: Found(
                id=str(topic.topic_id),
                partitions=len(topic.partitions),
                replicas=min(len(partition.replicas) for partition in topic.partitions),
                config=configs[name],
            )
            for name, topic in described.items()
        }

    def ids(self, names: Collection[str]) -> dict[str, str]:
        """Kafka's own names of those of the topics that exist."""
        return {name: str(topic.topic_id) for name, topic in self._described(names).items()}

    def counts(self, names: Collection[str]) -> dict[str, int]:
        """Partitions of those of the topics that exist."""
        return {name: len(topic.partitions) for name, topic in self._described(names).items()}

    def configs(self, names: Collection[str]) -> dict[str, dict[str, str]]:
        """The settings of topics, which must exist."""
        wanted = {name: ConfigResource(ResourceType.TOPIC, name) for name in names}
        if not wanted:
            return {}
        asked = self._client.describe_configs(list(wanted.values()))
        return {
            name: {
                key: entry.value
                for key, entry in self._result(asked[resource], "DescribeConfigs", f"topic {name}").items()
            }
            for name, resource in wanted.items()
        }

    def allowed_on_topics(self, names: Collection[str]) -> dict[str, frozenset[str]]:
        """Operations, as in ``Read``, that we are allowed; topics that don't exist are left out.

        On a topic that we may not even see nothing is known to be allowed.
        """
        if not names:
            return {}
        asked = self._client.describe_topics(
            TopicCollection(sorted(names)), include_authorized_operations=True, request_timeout=TIMEOUT
        )
        return self._allowed(asked, "topic")

    def allowed_on_groups(self, names: Collection[str]) -> dict[str, frozenset[str]]:
        """As ``allowed_on_topics``, for consumer groups."""
        if not names:
            return {}
        asked = self._client.describe_consumer_groups(
            sorted(names), include_authorized_operations=True, request_timeout=TIMEOUT
        )
        return self._allowed(asked, "group")

    def _allowed(self, asked: Mapping[str, Future[Any]], kind: str) -> dict[str, frozenset[str]]:
        found = {}
        for name, future in asked.items():
            try:
                described = self._result(future, "Describe", f"{kind} {name}")
            except _UnknownError:
                continue
            except NotAllowedError:
                found[name] = frozenset[str]()
                continue
            operations = described.authorized_operations
            if operations is not None:  # a broker that does not say
                found[name] = frozenset(_in_words(operation.name) for operation in operations)
        return found

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
        self._results(self._client.create_topics(new, request_timeout=TIMEOUT), "Create")
        self._wait({topic.name: topic.partitions for topic in topics})

    def grow(self, name: str, partitions: int) -> None:
        """Add partitions until there are so many; returns when they can be used."""
        grown = self._client.create_partitions([NewPartitions(name, partitions)], request_timeout=TIMEOUT)
        self._results(grown, "Alter")
        self._wait({name: partitions})

    def alter(self, name: str, config: Mapping[str, str]) -> None:
        """Set these settings and leave the others."""
        changes = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=changes)
        altered = self._client.incremental_alter_configs([resource], request_timeout=TIMEOUT)
        self._result(altered[resource], "AlterConfigs", f"topic {name}")

    def delete(self, names: Collection[str]) -> None:
        """Those of the topics that exist; returns when they are gone."""
        there = list(self.ids(names))
        if not there:
            return
        deleted = self._client.delete_topics(there, request_timeout=TIMEOUT, operation_timeout=TIMEOUT)
        self._results(deleted, "Delete")
        deadline = time.monotonic() + TIMEOUT
        while left := self.ids(there):
            if time.monotonic() > deadline:
                raise UserError(f"{', '.join(left)}: still there after {TIMEOUT:.0f} s", exit_code=1)
            time.sleep(_LOOK_AGAIN)

    def truncate(self, name: str, starts: Mapping[int, int]) -> None:
        """Delete the records of partitions before these offsets."""
        before = [TopicPartition(name, number, start) for number, start in starts.items()]
        for future in self._client.delete_records(before, request_timeout=TIMEOUT).values():
            self._result(future, "Delete", f"topic {name}")

    def members(self, groups: Collection[str]) -> dict[str, int]:
        """Consumer group -> how many members it has; a static one that is away counts until it times out."""
        asked = self._client.describe_consumer_groups(sorted(groups), request_timeout=TIMEOUT)
        found = {}
        for name, future in asked.items():
            try:
                found[name] = len(self._result(future, "Describe", f"group {name}").members)
            except _UnknownError:
                found[name] = 0
        return found

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
        topics: dict[str, TopicMetadata] = ask_metadata(
            self._client, self._access, self._heard, TIMEOUT
        ).topics
        return topics

    def _described(self, names: Collection[str]) -> dict[str, Any]:
        """Those that exist. A list of all topics would leave out those that we are not allowed to see."""
        if not names:
            return {}
        found = {}
        for name, future in self._client.describe_topics(TopicCollection(list(names))).items():
            try:
                found[name] = self._result(future, "Describe", f"topic {name}")
            except _UnknownError:
                continue
        return found

    def _results(self, futures: Mapping[str, Future[Any]], operation: str) -> None:
        """Waits for what was asked of topics."""
        for name, future in futures.items():
            self._result(future, operation, f"topic {name}")

    def _result(self, future: Future[Any], operation: str, resource: str) -> Any:
        until = time.monotonic() + TIMEOUT
        while True:
            try:
                return future.result(_HEAR_EVERY)
            except KafkaException as error:
                code = error.args[0].code()
                if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND):
                    raise _UnknownError(resource, exit_code=1) from error
                if code in FORBIDDEN:
                    raise not_allowed(self._access, operation, resource) from error
                hear(self._client)
                raise unreachable(self._access, error, self._heard) from error
            except TimeoutError:
                hear(self._client)
                if self._heard.refusal is not None:
                    raise unreachable(self._access, KafkaException(self._heard.refusal)) from None
                if time.monotonic() > until:
                    raise UserError(f"Kafka at {self._access.bootstrap}: no answer", exit_code=1) from None
