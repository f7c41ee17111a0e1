"""How connections end: requests that came whole are answered, and nobody's leaving is a fault of ours."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
import uvloop

from scorer.collector import protocol
from scorer.collector.protocol import BoundedProtocol, sweep

GOOD = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


class Served:
    """Answers each path with itself, once ``gate`` is open; reads bodies first."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[str] = []
        self.headers: dict[str, list[bytes]] = {}
        """Path -> names, when all has come."""
        self.left = 0
        """Requests whose sender was gone before the body was whole."""
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            proxy_headers=False,
            http=BoundedProtocol,
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
        )
        self.keep_alive = config.timeout_keep_alive
        self._server = uvicorn.Server(config)
        self._writers: list[asyncio.StreamWriter] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve([self._listener]))

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            more = message.get("more_body", False)
        self.headers[scope["path"]] = [name for name, _ in scope["headers"]]
        await self.gate.wait()
        body = scope["path"].encode()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await until(lambda: self._server.started)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return reader, writer

    async def until_asked(self, path: str) -> None:
        await until(lambda: path in self.asked)

    def sweep(self, now: float) -> None:
        sweep(self._server.server_state.connections, now)

    async def close(self) -> None:
        self.gate.set()
        self._server.should_exit = True
        await self._task
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


Talk = Callable[[Served], Awaitable[None]]
Play = Callable[[Talk], None]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - of a server that tells nobody
            await asyncio.sleep(0.01)


@pytest.fixture
def play(caplog: pytest.LogCaptureFixture) -> Play:
    """On the collector's own loop, whose transports are stricter than asyncio's."""

    def run(talk: Talk) -> None:
        async def talked() -> None:
            served = Served()
            try:
                await talk(served)
            finally:
                await served.close()

        uvloop.run(talked())
        said = [one.getMessage() for one in caplog.records if one.levelname in {"ERROR", "CRITICAL"}]
        assert said == []

    return run


async def heard(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.read()


def answers(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None, data
        found.append((int(head[9:12]), rest[: int(length[1])]))
        data = rest[int(length[1]) :]
    return found


def test_who_says_nothing_more_still_hears_the_answers(play: Play) -> None:
    async def talk(served: Served) -> None:
        served.gate.clear()
        reader, writer = await served.connect()
        writer.write(GOOD % 1 + GOOD % 2)
        writer.write_eof()
        await served.until_asked("/1")
        served.gate.set()
        assert answers(await heard(reader)) == [(200, b"/1"), (200, b"/2")]

    play(talk)


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "not_http"),
        (b"GET http://x:99999999/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, "not_http"),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 101 + b"\r\n", 431, "head_too_large"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            400,
            "not_http",
        ),
    ],
)
def test_what_is_broken_is_said_after_the_answers_to_what_was_not(
    play: Play, bad: bytes, status: int, code: str
) -> None:
    async def talk(served: Served) -> None:
        served.gate.clear()
        reader, writer = await served.connect()
        writer.write(GOOD % 1 + GOOD % 2 + bad)
        await served.until_asked("/1")
        served.gate.set()
        *good, last = answers(await heard(reader))
        assert good == [(200, b"/1"), (200, b"/2")]
        assert last[0] == status
        assert json.loads(last[1])["code"] == code
        reader, writer = await served.connect()
        writer.write(bad)
        (last,) = answers(await heard(reader))
        assert last[0] == status

    play(talk)


@pytest.mark.parametrize("behind", [b"", GOOD % 2 + GOOD % 3, POST % 10 + b"{"])
@pytest.mark.parametrize("politely", [False, True])
def test_a_client_that_leaves_is_no_fault(play: Play, behind: bytes, *, politely: bool) -> None:
    async def talk(served: Served) -> None:
        served.gate.clear()
        _, writer = await served.connect()
        writer.write(GOOD % 1 + behind)
        await served.until_asked("/1")
        if politely:
            writer.close()
        else:
            writer.transport.abort()
        await asyncio.sleep(0.05)
        served.gate.set()
        reader, writer = await served.connect()
        writer.write(GOOD % 7)
        writer.write_eof()
        assert answers(await heard(reader)) == [(200, b"/7")]

    play(talk)


def test_a_body_that_ends_too_early_is_no_request(play: Play) -> None:
    async def talk(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(POST % 10 + b"{")
        await served.until_asked("/post")
        writer.write_eof()
        await until(lambda: served.left)
        assert await heard(reader) == b""

    play(talk)


def test_what_came_whole_is_answered_before_what_did_not(play: Play) -> None:
    async def talk(served: Served) -> None:
        served.gate.clear()
        reader, writer = await served.connect()
        writer.write(GOOD % 1 + GOOD % 2 + POST % 10 + b"{")
        await served.until_asked("/1")
        writer.write_eof()
        await asyncio.sleep(0.05)
        served.gate.set()
        assert answers(await heard(reader)) == [(200, b"/1"), (200, b"/2")]

    play(talk)


def test_a_body_that_takes_too_long_is_told_so(play: Play) -> None:
    async def talk(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(POST % 10 + b"{")
        await served.until_asked("/post")
        served.sweep(asyncio.get_running_loop().time() + protocol.BODY_SECONDS + 1)
        ((status, body),) = answers(await heard(reader))
        assert (status, json.loads(body)["code"]) == (408, "too_slow")
        await until(lambda: served.left)

    play(talk)


def test_who_offers_another_protocol_is_answered_in_this_one(play: Play) -> None:
    async def talk(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(b"GET /1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        said = await heard(reader)
        assert answers(said) == [(200, b"/1")]
        assert b"connection: close" in said, "nothing behind it would be read"

    play(talk)


def test_who_asks_for_nothing_more_is_left_after_a_while(play: Play) -> None:
    async def talk(served: Served) -> None:
        now = asyncio.get_running_loop().time()
        reader, writer = await served.connect()
        writer.write(GOOD % 1)
        await served.until_asked("/1")
        served.sweep(now + served.keep_alive - 1)
        writer.write(GOOD % 2)
        await served.until_asked("/2")
        served.sweep(now + served.keep_alive + 10)
        assert answers(await heard(reader)) == [(200, b"/1"), (200, b"/2")], "and is told nothing"

    play(talk)


@pytest.mark.parametrize("answered", [b"", GOOD % 1])
def test_a_head_that_takes_too_long_is_told_so(play: Play, answered: bytes) -> None:
    async def talk(served: Served) -> None:
        now = asyncio.get_running_loop().time()
        reader, writer = await served.connect()
        if answered:
            writer.write(answered)
            await reader.readuntil(b"\r\n\r\n/1")
        writer.write(b"GET /2 HTTP/1.1\r\n")
        await asyncio.sleep(0.05)
        served.sweep(now + protocol.HEAD_SECONDS - 1)
        writer.write(b"X: y\r\n")
        await asyncio.sleep(0.05)
        served.sweep(now + protocol.HEAD_SECONDS + 1)
        ((status, body),) = answers(await heard(reader))
        assert (status, json.loads(body)["code"]) == (408, "too_slow")

    play(talk)


@pytest.mark.parametrize("before", [b"", GOOD % 1])
@pytest.mark.parametrize("fields", [1, 50])
def test_a_head_that_is_too_large_is_refused_however_it_comes(play: Play, before: bytes, fields: int) -> None:
    async def talk(served: Served) -> None:
        reader, writer = await served.connect()
        value = b"x" * (protocol.MAX_HEAD // fields)
        writer.write(before + b"GET /2 HTTP/1.1\r\n" + (b"X: %s\r\n" % value) * fields + b"\r\n")
        *good, (status, body) = answers(await heard(reader))
        assert good == ([(200, b"/1")] if before else [])
        assert (status, json.loads(body)["code"]) == (431, "head_too_large")
        assert "/2" not in served.asked

    play(talk)


def test_what_follows_a_body_is_no_header(play: Play) -> None:
    async def talk(served: Served) -> None:
        reader, writer = await served.connect()
        chunked = b"POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        writer.write(chunked + b"Authorization: Basic x\r\n" * 200 + b"\r\n" + GOOD % 2)
        await served.until_asked("/2")
        writer.write_eof()
        assert answers(await heard(reader)) == [(200, b"/post"), (200, b"/2")]
        assert served.headers == {"/post": [b"host", b"transfer-encoding"], "/2": [b"host"]}

    play(talk)
