"""Our own code fails in a partition of the log: it stops there and says why, and goes on when mended."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from scorer import rules_apply
from scorer.domain.model import encode_model
from scorer.domain.partition import FAULTS_IN_A_ROW
from scorer.settings import Settings
from scorer.wire.dead_letters import Reason
from scorer.wire.registry import LOG
from tests.bench.road import WorkerProcess
from tests.integration.road_running import until
from tests.integration.score_running import (
    all_scored,
    check_equal,
    dead_in,
    make_topics,
    publish,
    scored_positions,
)
from tests.worker.score_faults import bad_facts
from tests.worker.score_world import default_model, make_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

PARTITIONS, POISONED = 3, 1
FEW = FAULTS_IN_A_ROW // 2
SCORE = ("--only", "score")


async def test_a_partition_that_our_code_fails_on_stops_alone_and_loses_nothing(
    kafka: RunningKafka, topic_prefix: str, tmp_path: Path
) -> None:
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)
    broker = make_topics(settings, PARTITIONS)
    rules_apply.apply(broker, encode_model(default_model()))
    log = make_log(51, 1500, 60, PARTITIONS)
    bad = bad_facts(log[POISONED], range(350, 350 + FAULTS_IN_A_ROW + 5))
    places = list(bad.values())
    borders = (0, places[0] - 100, places[FEW - 1] + 1, places[-1] + 1, None)
    beginning, few, many, rest = ([part[a:b] for part in log] for a, b in pairwise(borders))
    first = broker.ranges(LOG)[POISONED].end
    stop = f"{FAULTS_IN_A_ROW} records in a row failed (offset {first + places[FAULTS_IN_A_ROW - 1]})"
    poisoned = ("tests.integration.poisoned_worker", ",".join(bad))

    def poisoned_life() -> WorkerProcess:
        return WorkerProcess(settings, tmp_path, *SCORE, checkpoint=0.2, program=poisoned)

    def faults() -> float:
        return worker.total("scorer_score_faults_total")

    def stopped() -> list[str]:
        found = worker.metrics().get("scorer_score_stopped", {})
        return [number for (number,), is_stopped in found.items() if is_stopped]

    def only_the_others_are_scored() -> bool:
        positions = scored_positions(broker)
        return [n for n, held in broker.ranges(LOG).items() if positions.get(n) != held.end] == [POISONED]

    def check_where_it_stands() -> None:
        assert first + len(beginning[POISONED]) <= scored_positions(broker)[POISONED] <= first + places[0]

    with poisoned_life() as worker:
        publish(broker, beginning)
        await until(lambda: all_scored(broker), "the beginning is scored", worker)
        publish(broker, few)
        await until(lambda: faults() == FEW, "a few records have failed", worker)
        await until(only_the_others_are_scored, "the others are scored", worker)
        assert stopped() == worker.problems() == []
        check_where_it_stands()
        publish(broker, many)
        await until(lambda: stopped() == [str(POISONED)], "the partition stops", worker)
        assert faults() == FAULTS_IN_A_ROW
        assert worker.problems() == [f"partition {POISONED} stopped: {stop}"]
        assert f"partition {POISONED} stopped: {stop}; nothing is lost" in worker.log.read_text()
        publish(broker, rest)
        await until(only_the_others_are_scored, "the others go on", worker)
        assert stopped() == [str(POISONED)]
        worker.stop()
    check_where_it_stands()

    # Started again with the same code it comes to the same end.
    with poisoned_life() as worker:
        await until(lambda: stopped() == [str(POISONED)], "the partition stops again", worker)
        assert worker.problems() == [f"partition {POISONED} stopped: {stop}"]
        worker.stop()
    check_where_it_stands()
    assert Reason.ENGINE_ERROR not in {reason for _, _, reason, _, _ in dead_in(broker)}

    with WorkerProcess(settings, tmp_path, *SCORE, checkpoint=0.2) as mended:
        await until(lambda: all_scored(broker), "all is scored", mended)
        assert mended.problems() == []
        assert sum(mended.metrics()["scorer_score_stopped"].values()) == 0
        mended.stop()
    check_equal(broker)
