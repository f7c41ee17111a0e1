"""The lead log begins anew elsewhere, on a real Kafka, and no lead notices (docs/day-two.md)."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scorer import cli
from scorer.broker import Broker
from scorer.dev.kafka import KafkaCluster
from scorer.domain.lead import decode_lead, stored
from scorer.domain.record import Fact, ImportBegin, ImportEnd, Rules, decode_record, encode_record
from scorer.errors import UserError
from scorer.migration import copying, running
from scorer.rules_apply import apply
from scorer.settings import Settings
from scorer.wire.door_book import KafkaBookReader
from scorer.wire.moved import COMES_FROM
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import (
    ACCOUNT_DISQUALIFIED,
    ACCOUNT_QUALIFIED,
    IDENTITY,
    LEAD_KEYS,
    LOG,
    RULES,
    SCORE,
    Registry,
)
from scorer.wire.sealing import parse_key_name
from tests.bench.road import WorkerProcess, scored_to_the_end
from tests.bench.workload import PAGE
from tests.integration.road_running import command, prepare_road
from tests.integration.road_running import until as come
from tests.integration.score_running import (
    all_scored,
    leads_in,
    make_topics,
    newest,
    outcomes_in,
    publish,
    read,
    until,
    worker,
)
from tests.integration.score_worker import Options
from tests.integration.test_accounts import COMPANIES, domain, scores, send, told, told_of
from tests.integration.test_accounts import RULES as COMPANY_RULES
from tests.support.collecting import BASIC, Client, CollectorProcess
from tests.support.intake import Publisher, event
from tests.worker.score_world import DOORS, LogRecord, by_lead, make_log, one_pass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka_fixtures import RunningKafka

OLD_COUNT, NEW_COUNT = 3, 5


@pytest.fixture
def places(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> tuple[Settings, Settings]:
    """The old one and the new one."""

    def at(name: str) -> Settings:
        return Settings(
            bootstrap=kafka.bootstrap,
            topic_prefix=f"{topic_prefix}{name}.",
            data_dir=tmp_path / name,
            checkpoint_interval=0.2,
        )

    return at("old"), at("new")


def arguments(old: Settings, new: Settings, *more: str) -> list[str]:
    where = ["--bootstrap", old.bootstrap, "--topic-prefix", old.topic_prefix]
    return ["log", "migrate", *where, "--to-prefix", new.topic_prefix, *more]


def migrate(old: Settings, new: Settings, *more: str) -> int:
    return cli.run(arguments(old, new, "--partitions", f"{LOG}={NEW_COUNT}", *more))


# -- a log that one careful pass can follow -----------------------------------------------------------


class Story:
    """A log of one partition, cut into pieces, and dealt to however many a place has."""

    def __init__(self, seed: int) -> None:
        (self.records,) = make_log(seed, 1_500, 80, garbage=False)
        self.models: dict[int, bytes] = {}
        for _, value in self.records:
            record = decode_record(value)
            if isinstance(record, Rules):
                self.models[record.version] = record.model

    def piece(self, start: float, end: float) -> list[LogRecord]:
        count = len(self.records)
        return self.records[int(start * count) : int(end * count)]

    def tell(self, broker: Broker, piece: list[LogRecord], before: list[LogRecord]) -> None:
        """``before``: what another log has had, whose doors bring nothing again."""
        had = {
            record
            for record in before
            if isinstance(one := decode_record(record[1]), Fact) and one.door in {1, 2}
        }
        partitions = broker.partitions(LOG)
        dealt: list[list[LogRecord]] = [[] for _ in range(partitions)]
        for record in piece:
            key, value = record
            one = decode_record(value)
            if isinstance(one, Rules):
                publish(broker, dealt)
                dealt = [[] for _ in range(partitions)]
                apply(broker, self.models[one.version])
            elif key is None:
                for part in dealt:
                    part.append(record)
            elif record not in had:
                dealt[partition_of(key, partitions)].append(record)
        publish(broker, dealt)


def score(settings: Settings, broker: Broker, folder: Path) -> None:
    """A worker scores what there is, and stops."""
    with worker(Options(settings), folder) as running_worker:
        until(lambda: all_scored(broker), [running_worker], "all is scored")
        running_worker.stop()


def without_place(leads: dict[bytes, bytes]) -> dict[bytes, Any]:
    """All that leads are, but for the places in the log that each was last heard of at."""
    found = {}
    for key, value in leads.items():
        form, _fence, generation, _milestone, *rest = stored(decode_lead(value))
        found[key] = form, generation, *rest
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_under_way_is_named_and_nothing_is_changed(
    places: tuple[Settings, Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    old, new = places
    before = make_topics(old, OLD_COUNT)
    story = Story(4)

    def refused(*said: str, untouched: bool = True) -> None:
        capfd.readouterr()
        assert migrate(old, new) == 1
        heard = capfd.readouterr().err
        assert [one for one in said if one not in heard] == []
        assert ("nothing was changed" in heard) == untouched
        if untouched:
            with pytest.raises(UserError, match="there is no topic"):
                Broker(new).partitions(LOG)

    refused("no rules are in force", "does not end with a finished checkpoint")
    story.tell(before, story.piece(0, 0.3), [])
    publish(before, [[(None, encode_record(ImportBegin(2**32 + 9)))]])
    with worker(Options(old), tmp_path) as at_work:
        until(lambda: all_scored(before), [at_work], "all is scored")
        refused("a worker is in the group")
        at_work.stop()
    publish(before, [[(None, encode_record(ImportEnd(2**32 + 9)))]])
    publish_to_door(before)
    refused(
        "not scored to its end: the lead log's partition 0 (1 records)",
        "an import is open",
        "not read to the end: activity.page.v1[2] (1 records)",
    )
    with WorkerProcess(old, tmp_path / "intake", "--only", "intake") as intake:
        until(lambda: before.committed("scorer-intake", PAGE)[2] == 1, (), "the door is read")
        intake.stop()
    score(old, before, tmp_path)
    assert migrate(old, new, "--check") == 0
    assert cli.run(arguments(old, old)) == 2
    assert "that is the installation itself" in capfd.readouterr().err

    # A collector that nobody has stopped.
    carry_over = running.carry_over

    def and_meanwhile(*given: Any) -> copying.Carried:
        carried = carry_over(*given)
        publish(before, [[(None, encode_record(ImportBegin(2**32 + 10)))]])
        return carried

    with monkeypatch.context() as patched:
        patched.setattr(running, "carry_over", and_meanwhile)
        refused("written to meanwhile: the lead log's partition 0", untouched=False)
    publish(before, [[(None, encode_record(ImportEnd(2**32 + 10)))]])
    score(old, before, tmp_path)
    assert migrate(old, new) == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_leads_go_on_in_another_number_of_partitions(
    places: tuple[Settings, Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    old, new = places
    before, after = make_topics(old, OLD_COUNT), Broker(new)
    story = Story(5)
    first, second, third = story.piece(0, 0.52), story.piece(0.52, 0.6), story.piece(0.6, 1)
    story.tell(before, first, [])
    score(old, before, tmp_path)

    # It dies at one step and at another, and the old place goes on.
    for where, step in STEPS:
        with monkeypatch.context() as patched:
            patched.setattr(where, step, dies)
            assert migrate(old, new) == cli.INTERRUPTED
        assert missing(new)
    outcomes = len(outcomes_in(before))
    story.tell(before, second, [])
    score(old, before, tmp_path)
    assert len(outcomes_in(before)) > outcomes
    for step in ("_say_where", "open_for_use"):
        with monkeypatch.context() as patched:
            patched.setattr(running, step, dies)
            assert migrate(old, new) == cli.INTERRUPTED
        assert missing(new)
    assert "has been moved" in missing(old)
    assert "is being moved here" in missing(new)
    for _ in range(2):
        assert migrate(old, new) == 0
        assert "done before" in capfd.readouterr().out
        assert not missing(new)
    assert without_place(leads_in(after)) == without_place(leads_in(before))
    check_closed(old, new, before, story)

    publish(after, [[(None, encode_record(DOORS))] for _ in range(NEW_COUNT)])
    story.tell(after, third, [*first, *second])
    score(new, after, tmp_path)
    wanted = one_pass(story.records)
    found = leads_in(after)
    assert without_place(found) == without_place(wanted.leads)
    assert len(outcomes_in(after)) > 20
    both = [*outcomes_in(before), *outcomes_in(after)]
    assert {key: sorted(said) for key, said in by_lead(both).items()} == {
        key: sorted(said) for key, said in by_lead(wanted.outcomes).items()
    }
    assert len(both) == len(wanted.outcomes)  # and each once
    fences = {key: lead.fence for key, value in found.items() if (lead := decode_lead(value)).since}
    views = newest(after, SCORE)
    assert {key.encode(): view["data"]["log_offset"] for key, view in views.items()} == fences

    # Whoever reads the new log knows that it is not all.
    export = tmp_path / "log.jsonl"
    where = ["--bootstrap", new.bootstrap, "--topic-prefix", new.topic_prefix]
    assert cli.run(["log", "export", *where, "-o", str(export)]) == 0
    assert cli.run(["replay", str(export)]) == 0
    said = capfd.readouterr()
    assert "records are missing" in said.out + said.err


def check_closed(old: Settings, new: Settings, before: Broker, story: Story) -> None:
    """The old place takes nothing any more, and says why."""
    for part in range(OLD_COUNT):
        with pytest.raises(UserError), before.writer() as writer:
            writer.append(LOG, part, b"lead", b"anything")
    with pytest.raises(UserError, match="has been moved to"):
        apply(before, story.models[2])
    elsewhere = msgspec.structs.replace(new, topic_prefix=f"{new.topic_prefix}x.")
    assert migrate(old, elsewhere) == 1


def missing(settings: Settings) -> str:
    """What a worker or collector would wait for; empty: nothing."""
    book = asyncio.run(KafkaBookReader(settings, Registry.load()).read())
    return book.missing or ""


def publish_to_door(broker: Broker) -> None:
    with broker.writer() as writer:
        writer.append(PAGE, 2, None, event(PAGE, "lead-1", type="page.viewed", data={"path": "/pricing"}))


STEPS: tuple[tuple[Any, str], ...] = (
    (running, "copy_rules"),
    (copying._Carrier, "cut"),
    (running, "_nothing_has_come"),
)


def dies(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def another() -> Iterator[KafkaCluster]:
    with KafkaCluster() as own:
        yield own


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_another_cluster_and_a_migration_that_is_killed_and_run_again(
    places: tuple[Settings, Settings], another: KafkaCluster, tmp_path: Path
) -> None:
    old, _ = places
    new = msgspec.structs.replace(old, bootstrap=another.bootstrap, data_dir=tmp_path / "new")
    environment = tmp_path / "new.env"
    environment.write_text(
        f"SCORER_BOOTSTRAP={new.bootstrap}\nSCORER_TOPIC_PREFIX={new.topic_prefix}\nSCORER_LEAD_SECRET=secret\n"
    )
    before, after = make_topics(old, OLD_COUNT), Broker(new)
    story = Story(6)
    story.tell(before, story.piece(0, 0.6), [])
    score(old, before, tmp_path)
    where = ["--bootstrap", old.bootstrap, "--topic-prefix", old.topic_prefix]
    words = [sys.executable, "-m", "scorer", "log", "migrate", *where, "--to-env", str(environment)]

    def start() -> subprocess.Popen[bytes]:
        given = os.environ | {"SCORER_LEAD_SECRET": "secret"}
        return subprocess.Popen(words, cwd=Path(__file__).parents[2], env=given)

    killed = start()
    deadline = time.monotonic() + 60
    while killed.poll() is None and not begun(after):
        assert time.monotonic() < deadline
    killed.kill()
    killed.wait()
    assert start().wait(60) == 0
    assert not missing(new)
    assert without_place(leads_in(after)) == without_place(leads_in(before))
    publish(after, [[(None, encode_record(DOORS))] for _ in range(OLD_COUNT)])
    story.tell(after, story.piece(0.6, 1), story.piece(0, 0.6))
    score(new, after, tmp_path)
    assert without_place(leads_in(after)) == without_place(one_pass(story.records).leads)


def begun(broker: Broker) -> bool:
    try:
        return any(record.key == COMES_FROM for record in read(broker, RULES)[0])
    except (KeyError, UserError):
        return False


# -- the whole road -----------------------------------------------------------------------------------

SEALED = {"SCORER_SEALED_FIELDS": "email"}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_people_companies_and_keys_go_on_with_new_doors(
    places: tuple[Settings, Settings], tmp_path: Path
) -> None:
    """And a collector that nobody has stopped takes nothing more."""
    old, new = places
    rules = tmp_path / "rules.yaml"
    rules.write_text(COMPANY_RULES)
    prepare_road(old, rules, log_partitions=2)
    before, after = Broker(old), Broker(new)
    records = [one for company in range(COMPANIES) for one in told_of(company)]
    random.Random(8).shuffle(records)
    wanted = {domain(company): (22.0 + 22.0 + 7.0, 5) for company in range(COMPANIES)}
    half = len(records) // 2
    with CollectorProcess(old, tmp_path / "collector") as collector, Client(collector.port) as ask:
        await come(lambda: collected(ask, "first") == OK, "the collector takes an event")
        # As docs/day-two.md says: the new doors are written to while the old workers go on.
        command(new, "topics", "apply", "--partitions", f"{LOG}={NEW_COUNT}")
        send(Publisher(new), records[half : half + 20])
        with WorkerProcess(old, tmp_path / "old", checkpoint=0.2, given=SEALED) as at_work:
            send(Publisher(old), records[:half])
            await come(lambda: len(scores(before)) >= COMPANIES // 2, "some companies have a score", at_work)
            at_work.stop()
        with WorkerProcess(old, tmp_path / "old", "--only", "score", checkpoint=0.2, given=SEALED) as at_work:
            await come(lambda: scored_to_the_end(at_work, before), "all is scored", at_work)
            at_work.stop()
        assert cli.run(arguments(old, new)) == 0
        assert collected(ask, "second") == NOT_NOW
    assert scores(after) == scores(before)
    assert who_is_who(after) == who_is_who(before) != {}
    assert keys_in(after) == keys_in(before) != {}
    for number, found in read(after, LEAD_KEYS).items():
        leads = {parse_key_name(record.key or b"") for record in found}
        assert all(one is not None and partition_of(one[0], NEW_COUNT) == number for one in leads)
    made = len(keys_in(after))
    with WorkerProcess(new, tmp_path / "new", checkpoint=0.2, given=SEALED) as at_work:
        send(Publisher(new), records[half + 20 :])
        await come(lambda: scores(after) == wanted, "all companies have the whole score", at_work)
        at_work.stop()
    assert len(keys_in(after)) > made
    assert len(who_is_who(after)) > len(who_is_who(before))
    companies = {domain(company): 1 for company in range(COMPANIES)}
    qualified = told(before, ACCOUNT_QUALIFIED) | told(after, ACCOUNT_QUALIFIED)
    assert qualified == companies
    assert not told(before, ACCOUNT_QUALIFIED).keys() & told(after, ACCOUNT_QUALIFIED).keys()
    assert told(before, ACCOUNT_DISQUALIFIED) == told(after, ACCOUNT_DISQUALIFIED) == {}


OK, NOT_NOW = 200, 503


def collected(ask: Client, name: str) -> int:
    """The status that a sender gets."""
    track = {"messageId": name, "userId": "ann", "event": "Task Created"}
    return ask("/v1/track", track, BASIC).status


def who_is_who(broker: Broker) -> dict[str, Any]:
    return {key: view["data"] for key, view in newest(broker, IDENTITY).items()}


def keys_in(broker: Broker) -> dict[bytes | None, bytes | None]:
    return {record.key: record.value for records in read(broker, LEAD_KEYS).values() for record in records}
