"""The collector on a real Kafka: what it has answered with success is there, whatever breaks."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scorer import rules_apply
from scorer.broker import Broker
from scorer.dev.kafka import KafkaCluster
from scorer.domain.model import Model, encode_model
from scorer.domain.record import NO_DOOR
from scorer.settings import Settings
from scorer.wire.identity import Identity
from scorer.wire.partitioner import partition_of
from tests.support.collecting import BASIC, BEARER, WRITE_KEY, Client, CollectorProcess, Load, batch, track
from tests.support.intake import (
    PATIENCE,
    Publisher,
    event,
    eventually,
    facts,
    ids_in,
    intake_here,
    make_topics,
    prepare,
    read_log,
)
from tests.support.sdks import MANY, arrived

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def settings(kafka: KafkaCluster, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")


@pytest.fixture
def collector(settings: Settings, tmp_path: Path) -> Iterator[CollectorProcess]:
    prepare(settings)
    with CollectorProcess(settings, tmp_path) as running:
        yield running.ready()


@pytest.fixture
def ask(collector: CollectorProcess) -> Iterator[Client]:
    with Client(collector.port) as client:
        yield client


# -- the road ---------------------------------------------------------------------------------------


def test_events_over_http_are_facts_of_their_leads(
    collector: CollectorProcess, ask: Client, settings: Settings
) -> None:
    before = int(time.time() * 1000)
    assert ask("/v1/track", track(1), BASIC).json == {"success": True, "accepted": 1}
    assert ask("/v1/batch", batch(range(2, 200)), BASIC).json == {"success": True, "accepted": 198}
    after = int(time.time() * 1000)
    # It has been answered, so it is there: nothing to wait for.
    log = list(facts(read_log(settings)))
    assert {fact.id for _, fact in log} == {f"m-{number}" for number in range(1, 200)}
    identity = Identity("test")
    for written, fact in log:
        assert (fact.door, fact.offset) == (NO_DOOR, -1)
        assert before <= fact.received <= after
        lead = identity._of_identifier("user_id", fact.id.replace("m-", "user-"))
        assert written.lead == lead
        assert written.partition == partition_of(lead, 8)
    status, text = collector.status("/metrics")
    collector.wait_for(lambda: 'key="web",outcome="accepted"} 199.0' in collector.status("/metrics")[1])
    assert status == 200
    assert "scorer_intake" not in text


async def test_the_same_event_through_either_door_is_the_same_record(ask: Client, settings: Settings) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    same = event("activity.booking.v1", "lead-1", id="booking-1", time=now)
    one = BEARER | {"Content-Type": "application/cloudevents+json"}
    answer = await asyncio.to_thread(ask, "/v1/events", same, one)
    assert answer.json == {"success": True, "accepted": 1}
    publisher = Publisher(settings)
    publisher.send("activity.booking.v1", same)
    publisher.flush()
    async with intake_here(settings):
        await eventually(lambda: len(list(facts(read_log(settings)))) == 2)
    (mine_at, mine), (theirs_at, theirs) = facts(read_log(settings))
    assert (mine_at.lead, mine_at.partition) == (theirs_at.lead, theirs_at.partition)
    differing = {name for name in mine.__struct_fields__ if getattr(mine, name) != getattr(theirs, name)}
    assert differing == {"received", "door", "offset"}


def test_nothing_is_taken_before_doors_and_rules_are_complete(settings: Settings, tmp_path: Path) -> None:
    with CollectorProcess(settings, tmp_path) as running, Client(running.port) as ask:

        def answer() -> Any:
            return ask("/v1/track", track(1), BASIC)

        running.wait_for(lambda: "no topic" in answer().json["message"])
        assert answer().status == 503
        make_topics(settings)
        running.wait_for(lambda: "scorer rules apply" in answer().json["message"])
        assert running.status("/readyz")[0] == 503
        assert running.status("/livez")[0] == 200
        rules_apply.apply(Broker(settings), encode_model(Model(name="none", scores=())))
        running.wait_for(lambda: answer().status == 200)
        running.ready()


def test_wrong_settings_are_said_at_once(settings: Settings, tmp_path: Path) -> None:
    keys = "keys:\n  web: {kind: segment, secrets: [env:NONE]}\n  two: {kind: nothing}\n"
    with CollectorProcess(settings, tmp_path, keys=keys) as running:
        assert running.process.wait(PATIENCE) == 2
        assert "has 3 mistakes" in running.output()
    with CollectorProcess(settings, tmp_path, environment={"SCORER_SEALED_FIELDS": "mail"}) as running:
        assert running.process.wait(PATIENCE) == 2
        assert "SCORER_SEALED_FIELDS" in running.output()


# -- real clients --------------------------------------------------------------------------------------


def _uses_each_call(client: Any) -> None:
    client.identify("user-1", {"email": "anna@example.com", "title": "CEO", "name": "Anna"})
    client.track("user-1", "Task Created", {"plan": "pro", "n": 3})
    client.page("user-1", "Docs", "Pricing", {"path": "/pricing", "url": "https://x.example/pricing?a=1"})
    client.screen("user-1", None, "Settings", {"dark": True})
    client.group("user-1", "acme", {"name": "Acme", "employees": 30})
    client.alias("anon-1", "user-1")
    for number in range(MANY):
        client.track(f"user-{number}", "Task Created", anonymous_id=f"anon-{number}")
    client.flush()


@pytest.mark.parametrize("gzip", [False, True])
def test_segments_python_sdk(collector: CollectorProcess, settings: Settings, *, gzip: bool) -> None:
    from segment.analytics import request
    from segment.analytics.client import Client as Segment

    failures: list[Any] = []
    client = Segment(
        WRITE_KEY,
        host=collector.url,
        gzip=gzip,
        on_error=lambda error, _: failures.append(error),
        upload_interval=0.1,
    )
    _uses_each_call(client)
    client.join()
    request._session.close()
    assert failures == []
    arrived(settings)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rudderstacks_python_sdk(collector: CollectorProcess, settings: Settings) -> None:
    from rudderstack.analytics import request
    from rudderstack.analytics.client import Client as Rudder

    failures: list[Any] = []
    client = Rudder(
        WRITE_KEY,
        host=collector.url,
        on_error=lambda error, _: failures.append(error),
        upload_interval=0.1,
    )
    _uses_each_call(client)
    client.join()
    request._session.close()
    assert failures == []
    arrived(settings)


def test_an_sdk_does_not_repeat_what_was_refused_and_repeats_what_was_not_taken(
    collector: CollectorProcess, settings: Settings
) -> None:
    from segment.analytics import request
    from segment.analytics.client import Client as Segment

    failures: list[Any] = []
    client = Segment(
        WRITE_KEY, host=collector.url, on_error=lambda error, _: failures.append(error), upload_interval=0.1
    )
    client.track("null", "Task Created")  # an identifier that names nobody
    client.flush()
    client.track("user-1", "Task Created")
    client.flush()
    client.join()
    request._session.close()
    assert [error.status for error in failures] == [400]
    assert len(ids_in(settings)) == 1
    collector.wait_for(lambda: 'status="400"} 1.0' in collector.status("/metrics")[1])


# -- when something breaks ----------------------------------------------------------------------------


def test_a_broker_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    with KafkaCluster() as cluster:
        settings = Settings(bootstrap=cluster.bootstrap, topic_prefix="killed.", lead_secret="test")
        prepare(settings)
        with CollectorProcess(settings, tmp_path).ready() as running:
            load = Load(running.port, 6, 5)
            running.wait_for(lambda: load.statuses[200] > 100)
            for _ in range(2):
                cluster.kill(cluster.node_ids[0])
                before = load.statuses[503]
                running.wait_for(lambda before=before: load.statuses[503] > before + 20)
                running.wait_for(lambda: running.status("/readyz")[0] == 503)
                assert running.status("/livez")[0] == 200
                cluster.start_node(cluster.node_ids[0])
                running.ready()
                after = load.statuses[200]
                running.wait_for(lambda after=after: load.statuses[200] > after + 50)
            load.stop()
            running.stop()
        assert load.lost == 0
        assert load.acknowledged
        assert load.acknowledged - ids_in(settings) == set()
        # The request that found the broker gone waits for its deadline; nobody waits for longer.
        assert load.slowest < 3, load.slowest


def test_a_broker_that_stands_still(tmp_path: Path) -> None:
    with KafkaCluster() as cluster:
        settings = Settings(bootstrap=cluster.bootstrap, topic_prefix="still.", lead_secret="test")
        prepare(settings)
        with CollectorProcess(settings, tmp_path).ready() as running, Client(running.port) as ask:
            assert ask("/v1/track", track(1), BASIC).status == 200
            cluster.pause(cluster.node_ids[0])
            try:
                answer = ask("/v1/track", track(2), BASIC)
                assert (answer.status, answer.headers["retry-after"]) == (503, "1")
                assert answer.seconds < 2
                answer = ask("/v1/track", track(3), BASIC)
                assert answer.status == 503
                assert answer.seconds < 0.5
            finally:
                cluster.resume(cluster.node_ids[0])
            running.wait_for(lambda: ask("/v1/track", track(4), BASIC).status == 200)
            running.stop()
        assert {"m-1", "m-4"} <= ids_in(settings)
        assert "m-3" not in ids_in(settings)


def test_a_stop_under_load_loses_nothing_that_was_acknowledged(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    with CollectorProcess(settings, tmp_path, "--processes", "2").ready() as running:
        load = Load(running.port, 6)
        running.wait_for(lambda: load.statuses[200] > 200)
        began = time.monotonic()
        running.stop()
        assert time.monotonic() - began < 15
        load.stop()
    assert load.acknowledged - ids_in(settings) == set()
    assert set(load.statuses) <= {200, 503}


def test_a_process_that_is_killed_is_replaced(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    with CollectorProcess(settings, tmp_path, "--processes", "2").ready() as running:
        load = Load(running.port, 4)
        first = running.children()
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        running.wait_for(lambda: len(set(running.children()) - set(first)) == 1)
        said = "scorer_collector_ready_processes 2.0"
        running.wait_for(lambda: said in running.status("/metrics")[1])
        sent = load.statuses[200]
        running.wait_for(lambda: load.statuses[200] > sent + 100)
        load.stop()
        running.stop()
    assert load.acknowledged - ids_in(settings) == set()


def test_children_do_not_outlive_their_parent(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    with CollectorProcess(settings, tmp_path).ready() as running:
        (child,) = running.children()
        running.process.kill()
        running.process.wait()
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(f"/proc/{child}") and time.monotonic() < deadline:  # noqa: PTH110
            time.sleep(0.05)
        assert not os.path.exists(f"/proc/{child}")  # noqa: PTH110


# -- clients that misbehave ----------------------------------------------------------------------------


def _connected(port: int, said: bytes) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), timeout=30)
    one.sendall(said)
    return one


def _closed(one: socket.socket) -> bytes:
    """What it said until it closed."""
    found = b""
    with one:
        while True:
            try:
                part = one.recv(65_536)
            except ConnectionError:
                return found
            if not part:
                return found
            found += part


def test_slow_and_endless_requests_end_and_others_do_not_notice(
    collector: CollectorProcess, ask: Client
) -> None:
    port = collector.port
    head = b"POST /v1/track HTTP/1.1\r\nHost: x\r\n"
    authorized = head + f"Authorization: {BASIC['Authorization']}\r\n".encode()
    slow = [_connected(port, one) for one in [b"", head, authorized + b"Content-Length: 100\r\n\r\n{"] * 50]
    slowest = max(ask("/v1/track", track(number), BASIC).seconds for number in range(200))
    assert slowest < 1
    for one in slow[:3]:
        one.settimeout(40)
    said = [_closed(one) for one in slow[:2]]
    assert all(not text or text.startswith(b"HTTP/1.1 408") for text in said)
    for text, status in (
        (head + b"X-A: " + b"a" * 100_000, b"431"),
        (head + b"".join(b"X-%d: a\r\n" % n for n in range(500)) + b"\r\n", b"431"),
        (b"GET /" + b"a" * 100_000, b"431"),
        (authorized + b"Content-Length: 99999999999\r\n\r\n", b"413"),
        (b"nonsense\r\n\r\n", b"400"),
        (authorized + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", b"400"),
    ):
        answer = _closed(_connected(port, text))
        assert status in answer[:20], (text[:80], answer[:80])
    for one in slow[2:]:
        one.close()
    assert ask("/v1/track", track(1000), BASIC).status == 200


def test_trailers_without_an_end_are_not_kept(collector: CollectorProcess) -> None:
    (child,) = collector.children()
    before = resident_mb(child)
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: {BASIC['Authorization']}\r\n".encode()
    for trailer in (b"a:b\r\n" * 10_000, b"a" * 50_000):
        one = _connected(collector.port, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"x:")
        with suppress(OSError):  # it has been told that this is enough
            for _ in range(1_000):
                one.sendall(trailer)
        answer = _closed(one)
        assert not answer or b" 413 " in answer[:20]
    assert resident_mb(child) - before < 60


def resident_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def test_giant_bodies_are_not_kept(collector: CollectorProcess) -> None:
    (child,) = collector.children()

    before = resident_mb(child)
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: {BASIC['Authorization']}\r\n".encode()
    for _ in range(20):
        one = _connected(collector.port, head + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(200):
                one.sendall(chunk)
        except OSError:
            pass  # it has been told that this is enough
        answer = _closed(one)
        assert not answer or answer.startswith(b"HTTP/1.1 413")
    assert resident_mb(child) - before < 50
