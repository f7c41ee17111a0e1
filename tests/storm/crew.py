"""The workers, and what starts them again when they end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.request import urlopen

from scorer.worker.endings import FATAL_EXIT

if TYPE_CHECKING:
    from types import TracebackType

    from scorer.settings import Settings

SESSION_TIMEOUT = 6.0
"""Seconds: the least that Kafka's own default allows."""
BACKOFF = 0.5
STOP_TIMEOUT = 60.0
ROOT = Path(__file__).parents[2]
_METRICS = re.compile(r"metrics on (http://\S+)")
_GAUGE = re.compile(r'scorer_score_(clock|unswept)\w*{partition="(\d+)"} (\S+)')
_CAUSE = re.compile(r"CRITICAL \S+: (?:stopped|fatal): (.*)")


class Worker:
    """One place on which a worker runs, life after life: its disk and its log stay."""

    def __init__(self, name: str, settings: Settings, folder: Path, *, static: bool) -> None:
        """``static``: it keeps its membership of the groups over restarts."""
        self.name = name
        self.folder = folder
        self.orders = folder / "orders"
        """Names the step at which it is to die."""
        self.resting = True
        """Nobody is to start it."""
        self.lock = threading.RLock()
        """Held by whoever ends it and means to start it himself."""
        self.process: subprocess.Popen[bytes] | None = None
        self._settings = settings
        self._static = static
        self._silent = 0  # size of the log when the process was started
        folder.mkdir(parents=True)

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, *arguments: str) -> None:
        settings = self._settings
        environment = os.environ | {
            "SCORER_BOOTSTRAP": settings.bootstrap,
            "SCORER_TOPIC_PREFIX": settings.topic_prefix,
            "SCORER_LEAD_SECRET": "storm",
            "SCORER_METRICS_PORT": "0",
            "SCORER_DATA_DIR": str(self.folder / "data"),
            "SCORER_SESSION_TIMEOUT": str(SESSION_TIMEOUT),
            "SCORER_CACHE_LEADS": "1000",  # most leads come from the disk
        }
        if self._static:
            environment["SCORER_INSTANCE"] = self.name
        with self.log.open("ab") as log:
            self._silent = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.storm.worker", str(self.orders), *arguments],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
        self.resting = False

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Cleanly; raises where it does not end so."""
        self.resting = True
        process = self.process
        if process is None:
            return
        process.terminate()
        try:
            code = process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self.name} did not stop: {self.last_words()}") from None
        # Told to stop while it is ending with a reason of its own, it may end by that; told so while Python
        # is still starting, by the signal.
        starting = self.log.stat().st_size == self._silent
        if code not in {0, FATAL_EXIT, -signal.SIGKILL} and not (starting and code == -signal.SIGTERM):
            raise RuntimeError(f"{self.name} ended with {code} when it was stopped: {self.last_words()}")

    def wipe(self) -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-1_500:] if self.log.exists() else ""

    def swept(self) -> set[str]:
        """The log partitions that it owns and of which every lead has passed the newest rules."""
        found = _METRICS.findall(self.log.read_text(errors="replace")) if self.log.exists() else []
        try:
            with urlopen(found[-1], timeout=5) as answer:  # noqa: S310 - our own server
                text = answer.read().decode()
        except (IndexError, OSError):
            return set()
        scored = {
            partition for name, partition, value in _GAUGE.findall(text) if name == "clock" and float(value)
        }
        return scored & {
            partition
            for name, partition, value in _GAUGE.findall(text)
            if name == "unswept" and not float(value)
        }

    def causes(self) -> list[str]:
        """Why it ended by itself, each time."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return _CAUSE.findall(text)


class Crew:
    """Starts again whoever has ended, as systemd would; notes what it did not expect."""

    def __init__(self, workers: list[Worker]) -> None:
        self.workers = workers
        self.restarts: Counter[str] = Counter()
        """By what ended the worker."""
        self.strange: list[str] = []
        """Exits that should not occur."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="crew", daemon=True)

    def __enter__(self) -> Self:
        for worker in self.workers:
            worker.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        for worker in self.workers:
            worker.kill()

    def _keep(self) -> None:
        while not self._stop.wait(0.05):
            for worker in self.workers:
                if not worker.resting and not worker.running:
                    self._stop.wait(BACKOFF)
                    with worker.lock:
                        if not worker.resting and not worker.running and not self._stop.is_set():
                            self._note(worker)
                            worker.start()

    def _note(self, worker: Worker) -> None:
        code = None if worker.process is None else worker.process.returncode
        if code == -signal.SIGKILL:
            self.restarts["killed"] += 1
        elif code == FATAL_EXIT:
            self.restarts["ended by itself"] += 1
        else:
            self.restarts[f"exit code {code}"] += 1
            self.strange.append(f"{worker.name} ended with {code}: {worker.last_words()}")
