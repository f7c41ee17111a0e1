"""Sealed fields: a lead's key, then the facts that it seals, then the answer.

    sealing.begin()                         # a request
    ... intake.take(...) ...                # seals with sealing.sealer
    done = sealing.append(records)          # or nothing, where nothing was taken

Keys that a request makes are sent at once, and its facts when Kafka has acknowledged those keys; so are the
facts of other requests that are sealed with them meanwhile. A process that dies in between leaves a key that
nothing was sealed with. Where the keys are not acknowledged in time the request is answered as one whose
facts are not, and what it has said of a lead counts as not said.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from scorer import metrics
from scorer.collector.stores import store_name
from scorer.errors import UserError
from scorer.storage.key_table import key_table
from scorer.storage.known_keys import KnownKeys
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LEAD_KEYS
from scorer.wire.sealing import Sealer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scorer.collector.sink import Sink
    from scorer.settings import Settings
    from scorer.storage.key_table import KeyTable
    from scorer.wire.identity import Identity
    from scorer.wire.intake import Accepted
    from scorer.wire.sealing import Draft, LeadKey
    from scorer.wire.tracing import Trace

RETRY_SECONDS: Final = 1.0


class Sealing(KnownKeys):
    """``scorer.wire.sealing.Keys`` of a process of the collector. Use it on the event loop's thread only."""

    def __init__(
        self,
        fields: Iterable[str],
        table: KeyTable,
        sink: Sink,
        topic: str,
        names_somebody: Callable[[str, str], bool],
    ) -> None:
        """``topic``: the full name of the keys'. ``names_somebody``: as ``Sealer`` has it."""
        super().__init__(table)
        self.sealer = Sealer(fields, self, names_somebody)
        self.forget = self.sealer.forget
        self.partitions = 0
        """Of the topic. To be set before the first request."""
        self._sink = sink
        self._topic = topic
        self._draft: Draft = self.sealer.begin()
        self._new: list[tuple[LeadKey, bytes]] = []
        """Keys of this request's making, and the values of their records."""
        self._used: set[asyncio.Future[bool]] = set()
        """Word of keys that this request seals with."""
        self._unsafe: dict[bytes, asyncio.Future[bool]] = {}
        """Lead -> word of its key, while there is none."""

    async def start(self) -> None:
        """Returns when all keys that were made before are known. Raises what is no passing trouble."""
        while True:
            try:
                await super().start()
            except (KafkaError, UserError):  # no broker, mostly
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def begin(self) -> None:
        """What was sealed before is appended by now, or never will be."""
        for key, _ in self._new:
            self.give_up(key)
        self._new.clear()
        self._used.clear()
        self._draft = self.sealer.begin()

    def key_of(self, lead: bytes) -> LeadKey:
        key = self.known(lead)
        if key is None:
            key, wrapped = self.make(lead)
            self._new.append((key, wrapped))
        elif lead in self._unsafe:
            self._used.add(self._unsafe[lead])
        return key

    def append(self, records: Sequence[Accepted], trace: Trace | None = None) -> asyncio.Future[bool]:
        """``Sink.append`` of what was sealed since ``begin``; raises ``BusyError``."""
        used = list(self._used)
        if self._new:
            used.append(self._write(self._new))
            self._new = []
        done = self._sink.append(records, trace, used)
        if self._draft.said:
            self.sealer.sent(self._draft)
            done.add_done_callback(partial(self._written, self._draft))
        return done

    def _write(self, made: Sequence[tuple[LeadKey, bytes]]) -> asyncio.Future[bool]:
        partitions = self.partitions
        records = [(partition_of(key.lead, partitions), key.name, wrapped) for key, wrapped in made]
        safe = self._sink.put(self._topic, records)
        keys = [key for key, _ in made]
        for key in keys:
            self._unsafe[key.lead] = safe
        safe.add_done_callback(partial(self._heard, keys))
        metrics.COLLECTOR_LEAD_KEYS.inc(len(keys))
        return safe

    def _heard(self, keys: Iterable[LeadKey], safe: asyncio.Future[bool]) -> None:
        good = safe.result()
        for key in keys:
            if self._unsafe.get(key.lead) is safe:
                del self._unsafe[key.lead]
            if not good:
                self.give_up(key)

    def _written(self, draft: Draft, done: asyncio.Future[bool]) -> None:
        self.sealer.settled(draft, good=not done.cancelled() and done.result())


def sealing_of(
    settings: Settings,
    fields: Iterable[str],
    identity: Identity,
    sink: Sink,
    number: int,
    on_error: Callable[[BaseException], object],
) -> Sealing:
    """Of the process that is the ``number``-th of its collector: each has a store of its own."""
    table = key_table(settings, store_name(number), on_error)
    return Sealing(fields, table, sink, settings.topic_prefix + LEAD_KEYS, identity.names_somebody)
