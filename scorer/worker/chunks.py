"""What passes between the transport and the owner behind an app: chunks, positions, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiokafka.structs import ConsumerRecord
    from faust.types import TP


class Chunk(NamedTuple):
    """Consecutive records of one partition: all that exist from offset ``start`` to before ``end``."""

    tp: TP
    start: int
    end: int
    """Where the next chunk starts. May lie beyond the last record: transactions leave markers."""
    records: Sequence[ConsumerRecord]
    assignment: int
    """Number of the assignment it was fetched under; the agent drops what is left of older ones."""


class ChunkOwner(Protocol):
    """What stands behind an app: it says where to read, applies chunks and makes them durable.

    Everything runs on the app's event loop. An exception from any of these ends the process.
    """

    async def assigned(self, assignment: set[TP]) -> None:
        """The group has given us these partitions, perhaps the same as before: restore, find positions.

        Heartbeats go on meanwhile. When ``app.consumer_generation_id`` changes, another call follows:
        this one may return early.
        """

    def start_positions(self, assignment: Iterable[TP]) -> Mapping[TP, int]:
        """Where to start. A partition left out is not read until ``app.read_from`` names it."""

    def apply(self, chunk: Chunk) -> None:
        """Takes in a chunk: plain synchronous code. Not called from a final checkpoint to ``assigned``."""

    async def drained(self) -> None:
        """Awaited before each fetch, when all chunks delivered before have been applied: back-pressure."""

    async def checkpoint(self, *, final: bool = False) -> bool:
        """Makes durable what was applied; called every ``settings.checkpoint_interval`` seconds.

        ``final``: partitions are being revoked or the app stops; called once, after a complete
        ``assigned``, perhaps while another call is under way. Returns whether there was anything to do.
        """


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """How an app reads its topics."""

    group: str
    """Kafka's consumer group, prefix included; the Faust app's id as well."""
    accept_holes: bool
    """Offsets that don't exist are publishers' transactions (True) or a loss that must stop us (False)."""
    sticky: bool = False
    """Faust's assignor, which keeps partitions where they are but wants topics of equal partition counts."""
    isolation_level: str = "read_committed"
    fetch_max_wait_ms: int = 15
    fetch_min_bytes: int = 1 << 16
    """The broker answers with fewer only when ``fetch_max_wait_ms`` have passed. An answer with 5 records
    costs the same as one with 500, so that without a backlog this decides what a worker costs."""
    max_chunk_records: int = 2000
    """Over all partitions of one fetch."""
    max_partition_bytes: int = 1 << 20
    metadata_max_age_ms: int = 5000
    """How soon new partitions are noticed."""
    small_fetch: int = 500
    """Records; after a fetch with at least so many the next one is made ready while these are applied."""


class Fetched(NamedTuple):
    """What the consumer's thread handed out for one partition in one fetch."""

    tp: TP
    start: int
    end: int
    records: list[ConsumerRecord]
