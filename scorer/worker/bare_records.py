"""aiokafka's consumers hand out the records that its decoder makes, as they are.

aiokafka copies each record into a frozen dataclass of eleven fields, which costs more than decoding and
checking it: a tenth of the worker's time. The decoder's own records have all that ``Incoming`` asks for.
Importing this module changes every aiokafka consumer of the process; the version of aiokafka is locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.consumer import fetcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka import TopicPartition


class BareRecords(fetcher.PartitionRecords):
    """The records of one partition in one answer of the broker."""

    def __iter__(self) -> Iterator[Any]:
        # Not self, whose __next__ only passes on what this one yields.
        records: Iterator[Any] = self._records_iterator
        return records

    def _consumer_record(self, tp: TopicPartition, record: Any) -> Any:  # noqa: ARG002 - aiokafka's signature
        return record


if not hasattr(fetcher.PartitionRecords, "_consumer_record"):
    raise ImportError("this aiokafka makes its records elsewhere: mend scorer.worker.bare_records")
fetcher.PartitionRecords = BareRecords
