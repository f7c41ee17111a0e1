"""The score table as others see it: a read-only mapping from lead id to lead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from scorer.domain.lead import Lead
from scorer.wire.partitioner import partition_of
from scorer.worker.score_partition import ScorePartition


class LeadTable(Mapping[str, Lead]):
    """The leads of the partitions that this worker owns now, as they stand after the last chunk.

    A lead that it returns is a copy. A lead of another worker's partition is a ``KeyError`` like one
    that does not exist; ``owns`` tells them apart. Iteration walks the local store, so it shows leads
    as of the last checkpoint, and ``len`` counts them one by one.
    """

    def __init__(
        self, partitions: Callable[[], Mapping[int, ScorePartition]], count: Callable[[], int]
    ) -> None:
        """``count``: of the lead log's partitions."""
        self._partitions = partitions
        self._count = count

    def __getitem__(self, lead_id: str) -> Lead:
        key = lead_id.encode()
        partition = self._partitions().get(self._number(lead_id))
        lead = None if partition is None else partition.get(key)
        if lead is None:
            raise KeyError(lead_id)
        return lead

    def __iter__(self) -> Iterator[str]:
        for partition in self._partitions().values():
            for key, _ in partition.store.leads():
                yield key.decode()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def owns(self, lead_id: str) -> bool:
        """Whether the lead, if it exists, is this worker's."""
        return self._number(lead_id) in self._partitions()

    def _number(self, lead_id: str) -> int:
        return partition_of(lead_id.encode(), self._count())
