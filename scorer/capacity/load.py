"""What comes in, how long it is kept, and how much room there is to be."""

from __future__ import annotations

import msgspec

DAY_S = 86_400.0
MONTH_DAYS = 30.4
EVERYBODY = 5e9
"""People who are online, about: beyond them more events are not more leads."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What comes in."""

    events_per_day: float
    leads: float
    """That have a state: everybody who has ever done anything, and was not erased."""
    peak: float = 3.0
    """Events a second in the busiest minutes, over the day's mean."""
    exponent: float = 0.9
    """Of Zipf's law: 0 is everybody alike."""
    single: float = 0.5
    """The share of the events that come over HTTP, in a request of their own."""
    batched: float = 0.5
    """The share in batches over HTTP. What is left comes through Kafka."""
    outcomes: float = 0.002
    """Of an event, on average."""

    @property
    def mean_per_s(self) -> float:
        return self.events_per_day / DAY_S

    @property
    def peak_per_s(self) -> float:
        return self.mean_per_s * self.peak


def usual_leads(events_per_day: float) -> float:
    """One for five events a day, until that would be everybody."""
    return max(1.0, min(events_per_day / 5, EVERYBODY))


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How it is set up."""

    checkpoint: float = 1.0
    """Seconds between two checkpoints."""
    door_partitions: int = 0
    """Of all doors together; 0: as many as the lead log has."""
    log_days: float = 400.0
    door_days: float = 7.0
    outcome_days: float = 400.0
    compaction_days: float = 1 / 24
    """How long the changelog keeps what has been overtaken, at least."""
    garbage: float = 2.0
    """A compacted topic's size over what it holds: Kafka cleans once half of it is overtaken."""
    replicas: int = 3
    cache_leads: int = 20_000
    """SCORER_CACHE_LEADS."""
    used: float = 0.6
    """The share of a core that a worker has to do with in the peak: the rest is for catching up."""
    partitions_per_worker: int = 4
    """So that the lead log has room for this many times as many workers."""


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """What one broker of Kafka takes."""

    written_mb_s: float = 60.0
    """Appended, replicas included."""
    disk_tb: float = 12.0
    disk_used: float = 0.7
    partitions: int = 4_000
    """Replicas included."""
    cores: float = 8.0
    memory_gb: float = 32.0


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Of a month. Round figures of 2026-11 to compare sizes with, in dollars: put in your own."""

    core: float = 25.0
    gb_memory: float = 3.0
    gb_disk: float = 0.08
    gb_network: float = 0.01
    """Between zones: appended bytes travel to the other replicas, read ones to the workers."""
