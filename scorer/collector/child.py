"""One process of the collector: answers on a socket that it was given, until it is told to stop.

It is told so by SIGTERM, or by the end of its standard input, which is open for as long as its parent lives.
It says on its standard output, a line each time that changes, why it is not ready.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import uvloop
from confluent_kafka import KafkaException, Producer
from uvicorn import Config, Server

from scorer import __version__, logs, metrics
from scorer.broker import Broker
from scorer.collector import app
from scorer.collector.app import Collector
from scorer.collector.keys import require
from scorer.collector.openapi import pages
from scorer.collector.protocol import SWEEP_SECONDS, BoundedProtocol, sweep
from scorer.collector.routes import KeyRing
from scorer.collector.sink import EXPIRES, Sink, producer_config
from scorer.errors import CannotContinue, UserError
from scorer.settings import PROPAGATE, Settings, from_environment
from scorer.wire.door_book import KafkaBookReader, complete_book
from scorer.wire.identity import identity_of
from scorer.wire.intake import Intake
from scorer.wire.registry import LEAD_KEYS, LOG, Registry
from scorer.wire.sealing import field_names
from scorer.wire.tracing import trace_of_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.collector.sealing import Sealing

log = logging.getLogger(__name__)

FATAL_EXIT: Final = 70
KEEP_ALIVE: Final = 30
"""Seconds that a connection without requests stays open."""
DRAIN_SECONDS: Final = 10
"""For requests that are under way when the process is to end."""
ASK_KAFKA_EVERY: Final = 2.0
ASK_KAFKA_SECONDS: Final = 1.0
# Python's collector finds hardly anything here that reference counting leaves.
GC_THRESHOLDS: Final = (20_000, 20, 100)


class Told(msgspec.Struct, frozen=True):
    """What the parent says first, in one line."""

    settings: dict[str, Any]
    socket: int
    number: int = 0
    """Which of the collector's processes it is, from 0."""


def encode_settings(settings: Settings) -> dict[str, Any]:
    """For a line of JSON; ``decode_settings`` is the way back."""
    return {name: str(value) for name, value in msgspec.structs.asdict(settings).items() if value is not None}


def decode_settings(values: dict[str, Any]) -> Settings:
    return from_environment({f"SCORER_{name.upper()}": value for name, value in values.items()})


class Process:
    """The parts of one process, put together."""

    def __init__(self, settings: Settings, number: int, tell: Callable[[str | None], object]) -> None:
        """``number``: as in ``Told``. ``tell`` gets why it is not ready, or None, each time that changes.

        Raises ``UserError``.
        """
        if settings.collector_keys is None:
            raise UserError("SCORER_COLLECTOR_KEYS is not set", hint="it names the keys file")
        self._settings = settings
        self._tell = tell
        self._told: str | None = "starting"
        self._registry = Registry.load()
        keys = require(settings.collector_keys, os.environ)
        loop = asyncio.get_running_loop()
        ring = KeyRing(keys, loop.time(), settings.collector_processes)
        self.sink = Sink(
            None,
            settings.topic_prefix + LOG,
            buffer_bytes=settings.collector_buffer_mb << 20,
        )
        identity = identity_of(settings)
        self._sealing: Sealing | None = None
        if fields := field_names(settings.sealed_fields, "SCORER_SEALED_FIELDS"):
            # Where nothing is sealed, neither RocksDB nor another Kafka client takes its memory.
            from scorer.collector.sealing import sealing_of  # noqa: PLC0415

            self._sealing = sealing_of(settings, fields, identity, self.sink, number, self._fail)
        intake = Intake(
            identity,
            self._registry.max_log_bytes,
            self._registry,
            None if self._sealing is None else self._sealing.sealer,
        )
        self.app = Collector(
            ring,
            intake,
            self.sink,
            sealing=self._sealing,
            pages=pages(self._registry, settings.topic_prefix),
            public_url=settings.collector_public_url,
            proxies=settings.collector_proxies,
            whole_addresses=settings.collector_whole_addresses,
            trace_of=trace_of_request if settings.tracing == PROPAGATE else None,
        )
        self.server = Server(
            Config(
                self.app,
                http=BoundedProtocol,
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                limit_concurrency=settings.collector_connections,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )
        self.failed = False
        """Whether it ends because it can't go on."""
        self._reachable = True
        self._producer: Producer | None = None

    async def run(self, listener: socket.socket) -> None:
        """Until ``server.should_exit``; then requests are answered and what was taken is acknowledged."""
        self.sink.start()
        metrics.tell_build(__version__, compiled=not str(app.__file__).endswith(".py"))
        tasks = [
            asyncio.create_task(one) for one in (self._get_ready(), self._look_after(), self._ask_kafka())
        ]
        try:
            await self.server.serve(sockets=[listener])
        finally:
            self.app.missing = "stopping"
            for task in tasks:
                task.cancel()
            await self.sink.stop(EXPIRES)
            if self._sealing is not None:
                await self._sealing.stop()
            self._report()

    async def _get_ready(self) -> None:
        """Until doors and rules are complete nothing may be appended to the log."""
        books = KafkaBookReader(self._settings, self._registry, ["collector"])
        await complete_book(books, self._wait_for)
        # Not before it may write: an idempotent producer that may not is done for.
        self._producer = Producer(producer_config(self._settings.kafka))
        self.sink.producer = self._producer
        while True:
            try:
                broker = Broker(self._settings)
                if self._sealing is not None:
                    self._sealing.partitions = await asyncio.to_thread(broker.partitions, LEAD_KEYS)
                self.sink.partitions = await asyncio.to_thread(broker.partitions, LOG)
            except UserError as error:
                self._wait_for(error.message)
                await asyncio.sleep(1)
            else:
                break
        if self._sealing is not None:
            self.app.missing = "reading the leads' keys"
            try:
                await self._sealing.start()
            except Exception as error:  # noqa: BLE001 - whatever it is, another process may have more luck
                self._fail(error)
                return
        self.app.missing = None

    def _wait_for(self, problem: str) -> None:
        self.app.missing = problem
        log.warning("the collector waits: %s", problem, extra={"reason": problem})

    async def _look_after(self) -> None:
        loop = asyncio.get_running_loop()
        connections = self.server.server_state.connections
        while True:
            sweep(connections, loop.time())
            self.sink.look()
            self._report()
            if self.sink.failure is not None:
                log.critical("stopped: %s", self.sink.failure)
                self.failed = True
                self.server.should_exit = True
            await asyncio.sleep(SWEEP_SECONDS)

    async def _ask_kafka(self) -> None:
        topic = self._settings.topic_prefix + LOG
        while True:
            try:
                if self._producer is not None:
                    await asyncio.to_thread(self._producer.list_topics, topic, ASK_KAFKA_SECONDS)
                self._reachable = True
            except KafkaException:
                self._reachable = False
            self.app.unreachable = not self._reachable
            await asyncio.sleep(ASK_KAFKA_EVERY)

    def _report(self) -> None:
        problem = self.app.unready()
        self.app.counts.tell(self.sink, len(self.server.server_state.connections), ready=problem is None)
        if problem != self._told:
            self._told = problem
            self._tell(problem)

    def _fail(self, error: BaseException) -> None:
        """The leads' keys can't be kept: nothing is taken from now on, and ``_look_after`` ends it."""
        hint = f" ({error.hint})" if isinstance(error, CannotContinue) and error.hint else ""
        self.sink.fail(f"the leads' keys: {str(error) or type(error).__name__}{hint}")


async def live(
    settings: Settings, number: int, listener: socket.socket, tell: Callable[[str | None], object]
) -> int:
    """Returns the exit code."""
    process = Process(settings, number, tell)
    loop = asyncio.get_running_loop()

    def parent_gone() -> None:
        with suppress(OSError):
            if os.read(0, 4096):
                return
        loop.remove_reader(0)
        process.server.should_exit = True

    loop.add_reader(0, parent_gone)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    await process.run(listener)
    return FATAL_EXIT if process.failed else 0


def main() -> int:
    """Of the process that the parent starts; see ``Told``."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn takes them while it serves, and raises them once more when it has ended.
        signal.signal(number, lambda *_: None)
    told = msgspec.json.decode(sys.stdin.buffer.readline(), type=Told)
    settings = decode_settings(told.settings)
    logs.set_up("collector", settings.log_format, settings.log_level)
    listener = socket.socket(fileno=told.socket)

    def tell(problem: str | None) -> None:
        with suppress(OSError):  # the parent is gone
            sys.stdout.buffer.write(msgspec.json.encode({"problem": problem}) + b"\n")
            sys.stdout.buffer.flush()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(live(settings, told.number, listener, tell))
    except UserError as error:
        log.critical("stopped: %s", error.message, extra={"hint": error.hint})
        return 2
