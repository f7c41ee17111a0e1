"""A publisher that keeps a rate, a process of its own: `python -m tests.bench.pace`, started by latency.py.

Each event stands on a timetable; every few milliseconds the publisher sends what is due by then, so that a
late start of one slice does not lower the rate. Probes are leads of their own that qualify with their second
event. The time at which that one is given to the producer (CLOCK_MONOTONIC, which processes share) is
written to a file, a line per probe.
"""

from __future__ import annotations

import argparse
import itertools
import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from confluent_kafka import Producer

from scorer.domain.record import NO_DOOR, Fact, encode_record
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LOG
from tests.bench import workload

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBES = 25
"""Per second."""
SLICE = 0.01
"""Seconds between two looks at the timetable."""
POOL = 20_000
"""Events made beforehand; each is sent again and again with a new id and time."""


class Event(NamedTuple):
    topic: str
    type: str
    lead: str
    source: str
    data: dict[str, object]


class Sender:
    """Publishes to the lead log or, with ``doors``, to the doors."""

    def __init__(self, bootstrap: str, prefix: str, partitions: int, *, doors: bool) -> None:
        self._prefix = prefix
        self._partitions = partitions
        self._doors = doors
        self._ids = itertools.count(time.time_ns())
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 1,
                "log_level": 2,
            }
        )

    def send(self, event: Event) -> None:
        now = time.time_ns() // 1_000_000
        name = f"pace-{next(self._ids):x}"
        if self._doors:
            value = msgspec.json.encode(
                {
                    "specversion": "1.0",
                    "id": name,
                    "source": event.source,
                    "type": event.type,
                    "subject": event.lead,
                    "time": workload.rfc3339(now),
                    "data": event.data,
                }
            )
            self._producer.produce(self._prefix + event.topic, value)
        else:
            digest = blake2b(name.encode(), digest_size=8).digest()
            fact = Fact(event.type, now, now, NO_DOOR, -1, digest, name, event.source, event.data)
            key = event.lead.encode()
            partition = partition_of(key, self._partitions)
            self._producer.produce(self._prefix + LOG, encode_record(fact), key, partition)

    def poll(self) -> None:
        self._producer.poll(0)

    def flush(self) -> None:
        if self._producer.flush(30):
            raise SystemExit("not everything was acknowledged within 30 s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("prefix")
    parser.add_argument("--rate", type=int, required=True, help="events a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--partitions", type=int, required=True, help="of the lead log")
    parser.add_argument("--doors", action="store_true", help="publish to the doors, not to the lead log")
    parser.add_argument("--probes", type=Path, required=True, help="where the probes' times go")
    parser.add_argument("--name", required=True, help="of this run's probes")
    given = parser.parse_args()
    sender = Sender(given.bootstrap, given.prefix, given.partitions, doors=given.doors)
    pool = itertools.cycle(
        [Event(one.topic, one.type, one.lead, one.source, one.data) for one in workload.events(POOL)]
    )
    times = keep_rate(sender, pool, given.rate, given.seconds, given.name)
    sender.flush()
    given.probes.write_text("".join(f"{lead} {at!r}\n" for lead, at in times.items()))


def keep_rate(
    sender: Sender, pool: Iterator[Event], rate: int, seconds: float, name: str
) -> dict[str, float]:
    """Probe lead -> the monotonic second at which the event that qualifies it was sent."""
    times: dict[str, float] = {}
    every = rate // PROBES
    began = time.monotonic()
    sent, total = 0, int(rate * seconds)
    while sent < total:
        due = min(int((time.monotonic() - began) * rate), total)
        for number in range(sent, due):
            if number % every == 0:
                # Its first event, in the middle of the interval, is worth a point; this one, 20 more.
                lead = f"probe-{name}-{number // every - 1}"
                if number:
                    times[lead] = time.monotonic()
                    sender.send(Event(workload.BOOKING, "booking.created", lead, "/probe", {"kind": "call"}))
            elif number % every == every // 2:
                lead = f"probe-{name}-{number // every}"
                sender.send(Event(workload.PAGE, "page.viewed", lead, "/probe", {"path": "/"}))
            else:
                sender.send(next(pool))
        sent = due
        sender.poll()
        time.sleep(SLICE)
    return times


if __name__ == "__main__":
    main()
