"""A ceiling: read and decode with aiokafka, and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from scorer.domain.record import decode_record
from tests.bench.peers.progress import Progress

AT_ONCE = 10_000


async def main() -> None:
    wanted = int(os.environ["PEER_RECORDS"])
    progress = Progress(Path(os.environ["PEER_PROGRESS"]), wanted)
    consumer = AIOKafkaConsumer(
        os.environ["PEER_LOG"],
        bootstrap_servers=os.environ["PEER_BOOTSTRAP"],
        group_id=os.environ["PEER_ID"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    while progress.count < wanted:
        found = await consumer.getmany(timeout_ms=1000, max_records=AT_ONCE)
        for messages in found.values():
            for message in messages:
                decode_record(message.value)
            progress.add(len(messages))
    await consumer.stop()


asyncio.run(main())
signal.pause()  # whoever measures has still to look at us
