"""How fresh scores are, and where the time of scoring goes: measured per chunk, told once a second."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from scorer import metrics
from scorer.domain.encoded import is_fact
from scorer.domain.record import decode_heading, decode_posted
from scorer.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scorer.domain.counters import Counters
    from scorer.domain.partition import Message
    from scorer.storage.ports import Incoming
    from scorer.worker.batches import Lane
    from scorer.worker.score_agent import ScoreAgent

SAMPLE: Final = 20
"""Records of a chunk that are decoded once more, to know what decoding takes."""
SAMPLE_EVERY: Final = 1.0
"""Seconds between two such chunks."""
IMPORTS: Final = 1 << 32
"""From here on a record's door is an import."""
LOOK: Final = 5
"""Facts of a chunk that are looked at for one that a door has received."""


class ScoreMeter:
    """Of one score app."""

    def __init__(
        self,
        lane: Callable[[str, int], Lane],
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``lane``: (topic, partition) -> where its outcomes go. ``now``: Unix seconds."""
        self._lane = lane
        self._now = now
        self._clock = clock
        self._latency = Tally(metrics.FRESH)
        self._outcomes = Tally(metrics.FRESH)
        self._timers = Tally(metrics.FRESH)
        self._seen: dict[int, tuple[Counters, int, int, int]] = {}
        self._appended: dict[int, float] = {}
        self._sampled = -SAMPLE_EVERY
        self._decode = 0.0  # seconds a record
        self.spent = {"decode": 0.0, "step": 0.0}
        """Seconds so far, by stage."""

    def apply(self, agent: ScoreAgent, number: int, start: int, records: Sequence[Incoming]) -> None:
        """``agent.apply``, measured."""
        sent = agent.spent["send"]
        began = self._clock()
        agent.apply(number, start, records)
        took = self._clock() - began - (agent.spent["send"] - sent)
        if began - self._sampled >= SAMPLE_EVERY:
            self._sampled = began
            self._sample(records)
        decode = min(took, self._decode * len(records))
        self.spent["decode"] += decode
        self.spent["step"] += took - decode
        self._appended[number] = records[-1].timestamp / 1000
        self._count(agent, number, records)

    def _sample(self, records: Sequence[Incoming]) -> None:
        some = records[:: -(-len(records) // SAMPLE)]
        began = self._clock()
        for record in some:
            try:
                decode_posted(record.value)  # type: ignore[arg-type]
            except (msgspec.MsgspecError, TypeError):
                continue
        self._decode = (self._clock() - began) / len(some)

    def _count(self, agent: ScoreAgent, number: int, records: Sequence[Incoming]) -> None:
        owned = agent.owned(number)
        if owned is None:
            return
        machine = owned.partition.machine
        counters = machine.counters
        seen = self._seen.get(number)
        facts, timers, waited = counters.facts, counters.timers, counters.timers_waited
        self._seen[number] = counters, facts, timers, waited
        if seen is not None and seen[0] is counters:
            facts, timers, waited = facts - seen[1], timers - seen[2], waited - seen[3]
        now = self._now()
        if timers:
            late = now - machine.state.clock / 1000 + waited / timers / 1000
            self._timers.add(max(0.0, late), timers)
        if facts and (received := _received(records)) is not None:
            self._latency.add(max(0.0, now - received), facts)
            for topic in owned.outbox.used:
                self._lane(topic, number).mark(partial(self._acknowledged, received))

    def _acknowledged(self, received: float) -> None:
        self._outcomes.add(max(0.0, self._now() - received))

    def tell(self, agent: ScoreAgent, ends: Mapping[int, int]) -> None:
        """``ends``: partition -> where the lead log ends. About once a second."""
        self._latency.tell(metrics.SCORE_LATENCY_SECONDS)
        self._outcomes.tell(metrics.SCORE_OUTCOME_SECONDS)
        self._timers.tell(metrics.SCORE_TIMER_LATE_SECONDS)
        now = self._now()
        for number, end in ends.items():
            owned = agent.owned(number)
            if owned is None:
                continue
            left = max(0, end - owned.partition.machine.state.position)
            owned.metrics.lag_records.set(left)
            lag = now - self._appended.get(number, now) if left else 0.0
            owned.metrics.lag_seconds.set(max(0.0, lag))

    def keep(self, numbers: Sequence[int]) -> None:
        """Forget partitions other than these."""
        for number in self._seen.keys() - set(numbers):
            del self._seen[number]
        for number in self._appended.keys() - set(numbers):
            del self._appended[number]


def _received(records: Sequence[Message]) -> float | None:
    """When (Unix) the first event of a chunk was received; None: there is none, or it is imported."""
    left = LOOK
    for record in records:
        if not is_fact(record.value):
            continue
        try:
            heading = decode_heading(record.value)  # type: ignore[arg-type]
        except (msgspec.MsgspecError, TypeError):
            continue
        if heading.door < IMPORTS:
            return heading.received / 1000
        left -= 1
        if not left:
            return None
    return None
