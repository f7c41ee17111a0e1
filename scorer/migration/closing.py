"""Closing the old log, so that the brokers themselves refuse whoever has not heard that it has moved.

A collector that nobody has stopped looks at the rules topic only when it starts. A log that takes no message
of any size takes none of its either: it gets an error and hands it on to its senders.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, Producer

from scorer.errors import UserError
from scorer.migration.settled import NOTHING
from scorer.wire.registry import LOG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

    from scorer.migration.settled import Source
    from scorer.wire.registry import Registry

SIZE: Final = "max.message.bytes"
CLOSED: Final = "0"
PATIENCE: Final = 30.0
"""Seconds for all brokers to hear of it."""
PAUSE: Final = 0.2


@contextmanager
def closed(source: Source, registry: Registry) -> Iterator[dict[int, int]]:
    """The log takes no record any more; yields how many each partition has taken since this was asked for.

    It is open again if the block raises.
    """
    name = source.broker.name(LOG)
    before = source.cluster.configs([name])[name].get(SIZE, CLOSED)
    if before == CLOSED:  # by a run that was interrupted
        before = registry.topics[LOG].config[SIZE]
    source.cluster.alter(name, {SIZE: CLOSED})
    try:
        yield _tried(source, name)
    except BaseException:
        source.cluster.alter(name, {SIZE: before})
        raise


def _tried(source: Source, name: str) -> dict[int, int]:
    """Partition -> records of ours that it took before it was closed."""
    taken = dict.fromkeys(source.cuts, 0)
    left = set(source.cuts)
    # Not idempotent: there, the first refusal would be the producer's end.
    producer: Any = Producer(
        source.broker.access.librdkafka()
        | {"acks": "all", "enable.idempotence": False, "retries": 0, "linger.ms": 0, "log_level": 2}
    )

    def heard(error: KafkaError | None, message: Message) -> None:
        number = message.partition()
        if error is None:
            taken[number] += 1
        elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            left.discard(number)

    deadline = time.monotonic() + PATIENCE
    time.sleep(PAUSE)
    while left:
        for number in sorted(left):
            producer.produce(name, NOTHING, partition=number, on_delivery=heard)
        producer.flush(PATIENCE)
        if left:
            if time.monotonic() > deadline:
                raise UserError(f"{name} could not be closed", hint="run the command again", exit_code=1)
            time.sleep(PAUSE)
    return taken
