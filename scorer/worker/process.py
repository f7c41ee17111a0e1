"""One worker process: the intake app, the score app, or both under one supervisor."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING

from scorer.storage.key_table import key_table
from scorer.wire.door_book import KafkaBookReader, complete_book
from scorer.wire.registry import Registry
from scorer.worker.explainer import Explainer
from scorer.worker.intake_app import build_intake_app
from scorer.worker.owners import advertised
from scorer.worker.score_app import build_score_app
from scorer.worker.status import StatusServer
from scorer.worker.supervise import fatal, supervise

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from scorer.settings import Settings
    from scorer.worker.transport import ChunkedApp

INTAKE, SCORE = "intake", "score"

# Ours are those that Faust logs under for the classes derived from its own.
CHATTY = (
    "aiokafka",
    "faust",
    "mode",
    "scorer.worker.chunk_consumer",
    "scorer.worker.consumer_thread",
    "scorer.worker.transport",
)

# Python's collector looks through the leads in memory again and again; at these thresholds it costs a
# twentieth, and reference counting frees nearly everything here anyway.
GC_THRESHOLDS = (50_000, 50, 1000)


async def run_worker(
    settings: Settings,
    parts: Collection[str],
    *,
    from_log_start: bool = False,
    tell: Callable[[str], object],
) -> None:
    """Runs the named parts until SIGINT or SIGTERM. ``tell`` gets lines for whoever started it.

    Raises ``UserError`` when the metrics' port is taken. Anything that goes wrong while running ends
    the process with exit code 70.
    """
    registry = Registry.load()
    apps: list[ChunkedApp] = []
    running = [part for part in (INTAKE, SCORE) if part in parts]
    table = key_table(settings, "-".join(running), fatal)  # read once for both, if either needs it
    if INTAKE in parts:
        apps.append(build_intake_app(settings, registry=registry, table=table))
    if SCORE in parts:
        apps.append(build_score_app(settings, from_log_start=from_log_start, table=table))
    waiting = ["starting"]

    def problems() -> list[str]:
        return waiting or [problem for app in apps for problem in app.owner.problems()]

    def wait_for(missing: str) -> None:
        waiting[:] = [missing]
        tell(f"waiting: {missing}")

    explainer = Explainer(apps[-1].owner) if SCORE in parts else None
    status = StatusServer(settings.metrics_host, settings.metrics_port, problems, explainer)
    await status.start()
    address = advertised(settings.advertised_url, *status.address)
    for app in apps:
        app.address = address
    # Until doors and rules are complete nothing may be appended to the log, and nothing can be scored.
    await complete_book(KafkaBookReader(settings, registry), wait_for)
    waiting.clear()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    tell("running: " + " and ".join(running))
    await supervise([status, *apps])
    tell("stopped")


def run(
    settings: Settings, parts: Collection[str], *, from_log_start: bool, tell: Callable[[str], object]
) -> None:
    """``run_worker`` on an event loop of its own, with logging set up."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # "Timer livelock is overlapping": Faust's clocks run late, which only says that the machine is busy.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
    asyncio.run(run_worker(settings, parts, from_log_start=from_log_start, tell=tell))
