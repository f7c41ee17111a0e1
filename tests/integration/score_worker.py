"""A score worker as a process of its own, to be killed: python -m tests.integration.score_worker SETTINGS."""

from __future__ import annotations

import asyncio
import logging
import sys

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


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Options, dec_hook=lambda kind, value: kind(value))
    logging.basicConfig(level=given.loglevel, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    asyncio.run(main(given))
