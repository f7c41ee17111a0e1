"""Many connections that ask, and look at each answer; what no answer may be is a fault."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import uvloop

from tests.fuzz.asking import Asked, Documented, asked
from tests.fuzz.raw import counted, raw
from tests.fuzz.samples import samples

PATIENCE: Final = 15.0
"""Seconds for an answer."""
RAW_SHARE: Final = 0.1
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_SHOWN: Final = 600
_MOST_FAULTS: Final = 50


@dataclass
class Found:
    """What came of it."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def fault(self, what: str, sent: bytes, answer: bytes = b"") -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(f"{what}\n  sent {sent[:_SHOWN]!r}\n  heard {answer[:_SHOWN]!r}")
        else:
            self.faults.append(what)


class _NoAnswerError(Exception):
    """With what was heard."""


_FAILURES: Final = (OSError, EOFError, ValueError, _NoAnswerError, asyncio.LimitOverrunError)  # of time too


def fuzz(port: int, document: dict[str, Any], seed: int, requests: int, connections: int = 48) -> Found:
    """So many requests, shared out among connections, each with random numbers of its own."""
    return uvloop.run(_fuzz(port, document, seed, requests, connections))


async def _fuzz(port: int, document: dict[str, Any], seed: int, requests: int, connections: int) -> Found:
    found = Found()
    make = _Maker(Documented(document))
    share = -(-requests // connections)
    workers = [_Worker(port, make, found, Random(f"{seed}.{number}")) for number in range(connections)]
    await asyncio.gather(*(worker.run(share) for worker in workers))
    return found


class _Maker:
    """Makes a request of any of the samples."""

    def __init__(self, known: Documented) -> None:
        self._known = known
        self._samples = samples(_now())
        self._bodies = [sample.body for sample in self._samples if 0 < len(sample.body) < 20_000]

    def __call__(self, random: Random) -> Asked:
        return asked(random, random.choice(self._samples), self._bodies, self._known, _now())


class _Worker:
    """One connection, opened again when it has been closed."""

    def __init__(self, port: int, make: _Maker, found: Found, random: Random) -> None:
        self._port = port
        self._make = make
        self._found = found
        self._random = random
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, requests: int) -> None:
        done = 0
        while done < requests:
            if self._random.random() < RAW_SHARE:
                done += await self._raw()
            else:
                done += await self._asked()
        await self._close()

    async def _asked(self) -> int:
        """One request, or several at once; each has its answer."""
        many = [self._make(self._random)]
        while self._random.random() < 0.1 and not many[-1].closes:
            many.append(self._make(self._random))
        data = b"".join(one.data for one in many)
        self._found.requests += len(many)
        reused = self._streams is not None
        try:
            await self._talk(many, data)
        except _FAILURES as error:
            await self._close()
            if not reused:
                self._found.fault(f"no answer: {type(error).__name__} {error}", data)
                return len(many)
            # It may have been closed for having been idle: as all clients do, once more.
            try:
                await self._talk(many, data)
            except _FAILURES as again:
                await self._close()
                self._found.fault(f"no answer: {type(again).__name__} {again}", data)
        return len(many)

    async def _talk(self, many: list[Asked], data: bytes) -> None:
        """Raises one of ``_FAILURES`` where an answer is missing."""
        reader, writer = await self._open()
        writer.write(data)
        for one in many:
            status, head, body = await asyncio.wait_for(_answer(reader, one.method), PATIENCE)
            self._found.statuses[status] += 1
            self._judge(one, status, head, body)
            if b"\r\nconnection: close" in head.lower() or one.closes:
                await self._close()
                return

    def _judge(self, one: Asked, status: int, head: bytes, body: bytes) -> None:
        if status >= 500 and status != 503:
            self._found.fault(f"{status}", one.data, head + body)
        elif status not in one.statuses:
            self._found.fault(f"{status} is none of {sorted(one.statuses)}", one.data, head + body)
        elif b"application/json" in head:
            try:
                told = json.loads(body) if body or one.method != "HEAD" else {}
            except ValueError:
                self._found.fault("an answer that is not JSON", one.data, head + body)
                return
            if any(refused["code"] == "fault" for refused in told.get("refused", ())):
                self._found.fault("our code failed on an event", one.data, head + body)

    async def _raw(self) -> int:
        """Bytes on a connection of their own; whatever is answered is no fault of the server."""
        pieces = raw(self._random, lambda: self._make(self._random).data)
        requests = counted(pieces)
        self._found.requests += requests
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        heard = b""
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if self._random.random() < 0.8:
                writer.write_eof()
                heard = await asyncio.wait_for(reader.read(1 << 20), PATIENCE)
        except TimeoutError:
            self._found.fault("neither an answer nor an end", b"".join(pieces))
        except OSError:
            pass  # it has heard enough
        finally:
            writer.close()
        for status in _STATUS.findall(heard):
            self._found.statuses[int(status)] += 1
            if status >= b"500" and status != b"503":
                self._found.fault(status.decode(), b"".join(pieces), heard)
        return requests

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        return self._streams

    async def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(OSError):
                await self._streams[1].wait_closed()
            self._streams = None


async def _answer(reader: asyncio.StreamReader, method: str) -> tuple[int, bytes, bytes]:
    """Status, head and body of the next answer."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            raise _NoAnswerError(head[:100])
        status = int(head[9:12])
        if status >= 200:
            break
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if method == "HEAD" or status in {204, 304}:
        return status, head, b""
    if length is None:
        raise _NoAnswerError(head)
    return status, head, await reader.readexactly(int(length[1]))


def _now() -> int:
    return time.time_ns() // 1_000_000
