"""A client of the collector that costs little: one process, one loop, many connections.

    python -m tests.bench.collector_load PORT CONNECTIONS SECONDS EVENTS RATE

``EVENTS`` a request: 1 is a track call, more a batch, 0 a GET of /. ``RATE``: requests a second, each timed
from when it was due; 0: each connection sends when it has its answer. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, deque
from typing import Any

import uvloop

from tests.support.collecting import BASIC

WARM_UP = 1.0  # seconds
LEADS = 5_000


class Load:
    def __init__(self, events: int) -> None:
        self._events = events
        self._number = 0
        self._salt = time.time_ns() % 10**9
        self.answered = 0
        self.statuses: Counter[str] = Counter()
        """Of the answers that were not 200."""
        self.waited: list[float] = []
        self.counting = False

    def request(self) -> bytes:
        """The next one, of events that nobody has sent before."""
        if not self._events:
            return b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        made = []
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        for _ in range(self._events):
            self._number += 1
            made.append(
                f'{{"type":"track","messageId":"ajs-next-{self._salt}-{self._number}",'
                f'"userId":"user-{self._number % LEADS}","event":"Task Created",'
                '"properties":{"plan":"pro","count":3,"title":"A first task"},'
                '"context":{"library":{"name":"analytics","version":"1"}},'
                f'"timestamp":"{now}","sentAt":"{now}"}}'
            )
        body = made[0] if self._events == 1 else f'{{"batch":[{",".join(made)}],"sentAt":"{now}"}}'
        call = "track" if self._events == 1 else "batch"
        return (
            f"POST /v1/{call} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: {BASIC['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def answer(self, head: bytes, seconds: float) -> None:
        if self.counting:
            self.answered += 1
            if not head.startswith(b"HTTP/1.1 200"):
                self.statuses[head[9:12].decode()] += 1
            self.waited.append(seconds)


class Connection(asyncio.Protocol):
    def __init__(self, load: Load, idle: deque[Connection] | None) -> None:
        """``idle``: where it waits for its turn; None: it sends the next request by itself."""
        self._load = load
        self._idle = idle
        self._found = b""
        self._since = 0.0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        if self._idle is None:
            self.send(time.perf_counter())
        else:
            self._idle.append(self)

    def send(self, since: float) -> None:
        self._since = since
        self._transport.write(self._load.request())

    def data_received(self, data: bytes) -> None:
        self._found += data
        head, found, rest = self._found.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._found = b""
        now = time.perf_counter()
        self._load.answer(head, now - self._since)
        if self._idle is None:
            self.send(now)
        else:
            self._idle.append(self)


async def run(port: int, connections: int, seconds: float, events: int, rate: float) -> dict[str, Any]:
    load = Load(events)
    # In turn: the server ends connections that nobody uses.
    idle: deque[Connection] | None = deque() if rate else None
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load, idle), "127.0.0.1", port)
    began = time.perf_counter()
    late = sent = 0
    while (now := time.perf_counter()) < began + WARM_UP + seconds:
        if not load.counting and now > began + WARM_UP:
            load.counting = True
        if idle is not None:
            while sent < (now - began) * rate:
                if idle:
                    idle.popleft().send(began + sent / rate)
                else:
                    # Nobody is free: it is sent later, and timed from now all the same.
                    late += 1
                    break
                sent += 1
        await asyncio.sleep(0.001 if rate else 0.05)
    load.counting = False
    waited = sorted(load.waited) or [0.0]
    return {
        "per_second": load.answered / seconds,
        "refused": sum(load.statuses.values()),
        "statuses": dict(load.statuses),
        "p50_ms": waited[len(waited) // 2] * 1000,
        "p99_ms": waited[int(len(waited) * 0.99)] * 1000,
    }


if __name__ == "__main__":
    port, connections, seconds, events, rate = map(float, sys.argv[1:])
    uvloop.install()
    print(json.dumps(asyncio.run(run(int(port), int(connections), seconds, int(events), rate))))  # noqa: T201
