"""History: door messages from a file, appended to the lead log between brackets.

In between, imported facts change leads without being evaluated; the closing record evaluates each lead
that the import touched, once. An import is named by a hash of its file's content and a fact by its line,
so an import that broke off is mended by running it again: what is in the log is passed over.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from scorer.domain.record import ImportBegin, ImportEnd, encode_record
from scorer.errors import UserError
from scorer.event_lines import EventLines
from scorer.wire.dead_letters import Rejected
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scorer.broker import Broker
    from scorer.wire.identity import Identity

FIRST_NUMBER = 2**32
"""Lower ones are door partitions'."""
STEP = 1_000
"""Lines between two words of progress."""


class Invalid(NamedTuple):
    """A line that intake refuses; ``line`` counts from 1."""

    line: int
    reason: str
    detail: str


class Checked:
    """What a look through a file has found."""

    SHOWN = 20

    def __init__(self) -> None:
        self.number = 0
        """The import's number: a hash of the file's content."""
        self.lines = 0
        self.facts = 0
        self.invalid: list[Invalid] = []
        """The first of them."""
        self.reasons: Counter[str] = Counter()

    def reject(self, line: int, rejected: Rejected) -> None:
        self.reasons[rejected.reason.value] += 1
        if len(self.invalid) < self.SHOWN:
            self.invalid.append(Invalid(line, rejected.reason.value, rejected.detail))


class History:
    """One file to be imported; read twice, so it has to stay as it is."""

    def __init__(self, path: Path, identity: Identity, now: int) -> None:
        """``now``: ms; what counts as received time, so events more than 400 days older are refused."""
        self._path = path
        self._events = EventLines(identity)
        self._now = now

    @property
    def size(self) -> int:
        """Bytes; what ``progress`` counts up to."""
        return self._path.stat().st_size

    def check(self, progress: Callable[[int], None] = lambda _: None) -> Checked:
        """Read every line as intake will; writes nothing. ``progress`` gets bytes."""
        checked = Checked()
        content = blake2b(digest_size=8)
        for number, line in self._lines(progress):
            content.update(line)
            checked.lines = number
            if line.strip():
                try:
                    self._events.at(line, self._now, FIRST_NUMBER, number)
                except Rejected as rejected:
                    checked.reject(number, rejected)
                else:
                    checked.facts += 1
        # A positive 64-bit integer whatever the language that reads it.
        checked.number = FIRST_NUMBER + int.from_bytes(content.digest(), "big") % 2**62
        return checked

    def append(
        self, broker: Broker, checked: Checked, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """Append the facts of a checked file between its brackets; returns when all is acknowledged.

        Invalid lines are left out. Raises ``UserError`` where Kafka refuses, or the file has changed.
        """
        partitions = broker.partitions(LOG)
        number, facts = checked.number, 0
        with broker.writer() as writer:
            for partition in range(partitions):
                writer.append(LOG, partition, None, encode_record(ImportBegin(number)))
            content = blake2b(digest_size=8)
            for line_number, line in self._lines(progress):
                content.update(line)
                if not line.strip():
                    continue
                try:
                    accepted = self._events.at(line, self._now, number, line_number)
                except Rejected:
                    continue
                for lead, value in accepted:
                    writer.append(LOG, partition_of(lead, partitions), lead, value)
                facts += 1
            # Before the brackets close: a fact that came later would be evaluated by itself.
            writer.flush()
            if (
                facts != checked.facts
                or int.from_bytes(content.digest(), "big") % 2**62 != number - FIRST_NUMBER
            ):
                raise UserError(
                    f"{self._path} has changed while it was imported",
                    hint="the import is open; run the command again with the file as it was at first",
                    exit_code=1,
                )
            for partition in range(partitions):
                writer.append(LOG, partition, None, encode_record(ImportEnd(number)))

    def _lines(self, progress: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
        size = 0
        try:
            file: BinaryIO = self._path.open("rb")
        except OSError as error:
            raise UserError(f"{self._path}: {error.strerror}") from error
        with file:
            for number, line in enumerate(file, 1):
                yield number, line
                size += len(line)
                if number % STEP == 0:
                    progress(size)
                    size = 0
        progress(size)
