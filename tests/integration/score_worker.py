"""A score worker as a process of its own, to be killed: python -m tests.integration.score_worker SETTINGS."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from types import FrameType

import msgspec

from scorer.settings import Settings
from scorer.worker.owned import Limits
from scorer.worker.score_app import build_score_app
from scorer.worker.supervise import supervise


class Options(msgspec.Struct):
    settings: Settings
    from_log_start: bool = False
    cache_leads: int = 100_000
    loglevel: str = "INFO"


async def main(options: Options) -> None:
    limits = Limits(cache_leads=options.cache_leads)
    app = build_score_app(options.settings, from_log_start=options.from_log_start, limits=limits)
    await supervise([app])


TOLD = "-- that was all that it waits for --"


def tell(signum: int, frame: FrameType | None) -> None:
    """Where each task of each event loop stands: for tests that wait in vain."""
    every = getattr(asyncio.tasks, "_all_tasks", None) or asyncio.tasks._scheduled_tasks  # type: ignore[attr-defined]
    for task in list(every):
        if not task.done():
            task.print_stack(file=sys.stderr)
    print(TOLD, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    given = msgspec.json.decode(sys.argv[1], type=Options, dec_hook=lambda kind, value: kind(value))
    logging.basicConfig(level=given.loglevel, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    asyncio.run(main(given))
