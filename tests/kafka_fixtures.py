"""A real Kafka for tests.

``kafka``          the session's broker: ``kafka.bootstrap``. Don't stop it; tests that hurt brokers
                   start a ``KafkaCluster`` of their own or use ``kafka_three``.
``kafka_three``    three nodes for one test module, replication factor 3, to be killed and restarted.
``topic_prefix``   a prefix that no other test has; topics under it are deleted after the test.

With SCORER_TEST_BOOTSTRAP=host:port, ``kafka`` is that broker (`scorer dev kafka` prints one).
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from scorer.dev.kafka import KafkaCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count(1)
_session = uuid4().hex[:6]


@dataclass(frozen=True)
class RunningKafka:
    """A broker that somebody else started."""

    bootstrap: str


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaCluster | RunningKafka]:
    running = os.environ.get("SCORER_TEST_BOOTSTRAP")
    if running:
        yield RunningKafka(running)
        return
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def kafka_three() -> Iterator[KafkaCluster]:
    with KafkaCluster(nodes=3) as cluster:
        yield cluster


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """Such as ``t7-3fa9c1.``, for ``Settings.topic_prefix``: before topics' and groups' names."""
    prefix = f"t{next(_numbers)}-{_session}."
    yield prefix
    if "kafka" in request.fixturenames:
        # Hundreds of tests would leave thousands of partitions on one small broker.
        _delete_topics(request.getfixturevalue("kafka").bootstrap, prefix)


def _delete_topics(bootstrap: str, prefix: str) -> None:
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": bootstrap})
    ours = [name for name in client.list_topics(timeout=10).topics if name.startswith(prefix)]
    if ours:
        for deleted in client.delete_topics(ours).values():
            deleted.exception(timeout=10)
