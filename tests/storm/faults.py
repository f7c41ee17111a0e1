"""The strikes. Each returns when what it did is lifted; recovery is for the storm to wait for."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tests.storm.crew import SESSION_TIMEOUT
from tests.storm.worker import STEPS

if TYPE_CHECKING:
    from scorer.dev.kafka import KafkaCluster
    from tests.storm.crew import Crew, Worker
    from tests.storm.toxiproxy import Network

BEYOND = SESSION_TIMEOUT + 3.0
"""Seconds: longer than a session."""
DIES_WITHIN = 40.0
TAKING_OVER = ("restored", "epoch under way", "epoch announced")
"""Steps that only a worker which has just started comes by."""


class Field(NamedTuple):
    """What can be struck."""

    cluster: KafkaCluster
    crew: Crew
    network: Network
    rng: random.Random

    def somebody(self) -> Worker:
        return self.rng.choice([worker for worker in self.crew.workers if worker.running])


def kill(field: Field) -> str:
    worker = field.somebody()
    worker.kill()
    return worker.name


def kill_all(field: Field) -> str:
    for worker in field.crew.workers:
        worker.kill()
    return "all workers"


def restart(field: Field) -> str:
    worker = field.somebody()
    with worker.lock:
        worker.stop()
        time.sleep(field.rng.uniform(0.0, 2.0))
        worker.start()
    return worker.name


def wipe(field: Field) -> str:
    worker = field.somebody()
    with worker.lock:
        worker.kill()
        worker.wipe()
        worker.start()
    return worker.name


def freeze(field: Field) -> str:
    worker = field.somebody()
    process = worker.process
    if process is None:
        raise RuntimeError("nobody to freeze")
    process.send_signal(signal.SIGSTOP)
    time.sleep(BEYOND + field.rng.uniform(0.0, 2.0))
    process.send_signal(signal.SIGCONT)
    return worker.name


def kill_broker(field: Field) -> str:
    node = field.rng.choice(field.cluster.node_ids)
    field.cluster.kill(node)
    time.sleep(field.rng.uniform(1.0, 3.0))
    field.cluster.start_node(node)
    return f"node {node}"


def cut(field: Field) -> str:
    """Packets vanish for longer than a session, or connections are refused for some seconds."""
    if field.rng.random() < 0.5:
        field.network.black_hole()
        time.sleep(BEYOND)
        how = "black hole"
    else:
        field.network.refuse()
        time.sleep(5.0)
        how = "refused"
    field.network.mend()
    return f"{field.crew.workers[0].name}, {how}"


def slow(field: Field) -> str:
    field.network.slow()
    time.sleep(8.0)
    field.network.mend()
    return field.crew.workers[0].name


def die_at(step: str) -> Callable[[Field], str]:
    def strike(field: Field) -> str:
        worker = field.somebody()
        process = worker.process
        worker.orders.write_text(step)
        try:
            if step in TAKING_OVER:
                worker.kill()
                _until(lambda: worker.process is not process, f"{worker.name} was not started again")
                process = worker.process
            _until(lambda: _ended(process), f"{worker.name} did not come by")
        finally:
            worker.orders.unlink()
        if process is None or process.returncode != -signal.SIGKILL:
            raise NotStruckError(f"{worker.name} ended by itself before")
        return worker.name

    return strike


def _ended(process: subprocess.Popen[bytes] | None) -> bool:
    return process is None or process.poll() is not None


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DIES_WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise NotStruckError(what)
        time.sleep(0.02)


class NotStruckError(Exception):
    """The occasion did not come; to be tried again."""


KINDS: dict[str, Callable[[Field], str]] = {
    "kill -9": kill,
    "kill -9 of all": kill_all,
    "clean restart": restart,
    "disk wiped": wipe,
    "frozen": freeze,
    "broker kill": kill_broker,
    "network cut": cut,
    "network slowed": slow,
    **{f"death: {step}": die_at(step) for step in STEPS},
}
