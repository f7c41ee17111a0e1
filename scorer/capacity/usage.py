"""What so many workers and partitions take while so many events come in a second: the formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scorer.capacity.popularity import Group, remembered, touched

if TYPE_CHECKING:
    from scorer.capacity.costs import Costs

US = 1e-6


class Rate(NamedTuple):
    """What goes on."""

    events: float
    """A second."""
    known: float
    """Events of the last 24 hours."""
    workers: int
    partitions: int
    """Of the lead log."""
    doors: int
    """Door partitions."""
    checkpoint: float
    """Seconds between two."""


class Usage(NamedTuple):
    """Of one second."""

    cores: float
    """All workers together."""
    door_bytes: float
    log_bytes: float
    clock_bytes: float
    """Of the lead log, for clock records; not in ``log_bytes``."""
    changelog_bytes: float
    view_bytes: float
    writes: float
    """Leads written."""


def usage(rate: Rate, popularity: list[Group], costs: Costs) -> Usage:
    """Of all workers together, at a steady rate without a backlog.

    ``popularity``: of the leads. With a backlog, checkpoints come less often and less is written.
    """
    events = rate.events * rate.checkpoint
    writes = touched(popularity, events) / rate.checkpoint
    ids = remembered(popularity, events, rate.known, costs.ids) / rate.checkpoint
    cuts = rate.partitions / rate.checkpoint
    clocks = rate.workers * rate.partitions
    cores = US * (
        rate.events * (costs.intake + costs.score)
        + writes * costs.write
        + cuts * costs.cut
        + clocks * costs.clock
        + rate.workers * costs.idle
    )
    return Usage(
        cores,
        rate.events * costs.door_bytes,
        rate.events * costs.log_bytes,
        # Each worker's record names the doors that it owns: all of them together, all doors.
        clocks * costs.clock_bytes + rate.partitions * rate.doors * costs.clock_door_bytes,
        writes * costs.state_bytes + ids * costs.id_bytes + cuts * costs.cut_bytes,
        writes * costs.view_bytes,
        writes,
    )


def memory_mb(workers: int, partitions: int, leads: float, cache_leads: int, costs: Costs) -> float:
    """Of one worker, its caches full. ``leads``: of all. ``cache_leads``: twice that of a partition."""
    held = -(-partitions // workers)
    cached = min(2.0 * cache_leads, leads / partitions)
    return costs.base_mb + held * (costs.partition_mb + cached * costs.lead_kb / 1024)


def state_bytes(popularity: list[Group], known: float, costs: Costs) -> float:
    """Of all leads' states together. ``known``: events of the last 24 hours."""
    ids = sum(leads * min(known * share, costs.ids) for leads, share in popularity)
    return sum(leads for leads, _ in popularity) * costs.state_bytes + ids * costs.id_bytes
