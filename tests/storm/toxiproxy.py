"""Toxiproxy between the workers and the brokers: a network that can be cut and slowed."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.request import Request, urlopen

from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

BINARY = Path(__file__).parents[2] / ".cache" / "toxiproxy" / "server"
"""Where `make storm` builds it."""
HOST = "127.0.0.1"
BOTH = ("upstream", "downstream")
START_TIMEOUT = 10.0


class Network:
    """One proxy per broker; a process of its own that ends with the ``with`` block."""

    def __init__(self, ports: Mapping[int, tuple[int, int]], log: Path) -> None:
        """``ports``: broker -> (the port to listen on, the broker's)."""
        self._ports = ports
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as one:
            one.bind((HOST, 0))
            self._port = one.getsockname()[1]

    def __enter__(self) -> Self:
        if not BINARY.exists():
            raise UserError("Toxiproxy is not there", hint="`make toxiproxy` builds it; that needs Go")
        self._start()
        return self

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [BINARY, "-host", HOST, "-port", str(self._port)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self._ask("GET", "/version")
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        for broker, (listens, upstream) in self._ports.items():
            proxy = {"name": f"broker-{broker}", "listen": f"{HOST}:{listens}"}
            self._ask("POST", "/proxies", proxy | {"upstream": f"{HOST}:{upstream}", "enabled": True})

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def black_hole(self) -> None:
        """Connections stay open and nothing arrives any more, in either direction."""
        self._toxic("timeout", timeout=0)

    def refuse(self) -> None:
        """Connections are closed and new ones refused."""
        self._enable(enabled=False)

    def slow(self) -> None:
        """300 ms more each way, give or take 200, and 500 KB/s."""
        self._toxic("latency", latency=300, jitter=200)
        self._toxic("bandwidth", rate=500)

    def mend(self) -> None:
        try:
            self._ask("POST", "/reset")
        except OSError:
            # It waits for connections that it can't write to; with a new one they break, as they may.
            self._end()
            self._start()

    def _toxic(self, kind: str, **attributes: int) -> None:
        for broker in self._ports:
            for stream in BOTH:
                toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream}
                self._ask("POST", f"/proxies/broker-{broker}/toxics", toxic | {"attributes": attributes})

    def _enable(self, *, enabled: bool) -> None:
        for broker in self._ports:
            self._ask("POST", f"/proxies/broker-{broker}", {"enabled": enabled})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        request = Request(
            f"http://{HOST}:{self._port}{path}",
            data,
            {"Content-Type": "application/json"},
            method=method,
        )
        with urlopen(request, timeout=5):  # noqa: S310 - our own server
            pass
