"""What the score side asks of Kafka and of the disk, as small as it can be.

Checkpoint, takeover and restore are written against these and nothing else, so that the same code
runs on the real ones (``score_kafka``, ``rocks``) and in a simulation in one process with virtual time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from scorer.domain.partition import Message

Header = tuple[str, bytes]
Headers = Sequence[tuple[str, bytes | None]]
Outgoing = tuple[bytes | None, bytes | None]
"""Key, value and headers of a record to send."""
Result = TypeVar("Result")


class Incoming(Message, Protocol):
    """A record read back; aiokafka's ``ConsumerRecord`` fits."""

    @property
    def headers(self) -> Sequence[Header]: ...
    @property
    def timestamp(self) -> int:
        """ms, by the broker."""


class Acknowledged(Protocol):
    """A run of records that reached the topic partition: so many of them from offset ``base`` on."""

    @property
    def base(self) -> int: ...
    @property
    def records(self) -> int: ...


class Lane(Protocol):
    """One topic partition to append to, in order; ``batches.Lane`` fits."""

    def append(self, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> None: ...

    def extend(self, records: Sequence[Outgoing], headers: Headers | None = None) -> None:
        """``append`` for many records that share their headers."""

    def push(self) -> None:
        """Starts sending; returns at once."""

    async def flush(self) -> None:
        """Returns when all in-sync replicas have everything appended before; raises otherwise."""

    async def send(
        self, records: Sequence[Outgoing], headers: Headers | None = None
    ) -> Sequence[Acknowledged]:
        """Append, wait like ``flush``; returns where these records went, in order."""
        ...


Bounds = tuple[int, int]
"""First offset of a partition, and the one after its last."""


class Kafka(Protocol):
    """Topics go by their registry names; the adapter puts the deployment's prefix in front."""

    def lane(self, topic: str, partition: int) -> Lane: ...

    async def bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, Bounds]: ...

    def read(
        self, topic: str, ranges: Mapping[int, Bounds]
    ) -> AsyncIterator[tuple[int, Sequence[Incoming], int]]:
        """(partition, records, next offset), until the end of each partition's range is reached.

        Offsets may be missing: the last item of a partition can be without records.
        """
        ...

    async def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        """The group's commits on the lead log, of those partitions that have one."""
        ...

    async def commit(self, positions: Mapping[int, int]) -> bool:
        """Commit positions on the lead log; False when the group has moved on without us."""
        ...

    async def identity(self, topic: str) -> bytes:
        """Kafka's id of this life of the topic; empty where the broker does not say."""
        ...


class Batch(Protocol):
    """Writes that the local store takes all at once or not at all."""

    def put(self, key: bytes, value: bytes, /) -> None: ...
    def delete(self, key: bytes, /) -> None: ...


class KeyValue(Protocol):
    """An ordered key-value store on local disk."""

    def get(self, key: bytes, /) -> bytes | None: ...
    def batch(self) -> Batch: ...

    def write(self, batch: Batch, *, log: bool = True) -> None:
        """Apply a batch. Without ``log`` it outlives a crash only once ``flush`` has returned."""

    def flush(self) -> None: ...

    def bulk(self, *, on: bool) -> None:
        """From on to off many writes without ``log`` come and hardly a read; off does what ``flush`` does.

        A crash or ``close`` in between leaves a prefix of what was written.
        """

    def keys(self, start: bytes) -> Iterator[bytes]: ...
    def items(self, start: bytes) -> Iterator[tuple[bytes, bytes]]: ...

    def wipe(self) -> None:
        """Forget everything."""

    def close(self) -> None: ...


class Offload(Protocol):
    """Runs blocking work off the event loop; a simulation runs it in place."""

    def __call__(self, work: Callable[[], Result], /) -> Awaitable[Result]: ...
