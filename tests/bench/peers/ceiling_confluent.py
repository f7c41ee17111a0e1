"""A ceiling: read and decode with confluent-kafka, and nothing else."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from confluent_kafka import Consumer

from scorer.domain.record import decode_record
from tests.bench.peers.progress import Progress

AT_ONCE = 10_000


def main() -> None:
    wanted = int(os.environ["PEER_RECORDS"])
    progress = Progress(Path(os.environ["PEER_PROGRESS"]), wanted)
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["PEER_BOOTSTRAP"],
            "group.id": os.environ["PEER_ID"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            # With its defaults it waits a second between fetches once its queue is full.
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 262_144,
            "fetch.queue.backoff.ms": 5,
        }
    )
    consumer.subscribe([os.environ["PEER_LOG"]])
    while progress.count < wanted:
        # Short: it waits until it has as many as it is asked for.
        messages = consumer.consume(AT_ONCE, timeout=0.1)
        for message in messages:
            decode_record(message.value())
        if messages:
            progress.add(len(messages))
    consumer.close()


main()
signal.pause()  # whoever measures has still to look at us
