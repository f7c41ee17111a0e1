"""A lead's state: everything that its past means for its score, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec

OPEN, QUALIFIED, DISQUALIFIED = 0, 1, 2
"""Values of ``Lead.status``."""

SEEN_ENTRY = 12
"""Bytes of one entry of ``Lead.seen``."""


class Lead(msgspec.Struct, array_like=True, gc=False):
    """Times are ms since 1970. Slots are 32-bit names given by ``rules.slot``; rule changes keep them."""

    fence: int = -1
    """Highest log offset applied; a record at or below it is skipped. -1: a lead just created."""
    generation: int = 0
    """Generation of the log that ``fence`` belongs to."""
    milestone: int = 0
    """The last of the partition's milestones (rules changed, import ended) that the lead has passed."""
    seq: int = 0
    """Outcomes emitted so far."""
    status: int = OPEN
    clock: int = 0
    """The lead's own clock: points are read here."""
    judged: int = 0
    """The instant at which time-dependent conditions were last judged."""
    since: int = 0
    """Start of absence windows for which there is no activity yet."""
    landmark: int = 0
    """Origin of the decayed masses."""
    wake: int = 0
    """No timer of this lead is due before this; 0: none is due ever."""
    crossing: int = 0
    """Time alone takes the total beyond no threshold before this; 0: it never does."""
    touched: int = 0
    """Number of the open import that changed the lead since it was last evaluated; 0: none."""
    disqualified_by: int = 0
    """Slot of the rule that disqualified the lead."""
    sums: list[float] = []
    """Points times mass at the landmark, for each (score, half-life) of the rules: ``RuleSet.group``."""
    masses: dict[int, float] = {}
    """Award slot -> grants, decayed to the landmark."""
    days: dict[int, dict[int, float]] = {}
    """Slot of a linearly decaying award -> day -> grants."""
    specials: list[int] = []
    """Awards granted to this lead whose value is not part of ``sums``: capped or linearly decaying."""
    newest: dict[int, list[int]] = {}
    """Watch slot -> newest event times of matching activities, oldest first."""
    starts: dict[int, int] = {}
    """Watch slot -> when a rule change began to watch, where that is later than ``since``."""
    limits: dict[int, bytes] = {}
    """Award slot -> what limits its grants: objects, periods, or the mark of a first grant."""
    holds: set[int] = set()
    """Slots of the segments, standing points and disqualifications that hold."""
    attributes: dict[str, tuple[int, Any]] = {}
    """Name -> (event time, value); value None: removed."""
    seen: bytes = b""
    """Event ids of the last 24 h: 8-byte digest and 4-byte time (s, big-endian), oldest first."""


encode_lead = msgspec.msgpack.Encoder().encode
decode_lead = msgspec.msgpack.Decoder(Lead).decode
