"""Sends the story to the doors at a steady rate until it is told to stop: python -m tests.storm.publisher.

A process of its own, so that nothing else disturbs its pace. SIGTERM ends it when everything that it has
sent is acknowledged. The doors themselves say afterwards what was published.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from threading import Event

from confluent_kafka import KafkaError, Message, Producer

from scorer.worker.keeper import tied_to
from tests.storm.story import story

SLICE = 0.01
"""Seconds between two looks at the timetable."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("prefix")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--leads", type=int, required=True)
    parser.add_argument("--identifiers", type=int, required=True, help="of a person, at most")
    parser.add_argument("--rate", type=int, required=True, help="records a second")
    given = parser.parse_args()
    if tie := tied_to(os.getppid()):
        tie()
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    publish(given, stop)


def publish(given: argparse.Namespace, stop: Event) -> None:
    producer = Producer(
        {
            "bootstrap.servers": given.bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "delivery.timeout.ms": 300_000,  # brokers are killed
            "queue.buffering.max.messages": 2_000_000,
            "log_level": 2,
        }
    )
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(error)

    records = story(given.seed, given.leads, lambda: time.time_ns() // 1_000_000, given.identifiers)
    began = time.monotonic()
    sent = 0
    while not stop.is_set() and not failures:
        due = int((time.monotonic() - began) * given.rate)
        for _ in range(sent, due):
            door, key, value = next(records)
            producer.produce(given.prefix + door, value, key, on_delivery=delivered)
        sent = due
        producer.poll(0)
        stop.wait(SLICE)
    unsent = producer.flush(120)
    if failures or unsent:
        raise SystemExit(f"{unsent} records are not acknowledged; {failures[:1]}")


if __name__ == "__main__":
    main()
