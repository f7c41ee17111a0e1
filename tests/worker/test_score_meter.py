"""What is measured of scoring: latency, timers, lag, where time goes; and that it goes with a partition."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from scorer import metrics
from scorer.domain.clock import pack
from scorer.domain.outcomes import Outcome
from scorer.domain.record import Clock, Door, Doors, Fact, encode_record
from scorer.wire.registry import ACCOUNT_QUALIFIED, ERASED, LOG, QUALIFIED
from scorer.worker.loop_time import LoopTime
from scorer.worker.score_meter import ScoreMeter
from scorer.worker.score_watch import Whereabouts, bytes_in
from scorer.worker.told import Told
from tests.worker.fake_kafka import Cluster
from tests.worker.score_process import Disks, Process
from tests.worker.score_world import default_model, make_log, one_pass, rules_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOOKING = Door(1, 1, "activity.booking.v1", 0)
NOW = 1_790_000_000.0


class Message(msgspec.Struct):
    offset: int
    key: bytes | None
    value: bytes
    timestamp: int


class Sent:
    """A lane whose acknowledgement comes when it is told to."""

    def __init__(self) -> None:
        self.marks: list[Callable[[], object]] = []

    def mark(self, acknowledged: Callable[[], object]) -> None:
        self.marks.append(acknowledged)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Difference:
    """Of a sample, since it was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._of = name, labels
        self._before = value(name, **labels)

    @property
    def now(self) -> float:
        return value(self._of[0], **self._of[1]) - self._before


def booking(offset: int, received: float, key: bytes = b"lead-1") -> Message:
    fact = Fact(
        "booking.created",
        int(received * 1000),
        int(received * 1000),
        1,
        offset,
        b"%08d" % offset,
        str(offset),
        "/calls",
        {"kind": "call"},
    )
    return Message(offset, key, encode_record(fact), int(received * 1000))


class World:
    """A worker of one partition with rules and one door, its clock at ``NOW``."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.process = Process(self.cluster, Disks())
        self.agent = self.process.agent
        self.lanes: dict[str, Sent] = {}
        self.now = NOW
        self.meter = ScoreMeter(
            lambda topic, _: self.lanes.setdefault(topic, Sent()),  # type: ignore[arg-type,return-value]
            now=lambda: self.now,
        )
        self.offset = 0

    async def start(self) -> None:
        await self.process.start()
        for record in (Doors(1, [BOOKING]), rules_record(default_model(), 1)):
            self.apply([Message(self.offset, None, encode_record(record), int(NOW * 1000))])
        self.clock(NOW)

    def apply(self, records: list[Message]) -> None:
        start, self.offset = self.offset, self.offset + len(records)
        self.meter.apply(self.agent, 0, start, records)  # type: ignore[arg-type]

    def clock(self, at: float) -> None:
        record = encode_record(Clock(pack({1: int(at * 1000)})))
        self.apply([Message(self.offset, None, record, int(at * 1000))])

    def tell(self) -> None:
        self.meter.tell(self.agent, {0: self.offset})


@pytest.fixture
async def world() -> World:
    made = World()
    await made.start()
    made.tell()
    return made


async def test_an_event_counts_with_the_time_since_a_door_received_it(world: World) -> None:
    soon = Difference("scorer_score_latency_seconds_bucket", le="1.0")
    later = Difference("scorer_score_latency_seconds_bucket", le="2.0")
    count = Difference("scorer_score_latency_seconds_count")
    total = Difference("scorer_score_latency_seconds_sum")
    world.apply([booking(world.offset, NOW - 0.4), booking(world.offset + 1, NOW - 0.3, b"lead-2")])
    world.apply([booking(world.offset, NOW - 1.5, b"lead-3")])
    assert count.now == 0
    world.tell()
    assert (soon.now, later.now, count.now) == (2, 3, 3)
    assert total.now == pytest.approx(2 * 0.4 + 1.5)


async def test_an_outcome_counts_when_kafka_has_it(world: World) -> None:
    count = Difference("scorer_score_outcome_seconds_count")
    world.apply([booking(world.offset, NOW - 0.4), booking(world.offset + 1, NOW - 0.4)])
    world.tell()
    assert count.now == 0
    world.now += 3
    total = Difference("scorer_score_outcome_seconds_sum")
    (mark,) = world.lanes[QUALIFIED].marks
    mark()
    world.tell()
    assert count.now == 1
    assert total.now == pytest.approx(3.4)


async def test_what_is_imported_has_no_latency(world: World) -> None:
    count = Difference("scorer_score_latency_seconds_count")
    fact = Fact("page.viewed", 1, 1, (1 << 32) + 5, 0, b"01234567", "1", "/old", {})
    world.apply([Message(world.offset, b"lead-9", encode_record(fact), int(NOW * 1000))])
    world.tell()
    assert count.now == 0


async def test_late_facts_are_those_that_the_clock_has_passed(world: World) -> None:
    world.apply([booking(world.offset, NOW - 60), booking(world.offset + 1, NOW - 1)])
    machine = world.agent.partitions[0].machine
    assert machine.counters.late == 1


async def test_a_timer_is_late_by_the_clocks_lag(world: World) -> None:
    """The lead falls below the exit threshold with time; the clock passes that instant in one leap."""
    count = Difference("scorer_score_timer_late_seconds_count")
    total = Difference("scorer_score_timer_late_seconds_sum")
    world.apply([booking(world.offset, NOW - 0.4), booking(world.offset + 1, NOW - 0.4)])
    machine = world.agent.partitions[0].machine
    due = machine.timers.next_due / 1000
    assert due > NOW
    grace = machine.rules.model.grace / 1000
    passed = due + grace + 1.0  # the clock is a second further than it must be,
    world.now = passed + 7.0  # and seven behind now
    world.clock(passed)
    world.tell()
    assert count.now >= 1
    assert total.now / count.now == pytest.approx(8.0, abs=0.01)


async def test_lag_is_of_the_record_applied_last_while_others_wait(world: World) -> None:
    world.now = NOW + 30
    world.meter.tell(world.agent, {0: world.offset + 4})
    assert value("scorer_score_lag_records", partition="0") == 4
    assert value("scorer_score_lag_seconds", partition="0") == pytest.approx(30)
    world.tell()
    assert value("scorer_score_lag_records", partition="0") == 0
    assert value("scorer_score_lag_seconds", partition="0") == 0


async def test_a_checkpoint_tells_and_a_partition_that_goes_takes_its_series_along(world: World) -> None:
    shown = Difference("scorer_score_points_count")
    world.apply([booking(world.offset, NOW - 0.4), booking(world.offset + 1, NOW, b"lead-2")])
    for number in range(world.offset):
        world.cluster.append(LOG, 0, None, b"%d" % number)  # so that the log ends where the worker stands
    await world.agent.checkpoint()
    assert shown.now == 2
    assert value("scorer_score_rules_version", partition="0") == 1
    assert value("scorer_checkpoint_newest_seconds", partition="0") > 0
    assert value("scorer_score_next_timer_seconds", partition="0") > NOW
    world.tell()
    await world.agent.checkpoint(final=True)
    await world.agent.close()
    gauges = [one for one in vars(metrics).values() if isinstance(one, metrics.Gauge)]
    left = [
        sample.name
        for gauge in gauges
        for family in gauge.collect()
        for sample in family.samples
        if sample.labels == {"partition": "0"}
    ]
    assert left == []


# -- what is said -------------------------------------------------------------------------------------


class Said(msgspec.Struct):
    """An outcome's data, as a reader has it."""

    sequence: int
    cause: str = "none"
    reason: str = "none"
    top: list[dict[str, Any]] = []


class SaidEvent(msgspec.Struct):
    data: Said


def counted(outcomes: list[Outcome]) -> dict[str, dict[tuple[str, ...], float]]:
    """What ``Told`` adds to each metric for these."""
    before = {metric: samples(metric) for metric in COUNTED}
    told = Told()
    told.outcomes(outcomes)
    assert {metric: samples(metric) for metric in COUNTED} == before
    told.tell([])
    told.tell([])
    return {
        metric: {
            labels: count - before[metric].get(labels, 0)
            for labels, count in samples(metric).items()
            if count > before[metric].get(labels, 0)
        }
        for metric in COUNTED
    }


COUNTED = (metrics.SCORE_OUTCOMES, metrics.SCORE_REQUALIFIED, metrics.SCORE_TOP_RULES)


def samples(metric: metrics.Counter) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


def test_outcomes_count_by_what_they_say() -> None:
    outcomes = one_pass(make_log(11, facts=4_000, leads=60)[0]).outcomes
    said = [(one.topic, msgspec.json.decode(one.value, type=SaidEvent).data) for one in outcomes]
    qualified = [data for topic, data in said if topic == QUALIFIED]
    assert len({data.cause for _, data in said}) >= 3  # or the log shows too little
    assert len({data.reason for _, data in said}) >= 2
    by_cause = Counter((topic.removesuffix(".v1"), data.cause, data.reason) for topic, data in said)
    by_rule = Counter((data.top[0]["rule"],) for data in qualified if data.top)
    again = sum(data.sequence > 1 for data in qualified)
    assert 0 < again < len(qualified)
    assert counted(outcomes) == {
        metrics.SCORE_OUTCOMES: by_cause,
        metrics.SCORE_REQUALIFIED: {(): again},
        metrics.SCORE_TOP_RULES: by_rule,
    }


def test_what_is_said_of_accounts_and_the_forgotten_has_no_reason() -> None:
    account = Outcome(ACCOUNT_QUALIFIED, b"example.com", b"", cause="time", number=3)
    gone = Outcome(ERASED, b"lead", b"", number=7)
    assert counted([account, gone, account]) == {
        metrics.SCORE_OUTCOMES: {
            ("account.qualified", "time", "none"): 2,
            ("lead.erased", "none", "none"): 1,
        },
        metrics.SCORE_REQUALIFIED: {},
        metrics.SCORE_TOP_RULES: {},
    }


def test_a_sample_of_views_stands_for_all_of_them() -> None:
    count = Difference("scorer_score_points_count")
    few = Difference("scorer_score_points_bucket", le="10.0")
    more = Difference("scorer_score_points_bucket", le="15.0")
    band = Difference("scorer_score_changed_by_band_total", band="warm-here")
    grade = Difference("scorer_score_changed_by_grade_total", score="fit", grade="A-here")
    data = {"total": 12.5, "band": "warm-here", "stage": "Open", "grades": {"fit": "A-here"}}
    view = msgspec.json.encode({"data": data})
    Told().tell([(b"lead", view)] * 1_003)
    assert count.now == pytest.approx(1_003)
    assert (few.now, more.now) == (0, pytest.approx(1_003))
    assert band.now == pytest.approx(1_003)
    assert grade.now == pytest.approx(1_003)
    Told().tell([])
    Told().tell([(b"gone", None)])
    assert count.now == pytest.approx(1_003)


# -- now and then -------------------------------------------------------------------------------------


async def test_which_door_holds_the_clock_and_which_rules_are_in_force(world: World) -> None:
    whereabouts = Whereabouts()
    machine = world.agent.partitions[0].machine
    whereabouts.tell([machine])
    clock = {"door": "activity.booking.v1", "door_partition": "0"}
    rules = {"version": "1", "fingerprint": machine.rules.fingerprint}
    assert value("scorer_score_door_clock_seconds", **clock) == NOW
    assert value("scorer_score_rules_partitions", **rules) == 1
    whereabouts.tell([])
    assert REGISTRY.get_sample_value("scorer_score_door_clock_seconds", clock) is None
    assert REGISTRY.get_sample_value("scorer_score_rules_partitions", rules) is None


def test_files_of_a_folder_that_may_be_gone(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"123")
    assert bytes_in(tmp_path) == 8
    assert bytes_in(tmp_path / "none") == 0


class Part:
    def __init__(self) -> None:
        self.fetching_seconds = 0.0
        self.spent = {"step": 0.0, "checkpoint": 0.0}


def test_a_second_of_the_loop_is_told_as_a_second() -> None:
    part = Part()
    times = {"wall": 10.0, "used": 2.0}
    loop = LoopTime([part], clock=lambda: times["wall"], processor=lambda: times["used"])
    stages = ("step", "other", "wait", "poll", "checkpoint")
    told = {stage: Difference("scorer_worker_loop_seconds_total", stage=stage) for stage in stages}
    part.spent |= {"step": 0.5, "checkpoint": 0.25}
    part.fetching_seconds = 0.125
    times |= {"wall": 11.0, "used": 2.75}
    loop.tell()
    found = {stage: one.now for stage, one in told.items()}
    assert found == {"step": 0.5, "other": 0.25, "wait": 0.25, "poll": 0.125, "checkpoint": 0.25}
    loop.tell()
    assert {stage: one.now for stage, one in told.items()} == found
