"""The engine alone: decode, de-duplicate, step, encode; one core, no Kafka."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING

import msgspec

from scorer.domain import model as m
from scorer.domain.lead import Lead, decode_lead, encode_lead
from scorer.domain.model import encode_model
from scorer.domain.partition import LogPartition
from scorer.domain.state import PartitionState, encode_state
from scorer.rulefile import require
from scorer.worker.huge_pages import HugePages
from tests.bench import workload
from tests.bench.figures import ROOT, median_rate, report, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 400_000
CHUNK = 1_000
"""Records per call, about what a fetch brings."""
CHECKPOINT = 50_000
"""Records between two cuts: about a second's worth."""
RUNS = 3
RULES = 1_000
EQUAL, OTHER_FIELDS, PREFIX = 150, 150, 100


def full_rules() -> m.Model:
    return require(ROOT / "bench" / "rules-full.yaml")


def small_rules() -> m.Model:
    return require(ROOT / "bench" / "rules.yaml")


def thousand_rules() -> m.Model:
    """The full rules with further awards, 1,000 in all."""
    base = full_rules()
    return with_more(base, RULES - len(base.awards) - len(base.standings))


def with_more(base: m.Model, room: int) -> m.Model:
    """A model with so many further awards.

    Of those, 150 match a page view by its path, 150 by a property of their own each, and 100 by a prefix
    of its path; the others are about campaigns, links and projects.
    """
    score = base.scores[0].name
    decay = next((award.decay for award in base.awards if award.decay is not None), None)

    def award(number: int, kind: str, compare: m.Compare) -> m.Award:
        matcher = m.Matcher((kind,), compare)
        return m.Award(f"bench-{number}", score, matcher, m.Fixed(0.01), decay=decay)

    def conditions() -> Iterator[tuple[str, m.Compare]]:
        for number in range(EQUAL):
            page = workload.PAGES[number] if number < len(workload.PAGES) else f"/never/{number}"
            yield "page.viewed", m.Compare("path", "equals", (page,))
        for number in range(OTHER_FIELDS):
            field = (
                ("utm.source", "utm.campaign", "title", "seconds")[number]
                if number < 4
                else f"field-{number}"
            )
            yield "page.viewed", m.Compare(field, "equals", ("mail", "autumn-3", 7))
        for number in range(PREFIX):
            yield (
                "page.viewed",
                m.Compare("path", "prefix", (f"/blog/post-{number}", f"/docs/guide-{number}")),
            )
        number = 0
        while True:
            yield "email.opened", m.Compare("email_id", "equals", (f"sales-{number}", f"nurture-{number}"))
            yield "email.clicked", m.Compare("link", "equals", (f"https://example.com/blog/post-{number}",))
            yield "app.task_created", m.Compare("project", "equals", (f"p-{number}",))
            number += 1

    added = tuple(
        award(number, *condition) for number, condition in zip(range(room), conditions(), strict=False)
    )
    return msgspec.structs.replace(base, awards=base.awards + added)


def records(model: m.Model, count: int) -> list[workload.Entry]:
    return list(workload.log(workload.events(count), model=encode_model(model)))


def run(entries: list[workload.Entry]) -> float:
    """Events per second of processor time, from the first record decoded to the last lead encoded.

    One thread and no waiting: on an idle machine that is the same as by the clock on the wall, and on a
    busy one it is the better measure.
    """
    store: dict[bytes, bytes] = {}

    def load(key: bytes) -> Lead | None:
        encoded = store.get(key)
        return None if encoded is None else decode_lead(encoded)

    partition = LogPartition(PartitionState(), {}, load)
    cut_at = CHECKPOINT
    pages = HugePages()
    began = time.process_time()
    for start in range(0, len(entries), CHUNK):
        partition.apply(entries[start : start + CHUNK])
        if start >= cut_at:
            cut_at += CHECKPOINT
            _cut(partition, store)
            if pages.worth_it:
                pages.gather()
    _cut(partition, store)
    took = time.process_time() - began
    counters = partition.counters
    if counters.undecodable or not partition.ready or counters.facts < len(entries) * 0.9:
        raise RuntimeError("the workload does not run as it should")
    return (counters.facts + counters.duplicates) / took


def _cut(partition: LogPartition, store: dict[bytes, bytes]) -> None:
    """What the worker encodes at a checkpoint."""
    dirty, partition.dirty = partition.dirty, {}
    for key, lead in dirty.items():
        store[key] = encode_lead(lead)
    encode_state(partition.state)
    partition.outcomes.clear()
    partition.timers.changes.clear()


def measure(figure: str, model: m.Model, *, events: int = EVENTS, runs: int = RUNS) -> None:
    tell(f"{figure}: making {events:,} events")
    entries = records(model, events)
    # As the worker does it: the collector would walk the cache of leads again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
    median_rate(figure, [run(entries) for _ in range(runs)])
    gc.unfreeze()


def full() -> None:
    measure("engine_events_per_s", full_rules())


def small() -> None:
    measure("engine_events_per_s_6_rules", small_rules())


def thousand() -> None:
    measure("engine_events_per_s_1000_rules", thousand_rules())


def default_rules() -> None:
    """What the shipped rules cost beside those of the benchmarks, and with 1,000 more beside themselves."""
    default = require(ROOT / "rules" / "default.yaml")
    models = [full_rules(), default, with_more(default, RULES)]
    logs = [records(model, EVENTS // 2) for model in models]
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
    # One after the other and again: neighbours and clock rates change from minute to minute.
    rounds = [[run(entries) for entries in logs] for _ in range(RUNS)]
    gc.unfreeze()
    for rates in rounds:
        tell(
            "frozen full rules, default, default and 1,000: " + ", ".join(f"{rate:,.0f}/s" for rate in rates)
        )
    full_ratio = statistics.median(frozen / default_ for frozen, default_, _ in rounds)
    more_ratio = statistics.median(default_ / more for _, default_, more in rounds)
    report("engine_cost_ratio_full_rules", round(full_ratio, 2), "ratio")
    report("engine_cost_ratio_1000_rules", round(more_ratio, 2), "ratio")
