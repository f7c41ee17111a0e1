"""`scorer import` and `scorer log export` on a real Kafka."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scorer.broker import Broker, Writer
from scorer.cli import run
from scorer.domain import model as m
from scorer.domain.model import encode_model
from scorer.domain.partition import LogPartition
from scorer.domain.record import Clock, Fact, ImportBegin, ImportEnd, decode_record, encode_record
from scorer.domain.state import PartitionState
from scorer.errors import UserError
from scorer.history import FIRST_NUMBER, History
from scorer.log_export import Export
from scorer.log_lines import Recorded, decode_line, recorded_of
from scorer.rulefile import require
from scorer.rules_apply import apply as apply_rules
from scorer.settings import Settings
from scorer.wire.cluster import Cluster, New
from scorer.wire.dead_letters import TOPIC as DEAD_LETTERS
from scorer.wire.dead_letters import Reason, dead_letter
from scorer.wire.identity import Identity
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LOG, RULES, Registry
from scorer.wire.times import milliseconds
from tests.bench import workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka_fixtures import RunningKafka

DEFAULT = Path(__file__).parents[2] / "rules" / "default.yaml"
PARTITIONS = 3
COUNTS = {LOG: PARTITIONS, RULES: 1, DEAD_LETTERS: 3}
NOW = milliseconds("2026-11-01T00:00:00Z")
MODEL = m.Model(
    name="t",
    scores=(m.Score("engagement"),),
    awards=(m.Award("Opened", "engagement", m.Matcher(("email.opened",)), m.Fixed(1.0)),),
)


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


def event(number: int) -> dict[str, Any]:
    lead = f"lead-{number % 7}"
    attributes = {"specversion": "1.0", "id": str(number), "source": "/t", "type": "email.opened"}
    return attributes | {"subject": lead, "time": "2026-10-01T00:00:00Z", "data": {"n": number}}


@pytest.fixture
def history(tmp_path: Path) -> History:
    path = tmp_path / "history.jsonl"
    path.write_text("".join(json.dumps(event(number)) + "\n" for number in range(60)))
    return History(path, Identity("secret"), NOW)


def log(broker: Broker) -> dict[int, list[Recorded]]:
    return {
        partition: [Recorded(one.offset, one.key, one.value) for one in broker.read(LOG, partition, wanted)]
        for partition, wanted in broker.ranges(LOG).items()
    }


def scored(broker: Broker) -> dict[bytes, float]:
    """Opened e-mails that count, by lead, and nobody is left to be evaluated."""
    counted = {}
    for recorded in log(broker).values():
        machine = LogPartition(PartitionState(), {}, lambda _: None)
        machine.apply(recorded)
        for key, lead in machine.leads.items():
            machine.touch(key)
            assert not lead.touched
            counted[key] = sum(lead.masses.values())
    return counted


EVERYBODY = {f"lead-{number}".encode(): float(len(range(number, 60, 7))) for number in range(7)}


def test_facts_stand_between_brackets_in_file_order(broker: Broker, history: History) -> None:
    checked = history.check()
    history.append(broker, checked)
    seen = 0
    for partition, recorded in log(broker).items():
        records = [decode_record(one.value or b"") for one in recorded]
        assert records[0] == ImportBegin(checked.number)
        assert records[-1] == ImportEnd(checked.number)
        facts = [one for one in records[1:-1] if isinstance(one, Fact)]
        assert len(facts) == len(records) - 2
        assert [one.offset for one in facts] == sorted(one.properties["n"] + 1 for one in facts)
        assert {one.door for one in facts} <= {checked.number}
        assert checked.number >= FIRST_NUMBER
        assert {one.received for one in facts} <= {NOW}
        assert {partition_of(one.key, PARTITIONS) for one in recorded if one.key} <= {partition}
        seen += len(facts)
    assert seen == 60


def test_an_import_counts_once_however_often_it_is_run(broker: Broker, history: History) -> None:
    apply_rules(broker, encode_model(MODEL))
    for _ in range(2):
        history.append(broker, history.check())
    assert scored(broker) == EVERYBODY


@pytest.mark.parametrize("written", [1, PARTITIONS + 20, PARTITIONS + 60 + 1])
def test_an_import_that_broke_off_is_completed_by_running_it_again(
    broker: Broker, history: History, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_rules(broker, encode_model(MODEL))
    genuine = Writer.append
    left = [written]

    def append(self: Writer, *record: Any) -> None:
        if not left[0]:
            self.flush()
            raise KeyboardInterrupt
        left[0] -= 1
        genuine(self, *record)

    monkeypatch.setattr(Writer, "append", append)
    with pytest.raises(KeyboardInterrupt):
        history.append(broker, history.check())
    monkeypatch.undo()
    assert scored_so_far(broker) != EVERYBODY or written > PARTITIONS + 60
    history.append(broker, history.check())
    assert scored(broker) == EVERYBODY


def scored_so_far(broker: Broker) -> dict[bytes, float]:
    facts: dict[bytes, float] = defaultdict(float)
    for recorded in log(broker).values():
        for one in recorded:
            if one.key:
                facts[one.key] += 1
    return facts


def test_a_file_that_changes_under_an_import_leaves_it_open(
    broker: Broker, history: History, tmp_path: Path
) -> None:
    checked = history.check()
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write(json.dumps(event(60)) + "\n")
    with pytest.raises(UserError, match="has changed"):
        history.append(broker, checked)
    records = [decode_record(one.value or b"") for recorded in log(broker).values() for one in recorded]
    assert not any(isinstance(one, ImportEnd) for one in records)


# -- export ------------------------------------------------------------------------------------------


def exported(settings: Settings, path: Path, *arguments: str) -> Iterator[bytes]:
    flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
    assert run(["log", "export", "-o", str(path), *flags, *arguments]) == 0
    return iter(path.read_bytes().splitlines())


@pytest.fixture
def filled(broker: Broker, history: History) -> Broker:
    """A log with every kind of record, garbage and a record without a value."""
    apply_rules(broker, encode_model(MODEL))
    history.append(broker, history.check())
    with broker.writer() as writer:
        writer.append(LOG, 1, None, encode_record(Clock(b"\x80\x00")))
        writer.append(LOG, 1, b"\xff\x00", b"garbage")
        writer.append(LOG, 1, None, None)
        writer.append(LOG, 1, b"lead-1", encode_record(Fact("a", 1, 2, 0, -1, b"", "", "", {})))
    return broker


def test_an_export_gives_back_the_records_to_the_byte(
    filled: Broker, settings: Settings, tmp_path: Path
) -> None:
    found: dict[int, list[Recorded]] = defaultdict(list)
    for text in exported(settings, tmp_path / "log.jsonl"):
        line = decode_line(text)
        found[line.partition].append(recorded_of(line))
    assert found == log(filled)
    assert list(found) == list(range(PARTITIONS))


def test_one_partition_alone(filled: Broker, settings: Settings, tmp_path: Path) -> None:
    lines = [decode_line(text) for text in exported(settings, tmp_path / "log.jsonl", "--partition", "1")]
    assert {line.partition for line in lines} == {1}
    assert [recorded_of(line) for line in lines] == log(filled)[1]
    flags = ["--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix]
    assert run(["log", "export", "--partition", "3", *flags]) == 2


def test_records_that_the_worker_gave_up_on_are_marked(filled: Broker) -> None:
    ours = dead_letter(Reason.ENGINE_ERROR, "x", LOG, 1, 2, b"k", b"v")
    doors = dead_letter(Reason.NOT_JSON, "x", "activity.page.v1", 1, 3, b"k", b"v")
    with filled.writer() as writer:
        for partition, (key, value, headers) in enumerate([ours, doors]):
            writer.append(DEAD_LETTERS, partition, key, value, headers)
        writer.append(DEAD_LETTERS, 2, b"no", b"dead letter")
    lines = [decode_line(text) for text in Export(filled).lines()]
    marked = [(line.partition, line.offset, line.dead_lettered) for line in lines if line.dead_lettered]
    assert marked == [(1, 2, "engine_error")]


def test_what_comes_after_the_start_is_left_out(filled: Broker) -> None:
    export = Export(filled)
    before = export.records
    with filled.writer() as writer:
        writer.append(LOG, 0, None, encode_record(ImportEnd(1)))
    steps: list[int] = []
    assert sum(1 for _ in export.lines(steps.append)) == before == sum(steps)


def test_without_a_log_it_names_the_command(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix]
    assert run(["log", "export", *flags]) == 2
    assert "scorer topics apply" in capsys.readouterr().err


def test_a_backtest_of_the_log_in_kafka_is_that_of_its_export(
    broker: Broker, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "change.yaml"
    rules.write_text(DEFAULT.read_text().replace("above 20", "above 15"))
    stream = workload.events(3_000, leads=80, daily=30, partitions=PARTITIONS)
    with broker.writer() as writer:
        for entry in workload.log(stream, partitions=PARTITIONS, model=encode_model(require(DEFAULT))):
            writer.append(LOG, entry.partition, entry.key, entry.value)
    flags = ["--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix]
    exported = tmp_path / "log.jsonl"
    assert run(["log", "export", "-o", str(exported), *flags]) == 0
    capsys.readouterr()
    told = []
    for source in ([str(exported)], ["--log", *flags]):
        assert run(["backtest", *source, "--change", str(rules), "--json", "--jobs", "1"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    for one in told:
        del one["data"]["source"]
    assert told[0]["today"]["funnel"]["created"]
    assert told[0]["changes"]["newly"]["count"]
    assert told[0] == told[1]
