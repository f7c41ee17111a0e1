"""`scorer collector` as a process, and clients of it."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.support.intake import PATIENCE, reaching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scorer.settings import Settings

WRITE_KEY = "wk-1234567890123456"
CRM_KEY = "ck-1234567890123456"
BASIC = {"Authorization": "Basic " + b64encode(f"{WRITE_KEY}:".encode()).decode()}
BEARER = {"Authorization": f"Bearer {CRM_KEY}", "Content-Type": "application/cloudevents-batch+json"}
KEYS = """
keys:
  web:
    kind: segment
    secrets: [env:WEB_KEY]
    scopes: [email, page, app, booking, social, profile]
    origins: [https://www.example.com]
  crm:
    kind: cloudevents
    secrets: [env:CRM_KEY]
"""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class CollectorProcess:
    """``arguments``: of the command. Killed at the end of the block where it is still alive then."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *arguments: str,
        keys: str = KEYS,
        environment: Mapping[str, str] | None = None,
        pinned_to: int | None = None,
        port: int = 0,
    ) -> None:
        """``pinned_to``: a core that it shares with nobody it is measured with. ``port``: 0, any."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "keys.yaml"
        path.write_text(keys)
        given = {
            **reaching(settings),
            "SCORER_TOPIC_PREFIX": settings.topic_prefix,
            "SCORER_LEAD_SECRET": "test",
            "SCORER_DATA_DIR": str(folder / "data"),
            "SCORER_COLLECTOR_METRICS_PORT": "0",
            "WEB_KEY": WRITE_KEY,
            "CRM_KEY": CRM_KEY,
        }
        command = [sys.executable, "-m", "scorer", "collector", "--keys", str(path), "--port", str(port)]
        if pinned_to is not None:
            command = ["taskset", "-c", str(pinned_to), *command]
        self.log = folder / "collector.log"
        self._mark = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, *arguments],
                env=os.environ | given | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def output(self) -> str:
        return self.log.read_text(errors="replace")[self._mark :]

    def wait_for(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output()}"
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def ready(self) -> Self:
        self.wait_for(lambda: self.status("/readyz")[0] == 200)
        return self

    @property
    def port(self) -> int:
        self.wait_for(lambda: "metrics on" in self.output())
        found = re.search(r"listening on http://[^:]+:(\d+)", self.output())
        assert found is not None
        return int(found[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def status(self, path: str) -> tuple[int, str]:
        """Of the port that is for operators; 0 where nobody answers."""
        found = re.search(r"metrics on (http://\S+)/metrics", self.output())
        if found is None:
            return 0, ""
        try:
            with urlopen(found[1] + path, timeout=5) as answer:  # noqa: S310 - our own server
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (URLError, OSError):
            return 0, ""

    def children(self) -> list[int]:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has just ended
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid:
                    found.append(int(stat.parent.name))
        return found

    def stop(self) -> None:
        """Cleanly."""
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0, self.output()


class Client:
    """One connection, opened again when it was lost."""

    def __init__(self, port: int, timeout: float = 10) -> None:
        self._port = port
        self._timeout = timeout
        self._connection: HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answer:
        """``body``: bytes, or what is to be JSON. Raises ``OSError`` or ``HTTPException``."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        began = time.monotonic()
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)
        try:
            self._connection.request(method, path, body, dict(headers or {}))
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            self.close()
            raise
        if answer.will_close:
            self.close()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, told, content, time.monotonic() - began)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def track(number: int | str, **more: Any) -> dict[str, Any]:
    return {"messageId": f"m-{number}", "userId": f"user-{number}", "event": "Task Created", **more}


def batch(numbers: Sequence[int]) -> dict[str, Any]:
    return {"batch": [{"type": "track", **track(number)} for number in numbers]}


class Load:
    """Clients that send one event after another, or batches, and remember what was said of each."""

    def __init__(self, port: int, clients: int, size: int = 1) -> None:
        self.acknowledged: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self.lost = 0
        """Requests without an answer."""
        self._port = port
        self._size = size
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        ask = Client(self._port)
        while not self._stop.is_set():
            numbers = [next(self._numbers) for _ in range(self._size)]
            path, body = (
                ("/v1/track", track(numbers[0])) if self._size == 1 else ("/v1/batch", batch(numbers))
            )
            try:
                answer = ask(path, body, BASIC)
            except (OSError, HTTPException):
                self.lost += 1
                time.sleep(0.05)
                continue
            self.statuses[answer.status] += 1
            self.slowest = max(self.slowest, answer.seconds)
            if answer.status == 200:
                self.acknowledged.update(f"m-{number}" for number in numbers)
            else:
                assert answer.headers["retry-after"] == "1", answer
                time.sleep(0.01)
        ask.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
