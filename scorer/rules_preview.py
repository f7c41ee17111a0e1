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

from scorer.domain.record import Rules, encode_record
from scorer.log_lines import Recorded
from scorer.wire.registry import CHANGELOG, LOG
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
MANY: Final = 100_000
"""Records of the log that are counted as they are, without looking at them."""


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
    unscored: int = 0
    """Records about leads that no worker has made durable yet: it is not known what they do."""
    importing: int = 0
    """Leads that an open import has changed: they are judged, and told, at its end."""


class Changed(NamedTuple):
    """A changelog record as a store absorbs it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int


def preview(broker: Broker, coming: Rules, moved: Callable[[int], None]) -> Preview:
    """Try a rules record on all leads; ``moved`` gets how many records and leads were read.

    Raises ``UserError`` where Kafka does not answer or a topic is missing.
    """
    found = Preview()
    for number in broker.ranges(CHANGELOG):
        with tempfile.TemporaryDirectory(prefix="scorer-preview-") as folder:
            store = Store(RocksFolder(Path(folder)).open(str(number)))
            try:
                _restore(store, broker, number, moved)
                position = _try(store, number, coming, found, moved)
                found.unscored += _left(broker, number, position)
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


def _left(broker: Broker, number: int, position: int) -> int:
    """Records about leads from there on; the clock's own go on all the time."""
    wanted = broker.range(LOG, number)._replace(start=position)
    if wanted.end - position > MANY:
        return wanted.end - position
    return sum(record.key is not None for record in broker.read(LOG, number, wanted))


def _try(store: Store, number: int, rules: Rules, found: Preview, moved: Callable[[int], None]) -> int:
    """Returns how far the log was scored."""
    stored = store.get(CUT)
    if stored is None:
        return 0  # no worker has ever scored it
    partition = ScorePartition(number, store, CACHE_LEADS, near_timers=0)
    cut = decode_cut(stored)
    partition.begin(cut)
    machine = partition.machine
    machine.apply([Recorded(cut.position, None, encode_record(rules))])
    for keys in _steps(key for key, _ in store.leads()):
        for key in keys:
            machine.touch(key)
            lead = machine.get(key)
            if lead is not None and lead.since:
                found.leads += 1
                found.importing += bool(lead.touched)
        found.announced.update(_told_by(machine.outcomes, rules))
        machine.outcomes, machine.dirty, machine.timers.changes, machine.sends = [], {}, [], []
        partition.trim()
        moved(len(keys))
    return cut.position


def _steps(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while step := list(islice(left, STEP)):
        yield step


def _told_by(outcomes: list[Outcome], rules: Rules) -> list[str]:
    said = [_decode(outcome.value) for outcome in outcomes]
    # What was due anyhow, and what earlier rules have still to tell, is not of these rules' making.
    return [one.type for one in said if one.data.cause == "rules" and one.data.rules == rules.fingerprint]


_decode = msgspec.json.Decoder(_Said).decode
