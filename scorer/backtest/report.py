"""The report as data: what ``--json`` prints and ``--out`` writes. docs/backtest.md says how to read it."""

from __future__ import annotations

import msgspec

from scorer.backtest.intervals import Interval


class Share(msgspec.Struct, frozen=True):
    """A share with its 95% interval."""

    of: int
    count: int
    share: float
    interval: Interval


class Week(msgspec.Struct, frozen=True):
    week: str
    """ISO 8601: 2026-W41."""
    created: int
    qualified: int
    """Announcements; a lead may be announced again."""
    disqualified: int
    stages: dict[str, int]
    """Stage -> moves to it."""
    converted: int
    """First conversions: the same for every rule file."""


class Funnel(msgspec.Struct, frozen=True):
    """Leads of the whole time."""

    created: int
    qualified: int
    """Announced at least once."""
    converted: int
    converted_after: int
    """Announced before they converted."""


class Announcements(msgspec.Struct, frozen=True):
    precision: Share
    """Of leads first announced a whole horizon before the end, and before they converted: those that
    converted within the horizon."""
    recall: Share
    """Of leads that converted: those announced before."""
    median_days: float | None
    """From the first announcement to the conversion."""


class Area(msgspec.Struct, frozen=True):
    value: float
    interval: Interval


class Tenth(msgspec.Struct, frozen=True):
    low: float
    high: float
    converted: Share
    lift: float
    """Its share over that of all."""


class Point(msgspec.Struct, frozen=True):
    """What a threshold lets through: leads whose total is above it."""

    above: float
    leads: int
    precision: float
    precision_interval: Interval
    recall: float
    recall_interval: Interval
    youden: float
    weekly: float


class Best(msgspec.Struct, frozen=True):
    by: str
    """``youden`` or ``capacity``."""
    above: float
    interval: Interval | None


class Rule(msgspec.Struct, frozen=True):
    rule: str
    points: float
    """The mean of what it gives to leads that have points of it."""
    having: Share
    """Those that have points of it, and convert."""
    lacking: Share
    odds_ratio: float | None
    """Among leads alike in the points of the other rules."""
    odds_interval: Interval | None
    verdict: str
    contradicts: bool
    """The sign of its points says the opposite of the verdict."""


class Landmark(msgspec.Struct, frozen=True):
    """Leads at one Monday each, and whether they convert within the horizon after it."""

    mondays: int
    converted: Share
    area: Area | None
    tenths: list[Tenth]
    bands: dict[str, Share]
    thresholds: list[Point]
    enter: Point
    """The rule file's own threshold."""
    best: Best | None
    rules: list[Rule]


class File(msgspec.Struct, frozen=True):
    name: str
    fingerprint: str
    enter: float
    exit: float
    funnel: Funnel
    weeks: list[Week]
    announcements: Announcements | None
    landmark: Landmark | None


class Moved(msgspec.Struct, frozen=True, omit_defaults=True):
    """A lead about which the two rule files differ."""

    lead: str
    today: str | None
    """When it is first announced; null: never."""
    change: str | None
    days: float | None = None
    """How many days later under the change; negative: earlier."""


class Group(msgspec.Struct, frozen=True):
    count: int
    median_days: float | None
    first: list[Moved]
    """By lead id."""


class Changes(msgspec.Struct, frozen=True):
    same: int
    """Leads that both announce at the same instant."""
    earlier: Group
    later: Group
    newly: Group
    no_longer: Group
    area: Area | None
    """The difference of the areas under the ROC curve, change less today."""


class Data(msgspec.Struct, frozen=True):
    source: str
    records: int
    first: str
    last: str
    time_zone: str
    horizon_days: float
    capacity: float | None
    left_out: dict[str, int]
    """Reason -> lines."""


class Report(msgspec.Struct, frozen=True):
    report: int
    """The version of this shape: 1."""
    data: Data
    today: File
    change: File | None
    changes: Changes | None
    notes: list[str]


encode_report = msgspec.json.Encoder().encode
decode_report = msgspec.json.Decoder(Report).decode
