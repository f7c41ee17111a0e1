"""From what comes in to workers, partitions, brokers, disk, memory, network and money."""

from __future__ import annotations

import math
from typing import NamedTuple

from scorer.capacity.costs import MEASURED, Costs
from scorer.capacity.load import DAY_S, MONTH_DAYS, Broker, Load, Prices, Shape
from scorer.capacity.popularity import Group, groups
from scorer.capacity.usage import Rate, Usage, memory_mb, state_bytes, usage

GB, MB = 1e9, 1e6
LEAST_WORKERS, LEAST_BROKERS, LEAST_PARTITIONS = 2, 3, 8
"""One may always be away."""
MOST_WORKERS = 20_000
"""Beyond them nothing fits any more."""


class Cost(NamedTuple):
    """Of a month."""

    workers: float
    collectors: float
    brokers: float
    disk: float
    network: float

    @property
    def all(self) -> float:
        return sum(self)


class Plan(NamedTuple):
    peak_per_s: float
    workers: int
    worker_cores: float
    """All workers together, in the peak."""
    worker_memory_gb: float
    worker_disk_gb: float
    """Each."""
    restore_s: float
    """A worker with an empty disk, until it scores again."""
    collectors: int
    """Processes of one core each."""
    log_partitions: int
    door_partitions: int
    brokers: int
    kept_gb: dict[str, float]
    """By topic or kind of topic; replicas included."""
    appended_mb_s: float
    """In the peak, replicas included."""
    network_gb: float
    """A month."""
    cost: Cost


def plan(
    load: Load,
    shape: Shape | None = None,
    broker: Broker | None = None,
    prices: Prices | None = None,
    costs: Costs = MEASURED,
) -> Plan:
    """Enough for the peak. Raises ``ValueError`` for a load that is none, or for too much of it."""
    if load.events_per_day <= 0:
        raise ValueError(f"{load.events_per_day} events a day")
    shape, broker, prices = shape or Shape(), broker or Broker(), prices or Prices()
    popularity = groups(load.leads, load.exponent)
    workers, partitions, doors, peak = _sized(load, shape, costs, popularity)
    mean = usage(
        Rate(load.mean_per_s, load.events_per_day, workers, partitions, doors, shape.checkpoint),
        popularity,
        costs,
    )
    states = state_bytes(popularity, load.events_per_day, costs)
    kept = _kept(load, shape, costs, mean, states)
    appended = shape.replicas * _appended(peak)
    collectors = 0
    if load.single + load.batched > 0:
        us = load.single * costs.collector + load.batched * costs.collector_batched
        collectors = max(LEAST_WORKERS, math.ceil(load.peak_per_s * us * 1e-6 / shape.used))
    all_partitions = shape.replicas * (partitions * TOPICS_LIKE_THE_LOG + doors)
    brokers = max(
        LEAST_BROKERS,
        math.ceil(appended / MB / broker.written_mb_s),
        math.ceil(sum(kept.values()) / 1e12 / (broker.disk_tb * broker.disk_used)),
        math.ceil(all_partitions / broker.partitions),
    )
    memory = memory_mb(workers, partitions, load.leads, shape.cache_leads, costs) / 1024
    disk = 2 * states * costs.disk / workers / GB  # room for one more to go away, and for RocksDB to tidy up
    # Appended once, replicated, and read once by intake or score; views and outcomes by somebody else.
    network = _appended(mean) * (shape.replicas + 1) * DAY_S * MONTH_DAYS / GB
    money = Cost(
        workers * (max(1.0, peak.cores / shape.used / workers) * prices.core + memory * prices.gb_memory),
        collectors * (prices.core + prices.gb_memory),
        brokers * (broker.cores * prices.core + broker.memory_gb * prices.gb_memory),
        (sum(kept.values()) / GB / broker.disk_used + workers * disk) * prices.gb_disk,
        network * prices.gb_network,
    )
    return Plan(
        load.peak_per_s,
        workers,
        peak.cores,
        memory,
        disk,
        load.leads / workers / costs.restored,
        collectors,
        partitions,
        doors,
        brokers,
        {name: size / GB for name, size in kept.items()},
        appended / MB,
        network,
        money,
    )


TOPICS_LIKE_THE_LOG = 13
"""Topics with as many partitions as the lead log, itself included."""


def _sized(load: Load, shape: Shape, costs: Costs, popularity: list[Group]) -> tuple[int, int, int, Usage]:
    """(workers, log partitions, door partitions, usage in the peak): the fewest that suffice.

    More workers make more clock records, in each partition, so what they take is asked again until it fits.
    """
    workers = LEAST_WORKERS
    while workers <= MOST_WORKERS:
        partitions = max(LEAST_PARTITIONS, _power_of_two(workers * shape.partitions_per_worker))
        doors = shape.door_partitions or partitions
        rate = Rate(load.peak_per_s, load.events_per_day, workers, partitions, doors, shape.checkpoint)
        needed = usage(rate, popularity, costs)
        wanted = max(LEAST_WORKERS, math.ceil(needed.cores / shape.used))
        if wanted <= workers:
            return workers, partitions, doors, needed
        workers = wanted
    raise ValueError(
        f"{load.events_per_day:,.0f} events a day are more than one installation takes: clock records, one of"
        " each worker in each partition and second, would take all that further workers add"
    )


def _power_of_two(number: float) -> int:
    return 1 << math.ceil(math.log2(number))


def _appended(rate: Usage) -> float:
    """Bytes a second, without replicas."""
    return rate.door_bytes + rate.log_bytes + rate.clock_bytes + rate.changelog_bytes + rate.view_bytes


def _kept(load: Load, shape: Shape, costs: Costs, mean: Usage, states: float) -> dict[str, float]:
    """Bytes, replicas included."""
    views = load.leads * costs.view_bytes
    outcomes = load.outcomes * load.events_per_day * costs.outcome_bytes
    held = {
        "doors": mean.door_bytes * DAY_S * shape.door_days,
        "lead log": mean.log_bytes * DAY_S * shape.log_days,
        "clock records": mean.clock_bytes * DAY_S * shape.log_days,
        "changelog": states * shape.garbage + mean.changelog_bytes * DAY_S * shape.compaction_days,
        "views": views * shape.garbage,
        "outcomes": outcomes * shape.outcome_days,
    }
    return {name: size * shape.replicas for name, size in held.items()}
