"""Replay under rules that are not the log's: a merge record waits for the lead that is merged.

The state in the record belongs to the rules that were in force then. The replay has its own, once it has
read the other partition up to the record that sent it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.domain.record import Merge, decode_record, is_linking
from scorer.log_lines import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scorer.domain.joining import Sent

Ready = tuple[int, list[Recorded], list[int]]
"""Partition, records, and offsets among them to pass over."""
_Hop = tuple[int, int]


class Waiting:
    def __init__(self) -> None:
        self._records: dict[int, list[Recorded]] = {}
        self._skip: dict[int, set[int]] = {}
        self._merges: dict[_Hop, bytes] = {}
        """Where it comes from -> the merge record as it is under these rules."""

    def add(self, partition: int, records: Iterable[Recorded], skip: Iterable[int]) -> None:
        """Records that come next in a partition."""
        self._records.setdefault(partition, []).extend(records)
        self._skip.setdefault(partition, set()).update(skip)

    def take(self, sends: Iterable[Sent]) -> None:
        """What a partition has sent to the log."""
        for _, value in sends:
            if is_linking(value):
                record = decode_record(value)
                if isinstance(record, Merge):
                    self._merges[record.door, record.offset] = value

    def ready(self) -> list[Ready]:
        """What can be applied now, partition by partition; nothing when all is, or the rest has to wait."""
        found: list[Ready] = []
        for partition, records in self._records.items():
            count, changed = self._applicable(records)
            if count:
                ready = [changed.get(place, record) for place, record in enumerate(records[:count])]
                del records[:count]
                offsets = {record.offset for record in ready}
                found.append((partition, ready, sorted(self._skip[partition] & offsets)))
        return found

    def held(self) -> list[tuple[int, int]]:
        """(partition, offset) of the merge records whose leads have not come."""
        return [(partition, records[0].offset) for partition, records in self._records.items() if records]

    def _applicable(self, records: Sequence[Recorded]) -> tuple[int, dict[int, Recorded]]:
        """(how many, place -> record in the place of the log's)."""
        changed: dict[int, Recorded] = {}
        for place, recorded in enumerate(records):
            if is_linking(recorded.value):
                record = decode_record(recorded.value or b"")
                if isinstance(record, Merge):
                    own = self._merges.get((record.door, record.offset))
                    if own is None:
                        return place, changed
                    changed[place] = Recorded(recorded.offset, recorded.key, own)
        return len(records), changed
