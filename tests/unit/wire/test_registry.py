from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scorer.storage.key_table import STALE_AFTER
from scorer.wire import registry as module
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LEAD_KEYS, LOG, Registry
from scorer.wire.topic_plan import topic_config

if TYPE_CHECKING:
    from collections.abc import Callable

REGISTRY = Registry.load()


def test_seven_doors_and_what_is_behind_them() -> None:
    assert [topic.name for topic in REGISTRY.doors] == [
        "activity.app.v1",
        "activity.booking.v1",
        "activity.email.v1",
        "activity.page.v1",
        "activity.social.v1",
        "lead.feedback.v1",
        "lead.profile.v1",
    ]
    assert len(REGISTRY.topics) == 22
    assert REGISTRY.topics[LOG].full_name("test.") == "test.lead.log.v1"


def test_doors_carry_the_broker_s_time() -> None:
    assert {topic.config["message.timestamp.type"] for topic in REGISTRY.doors} == {"LogAppendTime"}


def test_what_one_topic_takes_the_next_takes_too() -> None:
    (door,) = {int(topic.config["max.message.bytes"]) for topic in REGISTRY.doors}
    room = {name: int(topic.config["max.message.bytes"]) for name, topic in REGISTRY.topics.items()}
    assert door < REGISTRY.max_log_bytes < door + 128 * 1024 == room["lead.rules.v1"] < room[LOG]
    assert room["lead.changelog.v1"] >= room[LOG]  # a lead that is on its way to another is in both
    assert room["dead.letters.v1"] == room[LOG] + 128 * 1024


def test_the_changelog_cannot_be_compacted_early() -> None:
    config = REGISTRY.topics["lead.changelog.v1"].config
    assert config["cleanup.policy"] == "compact"
    assert int(config["min.compaction.lag.ms"]) >= 3_600_000
    assert int(config["delete.retention.ms"]) == 7 * 24 * 3_600_000


def test_deleted_keys_are_gone_soon_and_word_of_it_stays_for_longer_than_a_store_is_trusted() -> None:
    config = REGISTRY.topics[LEAD_KEYS].config
    assert config["cleanup.policy"] == "compact"
    assert int(config["max.compaction.lag.ms"]) <= 24 * 3_600_000
    assert int(config["delete.retention.ms"]) / 1000 >= STALE_AFTER + 24 * 3_600


def test_outcomes_that_say_who_a_lead_is_are_not_kept_for_longer_than_dead_letters() -> None:
    changed = {
        name: topic.config["retention.ms"]
        for name, topic in REGISTRY.opened().topics.items()
        if topic != REGISTRY.topics[name]
    }
    assert changed.keys() == {"lead.qualified.v1", "lead.disqualified.v1", "lead.stage.v1"}
    assert set(changed.values()) == {REGISTRY.topics["dead.letters.v1"].config["retention.ms"]}


def test_outcomes_and_changelog_have_as_many_partitions_as_the_log() -> None:
    counts = REGISTRY.partitions({LOG: 5, "activity.page.v1": 2})
    followers = {name for name, topic in REGISTRY.topics.items() if topic.partitions_of == LOG}
    assert followers == {
        "lead.qualified.v1",
        "lead.disqualified.v1",
        "lead.stage.v1",
        "lead.erased.v1",
        "lead.merged.v1",
        "account.qualified.v1",
        "account.disqualified.v1",
        "account.score.v1",
        "lead.identity.v1",
        "lead.score.v1",
        "lead.changelog.v1",
        "lead.key.v1",
    }
    assert {counts[name] for name in followers | {LOG}} == {5}
    assert (counts["activity.page.v1"], counts["activity.app.v1"], counts["lead.rules.v1"]) == (2, 4, 1)


@pytest.mark.parametrize(("name", "part"), [("lead.score.v1", "as many"), ("nothing", "no topic")])
def test_counts_that_make_no_sense_are_refused(name: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        REGISTRY.partitions({name: 3})


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes one topic file into a registry of its own."""
    (tmp_path / "topics").mkdir()
    monkeypatch.setattr(module, "_schemas_folder", lambda: tmp_path)
    text = REGISTRY.read("topics/lead.rules.v1.yaml").decode()

    def write(before: str, after: str) -> None:
        assert before in text
        (tmp_path / "topics" / "lead.rules.v1.yaml").write_text(text.replace(before, after))

    return write


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ("name: lead.rules.v1", "name: lead.rule.v1", "is about lead.rule.v1"),
        ("role: rules", "role: ruler", "role"),
        ("partitions: 1", "partitons: 1", "partitons"),
        ("partitions: 1", "partitions: 1\npartitions_of: lead.log.v1", "either"),
    ],
)
def test_a_mistake_in_a_topic_file_names_the_file(
    write: Callable[[str, str], None], before: str, after: str, part: str
) -> None:
    write(before, after)
    with pytest.raises(ValueError, match=rf"lead\.rules\.v1\.yaml: .*{part}"):
        Registry.load()


def test_an_installed_registry_comes_before_the_checkout_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module._schemas_folder() == Path(__file__).parents[3] / "schemas"
    (tmp_path / "_schemas").mkdir()
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    assert module._schemas_folder() == tmp_path / "_schemas"


def test_a_lead_s_partition_never_changes() -> None:
    # A change here would cut every lead in two.
    assert [partition_of(lead, 8) for lead in (b"", b"lead-17", b"u_0", "ü".encode())] == [0, 1, 6, 5]


def test_three_replicas_mean_two_acknowledgements() -> None:
    door = REGISTRY.doors[0]
    assert topic_config(door, 3) == {**door.config, "min.insync.replicas": "2"}
    assert topic_config(door, 2) == topic_config(door, 1) == door.config
