"""Publishes the story's acts on the doors when they are due.

As any publisher would: JSON, and a key of its own choice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from scorer.demo import traces
from scorer.demo.story import Act, Story
from scorer.errors import UserError

LATE_AT_MOST = 200
"""Acts published in one go, so that the display stays alive when they have piled up."""


class Publisher:
    """One producer for all doors. ``speed`` 2 tells the story in half the time.

    ``delivered`` is called for each message that Kafka has acknowledged.
    """

    def __init__(
        self, bootstrap: str, prefix: str, story: Story, speed: float, delivered: Callable[[], None]
    ) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "linger.ms": 5,
                "message.timeout.ms": 20_000,
                "log_level": 0,
            }
        )
        self._prefix = prefix
        self._story = story
        self._speed = speed
        self._delivered = delivered
        self._acts = story.acts()
        self._next: Act | None = None
        self._started = 0.0
        self._failure: KafkaError | None = None

    def start(self) -> None:
        """The story begins now."""
        self._started = time.monotonic()
        self._next = next(self._acts)

    def publish_due(self) -> None:
        """Sends what is due, and hears of what has arrived; raises ``UserError`` when Kafka refuses."""
        now = (time.monotonic() - self._started) * self._speed
        for _ in range(LATE_AT_MOST):
            if self._next is None or self._next.at > now:
                break
            self._send(self._next)
            self._next = next(self._acts)
        self._producer.poll(0)
        if self._failure is not None:
            raise UserError(f"a door does not take events: {self._failure.str()}", exit_code=1)

    def close(self) -> None:
        """Gives what is on its way a moment to arrive."""
        self._producer.flush(2.0)

    def _send(self, act: Act) -> None:
        if act.trace is None:
            value = act.garbage
        else:
            moment = int(time.time() * 1000)
            value = encode(traces.cloud_event(act.trace, act.lead, self._story.event_id(), moment))
        try:
            # Keyed as this publisher likes: it is intake that brings a lead's events together.
            self._producer.produce(self._prefix + act.door, value, act.lead.encode(), on_delivery=self._heard)
        except (KafkaException, BufferError) as error:
            raise UserError(f"a door does not take events: {error}", exit_code=1) from error

    def _heard(self, error: KafkaError | None, _: object) -> None:
        if error is None:
            self._delivered()
        else:
            self._failure = error


def encode(event: dict[str, Any]) -> bytes:
    """A CloudEvent as a message's value."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
