"""``scorer collector``: one process that listens, and others that answer.

The parent opens the socket and gives it to its children, one per core: whichever is free takes the next
connection. A child that dies is replaced. The parent serves /metrics, /livez and /readyz of all of them on a
port of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client.multiprocess import mark_process_dead

from scorer.collector.child import DRAIN_SECONDS, FATAL_EXIT, Told, encode_settings
from scorer.collector.keys import require
from scorer.collector.sink import EXPIRES
from scorer.collector.status import StatusPage
from scorer.collector.stores import remove_unused
from scorer.errors import UserError
from scorer.wire.sealing import field_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.settings import Settings

BACKLOG: Final = 2_048
STOP_SECONDS: Final = DRAIN_SECONDS + EXPIRES + 5
"""For children to end by themselves."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
SETTLED: Final = 60.0
"""Seconds: a child that lived this long had no trouble starting."""


class _Child:
    """One place for a process; whoever dies there is replaced."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.problem: str | None = "starting"
        self.process: asyncio.subprocess.Process | None = None


class CollectorProcesses:
    def __init__(self, settings: Settings, metrics: Path, tell: Callable[[str], object]) -> None:
        """``metrics``: a folder where the children keep what they have counted."""
        self._settings = settings
        self._metrics = metrics
        self._tell = tell
        self._children = [_Child(number) for number in range(settings.collector_processes)]
        self._stopping = asyncio.Event()
        self._exit = 0

    def problems(self) -> list[str]:
        """Why no more senders should be led here; empty where one process takes events."""
        problems = [child.problem for child in self._children]
        if any(problem is None for problem in problems):
            return []
        return sorted({problem for problem in problems if problem is not None})

    def stop(self) -> None:
        self._stopping.set()

    async def run(self, listener: socket.socket) -> int:
        """Until it is stopped; returns the exit code."""
        tasks = [asyncio.create_task(self._keep(child, listener)) for child in self._children]
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        self._stopping.set()
        listener.close()  # with the children's copies closed too, nobody waits at a door that nobody opens
        for child in self._children:
            if child.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.terminate()
        await asyncio.gather(*tasks)
        return self._exit

    async def _keep(self, child: _Child, listener: socket.socket) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._live(child, listener)
            child.problem = "a process has ended"
            if self._stopping.is_set():
                return
            if code == 2:  # noqa: PLR2004 - wrong usage, which another start would not put right
                self._exit = code
                return
            pause = FIRST_PAUSE if time.monotonic() - began >= SETTLED else min(pause * 2, LONGEST_PAUSE)
            delay = pause * (1 + random.random()) / 2  # noqa: S311 - so that they don't come back together
            self._tell(f"a process ended with {code}; the next one starts in {delay:.1f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _live(self, child: _Child, listener: socket.socket) -> int:
        """One process from start to end; returns its exit code."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "scorer.collector",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=[listener.fileno()],
                env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(self._metrics)},
            )
        except OSError:
            return FATAL_EXIT
        child.process = process
        assert process.stdin is not None  # noqa: S101 - for mypy
        told = Told(encode_settings(self._settings), listener.fileno(), child.number)
        process.stdin.write(msgspec.json.encode(told) + b"\n")  # and stays open: see child.py
        try:
            await self._listen(child, process)
            return await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            return await process.wait()
        finally:
            process.stdin.close()
            _forget(process.pid, self._metrics)

    async def _listen(self, child: _Child, process: asyncio.subprocess.Process) -> None:
        """Until the process has no more to say, which is when it ends."""
        assert process.stdout is not None  # noqa: S101 - for mypy
        lines = asyncio.create_task(self._read(child, process.stdout))
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([lines, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not lines.done():
            await asyncio.wait([lines], timeout=STOP_SECONDS)
        for task in (lines, stopping):
            task.cancel()

    async def _read(self, child: _Child, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            before = self.problems()
            child.problem = msgspec.json.decode(line)["problem"]
            after = self.problems()
            if after != before:
                self._tell("ready" if not after else "not ready: " + "; ".join(after))


def _forget(pid: int, metrics: Path) -> None:
    """What a process has counted stays; what it had at the moment goes."""
    mark_process_dead(pid, str(metrics))  # type: ignore[no-untyped-call]


def listen(host: str, port: int) -> socket.socket:
    """Raises ``UserError`` where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UserError(
            f"the collector can't listen on {host}:{port}: {error.strerror}",
            hint="SCORER_COLLECTOR_PORT chooses another port, 0 a free one",
        ) from error
    listener.setblocking(False)  # noqa: FBT003 - its only way
    listener.set_inheritable(True)
    return listener


def check(settings: Settings) -> int:
    """How many keys there are; raises ``UserError`` for whatever can't work."""
    if settings.collector_keys is None:
        raise UserError("SCORER_COLLECTOR_KEYS is not set", hint="it names the keys file: docs/collector.md")
    field_names(settings.sealed_fields, "SCORER_SEALED_FIELDS")
    if settings.collector_processes < 1:
        raise UserError("SCORER_COLLECTOR_PROCESSES is less than 1")
    return len(require(settings.collector_keys, os.environ))


async def run_collector(settings: Settings, tell: Callable[[str], object]) -> int:
    """Runs until SIGINT or SIGTERM; returns the exit code. ``tell`` gets lines for whoever started it."""
    keys = check(settings)
    remove_unused(settings)
    listener = listen(settings.collector_host, settings.collector_port)
    with tempfile.TemporaryDirectory(prefix="scorer-metrics-") as folder:
        processes = CollectorProcesses(settings, Path(folder), tell)
        status = StatusPage(
            settings.metrics_host, settings.collector_metrics_port, Path(folder), processes.problems
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, processes.stop)
        host, port = listener.getsockname()[:2]
        tell(f"listening on http://{host}:{port} for {keys} keys")
        tell(f"metrics on http://{status.address[0]}:{status.address[1]}/metrics")
        try:
            return await processes.run(listener)
        finally:
            status.close()
            tell("stopped")
