"""The file made anew from the lead log: outcomes as replay repeats them, facts as the log has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.insights.files import retire
from scorer.insights.reading import KIND_OF, noted_of, told_of
from scorer.insights.store import Piece, Store
from scorer.replay import Replay
from scorer.wire.registry import LOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scorer.domain.outcomes import Outcome
    from scorer.insights.reading import Noted, Told
    from scorer.replay.sources import Batch

_BESIDE = "-wal", "-shm", "-journal"
"""What SQLite keeps beside a file."""


def rebuild(path: Path, batches: Iterable[Batch], key: bytes) -> Replay:
    """Fill a new file and put it in the place of the old one, if there is any, when it is complete.

    ``batches``: of a log export. ``key``: as of ``Store.open``. An update goes on where the log's records
    end, and reads the outcome topics from their beginnings: what is known by its id counts once.
    """
    retire(path)
    building = path.with_name(f"{path.name}.rebuilding")
    _remove(building)
    replay = Replay()
    try:
        with Store.open(building, key) as store:
            heard: list[Piece] = []
            for outcomes in replay.run(_tapped(batches, heard)):
                store.add([*heard, *_told(outcomes)])
                heard.clear()
            store.add(heard)
        retire(path)
        building.replace(path)
    finally:
        _remove(building)
    return replay


def _tapped(batches: Iterable[Batch], heard: list[Piece]) -> Iterator[Batch]:
    """The batches on their way to replay; what the log says is put aside."""
    for batch in batches:
        for partition, records in batch.records.items():
            said: list[Told | Noted] = []
            for record in records:
                noted = noted_of(record.key, record.value)
                if noted is not None:
                    said.append(noted)
            heard.append(Piece(LOG, partition, None, records[-1].offset + 1, said))
        yield batch


def _told(outcomes: list[Outcome]) -> Iterator[Piece]:
    said = [
        told
        for outcome in outcomes
        if outcome.topic in KIND_OF
        and (told := told_of(outcome.topic, outcome.key, outcome.value)) is not None
    ]
    yield Piece("", 0, None, None, said)


def _remove(path: Path) -> None:
    """A file with what SQLite keeps beside it."""
    for ending in ("", *_BESIDE):
        path.with_name(path.name + ending).unlink(missing_ok=True)
