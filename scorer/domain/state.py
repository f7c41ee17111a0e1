"""What a log partition's records add up to, leads aside: the content of a cut record."""

from __future__ import annotations

import msgspec

from scorer.domain.record import ANNOUNCE_ALL, Door


class Milestone(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A record that concerns every lead: each passes it on its next touch, or when it is swept."""

    number: int
    version: int
    """Rule version that came into force; 0 where an import ended."""
    imported: int
    """Number of the import that ended; 0 where rules changed."""
    clock: int
    """The partition's clock at the record, ms."""
    announce: int = ANNOUNCE_ALL
    """``record.Rules.announce``."""


class PartitionState(msgspec.Struct, array_like=True):
    generation: int = 0
    """Generation of the log."""
    position: int = 0
    """Next log offset."""
    clock: int = 0
    """C: the time (ms) through which every door has been read; 0 until each has said so once."""
    doors_version: int = 0
    doors: list[Door] = []
    clocks: dict[int, int] = {}
    """Door number -> highest time (ms) read."""
    highest: dict[int, int] = {}
    """Door or import number -> highest offset applied."""
    version: int = 0
    """Rule version in force; 0: none yet."""
    milestone: int = 0
    """Number of the newest milestone."""
    milestones: list[Milestone] = []
    """Those that some leads may not have passed."""
    base_version: int = 0
    """Rule version of leads that have passed none of ``milestones``."""
    imports: list[int] = []
    """Open imports."""
    sweep: bytes = b""
    """The owner's cursor through idle leads."""
    skip: list[int] = []
    """Offsets at which our own code failed: passed over, then dead letters."""
    faults: list[int] = []
    """Offsets skipped among the last 10,000 records."""
    failing: int = 0
    """Faults since a record last succeeded."""
    began: int = 0
    """The first value (ms) of the clock; 0 before it."""
    begun: dict[int, tuple[int, int]] = {}
    """Slot of the rules in force -> (the version that brought it, when in ms), where the first rules had not
    got it. For leads that come from older rules, however long ago those were swept here."""


encode_state = msgspec.msgpack.Encoder().encode
decode_state = msgspec.msgpack.Decoder(PartitionState).decode
