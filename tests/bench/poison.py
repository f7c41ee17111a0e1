"""What bad records cost: among good ones in the doors and in the lead log, and where a door has no others.

Everything is compared within one run, turn by turn: with bad records and without, each on topics of its own.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer.broker import Broker, Range
from scorer.wire.dead_letters import Reason
from scorer.wire.registry import DEAD_LETTERS, LOG
from tests.bench import workload
from tests.bench.engine import full_rules
from tests.bench.figures import report, tell
from tests.bench.road import (
    PARTITIONS,
    Rate,
    WorkerProcess,
    benchmark_kafka,
    prepare,
    rate,
    stolen_since,
    ticks,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scorer.domain.record import Door
    from tests.bench.workload import Event

EVENTS = 200_000
"""In one run."""
PAIRS = 7
"""Runs with bad records, each beside one without."""
SHARE = 0.01
"""Of bad records among the good ones."""
BESIDE = 10
"""A door with nothing but bad records has so many times those of the good door beside it."""
PATIENCE = 300.0
"""Seconds for one run."""


class Message(NamedTuple):
    """A record of a door."""

    topic: str
    partition: int
    value: bytes | None
    bad: Reason | None


class Logged(NamedTuple):
    """A record of the lead log."""

    partition: int
    key: bytes | None
    value: bytes | None
    bad: bool


# -- bad records --------------------------------------------------------------------------------------


def _changed(event: Event, **fields: object) -> bytes:
    """The event with some fields of its envelope replaced; those given as None are left out."""
    envelope = msgspec.json.decode(workload.message(event)) | fields
    return msgspec.json.encode({name: value for name, value in envelope.items() if value is not None})


BAD: tuple[tuple[Reason, Callable[[Event], bytes | None]], ...] = (
    (Reason.NULL_VALUE, lambda _: None),
    (Reason.NOT_JSON, lambda event: workload.message(event)[:-5]),
    (Reason.NOT_JSON, lambda _: b"\x00\x01\x02\xff"),
    (Reason.NOT_CLOUDEVENT, lambda event: _changed(event, id=None)),
    (Reason.NOT_CLOUDEVENT, lambda event: _changed(event, id=17)),
    (Reason.UNKNOWN_TYPE, lambda event: _changed(event, type="no.such thing")),
    (Reason.NO_LEAD, lambda event: _changed(event, subject=None)),
    (Reason.BAD_TIME, lambda event: _changed(event, time="yesterday")),
    (Reason.FUTURE, lambda event: _changed(event, time="2999-01-01T00:00:00Z")),
    (Reason.TOO_OLD, lambda event: _changed(event, time="1999-01-01T00:00:00Z")),
    (Reason.BAD_PROPERTIES, lambda event: _changed(event, data="text")),
    (Reason.BAD_PROPERTIES, lambda event: _changed(event, data=event.data | {"path": 1e20})),
)
"""What publishers get wrong, and what it is called."""


def _retimed(value: bytes) -> bytes:
    """A fact whose times are text."""
    fields = msgspec.msgpack.decode(value)
    return msgspec.msgpack.encode([str(field) if isinstance(field, int) else field for field in fields])


GARBAGE: tuple[Callable[[bytes, bytes], tuple[bytes | None, bytes | None]], ...] = (
    lambda key, _: (key, None),
    lambda key, _: (key, b""),
    lambda key, _: (key, b"\xc1"),
    lambda key, _: (key, b'{"type": "page.viewed"}'),
    lambda key, _: (key, b"\x93\x00\x01\x02"),
    lambda key, value: (key, value[:-3]),
    lambda key, value: (key, _retimed(value)),
    lambda _, value: (None, value),
    lambda _, value: (b"\xff\xfe", value),
)
"""What is none of the lead log's records, made from the key and value of a fact."""


def messages(events: Iterable[Event], share: float) -> list[Message]:
    """The events as their publishers send them, so many of them (0..1) spoiled, each kind as often."""
    rng, spoiled = random.Random(5), 0
    made = []
    for number, event in enumerate(events):
        reason: Reason | None = None
        make: Callable[[Event], bytes | None] = workload.message
        if rng.random() < share:
            reason, make = BAD[spoiled % len(BAD)]
            spoiled += 1
        made.append(Message(event.topic, number % workload.DOOR_PARTITIONS, make(event), reason))
    return made


def log(events: Iterator[Event], doors: Sequence[Door], share: float) -> list[Logged]:
    """The lead log of the events, so many of its facts (0..1) spoiled, each kind as often."""
    rng, spoiled = random.Random(5), 0
    made = []
    for entry in workload.log(events, partitions=PARTITIONS, doors=doors):
        key, value = entry.key, entry.value
        bad = key is not None and rng.random() < share
        if bad:
            key, value = GARBAGE[spoiled % len(GARBAGE)](key or b"", value or b"")
            spoiled += 1
        made.append(Logged(entry.partition, key, value, bad))
    return made


# -- 1% of them ---------------------------------------------------------------------------------------


def intake() -> None:
    """``poison_cost_intake``: what a record takes with bad ones in the doors, over what it takes without."""
    end = int(time.time() * 1000) - workload.HOUR_MS
    with benchmark_kafka() as bootstrap:
        made = {share: messages(workload.events(EVENTS, end=end), share) for share in (0.0, SHARE)}
        _pairs("poison_cost_intake", SHARE, lambda share: _taken_in(bootstrap, made[share])[0])


def worker() -> None:
    """``poison_cost_worker``: the same for garbage in the lead log and the score app."""
    with benchmark_kafka() as bootstrap:
        doors = prepare(bootstrap, full_rules())[1].doors
        made = {
            share: log(workload.events(EVENTS, partitions=PARTITIONS), doors, share) for share in (0.0, SHARE)
        }
        _pairs("poison_cost_worker", SHARE, lambda share: _scored(bootstrap, doors, made[share]))


def _pairs(figure: str, share: float, run: Callable[[float], Rate]) -> dict[float, list[Rate]]:
    """Reports how many times the processor time a run takes with bad records; returns the runs.

    It is the median of the pairs' ratios: what slows the machine down slows both runs of a pair.
    """
    run(share)  # the broker's compilers are busy during the first
    runs: dict[float, list[Rate]] = {0.0: [], share: []}
    for number in range(PAIRS):
        for bad in (0.0, share) if number % 2 else (share, 0.0):
            measured = run(bad)
            runs[bad].append(measured)
            tell(
                f"{figure}, pair {number + 1}, {bad:.0%} bad: {measured.per_second:,.0f}/s,"
                f" {measured.processor_seconds:.2f} processor seconds,"
                f" {measured.stolen:.0%} of the processors stolen meanwhile"
            )
    pairs = zip(runs[share], runs[0.0], strict=True)
    costs = [bad.processor_seconds / good.processor_seconds for bad, good in pairs]
    tell(f"{figure}: pairs {', '.join(f'{cost:.3f}' for cost in costs)}")
    report(figure, round(statistics.median(costs), 3), "ratio")
    return runs


def _taken_in(bootstrap: str, made: list[Message]) -> tuple[Rate, Broker]:
    """A filled set of doors read to its end; raises where a record went another way than it should."""
    settings, _ = prepare(bootstrap, full_rules())
    broker = Broker(settings)
    with broker.writer() as writer:
        for message in made:
            writer.append(message.topic, message.partition, None, message.value)
    before = _held(broker, LOG)
    with (
        tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder,
        WorkerProcess(settings, Path(folder), "--only", "intake") as process,
    ):
        measured = rate(process, "scorer_intake_records_total", len(made), PATIENCE)
        rejected: Counter[str] = Counter()
        for (_, reason), count in process.metrics().get("scorer_intake_rejected_total", {}).items():
            rejected[reason] += int(count)
        process.stop()
    bad = Counter(str(message.bad) for message in made if message.bad)
    good = len(made) - bad.total()
    appended, letters = _held(broker, LOG) - before, _held(broker, DEAD_LETTERS)
    if rejected != bad or letters != bad.total() or appended < good:
        raise RuntimeError(
            f"{rejected} instead of {bad}, {letters:,} letters, {appended:,} of {good:,} facts"
        )
    return measured, broker


def _scored(bootstrap: str, doors: Sequence[Door], made: list[Logged]) -> Rate:
    """A filled lead log scored to its end, from ready on; raises unless all garbage, and no more, is dead."""
    settings, found = prepare(bootstrap, full_rules())
    if found.doors != doors:
        raise RuntimeError("doors are numbered otherwise in every run")
    broker = Broker(settings)
    with broker.writer() as writer:
        for record in made:
            writer.append(LOG, record.partition, record.key, record.value)
    records = _held(broker, LOG)
    with (
        tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder,
        WorkerProcess(settings, Path(folder), "--only", "score") as process,
    ):
        # Metrics move once per checkpoint, so the first that do say little about what has been done by then.
        wait_until(process.ready, PATIENCE, "ready", every=0.02)
        began, used, before = time.monotonic(), process.processor_seconds(), ticks()
        wait_until(
            lambda: process.total("scorer_score_records_total") >= records, PATIENCE, "all", every=0.25
        )
        passed, used = time.monotonic() - began, process.processor_seconds() - used
        measured = Rate(records / passed, used, stolen_since(before))
        undecodable = process.total("scorer_score_undecodable_total")
        process.stop()
    garbage, letters = sum(record.bad for record in made), _held(broker, DEAD_LETTERS)
    if undecodable != garbage or letters != garbage:
        raise RuntimeError(f"{undecodable:,.0f} undecodable, {letters:,} letters of {garbage:,}")
    return measured


# -- nothing else -------------------------------------------------------------------------------------


def door() -> None:
    """``poison_door_per_s``: dead letters a second; ``poison_cost_door``: one's cost over a good record's."""
    end = int(time.time() * 1000) - workload.HOUR_MS
    of: dict[str, list[Event]] = {topic: [] for topic in workload.DOORS}
    for event in workload.events(EVENTS * 3, end=end):  # enough of them are e-mails
        of[event.topic].append(event)
    beside = messages(of[workload.PAGE][: EVENTS // BESIDE], 0.0)
    made = {share: messages(of[workload.EMAIL][:EVENTS], share) + beside for share in (0.0, 1.0)}

    def run(share: float) -> Rate:
        measured, broker = _taken_in(bootstrap, made[share])
        if share:
            _check_beside(broker)
        return measured._replace(per_second=measured.per_second * EVENTS / len(made[share]))

    with benchmark_kafka() as bootstrap:
        runs = _pairs("poison_cost_door", 1.0, run)
    good, bad = (statistics.median(one.per_second for one in runs[share]) for share in (0.0, 1.0))
    tell(f"poison_door_per_s: {bad:,.0f} dead letters a second; good records {good:,.0f}")
    report("poison_door_per_s", round(bad), "records/s")


def _check_beside(broker: Broker) -> None:
    """Raises unless the good door's facts came into the log while the bad door was being read."""
    facts = [
        message.timestamp()[1]
        for number, held in broker.ranges(LOG).items()
        for message in broker.messages(LOG, number, held)
        if message.key() is not None
    ]
    letters = [
        message.timestamp()[1]
        for number, held in broker.ranges(DEAD_LETTERS).items()
        for edge in (Range(held.start, held.start + 1), Range(held.end - 1, held.end))
        if held.end > held.start
        for message in broker.messages(DEAD_LETTERS, number, edge)
    ]
    began, lasted = min(letters), max(letters) - min(letters)
    tell(
        f"poison_door_per_s: {len(facts):,} facts of the good door beside it were in the log after"
        f" {(max(facts) - began) / 1_000:.1f} s, all dead letters after {lasted / 1_000:.1f} s"
    )
    if len(facts) != EVENTS // BESIDE or max(facts) >= began + lasted:
        raise RuntimeError("the good door had to wait for the bad one")


def _held(broker: Broker, topic: str) -> int:
    return sum(wanted.end - wanted.start for wanted in broker.ranges(topic).values())
