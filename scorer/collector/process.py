"""``scorer collector``: one process that listens, and others that answer.

The parent opens the socket and gives it to its children, one per core: whichever is free takes the next
connection. A child that dies is replaced. The parent serves /metrics, /livez and /readyz of all of them on a
port of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
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
from scorer.logs import log_start
from scorer.wire.sealing import field_names

if TYPE_CHECKING:
    from scorer.settings import Settings

log = logging.getLogger(__name__)

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
    def __init__(self, settings: Settings, metrics: Path) -> None:
        """``metrics``: a folder where the children keep what they have counted."""
        self._settings = settings
        self._metrics = metrics
        self._children = [_Child(number) for number in range(settings.collector_processes)]
        self._stopping = asyncio.Event()
        self._exit = 0
        self.stopped_at = 0.0
        """When it began to end, on the monotonic clock."""

    def problems(self) -> list[str]:
        """Why no more senders should be led here; empty where one process takes events."""
        problems = [child.problem for child in self._children]
        if any(problem is None for problem in problems):
            return []
        return sorted({problem for problem in problems if problem is not None})

    def stop(self, reason: str) -> None:
        """``reason``: for the log."""
        if not self._stopping.is_set():
            log.info("stopping: %s", reason, extra={"reason": reason})
        self._stopping.set()

    async def run(self, listener: socket.socket) -> int:
        """Until it is stopped; returns the exit code."""
        tasks = [asyncio.create_task(self._keep(child, listener)) for child in self._children]
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        self._stopping.set()
        self.stopped_at = time.monotonic()
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
            log.error(
                "a process ended with %d; the next one starts in %.1f s",
                code,
                delay,
                extra={"exit_code": code, "seconds": round(delay, 3)},
            )
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
                if after:
                    log.warning("not ready: %s", "; ".join(after), extra={"reason": after})
                else:
                    log.info("ready")


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


async def run_collector(settings: Settings) -> int:
    """Runs until SIGINT or SIGTERM; returns the exit code."""
    keys = check(settings)
    remove_unused(settings)
    listener = listen(settings.collector_host, settings.collector_port)
    with tempfile.TemporaryDirectory(prefix="scorer-metrics-") as folder:
        processes = CollectorProcesses(settings, Path(folder))
        status = StatusPage(
            settings.metrics_host, settings.collector_metrics_port, Path(folder), processes.problems
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, processes.stop, number.name)
        log_start("collector", settings, keys=keys)
        host, port = listener.getsockname()[:2]
        where = {"host": host, "port": port, "keys": keys}
        log.info("listening on http://%s:%d for %d keys", *where.values(), extra=where)
        host, port = status.address
        log.info("metrics on http://%s:%d/metrics", host, port, extra={"host": host, "port": port})
        try:
            code = await processes.run(listener)
        finally:
            status.close()
        seconds = time.monotonic() - processes.stopped_at
        fields = {"exit_code": code, "seconds": round(seconds, 3)}
        log.info("stopped: what was under way took %.1f s", seconds, extra=fields)
        return code
