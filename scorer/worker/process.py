"""One worker process: the intake app, the score app, or both under one supervisor."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING

from scorer import __version__, metrics
from scorer.domain import partition
from scorer.logs import log_start
from scorer.storage.key_table import key_table
from scorer.wire.door_book import KafkaBookReader, complete_book
from scorer.wire.registry import Registry
from scorer.worker.explainer import Explainer
from scorer.worker.intake_app import build_intake_app
from scorer.worker.loop_time import LoopTime
from scorer.worker.owners import advertised
from scorer.worker.score_app import build_score_app
from scorer.worker.status import StatusServer
from scorer.worker.supervise import fatal, supervise

if TYPE_CHECKING:
    from collections.abc import Collection

    from scorer.settings import Settings
    from scorer.worker.transport import ChunkedApp

log = logging.getLogger(__name__)

INTAKE, SCORE = "intake", "score"

# Python's collector looks through the leads in memory again and again; at these thresholds it costs a
# twentieth, and reference counting frees nearly everything here anyway.
GC_THRESHOLDS = (50_000, 50, 1000)


async def run_worker(
    settings: Settings,
    parts: Collection[str],
    *,
    from_log_start: bool = False,
) -> None:
    """Runs the named parts until SIGINT or SIGTERM.

    Raises ``UserError`` when the metrics' port is taken. Anything that goes wrong while running ends
    the process with exit code 70.
    """
    registry = Registry.load()
    apps: list[ChunkedApp] = []
    running = [part for part in (INTAKE, SCORE) if part in parts]
    log_start("worker", settings, parts=running)
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
        log.warning("waiting: %s", missing)

    explainer = Explainer(apps[-1].owner) if SCORE in parts else None
    loop_time = LoopTime(apps)
    metrics.tell_build(__version__, compiled=not str(partition.__file__).endswith(".py"))
    status = StatusServer(
        settings.metrics_host, settings.metrics_port, problems, explainer, each_second=loop_time.tell
    )
    await status.start()
    address = advertised(settings.advertised_url, *status.address)
    for app in apps:
        app.address = address
    # Until doors and rules are complete nothing may be appended to the log, and nothing can be scored.
    await complete_book(KafkaBookReader(settings, registry, running), wait_for)
    waiting.clear()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    log.info("running: %s", " and ".join(running), extra={"parts": running})
    await supervise(apps, until_last=[status])


def run(settings: Settings, parts: Collection[str], *, from_log_start: bool) -> None:
    """``run_worker`` on an event loop of its own."""
    asyncio.run(run_worker(settings, parts, from_log_start=from_log_start))
