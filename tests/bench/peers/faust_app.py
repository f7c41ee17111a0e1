"""The job in idiomatic Faust: an agent, an event at a time, a table in RocksDB.

Faust is far too slow for the whole log: after a time it stops where it is and says where.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import faust

from scorer.domain.record import Clock, Fact, decode_record
from tests.bench.peers import job
from tests.bench.peers.progress import Progress

ENVIRONMENT = os.environ
SECONDS = float(ENVIRONMENT["PEER_SECONDS"])
REACHED = Path(ENVIRONMENT["PEER_REACHED"])
"""Gets, at the end: partition -> next offset, and how many records the changelog must have by then."""

app = faust.App(
    ENVIRONMENT["PEER_ID"],
    broker="kafka://" + ENVIRONMENT["PEER_BOOTSTRAP"],
    store="rocksdb://",
    datadir=ENVIRONMENT["PEER_FOLDER"],
    topic_partitions=int(ENVIRONMENT["PEER_PARTITIONS"]),
    topic_replication_factor=1,
    topic_disable_leader=True,
    broker_commit_interval=1.0,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
log = app.topic(ENVIRONMENT["PEER_LOG"], key_type=str, key_serializer="raw", value_serializer="raw")
told = app.topic(ENVIRONMENT["PEER_OUTCOMES"], key_type=str, value_serializer="json")
leads = app.Table("leads", partitions=int(ENVIRONMENT["PEER_PARTITIONS"]))
progress = Progress(Path(ENVIRONMENT["PEER_PROGRESS"]), int(ENVIRONMENT["PEER_RECORDS"]))


@app.agent(log)
async def score(stream: Any) -> None:
    clocks: dict[int, int] = {}
    reached: dict[int, int] = {}
    changes = outcomes = 0
    deadline = 0.0
    async for event in stream.events():
        partition = event.message.partition
        record = decode_record(event.value)
        if type(record) is Fact:
            key = event.message.key.decode()
            stepped = job.step(leads.get(key), key, record, clocks.get(partition, 0))
            if stepped is not None:
                leads[key] = stepped[0]
                changes += 1
                for outcome in stepped[1]:
                    outcomes += 1
                    await told.send(key=key, value=outcome)
        elif type(record) is Clock:
            clocks[partition] = max(clocks.get(partition, 0), job.through(record))
        reached[partition] = event.message.offset + 1
        progress.one()
        if not deadline:
            deadline = time.monotonic() + SECONDS
        elif progress.count % 64 == 0 and time.monotonic() > deadline:
            break
    progress.tell()
    said = {"reached": reached, "changes": changes, "outcomes": outcomes}
    REACHED.with_suffix(".new").write_text(json.dumps(said))
    REACHED.with_suffix(".new").rename(REACHED)
    await asyncio.sleep(3600)  # what is buffered still goes out; the runner ends the process


if __name__ == "__main__":
    sys.argv = ["faust", "worker", "-l", "info", "--without-web"]
    app.main()
