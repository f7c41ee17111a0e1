"""The job in Quix Streams: a StreamingDataFrame with state, as its documentation does it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from quixstreams import Application, message_context
from quixstreams.models import Deserializer

from scorer.domain.record import Clock, Fact, decode_record
from tests.bench.peers import job
from tests.bench.peers.progress import Progress

ENVIRONMENT = os.environ


class RecordDeserializer(Deserializer):
    def __call__(self, value: bytes, ctx: object) -> Any:
        return decode_record(value)


progress = Progress(Path(ENVIRONMENT["PEER_PROGRESS"]), int(ENVIRONMENT["PEER_RECORDS"]))
clocks: dict[int, int] = {}


def is_fact(record: Any) -> bool:
    """Note the clock records, and let the facts through."""
    if type(record) is Fact:
        return True
    if type(record) is Clock:
        partition = message_context().partition
        clocks[partition] = max(clocks.get(partition, 0), job.through(record))
    progress.one()
    return False


def score(fact: Fact, key: str, timestamp: int, headers: object, state: Any) -> list[job.Outcome]:
    stepped = job.step(state.get("lead"), key, fact, clocks.get(message_context().partition, 0))
    progress.one()
    if stepped is None:
        return []
    state.set("lead", stepped[0])
    return stepped[1]


def main() -> None:
    app = Application(
        broker_address=ENVIRONMENT["PEER_BOOTSTRAP"],
        consumer_group=ENVIRONMENT["PEER_ID"],
        auto_offset_reset="earliest",
        commit_interval=1.0,
        state_dir=ENVIRONMENT["PEER_FOLDER"],
        loglevel="WARNING",
    )
    log = app.topic(ENVIRONMENT["PEER_LOG"], key_deserializer="str", value_deserializer=RecordDeserializer())
    told = app.topic(ENVIRONMENT["PEER_OUTCOMES"], key_serializer="str", value_serializer="json")
    frame = app.dataframe(log)
    frame = frame.filter(is_fact)
    frame = frame.apply(score, stateful=True, metadata=True, expand=True)
    frame.to_topic(told)
    app.run()


if __name__ == "__main__":
    main()
