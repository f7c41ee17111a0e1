"""One rule of the file: an ``Award`` for what a lead does, a ``Standing`` for what a lead is."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from scorer.domain.model import (
    Award,
    Condition,
    Decay,
    FirstLater,
    Fixed,
    Limit,
    Matcher,
    OncePerObject,
    PerUnit,
    Points,
    Scalar,
    Standing,
    Table,
)
from scorer.rulefile.comparisons import scalar
from scorer.rulefile.conditions import types, when, where
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, mapping, name, texts
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Entry, Node, Text
from scorer.rulefile.quantities import decay, expiry, limit, number
from scorer.rulefile.words import keys

TRIGGERS = ("on", "entering", "leaving", "when")
POINTS = ("points", "first", "later", "points by", "multiplied by")
HINTS = {
    "name": "write `rule: NAME`",
    "id": "write `rule: NAME`; the name is the id",
    "if": "write `when` for what a lead is, `where` for what an activity is, `only if` for both",
    "given": "write `only if`",
    "within": "windows stand in conditions: `when: {at least: 3, of: page.viewed, within: 7 days}`",
    "at least": "counts stand in conditions: `when: {at least: 3, of: page.viewed, within: 7 days}`",
    "expire": "write `expires: after 90 days`",
    "trigger": "write `on: email.opened`",
    "activity": "write `on: email.opened`",
    "event": "write `on: email.opened`",
    "type": "write `on: email.opened`",
    "score": "rules stand in the list of their score: `rules: {fit: [...]}`",
    "half-life": "write `decay: half every 30 days`",
    "half life": "write `decay: half every 30 days`",
    "frequency": "write `limit: once a day`",
    "once": "write `limit: once`",
    "once per": "write `limit: once per path`",
    "max": "write `cap: 30`",
    "min": "write `cap: -30`",
    "value": "write `points: +5`",
    "for each": "write `multiplied by: PROPERTY`",
}


class Names:
    """The rules' names of one file: each is taken once."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}

    def read(self, report: Report, node: Node) -> str | None:
        named = name(report, node, "a rule's name")
        if named is None:
            return None
        line = self._lines.setdefault(named.casefold(), node.place.line)
        if line != node.place.line:
            hint = "a rule's name is its id: in every explanation it stands for this rule alone"
            report.error(node.place, f"a rule of this name stands on line {line}", hint)
        return named


class RuleReader:
    """Reads the rules of one score; ``fading`` is what its awards do unless they say otherwise."""

    def __init__(self, score: str, fading: Decay | None, segments: Iterable[str], names: Names) -> None:
        self._score = score
        self._fading = fading
        self._segments = list(segments)
        self._when = partial(when, segments=self._segments)
        self._names = names

    def read(self, report: Report, node: Node) -> Award | Standing | None:
        """Diagnostics and None if anything about it is no good."""
        found = mapping(report, node, "a rule")
        if found is None:
            return None
        fields = Fields(report, found, "a rule")
        fields.only(keys("rule"), HINTS)
        named = fields.require("rule", self._names.read, "every rule has a name: `rule: Opened an e-mail`")
        triggers = [key for key in TRIGGERS if key in fields]
        if not triggers:
            hint = "`on: email.opened` for what a lead does, `when: {country: US}` for what it is"
            fields.missing(TRIGGERS, "this rule never applies: it has no `on` and no `when`", hint)
        elif len(triggers) > 1:
            message = f"`{{key}}` does not go together with `{triggers[0]}`"
            hint = "`where` is about the activity; for activities of some leads alone write `only if`"
            fields.refuse(triggers[1:], message, hint)
        if triggers == ["when"]:
            return self._standing(fields, named)
        if "when" in fields:
            fields.read("when", self._when)
        return self._award(fields, named)

    # -- points while something holds ---------------------------------------------------------

    def _standing(self, fields: Fields, named: str | None) -> Standing | None:
        others = tuple(key for key in keys("rule") if key not in ("rule", *TRIGGERS, "points"))
        message = "`{key}` goes with `on`; a rule with `when` gives its points as long as that holds"
        fields.refuse(others, message)
        holds = fields.read("when", self._when)
        points = fields.require("points", number, "`points: +5`")
        if named is None or holds is None or points is None:
            return None
        return Standing(id=named, score=self._score, when=holds, points=points)

    # -- points for what happens ----------------------------------------------------------------

    def _award(self, fields: Fields, named: str | None) -> Award | None:
        on = self._matcher(fields)
        points = _points(fields)
        bound = self._limit(fields)
        fading = self._decay(fields)
        given = fields.read("only if", self._when)
        if "only if" in fields and "on" not in fields:
            fields.refuse(("only if",), "`{key}` goes with `on`", "ask for it in the segment's condition")
        cap = fields.read("cap", number)
        if points is not None and cap is not None:
            _check_cap(fields, points, cap)
        if named is None or on is None or points is None or fading is None:
            return None
        if ("limit" in fields and bound is None) or ("cap" in fields and cap is None):
            return None
        if "only if" in fields and given is None:
            return None
        return Award(named, self._score, on, points, bound, fading[0], cap, given)

    def _limit(self, fields: Fields) -> Limit | None:
        bound = fields.read("limit", limit)
        former = fields.read("renamed from", _property)
        if "renamed from" in fields and "limit" not in fields:
            fields.refuse(
                ("renamed from",), "`{key}` needs `limit` beside it", "`limit: once per booking_id`"
            )
        elif former is not None and bound is not None:
            if isinstance(bound, OncePerObject):
                return OncePerObject(bound.field, former)
            fields.refuse(("renamed from",), "`{key}` goes with a limit for each value of a property")
        return bound

    def _decay(self, fields: Fields) -> tuple[Decay | None] | None:
        if "expires" not in fields:
            return fields.read("decay", decay, (self._fading,))
        if "decay" in fields:
            fields.refuse(("expires",), "`{key}` does not go together with `decay`", "keep one of them")
        return fields.read("expires", expiry)

    def _matcher(self, fields: Fields) -> Matcher | None:
        activities: tuple[str, ...] = ()

        def condition(report: Report, node: Node) -> Condition | None:
            return where(report, node, activities)

        if "on" in fields:
            found = fields.read("on", types)
            activities = found or ()
        for key, prefix in (("entering", "segment.entered:"), ("leaving", "segment.left:")):
            names = fields.read(key, self._segment_names) or ()
            activities += tuple(prefix + one for one in names)
        if "where" in fields and "on" not in fields:
            fields.refuse(("where",), "`{key}` is about an activity's properties and goes with `on`")
        holds = fields.read("where", condition)
        good = activities and ("where" not in fields or holds is not None)
        return Matcher(activities, holds) if good else None

    def _segment_names(self, report: Report, node: Node) -> tuple[str, ...] | None:
        names = texts(report, node, "a segment")
        good = True
        for text in names:
            if text.value not in self._segments and not report.may_be_named(text.value):
                good = False
                hint = did_you_mean(text.value, self._segments) or "define it under `segments`"
                report.error(text.place, f"unknown segment `{text.value}`", hint)
        return tuple(text.value for text in names) if names and good else None


def _points(fields: Fields) -> Points | None:
    """The one way in which a rule gives points."""
    first = fields.read("first", number)
    later = fields.read("later", number)
    fixed = fields.read("points", number)
    table = fields.read("points by", _table)
    factor = fields.read("multiplied by", _property)
    ways = [key for key in ("points", "first", "points by") if key in fields]
    if "later" in fields and "first" not in fields:
        fields.refuse(("later",), "`{key}` needs `first` beside it", "`first: +1` and `later: +2`")
    elif "first" in fields and "later" not in fields:
        fields.refuse(("first",), "`{key}` needs `later` beside it", "`first: +1` and `later: +2`")
    elif not ways:
        fields.missing(POINTS, "this rule gives no points", "`points: +5`")
    if len(ways) > 1:
        fields.refuse(ways[1:], f"`{{key}}` does not go together with `{ways[0]}`", "keep one of them")
    if "multiplied by" in fields and "points" not in fields:
        fields.refuse(("multiplied by",), "`{key}` multiplies `points`, which are missing here")
    if "points" in fields:
        if fixed is None or ("multiplied by" in fields and factor is None):
            return None
        return Fixed(fixed) if factor is None else PerUnit(factor, fixed)
    if "points by" in fields:
        return table
    return None if first is None or later is None else FirstLater(first, later)


def _property(report: Report, node: Node) -> str | None:
    return name(report, node, "a property")


def _table(report: Report, node: Node) -> Table | None:
    """``points by``: a property, points for its values, and otherwise."""
    found = mapping(report, node, "`points by`")
    if found is None:
        return None
    fields = Fields(report, found, "`points by`")
    fields.only(keys("points by"), {})
    field = fields.require("property", _property, "`property: plan`")
    rows = fields.require("values", _rows, "`values: {basic: +1, pro: +5}`")
    otherwise = fields.read("otherwise", number)
    if field is None or rows is None or ("otherwise" in fields and otherwise is None):
        return None
    return Table(field, rows, otherwise)


def _rows(report: Report, node: Node) -> tuple[tuple[Scalar, float], ...] | None:
    found = mapping(report, node, "a table of values")
    if found is None:
        return None
    if not found.entries:
        report.error(found.place, "this table is empty")
        return None
    rows: dict[object, tuple[Scalar, float]] = {}
    for entry in found.entries:
        row = _row(report, entry)
        if row is None:
            continue
        key = row[0].casefold() if isinstance(row[0], str) else (type(row[0]), row[0])
        if key in rows:
            report.error(
                entry.key.place, f"`{row[0]}` is in this table already", "capitals make no difference"
            )
        rows[key] = row
    return tuple(rows.values()) if len(rows) == len(found.entries) else None


def _row(report: Report, entry: Entry) -> tuple[Scalar, float] | None:
    value = scalar(report, entry.key)
    if isinstance(entry.value, Text) and entry.value.empty:
        report.error(entry.key.place, f"`{entry.key.value}` has no points")
        return None
    points = number(report, entry.value)
    return None if value is None or points is None else (value, points)


def _check_cap(fields: Fields, points: Points, cap: float) -> None:
    """A positive cap bounds a rule from above, a negative one from below."""
    if isinstance(points, Fixed):
        amounts = [points.points]
    elif isinstance(points, FirstLater):
        amounts = [points.first, points.later]
    elif isinstance(points, Table):
        amounts = [row[1] for row in points.rows]
    else:
        return
    if cap == 0 or any(amount * cap < 0 for amount in amounts):
        sign = "a positive" if cap <= 0 else "a negative"
        fields.refuse(("cap",), f"this rule needs {sign} cap", "a cap has the sign of the rule's points")
    elif any(abs(amount) > abs(cap) for amount in amounts):
        place = fields.key("cap")
        fields.report.warning(
            place, "the cap is smaller than one award of this rule", "raise it to take effect"
        )
