"""What one of each thing costs, as measured. `make bench ARGS=capacity_model_error_ratio` measures again."""

from __future__ import annotations

import msgspec


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time in µs of one core, sizes in bytes; of one, where nothing else is said."""

    measured: str = "2026-11-23, two virtual cores of an Intel Xeon, rules of bench/rules-full.yaml"
    intake: float = 15.0
    """Reading a door's record and appending it to the lead log."""
    score: float = 13.0
    """Reading a fact from the lead log and applying it."""
    write: float = 8.0
    """A changed lead in a checkpoint: its state to the changelog and the local store, and a view."""
    cut: float = 2_000.0
    """A partition's checkpoint, whatever it writes."""
    clock: float = 100.0
    """A clock record: written by an intake worker, read by a score worker."""
    idle: float = 135_000.0
    """A worker, each second, without anything to do."""
    collector: float = 160.0
    """An event in a request of its own, acknowledged by Kafka."""
    collector_batched: float = 15.0
    """An event in a batch of a hundred."""

    door_bytes: float = 330.0
    """A door's record, as Kafka stores it."""
    log_bytes: float = 203.0
    state_bytes: float = 325.0
    """A lead in the changelog but its event ids: 259 after seven events in a month, 66 around it."""
    id_bytes: float = 10.0
    """Each event id of the last 24 hours that it remembers."""
    ids: float = 256.0
    """At most, of a lead."""
    view_bytes: float = 388.0
    """A lead's record in `lead.score.v1`."""
    outcome_bytes: float = 700.0
    cut_bytes: float = 490.0
    clock_bytes: float = 81.0
    """A clock record without its doors."""
    clock_door_bytes: float = 7.4
    """Each door partition in it."""

    disk: float = 1.2
    """Local disk, over the states on it."""
    base_mb: float = 95.0
    """A worker's memory with nothing in it."""
    partition_mb: float = 0.5
    lead_kb: float = 3.5
    """A decoded lead in memory."""
    restored: float = 150_000.0
    """Leads a second, from the changelog to an empty disk."""


MEASURED = Costs()
