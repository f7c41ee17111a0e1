"""``acknowledged_missing``: brokers killed and the network cut under load, again and again.

What the collector has answered with success is counted, and then what is in Kafka: with one broker, and with
three of which each keeps everything.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from scorer.dev.kafka import KafkaCluster
from scorer.domain.model import Model
from tests.bench.figures import report, tell
from tests.bench.road import prepare
from tests.storm.toxiproxy import Network
from tests.support.collecting import CollectorProcess, Load
from tests.support.intake import ids_in

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 8
TIMES = 3
"""Each strike."""
CLIENTS, BATCH = 8, 3
BETWEEN = 2.0
"""Seconds of undisturbed work after each strike, from when the collector is ready again."""
LIFTED = 3.0
"""Seconds until a strike is over: more than three times what the collector lets anybody wait."""


def missing() -> None:
    """Events that were acknowledged, and are not there."""
    report("acknowledged_missing", sum(_missing(brokers) for brokers in (1, 3)), "events")


def _missing(brokers: int) -> int:
    rng = random.Random(SEED)
    with (
        tempfile.TemporaryDirectory() as folder,
        KafkaCluster(brokers, outer=True) as kafka,
        Network(kafka.outer_ports, Path(folder, "toxiproxy.log")) as network,
    ):
        direct, _ = prepare(kafka.bootstrap, Model(name="none", scores=()), "missing")
        # It sees the brokers through a network that can be cut.
        settings = replace(direct, bootstrap=kafka.outer_bootstrap)

        def killed() -> None:
            node = rng.choice(kafka.node_ids)
            kafka.kill(node)
            time.sleep(LIFTED)
            kafka.start_node(node)

        def through(strike: Callable[[], None]) -> Callable[[], None]:
            def struck() -> None:
                strike()
                time.sleep(LIFTED)
                network.mend()

            return struck

        strikes = {
            "broker killed": killed,
            "network swallows everything": through(network.black_hole),
            "network refuses": through(network.refuse),
            "network slow": through(network.slow),
        }
        with CollectorProcess(settings, Path(folder)) as process:
            process.ready()
            load = Load(process.port, CLIENTS, BATCH)
            for name in rng.sample(list(strikes) * TIMES, len(strikes) * TIMES):
                time.sleep(BETWEEN)
                before = len(load.acknowledged)
                strikes[name]()
                process.ready()
                tell(f"{brokers} brokers: {name}; {len(load.acknowledged) - before:,} acknowledged meanwhile")
            time.sleep(BETWEEN)
            load.stop()
            process.stop()
        there = ids_in(direct)
    lost = load.acknowledged - there
    tell(
        f"{brokers} brokers: {len(load.acknowledged):,} acknowledged, {len(lost)} of them missing; answers"
        f" {dict(load.statuses)}, the slowest {load.slowest:.2f} s, {load.lost} requests without any;"
        f" {len(there - load.acknowledged):,} events in Kafka without word of it"
    )
    return len(lost)
