"""How the worker's process lives and dies: both apps under one roof, and no going on after a failure.

A kill is safe at any point, so the answer to anything unexpected is to end the process with the cause
(exit code 70) and let whatever runs it (systemd, Kubernetes, `scorer worker --restart`) start it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from scorer.errors import CannotContinue
from scorer.logs import said
from scorer.worker.endings import FATAL_EXIT
from scorer.worker.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

STOP_TIMEOUT = 30.0  # seconds for a clean stop, last checkpoint included


def fatal(error: BaseException) -> NoReturn:
    """Ends the process now, with the cause on stderr. No clean-up: crash-only."""
    if isinstance(error, CannotContinue):
        log.critical("stopped: %s", error, extra={"hint": error.hint} if error.hint else None)
        if error.hint:
            log.critical("hint: %s", error.hint)
    elif (refused := refusal(error)) is not None:
        log.critical("stopped: %s", refused.message)
        if refused.hint:
            log.critical("hint: %s", refused.hint)
    else:
        log.critical("fatal: %s", said(error), exc_info=error)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(FATAL_EXIT)


async def supervise(
    services: Sequence[Any], stop: asyncio.Event | None = None, *, until_last: Sequence[Any] = ()
) -> None:
    """Starts the services (Faust apps and the like) side by side, until SIGINT, SIGTERM or ``stop``.

    Then stops them side by side, also those that are still starting, and when they have stopped those that
    are there ``until_last``. A service that crashes, ends by itself or does not stop in time ends the
    process.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    why = ["told to"]

    def told(number: signal.Signals) -> None:
        why[0] = number.name
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told, number)
    stopping = loop.create_task(stop.wait())
    living = [loop.create_task(_live(service)) for service in (*until_last, *services)]
    try:
        await asyncio.wait({stopping, *living}, return_when=asyncio.FIRST_COMPLETED)
        for task in living:
            if task.done():
                task.result()
        began = time.monotonic()
        log.info("stopping: %s", why[0], extra={"reason": why[0]})
        async with asyncio.timeout(STOP_TIMEOUT):
            for task in living:
                task.cancel()
            await asyncio.wait(living)
            for group in services, until_last:
                await asyncio.gather(*(service.stop() for service in group))
        seconds = time.monotonic() - began
        log.info("stopped: what was under way took %.1f s", seconds, extra={"seconds": round(seconds, 3)})
    except Exception as error:  # noqa: BLE001 - the last line of defence
        fatal(error)
    finally:
        stopping.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _live(service: Any) -> None:
    """Starts a service and watches it; always raises."""
    await service.maybe_start()
    await service.wait_until_stopped()
    raise service.crash_reason or RuntimeError(f"{service.label} ended by itself")
