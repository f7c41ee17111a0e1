"""Sealed fields through the collector, on a real Kafka: the same keys as intake's, durable, and forgotten."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Self

import pytest

from scorer.broker import Broker
from scorer.domain.person import decode_sealed
from scorer.domain.record import Fact, decode_record
from scorer.settings import Settings
from scorer.wire.registry import LEAD_KEYS, LOG
from scorer.wire.sealing import KEY_ID_BYTES, SEPARATOR
from tests.bench.road import WorkerProcess, wait_until
from tests.bench.workload import EMAIL, PROFILE
from tests.integration.road_running import prepare_road
from tests.integration.score_running import read
from tests.integration.test_erasure import ALL, ANNA, NAME, OPTIONS, PHONE, RULES, Commands, proved, settle
from tests.integration.test_sealed import finder, held, kept, keys, lead, person
from tests.support.collecting import BEARER, Client, CollectorProcess
from tests.support.intake import PATIENCE, IntakeProcess, Publisher, event, facts, prepare, read_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

# Several processes are started and ended in most of these.
pytestmark = pytest.mark.timeout(300)

FIELDS = "email,name,phone"
CLIENTS = 6


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SCORER_SEALED_FIELDS", FIELDS)
    monkeypatch.setenv("SCORER_LEAD_SECRET", "test")
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")


def opened(number: int, **more: Any) -> bytes:
    return event(EMAIL, "", subject=None, type="email.opened", data=person(number) | more)


def posted(ask: Client, *events: bytes) -> None:
    answer = ask("/v1/events", b"[" + b",".join(events) + b"]", BEARER)
    assert answer.json == {"success": True, "accepted": len(events)}


def sealed_with(broker: Broker) -> dict[str, list[tuple[int, bytes]]]:
    """Lead -> the door's number and the key's id of each fact with something sealed, in log order."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    for part in read(broker, LOG).values():
        for one in part:
            record = decode_record(one.value or b"")
            if isinstance(record, Fact) and record.sealed is not None:
                for blob in decode_sealed(record.sealed).values():
                    key = blob.partition(SEPARATOR)[2][:KEY_ID_BYTES]
                    found.setdefault((one.key or b"").decode(), []).append((record.door, key))
    return found


def newest_key(broker: Broker, of: str) -> bytes:
    """The id of that in the topic."""
    ids = [
        (one.key or b"").partition(SEPARATOR)[2]
        for part in read(broker, LEAD_KEYS).values()
        for one in part
        if (one.key or b"").partition(SEPARATOR)[0].decode() == of
    ]
    return bytes.fromhex(ids[-1].decode())


# -- one key ------------------------------------------------------------------------------------------


def test_a_lead_that_both_doors_meet_at_once_has_one_key_soon_and_all_of_it_opens(
    settings: Settings, tmp_path: Path
) -> None:
    prepare(settings)
    broker, publisher = Broker(settings), Publisher(settings)
    count, number = 0, 1
    who = lead(number)
    with (
        IntakeProcess(settings, tmp_path, SCORER_DATA_DIR=str(tmp_path / "data")) as intake,
        CollectorProcess(settings, tmp_path).ready() as collector,
        Client(collector.port) as ask,
    ):
        intake.wait_ready()

        def both() -> list[tuple[int, bytes]]:
            """The person says something new through either door at the same moment; what came of that."""
            nonlocal count
            publisher.send(EMAIL, opened(number, name=f"Door {count}"))
            publisher.producer.poll(0)
            posted(ask, opened(number, name=f"Web {count}"))
            publisher.flush()
            count += 1
            intake.wait_for(lambda: len(list(facts(read_log(settings)))) == 2 * count)
            names = {f"Door {count - 1}", f"Web {count - 1}"}
            said = zip(kept(broker)[who], sealed_of_each(broker, who), strict=True)
            return [sealed for texts, sealed in said if texts.get("name") in names]

        first = both()
        assert len(first) == 2
        assert {door > 0 for door, _ in first} == {True, False}
        # Each may have made one; from when the topic has been read here and there it is the newest.
        intake.wait_for(lambda: {key for _, key in both()} == {newest_key(broker, who)})
        made = len(keys(broker))
        assert made <= 2
        for _ in range(3):
            assert {key for _, key in both()} == {newest_key(broker, who)}
        assert len(keys(broker)) == made
        collector.stop()
        intake.stop()
    assert all(one["name"] and one.get("email", "Reader") for one in kept(broker)[who])


def sealed_of_each(broker: Broker, who: str) -> list[tuple[int, bytes]]:
    """Door and key of each fact of a lead with something sealed."""
    found = []
    for part in read(broker, LOG).values():
        for one in part:
            record = decode_record(one.value or b"")
            if (one.key or b"").decode() == who and isinstance(record, Fact) and record.sealed is not None:
                blobs = decode_sealed(record.sealed).values()
                (key,) = {blob.partition(SEPARATOR)[2][:KEY_ID_BYTES] for blob in blobs}
                found.append((record.door, key))
    return found


def test_two_processes_and_a_restart_agree_on_the_keys(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    broker, people = Broker(settings), 15
    rounds = 0

    def say(collector: CollectorProcess) -> int:
        """Everybody says something new, over six connections at once; how many keys that has made."""
        nonlocal rounds
        rounds += 1
        before, failures = len(keys(broker)), []

        def client(which: int) -> None:
            try:
                with Client(collector.port) as ask:
                    for number in range(people):
                        posted(ask, opened(number, name=f"{which} {rounds}"))
            except (AssertionError, OSError, HTTPException) as error:
                failures.append(error)

        threads = [threading.Thread(target=client, args=(which,)) for which in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        return len(keys(broker)) - before

    with CollectorProcess(settings, tmp_path, "--processes", "2") as collector:
        collector.wait_for(lambda: "ready_processes 2.0" in collector.status("/metrics")[1])
        assert people <= say(collector) <= 2 * people
        # When both have read the topic they use the newest.
        collector.wait_for(
            lambda: say(collector) == 0 and in_use(broker, last=CLIENTS) == newest(broker, people)
        )
        collector.stop()
    made = len(keys(broker))
    assert sorted(path.name for path in (tmp_path / "data" / "keys").iterdir()) == [
        "collector-0",
        "collector-1",
    ]
    with CollectorProcess(settings, tmp_path).ready() as collector:
        assert say(collector) == 0, "it knows all keys before it is ready"
        assert [path.name for path in (tmp_path / "data" / "keys").iterdir()] == ["collector-0"]
        collector.stop()
    shutil.rmtree(tmp_path / "data")
    with CollectorProcess(settings, tmp_path).ready() as collector:
        assert say(collector) == 0, "and without its disk, too"
        collector.stop()
    assert len(keys(broker)) == made
    opened_texts = kept(broker)
    assert len(opened_texts) == people
    for texts in opened_texts.values():
        assert len(texts) == CLIENTS * rounds
        assert all(one["name"] for one in texts)


def in_use(broker: Broker, last: int) -> dict[str, set[bytes]]:
    """Lead -> the keys of what was sealed last."""
    return {who: {key for _, key in found[-last:]} for who, found in sealed_with(broker).items()}


def newest(broker: Broker, people: int) -> dict[str, set[bytes]]:
    return {lead(number): {newest_key(broker, lead(number))} for number in range(people)}


# -- when something breaks ----------------------------------------------------------------------------


class People(threading.Thread):
    """New persons all the time, a request each; ``taken``: of whom it was answered with success."""

    def __init__(self, port: int, first: int) -> None:
        super().__init__(daemon=True)
        self.taken: list[int] = []
        self.next = first
        self._port = port
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(PATIENCE)

    def run(self) -> None:
        ask = Client(self._port)
        while not self._over.is_set():
            number, self.next = self.next, self.next + 1
            try:
                answer = ask("/v1/events", b"[" + opened(number) + b"]", BEARER)
            except (OSError, HTTPException):
                time.sleep(0.01)
                continue
            if answer.status == 200:
                self.taken.append(number)
        ask.close()


@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_nothing_that_does_not_open_and_loses_nothing_it_confirmed(
    settings: Settings, tmp_path: Path
) -> None:
    prepare(settings)
    broker, rng = Broker(settings), random.Random(46)
    taken: list[int] = []
    said = 0
    for life in range(5):
        with CollectorProcess(settings, tmp_path).ready() as collector, People(collector.port, said) as some:
            wanted = 20 + rng.randrange(40)
            collector.wait_for(lambda some=some, wanted=wanted: len(some.taken) > wanted)
            time.sleep(rng.random() * 0.03)
            (child,) = collector.children()
            os.kill(child, signal.SIGKILL)
            if life % 2:  # another process goes on with the store that is there
                before = len(some.taken)
                collector.wait_for(lambda some=some, before=before: len(some.taken) > before + 20)
        taken += some.taken
        said = some.next
        if life == 2:
            shutil.rmtree(tmp_path / "data")
    found = kept(broker)
    assert {lead(number) for number in taken} <= found.keys()
    everybody = {lead(number): person(number) for number in range(said)}
    assert all(texts == [everybody[who]] * len(texts) for who, texts in found.items())
    assert len(taken) > 100


def test_of_two_collectors_with_one_data_directory_the_second_waits(
    settings: Settings, tmp_path: Path
) -> None:
    prepare(settings)
    with CollectorProcess(settings, tmp_path / "one").ready() as first:
        held_by_another = {"SCORER_DATA_DIR": str(tmp_path / "one" / "data")}
        with CollectorProcess(settings, tmp_path / "two", environment=held_by_another) as second:
            second.wait_for(lambda: "SCORER_DATA_DIR" in second.output())
            assert second.status("/readyz")[0] == 503
            first.stop()
            second.ready()  # once the store is free
            second.stop()


# -- forgotten ----------------------------------------------------------------------------------------


def test_a_person_who_is_active_over_http_is_forgotten_and_comes_back_as_somebody_new(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_DATA_DIR", str(tmp_path / "data"))
    scorer, broker = Commands(settings, capsys), Broker(settings)
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    prepare_road(settings, rules)
    names = (*OPTIONS, "--user-id", ANNA["user_id"], "--anonymous-id", ANNA["anonymous_id"])
    prove = ("erase", *names, "--text", NAME, "--text", PHONE, "--prove", "--json")
    mail, user, visit = ({kind: ANNA[kind]} for kind in ("email", "user_id", "anonymous_id"))

    def told(ask: Client) -> None:
        posted(
            ask,
            event(EMAIL, "", subject=None, type="email.opened", data=mail | {"name": NAME}),
            event(PROFILE, "", subject=None, type="profile.linked", data=user | visit),
            event(
                PROFILE,
                "",
                subject=None,
                type="profile.updated",
                data=user | mail | {"role": "boss", "name": NAME, "phone": PHONE},
            ),
        )

    with (
        WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker,
        CollectorProcess(settings, tmp_path, "--processes", "2") as collector,
    ):
        collector.wait_for(lambda: "ready_processes 2.0" in collector.status("/metrics")[1])
        clients = [Client(collector.port) for _ in range(4)]
        for ask in clients:
            told(ask)
        settle(worker, broker, at_least=12)
        before = [value for name, value in keys(broker).items() if name.partition(SEPARATOR)[0] in ALL]
        assert len(before) >= 2

        erased = scorer("erase", *OPTIONS, "--yes", "--timeout", "60").receipt
        assert {one["lead"].encode() for one in erased["leads"]} == ALL
        assert erased["data_keys_deleted"] >= len(before)
        assert not any(name.partition(SEPARATOR)[0] in ALL for name in keys(broker))
        texts = [one for who in ALL for one in kept(broker).get(who.decode(), [])]
        assert texts == [{}] * len(texts), "what was sealed opens no more"
        wait_until(lambda: not held(tmp_path / "data" / "keys", before), 90, "the keys leave the disks", 0.5)
        assert scorer(*prove).code == 0

        # Every process has dropped what it knew: whoever takes the next event makes a new key.
        for number, ask in enumerate(clients):
            posted(ask, event(EMAIL, "", subject=None, data=mail | {"name": f"{NAME} {number}"}))
        who = next(one for one in ALL if (one.decode() in kept(broker)) and any(kept(broker)[one.decode()]))
        back = [one for one in kept(broker)[who.decode()] if one]
        assert {one["name"] for one in back} == {f"{NAME} {number}" for number in range(len(clients))}
        find = finder(broker)
        for key in {key for _, key in sealed_of_each(broker, who.decode())[-len(clients) :]}:
            assert find(who, key) is not None
        for ask in clients:
            ask.close()
        collector.stop()
        worker.stop()
    assert "nothing" in {one["state"] for one in proved(scorer(*prove))["places"]}
