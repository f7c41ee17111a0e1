"""The dead letters in Kafka: reading them all, and sending records again with a note of it. Blocking."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Self

from scorer.errors import UserError
from scorer.wire.dead_letters import Origin, Place, Redriven, origin, redriven, redriven_note
from scorer.wire.redrive import Again, Letter, Noted
from scorer.wire.registry import DEAD_LETTERS, LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from confluent_kafka import Message

    from scorer.broker import Broker

BATCH = 200
"""Records handed over by librdkafka at once."""
AHEAD_KB = 16 * 1024
"""Fetched ahead of them, about. Both below the usual: a letter may be as large as a topic allows."""
STEP = 1_000
"""Records between two words of progress."""


class LetterTopic:
    """All dead letters that there are when it is made; may be read several times.

    Every record is looked at, whatever is asked for: what has been sent again may be noted anywhere.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._ranges = broker.ranges(DEAD_LETTERS)
        self.strangers = 0
        """Records of the last reading that are neither letters nor notes."""

    @property
    def records(self) -> int:
        return sum(wanted.end - wanted.start for wanted in self._ranges.values())

    def read(self, progress: Callable[[int], None] = lambda _: None) -> Iterator[Letter | Noted]:
        """Partition after partition, each in order; ``progress`` gets counts of records."""
        self.strangers = 0
        done = 0
        for partition, wanted in self._ranges.items():
            for message in self._broker.messages(
                DEAD_LETTERS, partition, wanted, batch=BATCH, ahead_kb=AHEAD_KB
            ):
                found = _found(message)
                if found is None:
                    self.strangers += 1
                else:
                    yield found
                done += 1
                if done % STEP == 0:
                    progress(STEP)
        progress(done % STEP)


def _found(message: Message) -> Letter | Noted | None:
    headers: dict[str, bytes | None] = dict(message.headers() or ())
    when = message.timestamp()[1]
    try:
        if "reason" not in headers:
            return Noted(redriven(headers.items()), when)
        told = origin(headers.items())
    except ValueError:
        return None  # anybody may write there
    return Letter(message.partition(), message.offset(), when, told, message.key(), message.value(), headers)


# -- sending again ------------------------------------------------------------------------------------


class _Sent(NamedTuple):
    """On its way."""

    partition: int
    """Of the dead letters."""
    origin: Origin
    topic: str
    times: int


class Sender:
    """Sends records again and notes each, once Kafka has it, behind its letter.

    Between the two a crash may leave a record without its note: then it can be sent once more, and
    (source, id) is what tells.
    """

    def __init__(self, broker: Broker) -> None:
        self._writer = broker.writer(self._acknowledged)
        self._name = broker.name
        self._waiting: dict[tuple[str, int], deque[_Sent]] = {}
        self._acknowledgements: deque[tuple[_Sent, Message]] = deque()

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            # After Ctrl-C too, so that what Kafka has is noted.
            if not isinstance(exc, UserError):
                self._writer.flush()
                self._note()
                self._writer.flush()
        finally:
            self._writer.__exit__(exc_type, exc, traceback)

    def send(self, letter: Letter, again: Again, times: int) -> None:
        """``times``: how often the record has been sent again with this one."""
        of = letter.origin
        headers = [("redriven", b"%d" % times), ("redriven-from", str(of.place).encode())]
        waiting = self._waiting.setdefault((self._name(again.topic), again.partition), deque())
        waiting.append(_Sent(letter.partition, of, again.topic, times))
        self._writer.append(again.topic, again.partition, again.key, again.value, headers)
        self._note()

    def _note(self) -> None:
        while self._acknowledgements:
            sent, message = self._acknowledgements.popleft()
            at = None if sent.topic == LOG else message.timestamp()[1]
            place = Place(sent.topic, message.partition(), message.offset())
            note = Redriven(sent.times, sent.origin.place, sent.origin.at, place, at)
            self._writer.append(DEAD_LETTERS, sent.partition, *redriven_note(note))

    def _acknowledged(self, message: Message) -> None:
        """Acknowledgements come in the order of sending, partition by partition; notes get them too."""
        waiting = self._waiting.get((message.topic(), message.partition()))
        if waiting:
            self._acknowledgements.append((waiting.popleft(), message))
