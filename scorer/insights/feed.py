"""From Kafka into the file: everything that is new in the outcome topics and the lead log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scorer.errors import UserError
from scorer.insights.reading import KIND_OF, TOPICS, noted_of, told_of
from scorer.insights.store import Piece
from scorer.wire.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scorer.broker import Broker, Range, Stored
    from scorer.insights.reading import Noted, Told
    from scorer.insights.store import Store

BATCH: Final = 5_000
"""Records per transaction."""


class Fed(NamedTuple):
    """What an update has read."""

    records: int
    gone: list[tuple[str, int, int]]
    """(topic, partition, how many records) that had expired before they were read the first time."""


class _Stretch(NamedTuple):
    topic: str
    partition: int
    wanted: Range
    gone: int


class Feed:
    """One Kafka and one file. Raises ``UserError`` where they do not belong together."""

    def __init__(self, broker: Broker, store: Store) -> None:
        self._broker = broker
        self._store = store
        self._same_topics()

    def update(
        self, progress: Callable[[int], None] = lambda _: None, stretches: list[_Stretch] | None = None
    ) -> Fed:
        """Read up to where the topics end now; ``progress`` gets counts of records."""
        found = self.new() if stretches is None else stretches
        records = 0
        for stretch in found:
            for piece, count in _pieces(stretch, self._broker):
                self._store.add([piece])
                records += count
                progress(count)
        return Fed(records, [(one.topic, one.partition, one.gone) for one in found if one.gone])

    def new(self) -> list[_Stretch]:
        """What has not been read yet."""
        found = []
        for topic in TOPICS:
            places = self._store.places(topic)
            for partition, kept in self._broker.ranges(topic).items():
                start = places.get(partition, 0)
                where = f"{topic} partition {partition}"
                if start > kept.end:
                    raise UserError(
                        f"{where} ends at {kept.end}, and {start} of it have been read: it is another topic",
                        hint="this Kafka needs a file of its own: --db, or `scorer insights rebuild`",
                        exit_code=1,
                    )
                if partition in places and start < kept.start:
                    raise UserError(
                        f"{where}: {kept.start - start:,} records have expired before they were read",
                        hint="make a new file with `insights update`, which counts what there still is",
                        exit_code=1,
                    )
                wanted = kept._replace(start=max(start, kept.start))
                found.append(_Stretch(topic, partition, wanted, wanted.start - start))
        return found

    def _same_topics(self) -> None:
        names = {self._broker.name(topic): topic for topic in TOPICS}
        ids = {names[name]: id_ for name, id_ in Cluster(self._broker.access).ids(names).items()}
        ids = {topic: id_ for topic, id_ in ids.items() if id_}
        known = self._store.topic_ids()
        for topic, id_ in ids.items():
            if known.get(topic, id_) != id_:
                raise UserError(
                    f"{topic} is another topic than the one that this file is from",
                    hint="this Kafka needs a file of its own: --db, or `scorer insights rebuild`",
                    exit_code=1,
                )
        if ids.items() - known.items():
            self._store.know_topics(ids)


def _pieces(stretch: _Stretch, broker: Broker) -> Iterator[tuple[Piece, int]]:
    """A transaction's worth each, and how many records it covers."""
    topic, partition, wanted, gone = stretch
    at = wanted.start - gone
    for batch in _batches(broker.read(topic, partition, wanted)):
        end = batch[-1].offset + 1
        yield Piece(topic, partition, at, end, list(said_in(topic, batch))), len(batch)
        at = end


def said_in(topic: str, records: Iterable[Stored]) -> Iterator[Told | Noted]:
    """What records of a topic say that insights want to know."""
    outcomes = topic in KIND_OF
    for record in records:
        said: Told | Noted | None = (
            told_of(topic, record.key, record.value) if outcomes else noted_of(record.key, record.value)
        )
        if said is not None:
            yield said


def _batches(records: Iterable[Stored]) -> Iterator[list[Stored]]:
    batch: list[Stored] = []
    for record in records:
        batch.append(record)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
