"""What the collector's server can do at most: the same server, and nothing but "hello".

python -m tests.bench.collector_bare      prints its port, and serves until it is ended
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvloop
from uvicorn import Config, Server

from scorer.collector.protocol import BoundedProtocol

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")],
}
_BODY = {"type": "http.response.body", "body": b"hello"}


async def hello(_scope: Any, _receive: Any, send: Any) -> None:
    await send(_START)
    await send(_BODY)


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)  # noqa: T201
    config = Config(
        hello,
        http=BoundedProtocol,
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    await Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
