"""A lead's state: everything that its past means for its score, and nothing else."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from scorer.domain.links import Links, StoredLinks, stored_links

OPEN: Final = 0
QUALIFIED: Final = 1
DISQUALIFIED: Final = 2
RESTING: Final = 3
SPENT: Final = 4
"""Values of ``Lead.status``: what a lead waits for. OPEN: to become ready; QUALIFIED: to fall below the exit
and be dropped; SPENT: to fall below the exit and be OPEN again, unannounced; the others: nothing."""

SEEN_ENTRY: Final = 12
"""Bytes of one entry of ``Lead.seen``."""

Slot = Any
"""A 32-bit name given by ``rules.slot``: an int, and not declared as one on purpose. Compiled, a declared
int is kept bare and made into an object anew for every look-up in a dictionary."""

Attribute = tuple[int, Any]
"""(event time, value); value None: removed."""

Click = tuple[bytes, bytes, int, dict[str, Any] | None]
"""(hash of the mail, hash of the link, event time, the properties of a click held back)."""


Sealed = tuple[int, bytes]
"""(event time, the field's sealed bytes, which name their key themselves)."""

Company = tuple[int, str, int, str]
"""(event time, account id that a publisher has given or empty, event time, domain of an address or empty)."""

Reported = tuple[int, str, float, int]
"""(version, account or empty, points, the lead's clock then)."""

FORMAT: Final = 1
"""First of what is stored of a lead, so that a later version can tell."""


class NewerFormat(Exception):  # noqa: N818 - a state of the deployment, not a mistake in a call
    """A state was stored by a later version of this software."""


class Lead:
    """Times are ms since 1970. Slots are 32-bit names given by ``rules.slot``; rule changes keep them.

    An ordinary class, not a struct: compiled, its fields are reached some ten times faster.
    """

    __slots__ = (
        "attributes",
        "clicks",
        "clock",
        "company",
        "crossing",
        "days",
        "delivered",
        "disqualified_by",
        "fence",
        "generation",
        "holds",
        "judged",
        "landmark",
        "limits",
        "links",
        "machines",
        "masses",
        "milestone",
        "newest",
        "quiet_until",
        "ready_since",
        "reported",
        "sealed",
        "seen",
        "seq",
        "shadow",
        "since",
        "specials",
        "stage",
        "starts",
        "status",
        "sums",
        "told",
        "touched",
        "wake",
    )

    def __init__(  # noqa: PLR0915 - so many fields
        self,
        fence: int,
        generation: int,
        milestone: int,
        seq: int,
        status: int,
        clock: int,
        judged: int,
        since: int,
        landmark: int,
        wake: int,
        crossing: int,
        touched: int,
        disqualified_by: int,
        sums: list[float],
        masses: dict[int, float],
        days: dict[int, dict[int, float]] | None,
        specials: tuple[int, ...],
        newest: dict[int, list[int]],
        starts: dict[int, int] | None,
        limits: dict[int, bytes],
        holds: tuple[int, ...],
        attributes: dict[str, Attribute],
        seen: bytes,
        stage: int,
        told: int,
        ready_since: int,
        quiet_until: int,
        machines: int,
        delivered: dict[bytes, int] | None,
        clicks: list[Click] | None,
        links: Links | None,
        sealed: dict[str, Sealed] | None,
        company: Company | None,
        reported: Reported | None,
        shadow: Shadow | None = None,
    ) -> None:
        self.fence = fence
        """Highest log offset applied; a record at or below it is skipped. -1: none yet."""
        self.generation = generation
        """Generation of the log that ``fence`` belongs to."""
        self.milestone = milestone
        """The last of the partition's milestones (rules changed, import ended) that the lead has passed."""
        self.seq = seq
        """Outcomes emitted so far."""
        self.status = status
        self.clock = clock
        """The lead's own clock: points are read here; 0: there has been no fact."""
        self.judged = judged
        """The instant at which time-dependent conditions were last judged."""
        self.since = since
        """Start of absence windows for which there is no activity yet; 0: there has been no fact."""
        self.landmark = landmark
        """Origin of the decayed masses."""
        self.wake = wake
        """No timer of this lead is due before this; 0: none is due ever."""
        self.crossing = crossing
        """Time alone takes the total beyond no threshold before this; 0: it never does."""
        self.touched = touched
        """Number of the open import that changed the lead since it was last evaluated; 0: none."""
        self.disqualified_by = disqualified_by
        """Slot of the rule that disqualified the lead."""
        self.sums = sums
        """Points times mass at the landmark, for each (score, half-life) of the rules: ``RuleSet.group``."""
        self.masses = masses
        """Award slot -> grants, decayed to the landmark."""
        self.days = days
        """Slot of a linearly decaying award -> day -> grants. None where there is none."""
        self.specials = specials
        """Awards granted to this lead whose value is not part of ``sums``: capped or linearly decaying."""
        self.newest = newest
        """Watch slot -> newest event times of matching activities, oldest first."""
        self.starts = starts
        """Watch slot -> when a rule change began to watch, where that is later than ``since``."""
        self.limits = limits
        """Award slot -> what limits its grants: objects, periods, or the mark of a first grant."""
        self.holds = holds
        """Slots of the segments, standing points and disqualifications that hold."""
        self.attributes = attributes
        """Name -> (event time, value); value None: removed."""
        self.seen = seen
        """Event ids of the last 24 h: 8-byte digest and 4-byte time (s, big-endian), oldest first."""
        self.stage = stage
        """Index into ``lifecycle.STAGES``."""
        self.told = told
        """The stage that was last told, where it is another than ``stage`` because an import has moved the
        lead: that will be told. Below zero: ``~told`` was last told, and what has changed since is not: new
        rules brought it about, and were not to announce it."""
        self.ready_since = ready_since
        """Since when an OPEN lead has been ready, where it has to be so for a while; 0: it is not."""
        self.quiet_until = quiet_until
        """Before this instant the lead does not qualify again; 0: it may at any time."""
        self.machines = machines
        """Opens and clicks that were a machine's."""
        self.delivered = delivered
        """Mail (hash) -> when it was delivered, the newest last. None where nobody asks."""
        self.clicks = clicks
        """The newest clicks as they arrived, those held back among them. None where nobody asks."""
        self.links = links
        """What the lead knows of others that are the same person; None: of none."""
        self.sealed = sealed
        """Identifying fields: name -> what only those who have the key can read. None where none are kept."""
        self.company = company
        """Where the lead belongs, by what its records said; None: they have said nothing."""
        self.reported = reported
        """What the lead last counted in an account; None: it has never counted in one."""
        self.shadow = shadow
        """What it would be under the rules that are tried beside those in force; None: there are none."""

    @property
    def due(self) -> int:
        """No timer is due before this, of the shadow neither; 0: none is due ever."""
        shadow = self.shadow
        if shadow is None:
            return self.wake
        wake, other = self.wake, shadow.lead.wake
        return other if not wake or 0 < other < wake else wake

    def watched_since(self, slot: Slot) -> int:
        """When watching began, by the slot of a watch."""
        starts = self.starts
        return self.since if starts is None else starts.get(slot, self.since)


class Shadow:
    """A lead as it would be under the shadow's rules, and what would have been told of it; ``shadowing``."""

    __slots__ = (
        "disqualified",
        "failed",
        "first",
        "lead",
        "live_disqualified",
        "live_first",
        "live_qualified",
        "qualified",
        "rules",
    )

    def __init__(
        self,
        rules: str,
        lead: Lead,
        failed: bool = False,  # noqa: FBT001, FBT002 - a stored field, as all of them are
        qualified: int = 0,
        disqualified: int = 0,
        first: int = 0,
        live_qualified: int = 0,
        live_disqualified: int = 0,
        live_first: int = 0,
    ) -> None:
        self.rules = rules
        """Fingerprint of the shadow's rules."""
        self.lead = lead
        """What only a lead that is told has (ids seen, links, fence) is not kept here; attributes are the
        same as the live lead's."""
        self.failed = failed
        """Our own code has failed under these rules: ``lead`` means nothing any more."""
        self.qualified = qualified
        """Outcomes that would have been told since the shadow began: qualified,"""
        self.disqualified = disqualified
        """disqualified,"""
        self.first = first
        """and when the lead would first have been told to be qualified, ms; 0: never."""
        self.live_qualified = live_qualified
        self.live_disqualified = live_disqualified
        self.live_first = live_first
        """What was told meanwhile."""


def new_lead(generation: int = 0, milestone: int = 0) -> Lead:
    """A lead of which nothing is known yet."""
    # fmt: off
    return Lead(
        -1, generation, milestone, 0, OPEN, 0, 0, 0, 0, 0, 0, 0, 0,
        [], {}, None, (), {}, None, {}, (), {}, b"", 0, 0, 0, 0, 0, None, None, None,
        None, None, None,
    )
    # fmt: on


_Stored = tuple[
    Literal[1],  # FORMAT
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    list[float],
    dict[int, float],
    dict[int, dict[int, float]] | None,
    tuple[int, ...],
    dict[int, list[int]],
    dict[int, int] | None,
    dict[int, bytes],
    tuple[int, ...],
    dict[str, Attribute],
    bytes,
    int,
    int,
    int,
    int,
    int,
    dict[bytes, int] | None,
    list[Click] | None,
    StoredLinks | None,
    dict[str, Sealed] | None,
    Company | None,
    Reported | None,
    tuple[bytes, str, bool, int, int, int, int, int, int] | None,
]
_LINKS: Final = -5
"""Where the links stand in it."""
_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(_Stored).decode


def encode_lead(lead: Lead) -> bytes:
    """msgpack: an array of ``FORMAT`` and the fields in the order of ``Lead``'s arguments."""
    return _encode(stored(lead))


def _stored_shadow(shadow: Shadow | None) -> tuple[Any, ...] | None:
    if shadow is None:
        return None
    # fmt: off
    return (
        _encode(_stored(shadow.lead, {})), shadow.rules, shadow.failed,
        shadow.qualified, shadow.disqualified, shadow.first,
        shadow.live_qualified, shadow.live_disqualified, shadow.live_first,
    )
    # fmt: on


def decode_lead(encoded: bytes | memoryview) -> Lead:
    """The inverse of ``encode_lead``.

    Raises ``NewerFormat``, and ``msgspec.MsgspecError`` on anything else that is none.
    """
    try:
        fields = _decode(encoded)
    except msgspec.ValidationError as error:
        raise newer(encoded, FORMAT) or error from None
    links, shadow = fields[_LINKS], fields[-1]
    arguments: Any = fields[1:-1]
    if links is not None:
        arguments = (*fields[1:_LINKS], Links(*links), *fields[_LINKS + 1 : -1])
    lead = Lead(*arguments)
    if shadow is not None:
        beside = decode_lead(shadow[0])
        beside.attributes = dict(lead.attributes)
        lead.shadow = Shadow(shadow[1], beside, *shadow[2:])
    return lead


def copy_of(lead: Lead) -> Lead:
    """A lead that may be changed without changing this one."""
    return decode_lead(encode_lead(lead))


def newer(encoded: bytes | memoryview, known: int) -> NewerFormat | None:
    """What is the matter with a state that can't be decoded, if a later version has stored it."""
    stands = msgspec.msgpack.decode(encoded)
    if isinstance(stands, list) and stands and isinstance(stands[0], int) and stands[0] > known:
        return NewerFormat(f"format {stands[0]}; this version knows {known}")
    return None


def stored(lead: Lead) -> tuple[Any, ...]:
    """What is stored of a lead; two leads in the same state give equal tuples."""
    return _stored(lead, lead.attributes)


def _stored(lead: Lead, attributes: dict[str, Attribute]) -> tuple[Any, ...]:
    return (
        FORMAT,
        lead.fence,
        lead.generation,
        lead.milestone,
        lead.seq,
        lead.status,
        lead.clock,
        lead.judged,
        lead.since,
        lead.landmark,
        lead.wake,
        lead.crossing,
        lead.touched,
        lead.disqualified_by,
        lead.sums,
        lead.masses,
        lead.days,
        lead.specials,
        lead.newest,
        lead.starts,
        lead.limits,
        lead.holds,
        attributes,
        lead.seen,
        lead.stage,
        lead.told,
        lead.ready_since,
        lead.quiet_until,
        lead.machines,
        lead.delivered,
        lead.clicks,
        stored_links(lead.links),
        lead.sealed,
        lead.company,
        lead.reported,
        _stored_shadow(lead.shadow),
    )
