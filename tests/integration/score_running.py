"""Running score workers as processes, and reading what they have left in Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from scorer.broker import Broker, Stored
from scorer.domain.lead import decode_lead
from scorer.domain.outcomes import Outcome
from scorer.domain.record import ACCOUNT
from scorer.domain.state import decode_state
from scorer.settings import Settings
from scorer.wire.dead_letters import origin
from scorer.wire.registry import CHANGELOG, DEAD_LETTERS, LOG, OUTCOMES, SCORE, Registry
from scorer.wire.topic_plan import Wishes
from scorer.wire.topics import apply_topics
from scorer.worker.cut import CUT, STAMP_BYTES, SYSTEM, decode_cut
from tests.integration.score_worker import TOLD, Options
from tests.worker.score_process import dead_of
from tests.worker.score_world import LogRecord, by_lead, one_pass, shown

DEADLINE = 90.0


class Worker:
    """One life of a score worker process."""

    def __init__(self, options: Options, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"worker-{time.monotonic_ns()}.log"
        text = msgspec.json.encode(options, enc_hook=str).decode()
        with self._path.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.score_worker", text],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).parents[2],
            )

    @property
    def said(self) -> str:
        return self._path.read_text()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def stop(self) -> None:
        """A clean stop; fails when it is none."""
        self.signal(signal.SIGTERM)
        assert self.ended() == 0, self.said

    def explained(self) -> str:
        """What it has said, and what each of its tasks waits for."""
        self.signal(signal.SIGUSR1)
        deadline = time.monotonic() + 10
        while TOLD not in self.said and time.monotonic() < deadline and self.alive:
            time.sleep(0.1)
        return self.said

    def ended(self) -> int:
        """Waits for its end; returns the exit code."""
        return self._process.wait(DEADLINE)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None


@contextmanager
def worker(options: Options, folder: Path) -> Iterator[Worker]:
    """Killed at the end, whatever happens."""
    running = Worker(options, folder)
    try:
        yield running
    finally:
        running.kill()


def make_topics(settings: Settings, partitions: int) -> Broker:
    apply_topics(settings, Registry.load(), Wishes(partitions={LOG: partitions}))
    return Broker(settings)


def publish(broker: Broker, log: Sequence[Sequence[LogRecord]]) -> None:
    with broker.writer() as writer:
        for number, records in enumerate(log):
            for key, value in records:
                writer.append(LOG, number, key, value)


def until(condition: Callable[[], bool], running: Sequence[Worker] = (), what: str = "the condition") -> None:
    """Waits until it holds; fails early when one of the workers has ended."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        for one in running:
            assert one.alive, one.said
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about\n" + "".join(one.explained() for one in running))
        time.sleep(0.1)


# -- what is in Kafka ---------------------------------------------------------------------------------


def read(broker: Broker, topic: str, *, headers: bool = False) -> dict[int, list[Stored]]:
    return {
        number: list(broker.read(topic, number, wanted, headers=headers))
        for number, wanted in broker.ranges(topic).items()
    }


def scored_positions(broker: Broker) -> dict[int, int]:
    """Where the newest cut of each partition stands; -1 where leads are still to be swept."""
    positions = {}
    for number, records in read(broker, CHANGELOG).items():
        values = [record.value for record in records if record.key == CUT and record.value]
        if values:
            cut = decode_cut(values[-1])
            positions[number] = -1 if decode_state(cut.state).milestones else cut.position
    return positions


def all_scored(broker: Broker) -> bool:
    return scored_positions(broker) == {number: wanted.end for number, wanted in broker.ranges(LOG).items()}


def leads_in(broker: Broker) -> dict[bytes, bytes]:
    """The newest state of every lead."""
    leads: dict[bytes, bytes] = {}
    for records in read(broker, CHANGELOG).values():
        newest = {r.key: r.value for r in records if r.key is not None and not r.key.startswith(SYSTEM)}
        leads |= {key: value[STAMP_BYTES:] for key, value in newest.items() if value is not None}
    return leads


def newest(broker: Broker, topic: str) -> dict[str, Any]:
    """Key -> the decoded value that a compacted topic ends with; not those that are removed."""
    found = {
        record.key or b"": record.value for records in read(broker, topic).values() for record in records
    }
    return {key.decode(): msgspec.json.decode(value) for key, value in found.items() if value}


def outcomes_in(broker: Broker) -> list[Outcome]:
    return [
        Outcome(topic, record.key or b"", record.value or b"")
        for topic in OUTCOMES
        for records in read(broker, topic).values()
        for record in records
    ]


def dead_in(broker: Broker) -> set[tuple[int, int, str, bytes | None, bytes | None]]:
    found = set()
    for records in read(broker, DEAD_LETTERS, headers=True).values():
        for record in records:
            of = origin(record.headers.items())
            found.add((of.partition, of.offset, str(of.reason), record.key, record.value))
    return found


def check_equal(broker: Broker) -> None:
    """States, outcomes, score views and dead letters are what one careful pass over the log gives."""
    log = [
        [(record.key, record.value or b"") for record in records]
        for _, records in sorted(read(broker, LOG).items())
    ]
    passes = [one_pass(part) for part in log]
    leads = {key: value for done in passes for key, value in done.leads.items()}
    assert shown(leads_in(broker)) == shown(leads)
    wanted = by_lead([outcome for done in passes for outcome in done.outcomes])
    assert {key: sorted(said) for key, said in by_lead(outcomes_in(broker)).items()} == {
        key: sorted(said) for key, said in wanted.items()
    }
    letters = [dead_of(done.dead, number) for number, done in enumerate(passes)]
    assert dead_in(broker) == set().union(*letters)
    fences = {
        key: lead.fence
        for key, value in leads.items()
        if key[:1] != ACCOUNT and (lead := decode_lead(value)).since
    }
    views = newest(broker, SCORE)
    assert {key.encode(): view["data"]["log_offset"] for key, view in views.items()} == fences
