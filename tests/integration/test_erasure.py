"""A person is forgotten, on a real Kafka: while they are active, through kills, until they return or not."""

from __future__ import annotations

import json
import random
import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pytest

from scorer import cli
from scorer.broker import Broker
from scorer.dev.kafka import KafkaCluster
from scorer.domain.lead import Lead, decode_lead
from scorer.people.kept import topics
from scorer.settings import Settings
from scorer.wire.cloudevents import Event
from scorer.wire.cluster import Cluster
from scorer.wire.identity import Identity
from scorer.wire.registry import DEAD_LETTERS, IDENTITY, LEAD_KEYS, LOG, SCORE
from scorer.wire.sealing import SEPARATOR
from tests.bench.figures import report
from tests.bench.road import WorkerProcess, scored_to_the_end, wait_until
from tests.bench.workload import EMAIL, PAGE, PROFILE
from tests.integration.road_running import prepare_road
from tests.integration.score_running import leads_in, outcomes_in, read
from tests.support.intake import Publisher, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

RULES = """\
model: Forgetting
grace: 1 second
qualify: {enter: above 20, exit: below 10}
scores: {fit: {decay: none}}
rules:
  fit:
    - {rule: Opened, on: email.opened, points: +1}
    - {rule: Viewed, on: page.viewed, points: +2}
    - {rule: Boss, when: {role: boss}, points: +32}
"""
WHO = Identity("test")
ANNA = {"email": "Anna.Müller@Example.com", "user_id": "user-anna-4711", "anonymous_id": "visitor-anna-77"}
NAME, PHONE = "Anna Müller-Lüdenscheidt", "+49 171 5550123"
OPTIONS = ("--email", ANNA["email"])


def lead(kind: str, value: str) -> bytes:
    return WHO.lead_id(Event("1.0", "1", "/", "t", {kind: value}))


ALL = {lead(kind, value) for kind, value in ANNA.items()}
USER = lead("user_id", ANNA["user_id"])


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def receipt(self) -> dict[str, Any]:
        assert self.code == 0, self
        found: dict[str, Any] = json.loads(self.out)
        return found


class Commands:
    """`scorer ...` as in a terminal."""

    def __init__(self, settings: Settings, captured: pytest.CaptureFixture[str]) -> None:
        self._flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
        self._captured = captured

    def __call__(self, *arguments: str) -> Ended:
        self._captured.readouterr()
        code = cli.run([*arguments, *self._flags])
        return Ended(code, *self._captured.readouterr())


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")


@pytest.fixture
def scorer(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Commands:
    monkeypatch.setenv("SCORER_LEAD_SECRET", "test")
    return Commands(settings, capsys)


@pytest.fixture
def broker(settings: Settings, tmp_path: Path) -> Broker:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    prepare_road(settings, rules, log_partitions=3)
    return Broker(settings)


@pytest.fixture
def publisher(settings: Settings) -> Publisher:
    return Publisher(settings)


def told_of(publisher: Publisher, **more: Any) -> None:
    """What publishers say of Anna, under each of her names."""
    mail, user, visit = ({kind: ANNA[kind]} for kind in ("email", "user_id", "anonymous_id"))
    said = [
        (EMAIL, "email.opened", mail),
        (PAGE, "page.viewed", visit | {"path": "/pricing"}),
        (PROFILE, "profile.linked", user | visit),
        (PROFILE, "profile.updated", user | mail | {"role": "boss", "name": NAME, "phone": PHONE}),
    ]
    for door, type_, data in said:
        publisher.send(door, event(door, "", subject=None, type=type_, data=data, **more))
    publisher.flush()


def newest(broker: Broker, topic: str) -> dict[bytes, bytes]:
    found: dict[bytes, bytes | None] = {}
    for records in read(broker, topic).values():
        found |= {record.key: record.value for record in records if record.key}
    return {key: value for key, value in found.items() if value is not None}


def total(broker: Broker, key: bytes) -> float:
    value = newest(broker, SCORE).get(key)
    return 0.0 if value is None else json.loads(value)["data"]["total"]


def wait(condition: Any, what: str, worker: WorkerProcess) -> None:
    def look() -> bool:
        assert worker.process.poll() is None, worker.last_words()
        return bool(condition())

    try:
        wait_until(look, 60, what, 0.2)
    except TimeoutError as error:
        raise TimeoutError(f"{error}\n{worker.last_words()}") from None


def is_stub(state: Lead) -> bool:
    links = state.links
    assert links is not None
    assert links.erased
    assert (links.moved, links.members, state.sealed, state.company) == (b"", [], None, None)
    return (state.since, state.attributes, state.masses, state.seen) == (0, {}, {}, b"")


def states(broker: Broker) -> dict[bytes, Lead]:
    return {key: decode_lead(value) for key, value in leads_in(broker).items()}


def check_forgotten(broker: Broker, ids: set[bytes]) -> None:
    assert not newest(broker, SCORE).keys() & ids
    assert not newest(broker, IDENTITY).keys() & ids
    found = states(broker)
    assert all(is_stub(found[one]) for one in ids)


# -- the whole of it -----------------------------------------------------------------------------------


def test_by_one_name_a_person_is_forgotten_under_all(
    broker: Broker, publisher: Publisher, settings: Settings, scorer: Commands, tmp_path: Path
) -> None:
    other = lead("email", "bob@example.com")
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        told_of(publisher)
        publisher.send(EMAIL, event(EMAIL, "", subject=None, data={"email": "bob@example.com"}))
        publisher.flush()
        wait(lambda: total(broker, USER) == 35 and total(broker, other) == 1, "all is scored", worker)

        looked = scorer("erase", *OPTIONS, "--dry-run")
        assert looked.code == 0
        assert all(one.decode() in looked.out for one in ALL)
        assert "3 leads would be forgotten" in looked.out
        assert total(broker, USER) == 35

        receipt = scorer("erase", *OPTIONS, "--yes", "--request", "ticket-1").receipt
        assert {one["lead"].encode() for one in receipt["leads"]} == ALL
        assert (receipt["request"], receipt["blocked"], receipt["came_back"]) == ("ticket-1", False, False)
        held = [(one["topic"], one["records"]) for one in receipt["still_held"]]
        assert sum(count for _, count in held) == 4
        assert {topic for topic, _ in held} == {EMAIL, PAGE, PROFILE}
        text = json.dumps(receipt).lower()
        assert not any(word in text for word in ("anna", "example.com", "4711", "visitor"))
        check_forgotten(broker, ALL)
        assert total(broker, other) == 1

        seen = json.loads(scorer("subject-access", *OPTIONS).out)
        mail = lead("email", ANNA["email"])
        assert {one.encode() for one in seen["erased_by_the_same_request"]} == ALL - {mail}
        assert seen["scores"] == seen["identity"] == {}
        assert seen["states"][mail.decode()]["forgotten_until"] == receipt["forgotten_until"]

        # Once more: nothing comes of it but another line for consumers.
        again = scorer("erase", *OPTIONS, "--yes", "--request", "ticket-1").receipt
        assert {one["lead"].encode() for one in again["leads"]} == ALL
        check_forgotten(broker, ALL)

        # They come back: a new beginning, under the name they use.
        publisher.send(EMAIL, event(EMAIL, "", subject=None, data={"email": ANNA["email"]}))
        publisher.flush()
        wait(lambda: total(broker, lead("email", ANNA["email"])) == 1, "they are back", worker)
        worker.stop()
    check_replays(scorer, broker, tmp_path)


# -- blocked, unknown, nobody at work ------------------------------------------------------------------


def test_who_is_not_to_return_does_not(
    broker: Broker, publisher: Publisher, settings: Settings, scorer: Commands, tmp_path: Path
) -> None:
    source = tmp_path / "whom"
    source.write_text(f"# by mail\nemail {ANNA['email']}\nuser-id {ANNA['user_id']}\n")
    file = tmp_path / "receipt.json"
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        told_of(publisher)
        wait(lambda: total(broker, USER) == 35, "all is scored", worker)
        arguments = ("--from", str(source), "--yes", "--block-return", "--receipt", str(file))
        assert scorer("erase", *arguments).code == 0
        receipt = json.loads(file.read_text())
        assert receipt["blocked"] is True
        assert {one["lead"].encode() for one in receipt["leads"]} == ALL
        told_of(publisher)
        wait(lambda: worker.total("scorer_score_shunned_total") >= 4, "all is passed over", worker)
        settle(worker, broker)
        check_forgotten(broker, ALL)
        proof = proved(scorer("erase", *OPTIONS, "--prove", "--json"))
        assert set(proof["leads"]) == {one.decode() for one in ALL}
        worker.stop()


def test_of_an_unknown_person_nothing_is_left_either(
    broker: Broker, settings: Settings, scorer: Commands, tmp_path: Path
) -> None:
    assert "nothing is known of it" in scorer("erase", *OPTIONS, "--dry-run").out
    late = scorer("erase", *OPTIONS, "--yes", "--request", "r-1", "--timeout", "1")
    assert late.code == 75
    assert "appended as request r-1; not done yet: no worker has read" in late.err
    assert "--request r-1" in late.err
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        receipt = scorer("erase", *OPTIONS, "--yes", "--request", "r-1").receipt
        assert [one["lead"].encode() for one in receipt["leads"]] == [lead("email", ANNA["email"])]
        assert receipt["still_held"] == []
        other = scorer("erase", "--email", "somebody@example.com", "--yes", "--request", "r-1")
        assert other.code != 0
        assert "--request r-1 is the name of somebody else's request" in other.err
        worker.stop()
    proof = proved(scorer("erase", *OPTIONS, "--prove", "--json"))
    assert {one["state"] for one in proof["places"]} <= {"nothing", "not looked at"}


def test_what_a_publisher_wrote_into_another_field_is_a_leftover(
    broker: Broker, publisher: Publisher, settings: Settings, scorer: Commands, tmp_path: Path
) -> None:
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        mail = {"email": ANNA["email"], "note": f"mailto:{ANNA['email'].lower().replace('@', '%40')}"}
        publisher.send(PROFILE, event(PROFILE, "", subject=None, data=mail))
        publisher.flush()
        settle(worker, broker, at_least=1)
        looked = scorer("erase", *OPTIONS, "--prove")
        assert looked.code == 1
        assert "never forgotten" in looked.out
        assert scorer("erase", *OPTIONS, "--yes", "--no-count").code == 0
        worker.stop()
    looked = scorer("erase", *OPTIONS, "--prove", "--json")
    assert looked.code == 1
    found = {one["place"]: one["state"] for one in json.loads(looked.out)["places"]}
    assert found[LOG] == "leftover"
    assert found[PROFILE] == "until"
    assert found["lead.changelog.v1 (state)"] == "nothing"


def settle(worker: WorkerProcess, broker: Broker, at_least: int = 0) -> None:
    def scored() -> bool:
        facts = worker.total("scorer_score_facts_total")
        return facts >= at_least and scored_to_the_end(worker, broker)

    wait(scored, "all is scored", worker)


def proved(ended: Ended) -> dict[str, Any]:
    assert ended.code == 0, ended
    found: dict[str, Any] = json.loads(ended.out)
    assert found["erasure_leftovers"] == 0
    return found


# -- what a person may see ------------------------------------------------------------------------------


def test_all_that_is_held_of_a_person_is_shown(
    broker: Broker, publisher: Publisher, settings: Settings, scorer: Commands, tmp_path: Path
) -> None:
    file = tmp_path / "access.json"
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        told_of(publisher)
        spoiled = event(EMAIL, "", subject=None, data={"email": ANNA["email"]}, time="yesterday")
        publisher.send(EMAIL, spoiled)
        publisher.send(EMAIL, spoiled[:-1])
        publisher.send(EMAIL, event(EMAIL, "", subject=None, data={"email": "bob@example.com"}))
        publisher.flush()
        wait(lambda: total(broker, USER) == 35, "all is scored", worker)
        worker.stop()
    assert scorer("subject-access", *OPTIONS, "-o", str(file)).code == 0
    assert file.stat().st_mode & 0o077 == 0
    text = file.read_text()
    found = json.loads(text)
    assert {one["lead"].encode() for one in found["leads"]} == ALL
    user = USER.decode()
    assert found["scores"][user]["total"] == 35
    assert found["states"][user]["attributes"]["role"]["value"] == "boss"
    facts = [one for one in found["log"] if one["kind"] == "fact"]
    assert {one["type"] for one in facts} >= {
        "email.opened",
        "page.viewed",
        "profile.linked",
        "profile.updated",
    }
    assert any(one["kind"] == "merge" for one in found["log"])
    assert {one["event"]["type"] for one in found["outcomes"]} == {"lead.qualified", "lead.merged"}
    assert len(found["received"]) == 8  # four, the two spoiled ones, and their dead letters
    died = [one["reason"] for one in found["received"] if "reason" in one]
    assert sorted(died) == ["bad_time", "not_json"]
    assert all(one["kept_until"] for one in found["received"])
    assert NAME in text
    assert "bob@" not in text
    shown = scorer("subject-access", *OPTIONS, "--text")
    assert shown.code == 0
    assert shown.out.startswith("# What is held about you")
    assert NAME in shown.out


# -- while everybody is active, and afterwards ------------------------------------------------------------


@pytest.fixture(scope="module")
def hasty_kafka() -> Iterator[KafkaCluster]:
    """Looks for what it can remove all the time."""
    haste = {
        "log.retention.check.interval.ms": "1000",
        "log.initial.task.delay.ms": "500",
        "log.segment.delete.delay.ms": "500",
        "log.cleaner.backoff.ms": "500",
    }
    with KafkaCluster(settings=haste) as cluster:
        yield cluster


class Load(threading.Thread):
    """Somebody does something all the time, and Anna is among them while ``anna`` is set."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._publisher = Publisher(settings)
        self._rng = random.Random(9)
        self.anna = threading.Event()
        self.resting = threading.Event()
        """Anna has been quiet for a while."""
        self._over = threading.Event()

    def __enter__(self) -> Self:
        spoiled = event(EMAIL, "", subject=None, data={"email": ANNA["email"], "name": NAME}, time="then")
        self._publisher.send(EMAIL, spoiled)
        told_of(self._publisher)
        self.anna.set()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self) -> None:
        while not self._over.wait(0.05):
            for number in self._rng.sample(range(20), 4):
                door, kind = self._rng.choice(((EMAIL, "email"), (PAGE, "anonymous_id"), (PAGE, "user_id")))
                who = {kind: f"bob-{number}@example.net" if kind == "email" else f"{kind}-bob-{number}"}
                self._publisher.send(door, event(door, "", subject=None, data=who))
            if self.anna.is_set():
                told_of(self._publisher)
            self._publisher.flush()
            if not self.anna.is_set():
                self.resting.set()

    def rest(self) -> None:
        self.anna.clear()
        self.resting.clear()
        assert self.resting.wait(30)

    def end(self) -> None:
        self._over.set()
        self.join(30)


def states_of(ended: Ended) -> dict[str, str]:
    return {one["place"]: one["state"] for one in proved(ended)["places"]}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_under_load_through_a_kill_and_from_the_changelog_nothing_comes_back(
    hasty_kafka: KafkaCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(bootstrap=hasty_kafka.bootstrap, lead_secret="test")
    monkeypatch.setenv("SCORER_LEAD_SECRET", "test")
    monkeypatch.setenv("SCORER_DATA_DIR", str(tmp_path / "disks"))
    monkeypatch.setenv("SCORER_SEALED_FIELDS", "email,name,phone")
    scorer, broker = Commands(settings, capsys), Broker(settings)
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    prepare_road(settings, rules, log_partitions=3)
    names = (*OPTIONS, "--user-id", ANNA["user_id"], "--anonymous-id", ANNA["anonymous_id"])
    prove = ("erase", *names, "--text", NAME, "--text", PHONE, "--prove", "--json")

    with ExitStack() as stack:

        def start(disk: str) -> WorkerProcess:
            # A name that it keeps: the group need not wait for the one before it to time out.
            folder = tmp_path / "disks" / disk
            return stack.enter_context(WorkerProcess(settings, folder, "--instance", "it", checkpoint=0.2))

        first = start("one")
        load = stack.enter_context(Load(settings))
        wait(lambda: total(broker, USER) > 35, "Anna is scored", first)

        # While she is active, and the worker is killed in the middle of it.
        strike = Strike(first, partial(start, "one"))
        busy = scorer("erase", *OPTIONS, "--yes", "--no-count", "--timeout", "100").receipt
        strike.join()
        second = strike.next
        assert {one["lead"].encode() for one in busy["leads"]} == ALL
        assert busy["data_keys_deleted"] >= 3
        assert second.process.poll() is None, second.last_words()

        load.rest()
        quiet = scorer("erase", *OPTIONS, "--yes", "--timeout", "100").receipt
        assert {one["lead"].encode() for one in quiet["leads"]} == ALL
        assert quiet["came_back"] is False
        check_forgotten(broker, ALL)
        found = states_of(scorer(*prove))
        assert {found[one] for one in (EMAIL, PAGE, PROFILE, DEAD_LETTERS)} == {"until"}
        assert found[str(tmp_path / "disks")] == "nothing"
        assert (
            found[str(tmp_path / "disks" / "one" / "data" / "leads" / "0") + " (records)"] == "not looked at"
        )
        second.stop()

        # Another disk: everything comes from the changelog.
        third = start("two")
        time.sleep(1)
        load.end()
        settle(third, broker)
        check_forgotten(broker, ALL)
        third.stop()
    check_replays(scorer, broker, tmp_path)
    found = states_of(scorer(*prove))
    assert "not looked at" not in found.values()
    assert sum("(records)" in place for place in found) == 8

    expire(settings)
    deadline = time.monotonic() + 90
    while left := {place: state for place, state in found.items() if state != "nothing"}:
        assert time.monotonic() < deadline, left
        time.sleep(2)
        found = states_of(scorer(*prove))
    report("erasure_leftovers", proved(scorer(*prove))["erasure_leftovers"], "places")


class Strike(threading.Thread):
    """Kills a worker with -9 in a moment, and starts another."""

    def __init__(self, worker: WorkerProcess, start: Callable[[], WorkerProcess]) -> None:
        super().__init__(daemon=True)
        self._worker = worker
        self._start = start
        self.next = worker
        self.start()

    def run(self) -> None:
        time.sleep(1.5)
        self._worker.kill()
        self.next = self._start()


def expire(settings: Settings) -> None:
    """As if a month had passed: doors and dead letters are empty, overtaken keys are gone."""
    cluster, broker = Cluster(settings.kafka), Broker(settings)
    for topic in topics(settings).values():
        if topic.role in {"door", "dead_letters"}:
            cluster.alter(topic.name, {"retention.ms": "1000", "segment.ms": "1000"})
    cluster.alter(
        LEAD_KEYS, {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "100"}
    )
    time.sleep(1)
    # A segment is closed when another record comes.
    with broker.writer() as writer:
        for partition in range(3):
            writer.append(LEAD_KEYS, partition, b"another" + SEPARATOR + b"0123456789abcdef", b"x")


# -- the log alone says the same ------------------------------------------------------------------------


def check_replays(scorer: Commands, broker: Broker, folder: Path) -> None:
    """The log alone says the same of everybody: outcomes and scores, to the byte."""
    export, outcomes, scores = (folder / name for name in ("log.jsonl", "outcomes.jsonl", "scores.jsonl"))
    assert scorer("log", "export", "-o", str(export)).code == 0
    made = ["--outcomes", str(outcomes), "--scores", str(scores)]
    assert cli.run(["replay", str(export), "--strict", *made]) == 0
    assert sorted(newest(broker, SCORE).values()) == sorted(scores.read_bytes().splitlines())
    replayed = {json.loads(line)["id"]: line for line in outcomes.read_bytes().splitlines()}
    assert {json.loads(one.value)["id"]: one.value for one in outcomes_in(broker)} == replayed
