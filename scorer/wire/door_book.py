"""Which door partition has which number, as `scorer topics apply` wrote it down."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scorer.broker import Broker
from scorer.errors import UserError
from scorer.wire.cluster import Cluster
from scorer.wire.doors import KEY, decode_entry, door_numbers
from scorer.wire.moved import Marks
from scorer.wire.permissions import require_allowed
from scorer.wire.registry import RULES, RULES_COMPLETE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from scorer.settings import Settings
    from scorer.wire.registry import Registry

log = logging.getLogger(__name__)

LOOK_AGAIN = 0.5  # seconds
COMPLAIN_AGAIN = 10.0  # seconds


@dataclass(frozen=True)
class DoorBook:
    numbers: Mapping[tuple[str, int], int]
    """(door, partition) -> number of its present life. Doors are named without the deployment's prefix."""
    topic_ids: Mapping[str, str]
    """Door -> Kafka's id of the topic that was numbered; empty where the broker has no ids."""
    missing: str | None = None
    """What has to be done before anything may be appended to the log; None when nothing has."""


class BookReader(Protocol):
    """Both raise ``UserError`` while Kafka does not answer."""

    async def read(self) -> DoorBook:
        """The newest numbers."""

    async def recreated(self, book: DoorBook) -> list[str]:
        """Doors whose topic is not, or is no more, the one that was numbered."""


class KafkaBookReader:
    """Reads the rules topic, which keeps the doors' numbers, and asks for topic ids."""

    def __init__(self, settings: Settings, registry: Registry, needs: Collection[str] = ()) -> None:
        """``needs``: components (``scorer.wire.acls``) whose permissions are looked at first, once."""
        self._settings = settings
        self._registry = registry
        self._needs = needs if settings.broker_profile != "embedded" else ()
        self._doors = {topic.name for topic in registry.doors}
        self._cluster: Cluster | None = None

    async def read(self) -> DoorBook:
        return await asyncio.to_thread(self._read)

    async def recreated(self, book: DoorBook) -> list[str]:
        return await asyncio.to_thread(self._recreated, book.topic_ids)

    def _administration(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(self._settings.kafka)
        return self._cluster

    def _read(self) -> DoorBook:
        if self._needs:
            require_allowed(self._administration(), self._settings, self._registry, self._needs)
            self._needs = ()
        entry, rules, marks = None, False, Marks()
        for record in Broker(self._settings).whole(RULES, 0):
            if record.key == KEY and record.value is not None:
                entry = decode_entry(record.value)
            elif record.key == RULES_COMPLETE:
                rules = True
            else:
                marks.take(record.key, record.value)
        if (moved := marks.refusal(complete=rules)) is not None:
            return DoorBook({}, {}, moved)
        topics = self._doors if self._settings.broker_profile != "embedded" else ()
        if entry is None or not entry.log or not entry.topic_ids.keys() >= set(topics):
            return DoorBook({}, {}, "the doors are not complete: run `scorer topics apply`")
        missing = None if rules else "there are no rules: run `scorer rules apply FILE`"
        return DoorBook(door_numbers(entry.record), entry.topic_ids, missing)

    def _recreated(self, ids: Mapping[str, str]) -> list[str]:
        if not ids:
            return []
        prefix = self._settings.topic_prefix
        found = self._administration().ids([prefix + door for door in ids])
        return [door for door, topic_id in ids.items() if found.get(prefix + door, "") != topic_id]


async def complete_book(
    books: BookReader, tell: Callable[[str], object], *, wanted: Callable[[], bool] = lambda: True
) -> DoorBook | None:
    """Waits until doors and rules are complete; None when it is no longer ``wanted``.

    ``tell`` gets what is missing, again every 10 s.
    """
    told = -COMPLAIN_AGAIN
    while wanted():
        try:
            book = await books.read()
            missing = book.missing
            if missing is None:
                return book
        except UserError as error:
            missing = f"{error.message} ({error.hint})" if error.hint else error.message
        if time.monotonic() - told > COMPLAIN_AGAIN:
            told = time.monotonic()
            tell(missing)
        await asyncio.sleep(LOOK_AGAIN)
    return None


def new_life(doors: Collection[str]) -> str:
    """The hint for doors that were deleted and created again."""
    options = " ".join(f"--new-generation {door}" for door in doors)
    return f"if that was done on purpose, run `scorer topics apply {options}`"
