"""Intake on a real Kafka: everything gets into the log, once per coordinate, and the clock tells no lies."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from faust.types import TP

from scorer import rules_apply
from scorer.broker import Broker
from scorer.demo.embedded import EmbeddedBroker
from scorer.domain import clock
from scorer.domain.model import Model, encode_model
from scorer.domain.record import Clock, Door, Doors, Fact, encode_record
from scorer.settings import Settings
from scorer.wire.dead_letters import Reason
from scorer.wire.doors import NOTHING, announce, door_numbers, plan, save_entry
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import DEAD_LETTERS, LOG
from tests.support.intake import (
    DOORS,
    REGISTRY,
    IntakeProcess,
    Publisher,
    Written,
    end_of,
    event,
    eventually,
    examine,
    facts,
    ids_in,
    intake_here,
    make_topics,
    notice,
    prepare,
    read_dead_letters,
    read_log,
)

if TYPE_CHECKING:
    from pathlib import Path

    from scorer.dev.kafka import KafkaCluster

EMAIL, PAGE = "activity.email.v1", "activity.page.v1"


@pytest.fixture
def settings(kafka: KafkaCluster, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, checkpoint_interval=0.2)


def delete_topic(settings: Settings, door: str) -> None:
    client = AdminClient({"bootstrap.servers": settings.bootstrap})
    for deleted in client.delete_topics([settings.topic_prefix + door]).values():
        deleted.result(20)


# -- one lead, one partition ----------------------------------------------------------------------


async def test_three_clients_with_their_own_partitioners_reach_one_log_partition(settings: Settings) -> None:
    prepare(settings)
    leads = [f"lead-{n}" for n in range(40)]
    rng = random.Random(7)
    librdkafka = Publisher(settings)
    for lead in leads:
        librdkafka.send(PAGE, event(PAGE, lead), key=lead)  # CRC32 of the key
        librdkafka.send(PAGE, event(PAGE, lead), key=rng.randbytes(8))  # a key that means nothing
    librdkafka.flush()
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as java_like:  # murmur2 of the key
        for lead in leads:
            await java_like.send_and_wait(settings.topic_prefix + PAGE, event(PAGE, lead), key=lead.encode())
    async with intake_here(settings):
        await eventually(lambda: len(list(facts(read_log(settings)))) >= 3 * len(leads))
    partitions = defaultdict(set)
    doors = defaultdict(set)
    for written, fact in facts(read_log(settings)):
        partitions[written.lead].add(written.partition)
        doors[written.lead].add(fact.door)
    assert len(partitions) == len(leads)
    assert any(len(numbers) > 1 for numbers in doors.values()), "the clients' partitioners did not differ"
    log_partitions = len(Broker(settings).ranges(LOG))
    for lead, numbers in partitions.items():
        assert lead is not None
        assert numbers == {partition_of(lead, log_partitions)}


# -- garbage --------------------------------------------------------------------------------------


def garbage(door: str) -> list[tuple[Reason, bytes | None, bytes | None]]:
    """(reason, key, value) of records that no door takes."""
    deep = b'{"a":' * 200_000 + b"1" + b"}" * 200_000
    return [
        (Reason.NULL_VALUE, None, None),
        (Reason.NULL_VALUE, b"a tombstone", None),
        (Reason.NOT_JSON, b"k", b""),
        (Reason.NOT_JSON, None, event(door)[:-5]),
        (Reason.NOT_JSON, b"\xff\xfe", b"\x00\x01\x02\xff"),
        (Reason.NOT_JSON, b"k", event(door).replace(b'"/pricing"', b"NaN")),
        (Reason.NOT_CLOUDEVENT, b"k", b'"text"'),
        (Reason.NOT_CLOUDEVENT, b"k", b"[" * 50 + b"]" * 50),
        (Reason.NOT_CLOUDEVENT, b"k", event(door, specversion="0.3")),
        (Reason.NOT_CLOUDEVENT, b"k", event(door, id="")),
        (Reason.UNKNOWN_TYPE, b"k", event(door, type="no.such thing")),
        (Reason.NO_LEAD, b"k", event(door, subject=None)),
        (Reason.BAD_TIME, b"k", event(door, time="yesterday")),
        (Reason.FUTURE, b"k", event(door, time="2999-01-01T00:00:00Z")),
        (Reason.TOO_OLD, b"k", event(door, time="1999-01-01T00:00:00Z")),
        (Reason.BAD_PROPERTIES, b"k", event(door).replace(b'"/pricing"', b"1e300")),
        (Reason.BAD_PROPERTIES, b"k", event(door).replace(b'"/pricing"', b"9" * 400)),
        (Reason.BAD_PROPERTIES, b"k", event(door).replace(b'"/pricing"', deep[:600_000])),
    ]


async def test_garbage_on_every_door_becomes_dead_letters_and_stops_nothing(settings: Settings) -> None:
    prepare(settings)
    rng = random.Random(3)
    publisher = Publisher(settings, **{"message.max.bytes": 1_100_000})
    good: set[str] = set()
    bad: dict[str, list[tuple[Reason, bytes | None, bytes | None]]] = {}
    for door in DOORS:
        bad[door] = garbage(door)
        # As large as the broker takes it, once good and once not.
        largest = 1_048_576 - 300
        padded = event(door, data={"path": ""})
        bad[door].append((Reason.NOT_JSON, b"k", b"x" * largest))
        values: list[tuple[bytes | None, bytes | None]] = [(key, value) for _, key, value in bad[door]]
        values.append(
            (b"k", padded.replace(b'"path":""', b'"path":"' + b"p" * (largest - len(padded)) + b'"'))
        )
        values += [(b"k", event(door, f"lead-{n}")) for n in range(20)]
        rng.shuffle(values)
        for key, value in values:
            publisher.send(door, value, key, partition=rng.randrange(4))
        good.update(
            msgspec.json.decode(v)["id"]
            for _, v in values
            if v and (None, v) not in {(None, b) for *_, b in bad[door]}
        )
    publisher.flush()
    total = sum(map(len, bad.values()))
    async with intake_here(settings):
        await eventually(lambda: end_of(settings, DEAD_LETTERS) >= total and ids_in(settings) >= good)
        # and it is still at work
        publisher.send(PAGE, event(PAGE, id="afterwards"))
        publisher.flush()
        await eventually(lambda: "afterwards" in ids_in(settings))
    letters = read_dead_letters(settings)
    assert len(letters) == total
    for door, expected in bad.items():
        there = [letter for letter in letters if letter.origin.topic == door]
        assert sorted((letter.key or b"-", letter.value or b"-") for letter in there) == sorted(
            (key or b"-", value or b"-") for _, key, value in expected
        )
        reasons = {(key, value): reason for reason, key, value in expected}
        broker = Broker(settings)
        lain = {
            (number, stored.offset): stored
            for number, wanted in broker.ranges(door).items()
            for stored in broker.read(door, number, wanted)
        }
        for letter in there:
            assert letter.origin.reason == reasons[letter.key, letter.value], letter.origin
            assert letter.origin.detail
            stored = lain[letter.origin.partition, letter.origin.offset]
            assert (stored.key, stored.value) == (letter.key, letter.value)
    assert ids_in(settings) == good | {"afterwards"}


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_publishers_may_compress(settings: Settings, codec: str) -> None:
    prepare(settings)
    publisher = Publisher(settings, **{"compression.type": codec, "message.max.bytes": 10_000_000})
    for n in range(100):
        publisher.send(PAGE, event(PAGE, f"lead-{n}"))
    # Compressed it is small enough for a door; as it is, no topic takes it.
    publisher.send(PAGE, b"x" * 5_000_000, key="k")
    publisher.flush()
    async with intake_here(settings):
        await eventually(lambda: len(list(facts(read_log(settings)))) == 100)
        await eventually(lambda: end_of(settings, DEAD_LETTERS) == 1)
    (letter,) = read_dead_letters(settings)
    assert letter.origin.reason is Reason.NOT_JSON
    assert letter.key == b"k"
    assert letter.value is not None
    assert 1 << 20 < len(letter.value) < 5_000_000
    assert letter.headers["cut"] == b"1 5000000"


# -- the clock ------------------------------------------------------------------------------------


def test_the_examination_finds_what_it_is_there_for() -> None:
    def log(*records: Any) -> list[Written]:
        return [Written(0, n, b"l" if isinstance(r, Fact) else None, r) for n, r in enumerate(records)]

    def fact(door: int, offset: int, received: int) -> Fact:
        return Fact("page.viewed", received, received, door, offset, b"", "", "", {})

    doors = Doors(1, [Door(1, 1, PAGE, 0), Door(2, 1, PAGE, 1)])
    told = [Clock(clock.pack({1: 100})), Clock(clock.pack({2: 90}))]
    assert examine(log(doors, *told, fact(1, 0, 100), fact(2, 0, 90))).ahead == []
    assert examine(log(doors, told[1], fact(1, 0, 50))).ahead == []
    assert len(examine(log(doors, told[0], fact(1, 0, 99))).ahead) == 1
    assert len(examine(log(doors, *told, fact(3, 0, 89))).ahead) == 1
    assert examine(log(doors, *told)).clocks == {0: 90}
    assert len(examine(log(fact(1, 5, 1), fact(1, 4, 1))).disorder) == 1
    assert examine(log(fact(1, 4, 1), fact(1, 5, 1), fact(1, 4, 1))).repeated == 1


async def test_the_clock_never_passes_a_backlog(settings: Settings) -> None:
    prepare(settings)
    publisher = Publisher(settings)
    publisher.send(PAGE, event(PAGE))
    publisher.flush()
    async with intake_here(settings, clock_interval=0.02) as owner:
        await eventually(lambda: len(owner._clock._told) == 28)
    before = examine(read_log(settings))
    assert min(before.clocks.values()) > 0
    # The worker is away while one door fills, and reads it slowly afterwards: the others are empty.
    backlog = 6_000
    for n in range(backlog):
        publisher.send(EMAIL, event(EMAIL, f"lead-{n % 500}"), partition=n % 3)
    publisher.flush()
    async with intake_here(settings, clock_interval=0.02, max_chunk_records=20) as owner:
        await eventually(lambda: len(list(facts(read_log(settings)))) > backlog)
        last = max(fact.received for _, fact in facts(read_log(settings)))
        await eventually(lambda: min(examine(read_log(settings)).clocks.values()) > last)
    found = examine(read_log(settings))
    assert found.ahead == []
    assert found.disorder == []
    assert found.facts == backlog + 1
    # It did tell the time while the backlog was being read.
    positions = [n for n, one in enumerate(read_log(settings)) if isinstance(one.record, Clock)]
    assert len(positions) > 100


async def test_the_clock_waits_for_partitions_that_a_door_grows(settings: Settings) -> None:
    numbers = door_numbers(prepare(settings))
    publisher = Publisher(settings, **{"topic.metadata.refresh.interval.ms": 500})
    slowly = {"clock_interval": 0.05, "max_chunk_records": 50, "metadata_max_age_ms": 600_000}
    async with intake_here(settings, **slowly) as owner:
        await eventually(lambda: len(owner._clock._told) == 28)
        stop = asyncio.Event()
        sent = 0

        async def load() -> None:
            nonlocal sent
            while not stop.is_set():
                for _ in range(50):
                    publisher.send(PAGE, event(PAGE, f"lead-{sent % 97}"), partition=sent % 4)
                    sent += 1
                await asyncio.sleep(0.02)

        loading = asyncio.create_task(load())
        grown = door_numbers(await asyncio.to_thread(make_topics, settings, partitions={PAGE: 6}))
        new = {grown[PAGE, 4], grown[PAGE, 5]}
        assert new.isdisjoint(numbers.values())
        await asyncio.to_thread(publisher.producer.list_topics, settings.topic_prefix + PAGE, 10)
        for n in range(2_000):  # before intake notices them
            publisher.send(PAGE, event(PAGE, f"lead-{n % 97}"), partition=4 + n % 2)
            sent += 1
        await asyncio.to_thread(publisher.flush)
        assert new.isdisjoint(owner._clock._told)
        await notice(owner)
        await eventually(lambda: new <= owner._clock._told.keys())
        stop.set()
        await loading
        await asyncio.to_thread(publisher.flush)
        await eventually(lambda: len(list(facts(read_log(settings)))) >= sent)
        last = max(fact.received for _, fact in facts(read_log(settings)))
        await eventually(lambda: min(examine(read_log(settings)).clocks.values()) > last)
    found = examine(read_log(settings))
    assert found.ahead == []
    assert found.disorder == []
    assert found.held_back > 0  # the time between the announcement and the first look at them
    assert {fact.door for _, fact in facts(read_log(settings))} >= new


async def test_a_partition_without_a_number_waits_for_it(settings: Settings) -> None:
    prepare(settings)
    # Somebody grows a door with a tool of their own: nobody has announced the new partition.
    client = AdminClient({"bootstrap.servers": settings.bootstrap})
    for grown in client.create_partitions([NewPartitions(settings.topic_prefix + PAGE, 5)]).values():
        grown.result(20)
    publisher = Publisher(settings)
    async with intake_here(settings, clock_interval=0.1) as owner:
        await eventually(lambda: TP(settings.topic_prefix + PAGE, 4) in owner._unnumbered)
        assert "scorer topics apply" in owner.problems()[0]
        publisher.send(PAGE, event(PAGE, id="numbered"), partition=0)
        for n in range(100):
            publisher.send(PAGE, event(PAGE, id=f"early-{n}"), partition=4)
        publisher.flush()
        await eventually(lambda: "numbered" in ids_in(settings))
        await asyncio.sleep(0.5)  # several ticks
        assert ids_in(settings) == {"numbered"}
        assert set(examine(read_log(settings)).clocks.values()) == {0}
        numbers = door_numbers(await asyncio.to_thread(make_topics, settings))
        await eventually(lambda: len(ids_in(settings)) == 101)
        assert owner.problems() == []
        last = max(fact.received for _, fact in facts(read_log(settings)))
        await eventually(lambda: min(examine(read_log(settings)).clocks.values()) > last)
    found = [fact for _, fact in facts(read_log(settings)) if fact.id.startswith("early")]
    assert {fact.door for fact in found} == {numbers[PAGE, 4]}
    assert sorted(fact.offset for fact in found) == list(range(100))
    assert examine(read_log(settings)).ahead == []


async def test_open_transactions_hold_the_clock_and_their_markers_do_not(settings: Settings) -> None:
    prepare(settings)
    topic = settings.topic_prefix + PAGE
    publisher = Publisher(settings)
    async with intake_here(settings, clock_interval=0.05) as owner:
        async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap, transactional_id=topic) as producer:
            async with producer.transaction():
                sent = await producer.send_and_wait(topic, event(PAGE, id="committed"), partition=0)
                publisher.send(PAGE, event(PAGE, id="beside"), partition=0)
                publisher.send(PAGE, event(PAGE, id="elsewhere"), partition=1)
                publisher.flush()
                await eventually(lambda: "elsewhere" in ids_in(settings))
                number = owner._doors[TP(topic, 0)].number
                await asyncio.sleep(0.3)  # several ticks
                assert owner._clock._told.get(number, 0) <= sent.timestamp
                assert "beside" not in ids_in(settings)
            await eventually(lambda: {"committed", "beside"} <= ids_in(settings))
            await eventually(lambda: owner._clock._told[number] > sent.timestamp)
            await producer.begin_transaction()
            await producer.send_and_wait(topic, event(PAGE, id="aborted"), partition=0)
            await producer.abort_transaction()
        # The partition ends in a marker and aborted records: nothing to read, so time goes on.
        end = Broker(settings).ranges(PAGE)[0].end
        await eventually(lambda: owner._doors[TP(topic, 0)].acked == end)
        before = owner._clock._told[number]
        await eventually(lambda: owner._clock._told[number] > before + 500)
        publisher.send(PAGE, event(PAGE, id="next"), partition=0)
        publisher.flush()
        await eventually(lambda: "next" in ids_in(settings))
    assert ids_in(settings) == {"committed", "beside", "elsewhere", "next"}
    found = examine(read_log(settings))
    assert (found.ahead, found.repeated) == ([], 0)


# -- a door deleted and created again -------------------------------------------------------------


def test_a_door_created_again_stops_the_worker_until_it_has_a_new_generation(
    settings: Settings, tmp_path: Path
) -> None:
    old = door_numbers(prepare(settings))
    publisher = Publisher(settings)
    for n in range(10):
        publisher.send(PAGE, event(PAGE, id=f"old-{n}"), partition=0)
    publisher.flush()
    # What it has read is not committed before the group hears that the topic is gone.
    with IntakeProcess(settings, tmp_path, SCORER_CHECKPOINT_INTERVAL="60") as worker:
        worker.wait_ready()
        worker.wait_for(lambda: len(ids_in(settings)) == 10)
        delete_topic(settings, PAGE)
        code, said = worker.ended()
        assert code == 70
        assert f"{settings.topic_prefix}{PAGE}" in said
        assert "created again" in said
        assert f"--new-generation {PAGE}" in said
    client = AdminClient({"bootstrap.servers": settings.bootstrap})
    _create_again(client, settings)
    publisher = Publisher(settings)
    for n in range(25):  # longer than the old one was read
        publisher.send(PAGE, event(PAGE, id=f"new-{n}"), partition=0)
    publisher.flush()
    with IntakeProcess(settings, tmp_path) as worker:
        code, said = worker.ended()
        assert code == 70
        assert "created again" in said
    assert not any(name.startswith("new") for name in ids_in(settings))
    new = door_numbers(make_topics(settings, new_generation=[PAGE]))
    assert new[PAGE, 0] not in old.values()
    with IntakeProcess(settings, tmp_path) as worker:
        worker.wait_ready()
        worker.wait_for(lambda: len(ids_in(settings)) == 35)
        worker.stop()
    assert {fact.door for _, fact in facts(read_log(settings)) if fact.id.startswith("new")} == {new[PAGE, 0]}


def _create_again(client: AdminClient, settings: Settings) -> None:
    """With the old settings, by somebody who does not know better."""
    topic = NewTopic(settings.topic_prefix + PAGE, 4, config=REGISTRY.topics[PAGE].config)
    for created in client.create_topics([topic]).values():
        created.result(20)


def test_expired_records_that_were_not_read_stop_the_worker(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    publisher = Publisher(settings)
    with IntakeProcess(settings, tmp_path) as worker:
        worker.wait_ready()
        publisher.send(PAGE, event(PAGE), partition=0)
        publisher.flush()
        worker.wait_for(lambda: len(ids_in(settings)) == 1)
        worker.stop()
    for _ in range(5):
        publisher.send(PAGE, event(PAGE), partition=0)
    publisher.flush()
    client = AdminClient({"bootstrap.servers": settings.bootstrap})
    gone = TopicPartition(settings.topic_prefix + PAGE, 0, 4)
    client.delete_records([gone])[gone].result(20)
    with IntakeProcess(settings, tmp_path) as worker:
        code, said = worker.ended()
    assert code == 70
    assert "read to offset 1, but now starts at 4" in said
    assert "expired unread" in said


# -- crashes --------------------------------------------------------------------------------------


def test_kill_9_loses_nothing_and_repeats_only_coordinates(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    publisher = Publisher(settings)
    rng = random.Random(11)
    sent: set[str] = set()

    def publish(count: int) -> None:
        for _ in range(count):
            name = f"k{len(sent)}"
            door = rng.choice([PAGE, EMAIL])
            publisher.send(
                door, event(door, f"lead-{rng.randrange(300)}", id=name), partition=rng.randrange(4)
            )
            sent.add(name)
        publisher.flush()

    def in_log() -> int:
        return end_of(settings, LOG)

    def worker_process(**environment: str) -> IntakeProcess:
        # With a name of its own it is back in the group at once, as a restarted worker should be.
        return IntakeProcess(settings, tmp_path, SCORER_INSTANCE="intake-1", **environment)

    for _ in range(2):
        publish(4_000)
        before = in_log()
        # Commits are rare, so that a kill always finds records that are in the log and not committed.
        with worker_process(SCORER_CHECKPOINT_INTERVAL="60") as worker:
            worker.wait_for(lambda before=before: in_log() > before + 500)
            worker.kill()
    publish(100)
    with worker_process() as worker:
        worker.wait_ready()
        worker.wait_for(lambda: ids_in(settings) >= sent)
        worker.stop()
    log = read_log(settings)
    found = examine(log)
    assert {fact.id for _, fact in facts(log)} == sent
    assert found.repeated > 0, "no kill came between append and commit"
    assert (found.ahead, found.disorder) == ([], [])
    same = defaultdict(set)
    for written, fact in facts(log):
        same[fact.id].add((fact.door, fact.offset, written.partition, encode_record(fact)))
    assert all(len(copies) == 1 for copies in same.values())
    # A clean stop has committed everything.
    with worker_process() as worker:
        worker.wait_ready()
        publish(1)
        worker.wait_for(lambda: ids_in(settings) >= sent)
        worker.stop()
    assert examine(read_log(settings)).repeated == found.repeated


def test_two_workers_share_the_doors_and_one_takes_over(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    publisher = Publisher(settings)
    sent: set[str] = set()

    def publish() -> None:
        for n in range(2_000):
            name = f"s{len(sent)}"
            publisher.send(PAGE, event(PAGE, f"lead-{n % 200}", id=name), partition=n % 4)
            sent.add(name)
        publisher.flush()

    with IntakeProcess(settings, tmp_path) as first:
        first.wait_ready()
        publish()
        with IntakeProcess(settings, tmp_path) as second:
            second.wait_ready()
            second.wait_for(lambda: "intake reads 14 door partitions" in first.output() + second.output())
            publish()
            second.wait_for(lambda: ids_in(settings) >= sent)
            first.stop()
            publish()
            second.wait_for(lambda: ids_in(settings) >= sent)
            last = max(fact.received for _, fact in facts(read_log(settings)))
            second.wait_for(lambda: min(examine(read_log(settings)).clocks.values()) > last)
            second.stop()
    found = examine(read_log(settings))
    assert (found.ahead, found.disorder) == ([], [])


# -- what is missing ------------------------------------------------------------------------------


def test_the_worker_names_the_command_that_is_missing(settings: Settings, tmp_path: Path) -> None:
    with IntakeProcess(settings, tmp_path) as worker:
        worker.wait_for(lambda: "scorer topics apply" in worker.output())
        worker.wait_for(lambda: worker.status("/readyz")[0] == 503)
        assert "scorer topics apply" in worker.status("/readyz")[1]
        make_topics(settings)
        worker.wait_for(lambda: "scorer rules apply" in worker.status("/readyz")[1])
        assert "running" not in worker.output()
        prepare(settings)
        worker.wait_ready()
        assert worker.status("/livez")[0] == 200
        assert "scorer_intake_read_through_seconds" in worker.status("/metrics")[1]
        worker.stop()
    # The first records of every partition say which doors and rules there are.
    first = {one.partition: type(one.record) for one in reversed(read_log(settings))}
    assert set(first.values()) == {Doors}


# -- the demo's broker ----------------------------------------------------------------------------


async def test_the_embedded_broker_takes_the_same_road() -> None:
    with EmbeddedBroker() as broker:
        settings = Settings(bootstrap=broker.bootstrap, broker_profile="embedded", checkpoint_interval=0.2)
        broker.create(name for name in REGISTRY.topics if name not in DOORS)
        commands = Broker(settings)
        entry = plan(NOTHING, dict.fromkeys(DOORS, 4))
        with commands.writer() as writer:
            save_entry(commands, writer, announce(commands, writer, entry, "embedded"))
        broker.create(DOORS)
        rules_apply.apply(commands, encode_model(Model(name="none", scores=())))
        publisher = Publisher(settings)
        async with intake_here(settings, clock_interval=0.05):
            for n in range(200):
                publisher.send(PAGE, event(PAGE, f"lead-{n}"))
            publisher.send(PAGE, b"no JSON")
            publisher.flush()
            await eventually(lambda: len(list(facts(read_log(settings)))) == 200)
            await eventually(lambda: len(read_dead_letters(settings)) == 1)
            last = max(fact.received for _, fact in facts(read_log(settings)))
            await eventually(lambda: min(examine(read_log(settings)).clocks.values()) > last)
        assert examine(read_log(settings)).ahead == []
