"""Connections to the collector: a person's requests go one after the other, and no other person waits.

Like any good client they send again what was not taken, as often as it needs.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from http.client import HTTPConnection, HTTPException
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from scorer.demo.senders import Sent

LANES: Final = 4
TIMEOUT: Final = 10.0  # seconds
PAUSE: Final = 0.2
"""Seconds before something is sent once more."""
AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
LATE: Final = 2.0
"""Seconds for what is still to be sent when it is over."""


class Answer(NamedTuple):
    status: int
    refused: tuple[str, ...]
    """Codes of what was refused, of the whole request or of an event of it."""
    words: str
    """Of the answer, for whoever has to find out."""


class Lanes:
    """Threads that send; from ``with`` to the end of it."""

    def __init__(self, host: str, port: int) -> None:
        self.answers: deque[tuple[Sent, Answer]] = deque()
        """In the order in which they came in; for whoever takes them out."""
        self._address = host, port
        self._stop = threading.Event()
        self._queues: list[SimpleQueue[Sent | None]] = [SimpleQueue() for _ in range(LANES)]
        self._threads = [
            threading.Thread(target=self._run, args=(queue,), name="lane", daemon=True)
            for queue in self._queues
        ]
        for thread in self._threads:
            thread.start()

    def send(self, whose: str, request: Sent) -> None:
        """Returns at once. ``whose``: what is in order among itself."""
        self._queues[crc32(whose.encode()) % LANES].put(request)

    def close(self) -> None:
        """Gives what is on its way a moment to arrive."""
        for queue in self._queues:
            queue.put(None)
        deadline = time.monotonic() + LATE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._stop.set()

    def _run(self, queue: SimpleQueue[Sent | None]) -> None:
        connection = HTTPConnection(*self._address, timeout=TIMEOUT)
        while (request := queue.get()) is not None:
            while not self._stop.is_set():
                try:
                    answer = _ask(connection, request)
                except (OSError, HTTPException):
                    connection.close()
                else:
                    if answer.status not in AGAIN:
                        self.answers.append((request, answer))
                        break
                self._stop.wait(PAUSE)
        connection.close()


def _ask(connection: HTTPConnection, request: Sent) -> Answer:
    connection.request(request.method, request.path, request.body or None, request.headers)
    response = connection.getresponse()
    body = response.read()
    if response.getheader("Content-Type") != "application/json":
        return Answer(response.status, (), "")
    told = json.loads(body)
    codes = [one["code"] for one in told.get("refused", ())]
    if "code" in told:
        codes.append(told["code"])
    return Answer(response.status, tuple(codes), body.decode(errors="replace"))
