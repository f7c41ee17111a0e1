"""How many leads a rule file would announce, if it were put in force now: tried on a copy of their states.

The copy is made as a worker makes it that takes partitions over, from the changelog, in a temporary folder;
then each lead passes the rules record that ``rules_apply`` would write. Nothing is written to Kafka.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import msgspec

from scorer.domain.model import fingerprint
from scorer.domain.record import Rules, encode_record
from scorer.wire.registry import CHANGELOG
from scorer.worker.cut import CUT, decode_cut
from scorer.worker.rocks import RocksFolder
from scorer.worker.score_partition import ScorePartition
from scorer.worker.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scorer.broker import Broker
    from scorer.domain.outcomes import Outcome

T = TypeVar("T")

STEP: Final = 1_000
"""Leads, or records of the changelog, between two looks around."""
CACHE_LEADS: Final = 2 * STEP


class _Said(msgspec.Struct):
    """What matters here of an outcome."""

    class Data(msgspec.Struct):
        cause: str = ""
        rules: str = ""

    type: str
    data: Data


@dataclass
class Preview:
    """What would be told at once. What time and activities bring about later is not in it."""

    leads: int = 0
    """Looked at."""
    announced: Counter[str] = field(default_factory=Counter)
    """Type of outcome, as ``lead.qualified`` -> how many."""


class Changed(NamedTuple):
    """A changelog record as a store absorbs it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int


def preview(broker: Broker, model: bytes, version: int, moved: Callable[[int], None]) -> Preview:
    """Try an encoded model as ``version`` on all leads; ``moved`` gets how many records and leads were read.

    Raises ``UserError`` where Kafka does not answer or a topic is missing.
    """
    found = Preview()
    rules = Rules(version, fingerprint(model), model)
    with tempfile.TemporaryDirectory(prefix="scorer-preview-") as folder:
        disks = RocksFolder(Path(folder))
        for number in broker.ranges(CHANGELOG):
            store = Store(disks.open(str(number)))
            try:
                _restore(store, broker, number, moved)
                _try(store, number, rules, found, moved)
            finally:
                store.close()
    return found


def _restore(store: Store, broker: Broker, number: int, moved: Callable[[int], None]) -> None:
    wanted = broker.range(CHANGELOG, number)
    store.begin(b"", wanted.start)
    store.expect(wanted.end - wanted.start)
    for messages in _steps(broker.messages(CHANGELOG, number, wanted)):
        records = [
            Changed(one.offset(), one.key(), one.value(), one.headers() or (), one.timestamp()[1])
            for one in messages
        ]
        store.absorb(records, records[-1].offset + 1)
        moved(len(records))
    store.finish()


def _try(store: Store, number: int, rules: Rules, found: Preview, moved: Callable[[int], None]) -> None:
    stored = store.get(CUT)
    if stored is None:
        return  # no worker has ever scored it
    partition = ScorePartition(number, store, CACHE_LEADS, near_timers=0)
    cut = decode_cut(stored)
    partition.begin(cut)
    machine = partition.machine
    machine.apply([_Message(cut.position, None, encode_record(rules))])
    for keys in _steps(key for key, _ in store.leads()):
        for key in keys:
            machine.touch(key)
        found.announced.update(_told_by(machine.outcomes, rules))
        found.leads += len(keys)
        machine.outcomes, machine.dirty, machine.timers.changes, machine.sends = [], {}, [], []
        partition.trim()
        moved(len(keys))


def _steps(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while step := list(islice(left, STEP)):
        yield step


class _Message(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None


def _told_by(outcomes: list[Outcome], rules: Rules) -> list[str]:
    said = [_decode(outcome.value) for outcome in outcomes]
    # What was due anyhow, and what earlier rules have still to tell, is not of these rules' making.
    return [one.type for one in said if one.data.cause == "rules" and one.data.rules == rules.fingerprint]


_decode = msgspec.json.Decoder(_Said).decode
