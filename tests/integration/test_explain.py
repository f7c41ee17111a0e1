"""Any of three workers says why any lead stands where it does, and the log says why it did."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec
import pytest

from scorer import cli
from scorer.broker import Broker
from scorer.domain.explaining import Explanation, decode_explanation
from scorer.domain.outcomes import instant
from scorer.settings import Settings
from scorer.wire.asking import UNREACHABLE, ask
from scorer.wire.registry import SCORE
from tests.bench.road import WorkerProcess
from tests.bench.workload import EMAIL
from tests.integration.road_running import clock, prepare_road, until
from tests.integration.score_running import newest
from tests.integration.test_people import RULES, TOTAL, lead, own, told_of
from tests.support.intake import Publisher, event

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

PEOPLE = 12
KINDS = ("user_id", "email", "anonymous_id")
TIMEOUT = 10.0


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SCORER_LEAD_SECRET", "test")
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


def asked(worker: WorkerProcess, lead_id: str) -> Explanation | int:
    """What the worker answers; the status where it is no explanation."""
    try:
        reply = ask(worker.address, lead_id, timeout=TIMEOUT)
    except UNREACHABLE:
        return 0
    return decode_explanation(reply.body) if reply.status == 200 else reply.status


def total(worker: WorkerProcess, lead_id: str) -> float:
    found = asked(worker, lead_id)
    return found.total if isinstance(found, Explanation) else -found


def printed(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> list[Explanation]:
    """What `scorer explain --json` prints."""
    capfdbinary.readouterr()
    assert cli.run(["explain", "--json", *arguments]) == 0
    return [decode_explanation(line) for line in capfdbinary.readouterr().out.splitlines()]


async def test_any_worker_answers_for_any_lead_now_and_the_log_for_then(
    settings: Settings, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    broker = Broker(settings)
    prepare_road(settings, rules, log_partitions=6)
    publisher = Publisher(settings)
    users = {lead("user_id", number): number for number in range(PEOPLE)}
    with ExitStack() as stack:
        workers = [
            stack.enter_context(WorkerProcess(settings, tmp_path / str(number), checkpoint=0.2))
            for number in range(3)
        ]
        await until(lambda: all(one.ready() for one in workers), "three workers share the log", *workers)
        for number in range(PEOPLE):
            for door, changes in told_of(number):
                publisher.send(door, event(door, "", subject=None, **changes))
        publisher.flush()
        await until(
            lambda: all(total(workers[0], user) == TOTAL for user in users), "all are whole", *workers
        )

        # Every worker, every id of a person.
        for worker in workers:
            for user, number in users.items():
                for kind in KINDS:
                    found = asked(worker, lead(kind, number))
                    assert isinstance(found, Explanation)
                    assert (found.lead, found.total) == (user, TOTAL)
                    assert found.asked == (None if kind == "user_id" else lead(kind, number))
                    assert sum(line.points for line in found.ledger) == found.total
                    assert len(found.members) == 2
        assert asked(workers[0], "nobody") == 404
        assert asked(workers[0], "\n") == 400
        # Each shows its own partitions and no longer those that it gave away.
        shown = sorted(label for one in workers for label in one.metrics()["scorer_score_clock_seconds"])
        assert shown == [(str(number),) for number in range(6)]

        # What was so stays so: the log is asked for the instant at which it was.
        first = lead("user_id", 0)
        before = asked(workers[1], first)
        assert isinstance(before, Explanation)
        then = int(time.time() * 1000)
        await until(lambda: clock(workers[0]) > then, "the doors' clock goes on", *workers)
        publisher.send(EMAIL, event(EMAIL, "", subject=None, type="email.opened", data=own("user_id", 0)))
        publisher.flush()
        await until(lambda: total(workers[2], first) == TOTAL + 1, "the mail counts", *workers)
        where = ["--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix]
        [past] = printed(capfdbinary, "--email", "0@example.net", "--at", instant(then), *where)
        assert (past.lead, past.total, past.status) == (first, TOTAL, "qualified")
        assert past.ledger == before.ledger
        assert past.rules == before.rules
        assert (past.asked, past.at, past.exact_since) == (lead("email", 0), instant(then), None)
        [now] = printed(capfdbinary, "--lead", first, "--worker", workers[2].address)
        assert (now.total, now.log.partition) == (TOTAL + 1, past.log.partition)
        view = newest(broker, SCORE)[first]["data"]
        assert (view["total"], view["stage"]) == (now.total, now.stage)

        # One of them dies: the others answer for its leads as soon as they have them.
        workers[0].kill()
        left = workers[1:]
        await until(
            lambda: all(total(one, user) >= TOTAL for one in left for user in users), "two answer", *left
        )
        for worker in left:
            worker.stop()
    assert cli.run(["explain", first, "--worker", workers[1].address]) == 1
    error = capfdbinary.readouterr().err.decode()
    assert f"no worker at {workers[1].address}" in error
    assert "Traceback" not in error
    assert msgspec.json.decode(msgspec.json.encode(now))["total"] == TOTAL + 1
