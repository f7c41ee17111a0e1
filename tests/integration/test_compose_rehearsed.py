"""docker-compose.yml without containers: its commands with its settings, on a real Kafka, in its order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import pytest

from scorer.cli import run
from scorer.dev.kafka import KafkaCluster
from tests.deploy.named import ROOT, yaml_of
from tests.support.intake import PATIENCE

SERVICES: dict[str, dict[str, Any]] = yaml_of(ROOT / "docker-compose.yml")[0]["services"]  # type: ignore[assignment]


class Machine:
    """Where services run as processes: container paths are folders, and ports are free ones."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str) -> None:
        self.folder = folder
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.collector = ""

    def here(self, name: str, text: str) -> str:
        """A word of a service's, for this machine."""
        places = [volume.split(":")[:2] for volume in SERVICES[name].get("volumes", [])]
        for source, target in places:
            where = ROOT / source if source.startswith("./") else self.folder / source
            text = re.sub(rf"^{target}(?=/|$)", str(where), text)
        if self.collector:
            text = text.replace("http://collector:8080", self.collector)
        return text.replace("kafka:9092", self.bootstrap)

    def arguments(self, name: str, *more: str) -> tuple[list[str], dict[str, str]]:
        service = SERVICES[name]
        environment = {
            variable: self.here(name, str(value))
            for variable, value in service.get("environment", {}).items()
        }
        own = {
            "SCORER_TOPIC_PREFIX": self.prefix,
            "SCORER_METRICS_PORT": "0",
            "SCORER_COLLECTOR_PORT": "0",
            "SCORER_COLLECTOR_METRICS_PORT": "0",
            "SCORER_DATA_DIR": str(self.folder / name),
            "SCORER_ADVERTISED_URL": "",
        }
        command = [self.here(name, word) for word in service["command"]]
        return [sys.executable, "-m", "scorer", *command, *more], os.environ | environment | own

    def once(self, name: str, *more: str) -> str:
        command, environment = self.arguments(name, *more)
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def running(self, name: str) -> Running:
        command, environment = self.arguments(name)
        return Running(name, command, environment, self.folder / f"{name}.log")


class Running:
    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def said(self, pattern: str) -> str:
        found: list[str] = []

        def there() -> bool:
            found[:] = re.findall(pattern, self._log.read_text(errors="replace"))
            return bool(found)

        self.until(there)
        return found[0]

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            words = self._log.read_text(errors="replace")
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{words}"
            assert time.monotonic() < deadline, f"{self.name}:\n{words}"
            time.sleep(0.1)

    def healthy(self) -> None:
        """By the container's own check, upon the port that it has here."""
        test = SERVICES[self.name]["healthcheck"]["test"]
        address = self.said(r"metrics on (http://\S+)/metrics")
        words = [re.sub(r"^http://127\.0\.0\.1:\d+", address, word) for word in test[2:]]
        self.until(lambda: run(words) == 0)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture
def machine(tmp_path: Path, kafka: KafkaCluster, topic_prefix: str) -> Machine:
    return Machine(tmp_path, kafka.bootstrap, topic_prefix)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_up_with_traffic(machine: Machine) -> None:
    assert "keys made" in machine.once("keys")
    assert "there already" in machine.once("keys")
    machine.once("topics")
    assert "in force: version 1" in machine.once("rules")
    with ExitStack() as stack:
        worker = stack.enter_context(machine.running("worker-1"))
        collector = stack.enter_context(machine.running("collector"))
        worker.healthy()
        collector.healthy()
        machine.collector = collector.said(r"listening on (http://\S+)")
        # Ten seconds of the story at once: the first nonsense is among them, and refused.
        said = machine.once("traffic", "--speed=4", "--for=4")
        taken = int(re.findall(r"([\d,]+) events taken", said)[0].replace(",", ""))
        assert taken > 20
        metrics = worker.said(r"metrics on (http://\S+/metrics)")

        def scored() -> bool:
            with urlopen(metrics, timeout=5) as answer:  # noqa: S310 - our own server
                text = answer.read().decode()
            records = re.findall(r"^scorer_score_records_total\S* (\S+)$", text, re.MULTILINE)
            return sum(map(float, records)) >= taken

        worker.until(scored)
        assert collector.stop() == 0
        assert worker.stop() == 0
        machine.once("topics")
        assert "already in force" in machine.once("rules")
