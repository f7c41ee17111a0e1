"""Reading a topic from beginning to end, with progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.wire.partitioner import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from contextlib import AbstractContextManager

    from confluent_kafka import Message

    from scorer.broker import Broker

    Bar = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]
    """(label, how many steps) -> what moves on: see ``scorer.cli.progress``."""

STEP = 1_000
"""Records between two words of progress."""


def every(
    broker: Broker, topic: str, bar: Bar, partitions: Collection[int] | None = None
) -> Iterator[Message]:
    """Every record of a topic up to where it ends now, partition after partition.

    ``partitions``: only these.
    """
    ranges = broker.ranges(topic)
    if partitions is not None:
        ranges = {number: ranges[number] for number in sorted(partitions)}
    with bar(topic, sum(wanted.end - wanted.start for wanted in ranges.values())) as moved:
        done = 0
        for partition, wanted in ranges.items():
            # Its beginning may have expired while others were read.
            start = broker.range(topic, partition).start
            for message in broker.messages(topic, partition, wanted._replace(start=max(start, wanted.start))):
                yield message
                done += 1
                if done % STEP == 0:
                    moved(STEP)
        moved(done % STEP)


def everything_of(broker: Broker, topic: str, bar: Bar, ids: Collection[bytes]) -> Iterator[Message]:
    """The records under one of these lead ids, of a topic whose partitions are the lead log's."""
    count = broker.partitions(topic)
    for message in every(broker, topic, bar, {partition_of(one, count) for one in ids}):
        if message.key() in ids:
            yield message
