"""`scorer rules apply` on a real Kafka: what is written, and what a crash or a race leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from scorer import rules_apply
from scorer.broker import Broker, Writer
from scorer.cli.rules_apply import apply as command
from scorer.domain.model import Model, Score, Threshold, encode_model, fingerprint
from scorer.domain.record import Rules, decode_record, encode_record
from scorer.errors import UserError
from scorer.rules_apply import apply, read
from scorer.settings import Settings
from scorer.wire.cluster import Cluster, New
from scorer.wire.registry import LOG, RULES, RULES_COMPLETE, Registry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

PARTITIONS = 3
COUNTS = {LOG: PARTITIONS, RULES: 1}


def model(enter: float) -> bytes:
    return encode_model(Model(name="t", scores=(Score("fit"),), threshold=Threshold(enter, 1.0)))


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


@pytest.fixture
def broker(settings: Settings) -> Broker:
    # Only what these tests use: a topic takes its time to be made and deleted.
    broker = Broker(settings)
    topics = Registry.load().topics
    Cluster(settings.kafka).create(
        [New(broker.name(name), count, 1, topics[name].config) for name, count in COUNTS.items()]
    )
    return broker


def in_log(broker: Broker) -> list[list[tuple[int, bytes]]]:
    """Per log partition, the versions and models of its rules records, in order."""
    found = []
    for partition, wanted in broker.ranges(LOG).items():
        records = [decode_record(one.value or b"") for one in broker.read(LOG, partition, wanted)]
        found.append([(one.version, one.model) for one in records if isinstance(one, Rules)])
    return found


def in_topic(broker: Broker) -> list[tuple[bytes | None, bytes | None]]:
    records = broker.read(RULES, 0, broker.ranges(RULES)[0])
    return [(one.key, one.value) for one in records if (one.key or b"").startswith(b"rules")]


def interrupted_after(count: int, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """An apply whose process ends when it has appended ``count`` records to the lead log."""
    genuine = Writer.append
    left = [count]

    def append(self: Writer, topic: str, *rest: Any) -> None:
        if topic == LOG:
            if not left[0]:
                self.flush()
                raise KeyboardInterrupt
            left[0] -= 1
        genuine(self, topic, *rest)

    monkeypatch.setattr(Writer, "append", append)
    with pytest.raises(KeyboardInterrupt):
        apply(broker, model(9))
    monkeypatch.undo()


def test_a_rule_set_goes_to_its_topic_and_to_every_partition(broker: Broker) -> None:
    applied = apply(broker, model(9))
    assert (applied.rules.version, applied.previous, applied.already, applied.completed) == (
        1,
        None,
        False,
        0,
    )
    assert in_log(broker) == [[(1, model(9))]] * PARTITIONS
    name = fingerprint(model(9))
    assert in_topic(broker) == [
        (b"rules:1", encode_record(Rules(1, name, model(9)))),
        (RULES_COMPLETE, f"1 {name}".encode()),
    ]
    second = apply(broker, model(8))
    assert (second.rules.version, second.previous) == (2, applied.rules)
    assert in_log(broker) == [[(1, model(9)), (2, model(8))]] * PARTITIONS


def test_the_same_rules_again_write_nothing(broker: Broker) -> None:
    apply(broker, model(9))
    ends = broker.ranges(LOG), broker.ranges(RULES)
    again = apply(broker, model(9))
    assert (again.rules.version, again.already) == (1, True)
    assert (broker.ranges(LOG), broker.ranges(RULES)) == ends


def test_rules_may_come_back(broker: Broker) -> None:
    for enter in (9, 8, 9):
        apply(broker, model(enter))
    assert in_log(broker)[0] == [(1, model(9)), (2, model(8)), (3, model(9))]


@pytest.mark.parametrize("reached", range(PARTITIONS))
def test_an_interrupted_run_is_completed_by_the_same_file(
    broker: Broker, reached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_after(reached, broker, monkeypatch)
    assert sum(map(bool, in_log(broker))) == reached
    again = apply(broker, model(9))
    assert (again.already, again.completed) == (True, 1)
    assert all((1, model(9)) in log for log in in_log(broker))
    assert not apply(broker, model(9)).completed


def test_an_interrupted_run_is_completed_before_another_file(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_after(1, broker, monkeypatch)
    applied = apply(broker, model(8))
    assert (applied.rules.version, applied.completed) == (2, 1)
    assert [list(dict(log)) for log in in_log(broker)] == [[1, 2]] * PARTITIONS


def test_two_appliers_at_once(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(broker, model(9))

    def overtaken(broker: Broker) -> rules_apply.Stored:
        stored = read(broker)
        monkeypatch.undo()
        apply(broker, model(7))
        return stored

    monkeypatch.setattr(rules_apply, "read", overtaken)
    with pytest.raises(UserError, match="version 2") as raised:
        apply(broker, model(8))
    assert raised.value.exit_code == 1
    assert in_log(broker) == [[(1, model(9)), (2, model(7))]] * PARTITIONS
    # Compaction keeps the newest record of a key: it has to be the winner's.
    kept = dict(in_topic(broker))
    assert kept[b"rules:2"] == encode_record(Rules(2, fingerprint(model(7)), model(7)))
    assert apply(broker, model(7)).already
    assert apply(broker, model(8)).rules.version == 3


def test_two_appliers_of_the_same_file(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken(broker: Broker) -> rules_apply.Stored:
        stored = read(broker)
        monkeypatch.undo()
        apply(broker, model(9))
        return stored

    monkeypatch.setattr(rules_apply, "read", overtaken)
    assert apply(broker, model(9)).rules.version == 1
    assert apply(broker, model(9)).already


def test_a_version_lost_to_a_second_applier_is_never_taken_for_the_one_in_force(broker: Broker) -> None:
    """The second died before it could put the first one's record back, and compaction has come by."""
    lost, kept = fingerprint(model(9)), fingerprint(model(8))
    with broker.writer() as writer:
        writer.append(RULES, 0, b"rules:1", encode_record(Rules(1, kept, model(8))))
        writer.append(RULES, 0, RULES_COMPLETE, f"1 {lost}".encode())
    applied = apply(broker, model(8))
    assert (applied.already, applied.rules.version) == (False, 2)
    assert in_log(broker) == [[(2, model(8))]] * PARTITIONS


def test_without_topics_it_names_the_command(settings: Settings) -> None:
    with pytest.raises(UserError) as raised:
        apply(Broker(settings), model(9))
    assert "topics apply" in (raised.value.hint or "")


# -- the command -------------------------------------------------------------------------------------

GOOD = """
model: Test
qualify: {enter: above 20, exit: below 15}
scores:
  engagement: {decay: half every 10 days}
rules:
  engagement:
    - {rule: Opened, on: email.opened, points: +1}
    - {rule: Clicked, on: email.clicked, points: +2}
"""


def run(settings: Settings, file: Path) -> None:
    flags = ["--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix]
    context = command.make_context("apply", [str(file), *flags])
    assert isinstance(command, click.Command)
    command.invoke(context)


def test_a_file_with_mistakes_writes_nothing(broker: Broker, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(GOOD.replace("points: +1", "points: many").replace("above 20", "below 20"))
    before = broker.ranges(LOG), broker.ranges(RULES)
    with pytest.raises(UserError) as raised:
        run(settings, file)
    assert raised.value.exit_code == 2
    assert "2 mistakes" in raised.value.message
    assert (broker.ranges(LOG), broker.ranges(RULES)) == before


def test_it_says_what_changes(
    broker: Broker, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert broker
    file = tmp_path / "rules.yaml"
    file.write_text(GOOD)
    run(settings, file)
    assert "in force: version 1" in capsys.readouterr().out
    run(settings, file)
    assert "already in force: version 1" in capsys.readouterr().out
    file.write_text(GOOD.replace("points: +1", "points: +3").replace("email.clicked", "email.replied"))
    run(settings, file)
    told = capsys.readouterr().out
    at_once, from_nothing = told.split("From nothing")
    assert "in force: version 2" in at_once
    assert "1 -> 3 points" in at_once
    assert "Clicked" in from_nothing or "clicked" in from_nothing
