"""The brokers' disks, copied at one moment and put back after the loss of everything (docs/day-two.md)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scorer.broker import Broker
from scorer.dev.kafka import KafkaCluster
from scorer.errors import UserError
from scorer.settings import Settings
from scorer.wire.registry import CHANGELOG, LOG
from tests.integration.score_running import (
    all_scored,
    check_equal,
    make_topics,
    outcomes_in,
    publish,
    scored_positions,
    until,
    worker,
)
from tests.integration.score_worker import Options
from tests.worker.score_world import by_lead, make_log

PARTITIONS = 2


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    with KafkaCluster() as own:
        yield own


def start(cluster: KafkaCluster, broker: Broker) -> None:
    (node,) = cluster.node_ids
    cluster.start_node(node)

    def leads_its_partitions() -> bool:
        with suppress(UserError):
            return bool(broker.ranges(LOG) and broker.ranges(CHANGELOG))
        return False

    until(leads_its_partitions, what="a broker that leads its partitions")


@pytest.mark.kafka
def test_brokers_disks_put_back_go_on_where_they_were_copied(cluster: KafkaCluster, tmp_path: Path) -> None:
    settings = Settings(
        bootstrap=cluster.bootstrap, data_dir=tmp_path / "data", instance="one", checkpoint_interval=0.2
    )
    broker = make_topics(settings, PARTITIONS)
    log = make_log(31, 1200, 60, PARTITIONS)
    first, second = ([part[: len(part) // 2] for part in log], [part[len(part) // 2 :] for part in log])
    options = Options(settings)
    (node,) = cluster.node_ids

    publish(broker, first)
    with worker(options, tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        running.stop()
    stood = scored_positions(broker)
    cluster.stop_node(node)
    shutil.copytree(cluster.data(node), tmp_path / "copy")
    start(cluster, broker)

    publish(broker, second)
    with worker(options, tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        running.stop()
    told = by_lead(outcomes_in(broker))
    check_equal(broker)

    cluster.kill(node)  # and its disk is gone
    shutil.rmtree(cluster.data(node))
    shutil.copytree(tmp_path / "copy", cluster.data(node))
    start(cluster, broker)
    assert scored_positions(broker) == stood

    # The worker's disk was not lost: it is ahead of the changelog that has come back.
    with worker(options, tmp_path) as running:
        until(lambda: all_scored(broker), [running])
        publish(broker, second)
        until(lambda: all_scored(broker), [running])
        running.stop()
    check_equal(broker)
    assert by_lead(outcomes_in(broker)) == told
