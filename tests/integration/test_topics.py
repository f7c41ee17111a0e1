"""`scorer topics` on a real Kafka."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from confluent_kafka.admin import AdminClient

from scorer.broker import Broker, Writer
from scorer.cli import run
from scorer.domain.record import Doors, decode_record
from scorer.errors import UserError
from scorer.settings import Settings
from scorer.wire.cluster import Cluster, New
from scorer.wire.doors import door_numbers, load_doors, load_entry, save_entry
from scorer.wire.registry import LOG, Registry
from scorer.wire.topic_plan import Fix, Wishes
from scorer.wire.topics import apply_topics, diff_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka_fixtures import RunningKafka

PAGE = "activity.page.v1"
SMALL = Wishes(partitions={LOG: 2})


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


@pytest.fixture
def broker(settings: Settings) -> Broker:
    return Broker(settings)


@pytest.fixture
def admin(settings: Settings) -> Iterator[AdminClient]:
    client = AdminClient({"bootstrap.servers": settings.bootstrap})
    yield client
    client.poll(0)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


def doors_records(broker: Broker) -> dict[int, list[Doors]]:
    """The doors records of every log partition, in log order."""
    found: dict[int, list[Doors]] = {}
    for partition, wanted in broker.ranges(LOG).items():
        records = [decode_record(record.value or b"") for record in broker.read(LOG, partition, wanted)]
        found[partition] = [record for record in records if isinstance(record, Doors)]
    return found


def summary(differences: list) -> set[tuple[str, str, Fix]]:
    return {(line.topic, line.what, line.fix) for line in differences}


def test_a_first_run_makes_every_topic_as_its_file_says(settings: Settings, registry: Registry) -> None:
    before = diff_topics(settings, registry, SMALL)
    assert {line.topic for line in before if line.fix is Fix.CREATE} == set(registry.topics)

    apply_topics(settings, registry, SMALL)

    assert diff_topics(settings, registry) == []
    full = {topic.full_name(settings.topic_prefix): topic for topic in registry.topics.values()}
    found = Cluster(settings.kafka).find(full)
    for name, topic in full.items():
        assert topic.config.items() <= found[name].config.items()
        follows_log = LOG in {topic.name, topic.partitions_of}
        assert found[name].partitions == (2 if follows_log else topic.partitions)


def test_a_second_run_changes_nothing(settings: Settings, registry: Registry, broker: Broker) -> None:
    first = apply_topics(settings, registry, SMALL)
    ends = {topic: broker.ranges(topic) for topic in ("lead.rules.v1", LOG)}
    second = apply_topics(settings, registry)
    assert second.done == []
    assert second.doors == first.doors
    assert {topic: broker.ranges(topic) for topic in ends} == ends


def test_every_log_partition_begins_with_all_doors(
    settings: Settings, registry: Registry, broker: Broker
) -> None:
    applied = apply_topics(settings, registry, SMALL)
    assert doors_records(broker) == {0: [applied.doors], 1: [applied.doors]}
    assert load_doors(Broker(settings)) == applied.doors
    numbers = door_numbers(applied.doors)
    assert set(numbers) == {(topic.name, partition) for topic in registry.doors for partition in range(4)}
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))


def test_doors_are_announced_before_they_exist(
    settings: Settings, registry: Registry, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(self: Cluster, topics: list[New]) -> None:
        if broker.name(PAGE) in {topic.name for topic in topics}:
            raise RuntimeError("the process ended here")
        genuine(self, topics)

    genuine = Cluster.create
    monkeypatch.setattr(Cluster, "create", create)
    with pytest.raises(RuntimeError):
        apply_topics(settings, registry, SMALL)
    announced = doors_records(broker)
    assert all((PAGE, 3) in door_numbers(records[0]) for records in announced.values())
    monkeypatch.undo()

    # The next run completes it, with the same numbers.
    applied = apply_topics(settings, registry)
    assert doors_records(broker) == announced == {0: [applied.doors], 1: [applied.doors]}
    assert diff_topics(settings, registry) == []


def test_a_run_that_ended_before_the_log_had_the_record_is_completed(
    settings: Settings, registry: Registry, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def announce(*_: object) -> None:
        raise RuntimeError("the process ended here")

    monkeypatch.setattr("scorer.wire.topics.announce", announce)
    with pytest.raises(RuntimeError):
        apply_topics(settings, registry, SMALL)
    assert load_doors(Broker(settings)) is None  # not announced, so not in force
    assert doors_records(broker) == {0: [], 1: []}
    monkeypatch.undo()

    assert (LOG, "doors record", Fix.ANNOUNCE) in summary(diff_topics(settings, registry))
    applied = apply_topics(settings, registry)
    assert doors_records(broker) == {0: [applied.doors], 1: [applied.doors]}
    assert load_doors(Broker(settings)) == applied.doors


def test_growing_a_door_keeps_numbers_and_announces_the_new_partitions_first(
    settings: Settings, registry: Registry, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = apply_topics(settings, registry, SMALL)
    seen_while_growing = []
    genuine = Cluster.grow

    def grow(self: Cluster, name: str, partitions: int) -> None:
        seen_while_growing.append(doors_records(broker))
        genuine(self, name, partitions)

    monkeypatch.setattr(Cluster, "grow", grow)
    second = apply_topics(settings, registry, Wishes(partitions={PAGE: 6}))
    assert broker.partitions(PAGE) == 6
    assert seen_while_growing == [{0: [first.doors, second.doors], 1: [first.doors, second.doors]}]
    assert second.doors.version == first.doors.version + 1
    before, after = door_numbers(first.doors), door_numbers(second.doors)
    assert before.items() <= after.items()
    assert set(after) - set(before) == {(PAGE, 4), (PAGE, 5)}
    assert diff_topics(settings, registry) == []  # the registry's 4 is a default, not a limit


def test_partitions_added_by_hand_get_numbers(settings: Settings, registry: Registry, broker: Broker) -> None:
    apply_topics(settings, registry, SMALL)
    Cluster(settings.kafka).grow(broker.name(PAGE), 5)
    assert summary(diff_topics(settings, registry)) == {(LOG, "doors record", Fix.ANNOUNCE)}
    assert (PAGE, 4) in door_numbers(apply_topics(settings, registry).doors)


def test_settings_that_differ_are_put_right(settings: Settings, registry: Registry, broker: Broker) -> None:
    Cluster(settings.kafka).create(
        [
            New(broker.name(PAGE), 4, 1, {"retention.ms": "3600000"}),
            New(broker.name("lead.score.v1"), 2, 1, {"max.message.bytes": "1048576"}),
            New(broker.name("dead.letters.v1"), 4, 1, {"retention.ms": "-1"}),
        ]
    )
    wanted = {
        (PAGE, "retention.ms", Fix.ALTER),
        (PAGE, "message.timestamp.type", Fix.ALTER),
        (PAGE, "max.message.bytes", Fix.ALTER),
        ("lead.score.v1", "cleanup.policy", Fix.ALTER),
    }
    differing = summary(diff_topics(settings, registry, SMALL))
    assert wanted <= differing
    assert ("dead.letters.v1", "retention.ms", Fix.ALTER) not in differing  # for ever is long enough
    apply_topics(settings, registry, SMALL)
    assert diff_topics(settings, registry) == []


def test_what_cannot_be_done_is_refused_before_anything_is_changed(
    settings: Settings, registry: Registry, broker: Broker
) -> None:
    apply_topics(settings, registry, SMALL)
    for wishes, part in (
        (Wishes(partitions={LOG: 3}), "lead.log.v1: partitions is 2, not 3"),
        (Wishes(partitions={PAGE: 3}), "activity.page.v1: partitions is 4, not 3"),
        (Wishes(replication_factor=2), "replication factor is 1, not 2"),
        (Wishes(partitions={"lead.score.v1": 3}), "as many partitions as lead.log.v1"),
        (Wishes(partitions={"no.such.v1": 3}), "no topic no.such.v1"),
        (Wishes(new_generation=[LOG]), "lead.log.v1 is no door"),
    ):
        and_more = wishes._replace(partitions={"activity.app.v1": 9, **wishes.partitions})
        with pytest.raises(UserError, match=part.replace(".", r"\.")):
            apply_topics(settings, registry, and_more)
    assert broker.partitions("activity.app.v1") == 4


def test_a_changelog_compacted_too_early_is_refused(
    settings: Settings, registry: Registry, broker: Broker
) -> None:
    config = {"cleanup.policy": "compact", "min.compaction.lag.ms": "0"}
    Cluster(settings.kafka).create([New(broker.name("lead.changelog.v1"), 2, 1, config)])
    with pytest.raises(UserError, match=r"min\.compaction\.lag\.ms is 0, not 3600000"):
        apply_topics(settings, registry, SMALL)


def delete(admin: AdminClient, name: str) -> None:
    """Returns when nobody sees the topic any more."""
    for deleted in admin.delete_topics([name]).values():
        deleted.result(20)
    deadline = time.monotonic() + 20
    while name in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_door_created_again_needs_to_be_told_so_and_gets_new_numbers(
    settings: Settings, registry: Registry, broker: Broker, admin: AdminClient
) -> None:
    first = apply_topics(settings, registry, SMALL)
    delete(admin, broker.name(PAGE))
    Cluster(settings.kafka).create([New(broker.name(PAGE), 4, 1, {})])
    assert (PAGE, "identity", Fix.REFUSE) in summary(diff_topics(settings, registry))
    with pytest.raises(UserError, match="deleted and created again") as refused:
        apply_topics(settings, registry)
    assert f"--new-generation {PAGE}" in (refused.value.hint or "")

    second = apply_topics(settings, registry, Wishes(new_generation=[PAGE]))
    of_page = [door for door in second.doors.doors if door.topic == PAGE]
    taken = set(door_numbers(first.doors).values())
    assert [door.partition for door in of_page] == [0, 1, 2, 3]
    assert {door.generation for door in of_page} == {2}
    assert not taken & {door.number for door in of_page}
    others = [door for door in first.doors.doors if door.topic != PAGE]
    assert [door for door in second.doors.doors if door.topic != PAGE] == others
    assert diff_topics(settings, registry) == []


def test_a_deleted_door_is_not_quietly_made_again(
    settings: Settings, registry: Registry, broker: Broker, admin: AdminClient
) -> None:
    apply_topics(settings, registry, SMALL)
    delete(admin, broker.name(PAGE))
    with pytest.raises(UserError, match="deleted"):
        apply_topics(settings, registry)
    with pytest.raises(UserError, match="no topic"):
        broker.partitions(PAGE)


def test_a_lost_rules_topic_is_noticed(
    settings: Settings, registry: Registry, broker: Broker, admin: AdminClient
) -> None:
    apply_topics(settings, registry, SMALL)
    delete(admin, broker.name("lead.rules.v1"))
    with pytest.raises(UserError, match="does not know the doors' numbers"):
        apply_topics(settings, registry)


def test_of_two_at_once_the_first_wins(settings: Settings, registry: Registry, broker: Broker) -> None:
    class Slow(Writer):
        """Somebody else is faster."""

        def append(self, topic: str, *rest: Any, **options: Any) -> None:
            if not raced:
                raced.append(topic)
                with broker.writer() as other:
                    save_entry(broker, other, theirs)
            super().append(topic, *rest, **options)

    apply_topics(settings, registry, SMALL)
    entry = load_entry(broker)
    assert entry is not None
    theirs = msgspec.structs.replace(entry, version=entry.version + 1, next_number=500)
    raced: list[str] = []
    with Slow(broker) as writer, pytest.raises(UserError, match="same moment"):
        save_entry(broker, writer, msgspec.structs.replace(theirs, next_number=600))
    assert load_entry(broker) == theirs


def test_the_commands(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix]
    assert run(["topics", "diff", *where]) == 1
    table = capsys.readouterr().out
    assert "topic" in table.splitlines()[0]
    assert "lead.changelog.v1" in table

    assert run(["topics", "apply", *where, "--partitions", f"{LOG}=2", "--partitions", f"{PAGE}=3"]) == 0
    assert f"created {settings.topic_prefix}{LOG}: 2 partitions" in capsys.readouterr().out
    assert run(["topics", "diff", *where]) == 1  # the page door has fewer than the registry's 4
    assert PAGE in capsys.readouterr().out
    assert run(["topics", "apply", *where]) == 0
    assert run(["topics", "diff", *where]) == 0
    assert run(["topics", "apply", *where, "--partitions", f"{LOG}=4"]) == 1
    assert "new log generation" in capsys.readouterr().err
    assert run(["topics", "apply", *where, "--partitions", "nonsense"]) == 2


def test_no_kafka_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.wire.cluster.TIMEOUT", 2.0)
    assert run(["topics", "diff", "--bootstrap", "127.0.0.1:1"]) == 1
    assert "127.0.0.1:1" in capsys.readouterr().err
