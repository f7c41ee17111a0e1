"""Replay under rules that are not the log's: a merge record waits for the lead that is merged.

The state in the record belongs to the rules that were in force then. The replay has its own, once it has
read the other partition up to the record that sent it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from scorer.domain.clock import pack
from scorer.domain.encoded import is_linking, is_member
from scorer.domain.partition import NO_RECORD
from scorer.domain.record import (
    HOPS,
    NO_DOOR,
    SENT_EACH,
    Clock,
    Merge,
    decode_record,
    encode_record,
)
from scorer.log_lines import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scorer.domain.joining import Sent

Ready = tuple[int, list[Recorded], list[int]]
"""Partition, records, and offsets among them to pass over."""
_Hop = tuple[int, int]
_PARTITIONS: Final = 0xFFFF
"""Where a hop's number has the partition's."""
NOTHING: Final = encode_record(Clock(pack({})))
"""A record that changes nothing."""


class Waiting:
    def __init__(self) -> None:
        self._records: dict[int, list[Recorded]] = {}
        self._skip: dict[int, set[int]] = {}
        self._merges: dict[_Hop, bytes] = {}
        """Where it comes from -> the merge record as it is under these rules."""
        self._unmet: dict[_Hop, bytes] = {}
        """Those of them that the log has not come to yet -> the lead that is merged."""
        self._states: dict[bytes, Merge] = {}
        """Lead -> its merge record under these rules."""
        self._applied: dict[int, int] = {}
        """Partition -> the last offset that has been applied."""

    def add(self, partition: int, records: Iterable[Recorded], skip: Iterable[int]) -> None:
        """Records that come next in a partition."""
        self._records.setdefault(partition, []).extend(records)
        self._skip.setdefault(partition, set()).update(skip)

    def take(self, partition: int, offset: int, sends: Iterable[Sent]) -> None:
        """What a partition has sent to the log up to and with the record at an offset."""
        self._applied[partition] = offset
        for _, value in sends:
            if is_linking(value):
                record = decode_record(value)
                if isinstance(record, Merge):
                    self._merges[record.door, record.offset] = value
                    self._unmet[record.door, record.offset] = record.lead
                    self._states[record.lead] = record

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

    @property
    def unmet(self) -> set[bytes]:
        """Leads that have been sent to another, where the log does not say yet that they have arrived."""
        return set(self._unmet.values())

    def _applicable(self, records: Sequence[Recorded]) -> tuple[int, dict[int, Recorded]]:
        """(how many, place -> record in the place of the log's)."""
        changed: dict[int, Recorded] = {}
        for place, recorded in enumerate(records):
            if is_member(recorded.value):
                # What a lead counts in its account is said by the log's rules.
                changed[place] = Recorded(recorded.offset, None, NOTHING)
            elif is_linking(recorded.value):
                try:
                    record = decode_record(recorded.value or b"")
                except NO_RECORD:
                    continue  # a dead letter
                if isinstance(record, Merge):
                    own = self._own(record)
                    if own is None:
                        return place, changed
                    changed[place] = Recorded(recorded.offset, recorded.key, own)
        return len(records), changed

    def _own(self, record: Merge) -> bytes | None:
        """What stands in a merge record's place; None: it is still to come."""
        hop = record.door, record.offset
        own = self._merges.get(hop)
        if own is not None:
            self._unmet.pop(hop, None)
            return own
        if record.door == NO_DOOR:  # once more from the dead letters
            state = self._states.get(record.lead)
            return NOTHING if state is None else encode_record(replace(state, door=NO_DOOR, offset=-1))
        source, offset = (record.door - HOPS) & _PARTITIONS, record.offset // SENT_EACH
        # Under these rules the lead had been let in before, and has come with the one it is part of.
        return NOTHING if self._applied.get(source, -1) >= offset else None
