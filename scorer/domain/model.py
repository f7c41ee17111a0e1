"""The compiled rule file as data: what the rule file says, names resolved and units made plain.

A ``Model`` travels through the log (``record.Rules``) and is turned into indexed rules by
``rules.build``. Points and thresholds are numbers, durations integer milliseconds.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

Scalar = str | int | float | bool

Operator = Literal[
    "equals",  # value: list of scalars, any of which matches
    "contains",  # value: list of texts, any of which is part of the text (or an element of the list)
    "prefix",  # value: list of texts, any of which the text starts with
    "matches",  # value: [regular expression], searched for anywhere
    "at_least",  # value: [number]
    "at_most",
    "above",
    "below",
    "exists",  # value: []
    "missing",
]


class _Node(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    pass


# -- conditions ---------------------------------------------------------------------------------
# Text is compared without regard to case. A comparison with a field that is missing, or of another
# type, is false ("missing" aside).


class Compare(_Node, frozen=True, tag="compare"):
    """One field against values: a property inside a ``Matcher``, an attribute elsewhere."""

    field: str
    op: Operator
    value: tuple[Scalar, ...] = ()


class All(_Node, frozen=True, tag="all"):
    items: tuple[Condition, ...]


class Any(_Node, frozen=True, tag="any"):
    items: tuple[Condition, ...]


class Not(_Node, frozen=True, tag="not"):
    """True when none of the items is."""

    items: tuple[Condition, ...]


class Matcher(_Node, frozen=True):
    """Activities of some types whose properties satisfy a condition (of Compare/All/Any/Not only)."""

    types: tuple[str, ...]
    where: Condition | None = None


class Recent(_Node, frozen=True, tag="recent"):
    """At least ``count`` matching activities within the last ``window`` ms. Lead conditions only."""

    matcher: Matcher
    window: int
    count: int = 1


class Absent(_Node, frozen=True, tag="absent"):
    """No matching activity for ``window`` ms. Lead conditions only.

    The window starts at the newest matching activity, but not before the lead's first record:
    nobody is inactive on arrival.
    """

    matcher: Matcher
    window: int


class NotSince(_Node, frozen=True, tag="not_since"):
    """``since`` happened, ``wait`` ms ago or longer, and no matching activity after it. Lead conditions only.

    Only the newest of each counts; what happened at the same instant did not happen after it.
    """

    matcher: Matcher
    since: Matcher
    wait: int = 0


class Dated(_Node, frozen=True, tag="dated"):
    """An attribute that is a date, relative to now. Lead conditions only.

    True while ``low <= date - now < high`` (ms; None: no bound). A date without a time is its first instant
    in the model's time zone.
    """

    field: str
    low: int | None = None
    high: int | None = None


class InSegment(_Node, frozen=True, tag="segment"):
    """The lead is in the named segment. Lead conditions only."""

    name: str


Condition = Compare | All | Any | Not | Recent | Absent | NotSince | Dated | InSegment


# -- awards -------------------------------------------------------------------------------------


class Fixed(_Node, frozen=True, tag="fixed"):
    points: float


class FirstLater(_Node, frozen=True, tag="first_later"):
    """One value for the lead's first grant (in log order), another for every later one."""

    first: float
    later: float


class Table(_Node, frozen=True, tag="table"):
    """By the value of a property; ``otherwise`` None grants nothing."""

    field: str
    rows: tuple[tuple[Scalar, float], ...]
    otherwise: float | None = None


class PerUnit(_Node, frozen=True, tag="per_unit"):
    """``points`` for each unit of a numeric property; other values grant nothing."""

    field: str
    points: float


Points = Fixed | FirstLater | Table | PerUnit


class Once(_Node, frozen=True, tag="once"):
    """One grant in a lead's life."""


class OncePerObject(_Node, frozen=True, tag="once_per_object"):
    """One grant for each value of a property; records without it are granted nothing.

    ``renamed_from``: a property with the object's former value. Both are one object.
    """

    field: str
    renamed_from: str | None = None


class PerPeriod(_Node, frozen=True, tag="per_period"):
    """``times`` grants in each calendar period of the model's time zone."""

    period: Literal["day", "week", "month", "quarter"]
    times: int = 1


class PointsPerPeriod(_Node, frozen=True, tag="points_per_period"):
    """Grants worth ``points`` in each calendar period, by the points in force when they are made.

    The grant that would exceed them counts in part.
    """

    period: Literal["day", "week", "month", "quarter"]
    points: float


Limit = Once | OncePerObject | PerPeriod | PointsPerPeriod


class HalfLife(_Node, frozen=True, tag="half_life"):
    ms: int


class LinearDecay(_Node, frozen=True, tag="linear"):
    """Each award loses ``share`` (0..1) of its points per ``days`` midnights, down to nothing."""

    share: float
    days: int


Decay = HalfLife | LinearDecay


class Award(_Node, frozen=True):
    """Points granted by an activity, or by entering or leaving a segment.

    ``on.types`` may hold ``segment.entered:NAME`` and ``segment.left:NAME``.
    """

    id: str
    score: str
    on: Matcher
    points: Points
    limit: Limit | None = None
    decay: Decay | None = None
    cap: float | None = None
    """The rule's current value is clamped to this (a negative rule's from below)."""
    given: Condition | None = None
    """Grants only to leads for which this holds, before the activity has changed them."""


class Standing(_Node, frozen=True):
    """Points that a lead has as long as a condition holds: attributes, absences, segments."""

    id: str
    score: str
    when: Condition
    points: float


class Segment(_Node, frozen=True):
    """Segments may use segments that stand before them."""

    name: str
    when: Condition


class Disqualification(_Node, frozen=True):
    id: str
    when: Condition
    reason: str
    deal_stage: str = "Lost"
    requalify: bool = True
    """False: the lead stays disqualified when the condition no longer holds."""


class Band(_Node, frozen=True):
    """A temperature; the first whose condition holds counts."""

    name: str
    when: Condition


class Score(_Node, frozen=True):
    name: str
    weight: float = 1.0
    cap: float | None = None
    floor: float | None = None
    grades: tuple[Grade, ...] = ()
    """From the best down."""
    lowest: str | None = None
    """The grade of values that reach none of ``grades``."""


class Grade(_Node, frozen=True):
    """What a score of at least ``least`` points is called."""

    name: str
    least: float


class Matrix(_Node, frozen=True):
    """What leads are called by the grades of two scores: ``cells`` row by row, the best grades first."""

    rows: str
    columns: str
    cells: tuple[tuple[str, ...], ...]


class Threshold(_Node, frozen=True):
    """Qualified above ``enter``; no longer qualified below ``exit``. ``enter >= exit``."""

    enter: float = 20.0
    exit: float = 15.0
    dwell: int = 0
    """ms for which a lead must have been ready (above ``enter``, and the two below) to qualify."""
    minimum: tuple[tuple[str, float], ...] = ()
    """(score, the least value it must have)."""
    when: Condition | None = None
    """What else must hold of the lead."""
    cooling_off: int = 0
    """ms after a qualification in which the lead does not qualify again."""
    cooling_period: Literal["", "day", "week", "month", "quarter"] = ""
    """It does not qualify again in the same calendar period of the model's time zone."""


# -- stages and follow-up -----------------------------------------------------------------------

Stage = Literal[
    "Open", "Contacted", "Nurture", "Qualified", "Negotiation", "Customer", "Inactive", "Unqualified"
]


class Move(_Node, frozen=True):
    """A rule that takes a lead to another stage: on an activity, or when a condition comes to hold.

    Transitions that ``lifecycle.LEGAL`` doesn't have are not made.
    """

    id: str
    to: Stage | None
    """None: what the property ``field`` of the activity says."""
    on: Matcher | None = None
    when: Condition | None = None
    sources: tuple[Stage, ...] = ()
    """The stages that it takes leads from; empty: any."""
    field: str | None = None
    rearm: bool = False
    """True: the lead may qualify again at once; False: when its total has been below the exit."""
    deal_stage: str = "Lost"
    """Of a move to Unqualified."""


class FollowUp(_Node, frozen=True):
    """What sales is asked to do about a lead that qualifies. The first whose condition holds counts."""

    id: str
    when: Condition | None = None
    existing: str | None = None
    """Attribute that names the lead's owner, where it has one."""
    owners: tuple[str, ...] = ()
    """By turn: each lead falls to one of them."""
    due: int | None = None
    """Business days."""
    next_step: str | None = None


class Machines(_Node, frozen=True):
    """Which opens and clicks are a machine's, not a reader's: mail scanners, prefetching proxies."""

    types: tuple[str, ...]
    where: Condition | None = None
    """What an activity of a machine says of itself."""
    sooner: int = 0
    """Sooner than so many ms after the delivery of the same mail is a machine; 0: not looked at."""
    links: int = 0
    """Clicks on so many different links of one mail within ``within`` ms are a machine's; 0: not looked at.

    A click is held back for as long, and counts when it is known to be none of these.
    """
    within: int = 0
    counts_as: str | None = None
    """The activity that they are instead; None: none."""


class Identity(_Node, frozen=True):
    """How many identifiers one person may have: more are a shared device or a bad integration."""

    anonymous_ids: int = 100
    emails: int = 5
    user_ids: int = 1
    lead_ids: int = 1
    """Ids that publishers have given (``subject``)."""


class Accounts(_Node, frozen=True):
    """What a company's people count together, and when it is worth a call.

    A member counts with the total that it had when it last changed; never less than nothing, and nothing
    while it is disqualified.
    """

    combine: Literal["sum", "maximum", "best"] = "sum"
    best: int = 0
    """How many members count, of ``best``."""
    half_life: int | None = 30 * 86_400_000
    """ms in which what a member counted last fades by half; None: it does not."""
    enter: float = 50.0
    exit: float = 35.0
    """Qualified above ``enter``; no longer qualified below ``exit``. ``enter >= exit``."""
    people: int = 1_000
    """Members that may count in one account; a further one is not taken."""


class Model(_Node, frozen=True):
    name: str
    scores: tuple[Score, ...]
    threshold: Threshold = Threshold()
    time_zone: str = "UTC"
    grace: int = 2_000
    """ms that the doors' clock must be past an instant before a timer of that instant fires."""
    awards: tuple[Award, ...] = ()
    standings: tuple[Standing, ...] = ()
    segments: tuple[Segment, ...] = ()
    disqualifications: tuple[Disqualification, ...] = ()
    bands: tuple[Band, ...] = ()
    coldest: str = "cold"
    """The temperature when no band's condition holds."""
    staged: bool = False
    """The lead moves through stages, and each move is told."""
    moves: tuple[Move, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    holidays: tuple[str, ...] = ()
    """Days (2026-12-25) that are no business days; Saturdays and Sundays are none either."""
    matrix: Matrix | None = None
    machines: Machines | None = None
    cap: float | None = None
    floor: float | None = None
    dedupe: int = 256
    """Publishers' event ids remembered per lead (at most 24 h)."""
    objects: int = 1_000
    """Objects remembered per lead and once-per-object rule; past it nothing is awarded."""
    identity: Identity = Identity()
    accounts: Accounts | None = None
    """None: companies have no score."""
    prepared: tuple[Award, ...] = ()
    """Granted and counted nowhere: awards of rules that are to come into force with their past."""
    watched: tuple[Condition, ...] = ()
    """Conditions of such rules, for the activities that they look back at."""
    shadow: Model | None = None
    """Rules that are tried beside these: they decide about nothing, and have no shadow themselves."""


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
decode_model = msgspec.msgpack.Decoder(Model).decode


def encode_model(model: Model) -> bytes:
    """Equal models give equal bytes, whether a number of points has been written as 5 or as 5.0."""
    return _encode(decode_model(_encode(model)))


def fingerprint(model: bytes) -> str:
    """16 hex digits that name the encoded model."""
    return blake2b(model, digest_size=8).hexdigest()
