"""Conditions: ``where`` about an activity's properties, ``when`` about a lead."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scorer.domain.conditions import leaves
from scorer.domain.model import Absent, Any, Condition, Dated, InSegment, Matcher, Not, NotSince, Recent
from scorer.rulefile.comparisons import both, comparison
from scorer.rulefile.diagnostics import Place, Report
from scorer.rulefile.fields import LONGEST_NAME, Fields, colon_hint, texts
from scorer.rulefile.names import ACTIVITIES, OWN_ACTIVITY, closest, did_you_mean
from scorer.rulefile.nodes import Broken, Entry, Mapping, Node, Sequence, Text, kind
from scorer.rulefile.quantities import whole_number, window
from scorer.rulefile.words import keys

GROUPS = keys("condition")
LEAD_WORDS = keys("condition on a lead")
_RECENT = ("at least", "of", "within")
MOST_COUNTED = 100
"""Activities counted in a window: a lead keeps so many times."""
_LEAD_ONLY = {"no", "in segment", "not in segment", "within"}


def types(report: Report, node: Node) -> tuple[str, ...] | None:
    """One activity type or a list of them."""
    found: list[str] = []
    given = texts(report, node, "an activity")
    for text in given:
        name = text.value.strip()
        if name in ACTIVITIES or OWN_ACTIVITY.fullmatch(name):
            found.append(name)
            _doubt_own(report, text, name)
        else:
            report.error(text.place, f"unknown activity `{_shown(name)}`", _activity_hint(name))
    return tuple(dict.fromkeys(found)) if found and len(found) == len(given) else None


def _doubt_own(report: Report, text: Text, name: str) -> None:
    """A product may call its activities what it likes, but probably not by a slip of a known name."""
    if name not in ACTIVITIES and (close := closest(name, ACTIVITIES, cutoff=0.9)):
        hint = f"did you mean `{close}`? If your product really sends `{name}`, leave it"
        report.warning(text.place, f"`{name}` looks much like a well-known activity", hint)


def _activity_hint(name: str) -> str:
    if name.partition(".")[0] == "profile":
        return "conditions on attributes are written with `when`"
    if name.startswith("segment"):
        return "write `entering: NAME` or `leaving: NAME` instead of `on`"
    if close := closest(name, ACTIVITIES, cutoff=0.6):
        return f"did you mean `{close}`?"
    family = [one for one in ACTIVITIES if one.startswith(name.partition(".")[0] + ".")]
    return "known here: " + ", ".join(family or ("email.*, page.*, app.*, booking.*, social.*, feedback.*",))


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME]


def where(report: Report, node: Node, activities: Iterable[str] = ()) -> Condition | None:
    """A condition on the properties of ``activities``."""
    known = {name for activity in activities for name in ACTIVITIES.get(activity, ())}
    return _Reader(report, None, known).read(node)


def when(report: Report, node: Node, segments: Iterable[str]) -> Condition | None:
    """A condition on a lead; ``segments`` are the names that the file defines."""
    return _Reader(report, list(segments), set()).read(node)


class _Reader:
    def __init__(self, report: Report, segments: list[str] | None, known: set[str]) -> None:
        self._report = report
        self._segments = segments
        """None in a condition on properties."""
        self._known = known

    def read(self, node: Node) -> Condition | None:
        """A mapping, all of whose entries hold, or a list, all of whose items hold."""
        if isinstance(node, Sequence):
            return self._list(node, both)
        if isinstance(node, Mapping):
            return self._mapping(node)
        if not isinstance(node, Broken):
            example = "{kind: newsletter}" if self._segments is None else "{country: [US, UK]}"
            message = f"a condition is written as `field: value`, but this is {kind(node)}"
            self._report.error(node.place, message, f"for example `{example}`")
        return None

    def _list(self, node: Sequence, join: Callable[[list[Condition]], Condition]) -> Condition | None:
        if not node.items:
            self._report.error(node.place, "a condition is missing here")
            return None
        made = [self.read(item) for item in node.items]
        good = [one for one in made if one is not None]
        return join(good) if len(good) == len(made) else None

    def _mapping(self, node: Mapping) -> Condition | None:
        if not node.entries:
            self._report.error(node.place, "a condition is missing here", "leave the key out to mean always")
            return None
        made: list[Condition | None] = []
        rest: list[Entry] = []
        for entry in node.entries:
            word = entry.key.value
            if word in GROUPS:
                made.append(self._group(word, entry))
            elif self._segments is None and word == "properties":
                made += self._fields(entry)
            elif self._segments is not None and word in LEAD_WORDS:
                rest.append(entry)
            else:
                made.append(self._field(entry))
        if rest:
            special = Mapping(node.place, node.end, rest)
            made += self._lead(Fields(self._report, special, "this condition"))
        good = [one for one in made if one is not None]
        return both(good) if good and len(good) == len(made) else None

    # -- all, any, none -----------------------------------------------------------------------

    def _group(self, word: str, entry: Entry) -> Condition | None:
        if not isinstance(entry.value, Sequence):
            if not isinstance(entry.value, Broken):
                hint = f"begin each with `- ` on a line below `{word}:`"
                self._report.error(entry.key.place, f"`{word}` needs a list of conditions", hint)
            return None
        joins: dict[str, Callable[[list[Condition]], Condition]] = {
            "all": both,
            "any": lambda items: items[0] if len(items) == 1 else Any(tuple(items)),
            "none": lambda items: Not(tuple(items)),
        }
        return self._list(entry.value, joins[word])

    # -- fields -------------------------------------------------------------------------------

    def _fields(self, entry: Entry) -> list[Condition | None]:
        """The fields under ``attributes`` or ``properties``, whatever they are called."""
        if not isinstance(entry.value, Mapping):
            if not isinstance(entry.value, Broken):
                self._report.error(entry.key.place, f"`{entry.key.value}` is written as `field: value` lines")
            return [None]
        return [self._field(inner, escaped=True) for inner in entry.value.entries] or [None]

    def _field(self, entry: Entry, *, escaped: bool = False) -> Condition | None:
        field, place = entry.key.value, entry.key.place
        if hint := colon_hint(field) if not entry.key.quoted and not field.startswith("http") else None:
            self._report.error(place, f"is `{_shown(field)}` a field?", hint)
        elif not 0 < len(field) <= LONGEST_NAME or not field.isprintable() or field != field.strip():
            self._report.error(place, f"a field's name has 1 to {LONGEST_NAME} visible characters")
        else:
            self._doubt(field, place, escaped=escaped)
        if isinstance(entry.value, Text) and entry.value.empty:
            hint = f"write `{field}: missing` for a field that is not there"
            self._report.error(place, f"`{_shown(field)}` has no value to compare with", hint)
            return None
        made = comparison(self._report, field, entry.value)
        if self._segments is None and any(isinstance(leaf, Dated) for leaf in leaves(made)):
            hint = "dates among a lead's attributes can be, with `when` or `only if`"
            self._report.error(entry.value.place, "an activity's dates are not compared with now", hint)
            return None
        return made

    def _doubt(self, field: str, place: Place, *, escaped: bool) -> None:
        if self._segments is None and field in _LEAD_ONLY and not escaped:
            hint = (
                f"`{field}` works in `when`; for a property of this name write `properties: {{{field}: ...}}`"
            )
            self._report.error(place, f"`{field}` does not work in `where`", hint)
        elif field not in self._known and (close := closest(field, self._known, cutoff=0.8)):
            hint = f"did you mean `{close}`? If the publisher really sends `{field}`, leave it"
            self._report.warning(place, f"`{field}` looks much like a well-known property", hint)

    # -- what a lead did, and where it is -------------------------------------------------------

    def _lead(self, fields: Fields) -> list[Condition | None]:
        made: list[Condition | None] = []
        if "attributes" in fields:
            entries = [entry for entry in fields.node.entries if entry.key.value == "attributes"]
            made += [one for entry in entries for one in self._fields(entry)]
        if "in segment" in fields:
            made.append(fields.read("in segment", self._segment))
        if "not in segment" in fields:
            inside = fields.read("not in segment", self._segment)
            made.append(None if inside is None else Not((inside,)))
        if "no" in fields:
            made.append(self._absent(fields))
            fields.refuse(
                _RECENT, "`{key}` does not go together with `no`", "make two conditions of it, in a list"
            )
        elif "of" in fields or "within" in fields:
            made.append(self._recent(fields))
            fields.refuse(("for", "since"), "`{key}` goes with `no`", "write `within: 7 days`")
        else:
            hint = "for an attribute of this name write `attributes: {{{0}: ...}}`"
            for key in ("for", "since", "where", "at least"):
                needs = "no" if key in ("for", "since") else "of"
                message = f"`{{key}}` needs `{needs}` beside it, with an activity"
                fields.refuse((key,), message, hint.format(key))
                made += [None] if key in fields else []
        return made

    def _segment(self, report: Report, node: Node) -> Condition | None:
        names = texts(report, node, "a segment")
        for text in names:
            unknown = text.value not in (self._segments or ())
            if unknown and not report.may_be_named(text.value):
                hint = did_you_mean(text.value, self._segments or ()) or "define it under `segments`"
                report.error(text.place, f"unknown segment `{_shown(text.value)}`", hint)
        made: list[Condition] = [InSegment(text.value) for text in names]
        return (made[0] if len(made) == 1 else Any(tuple(made))) if made else None

    def _absent(self, fields: Fields) -> Condition | None:
        """``no: email.opened`` with ``for: 60 days``, or with ``since: booking.created``, or with both."""
        activities = fields.read("no", types)
        if "since" in fields:
            wait = fields.read("for", window, 0)
            since = fields.read("since", _since)
            matcher = self._matcher(fields, activities)
            if matcher is None or since is None or wait is None:
                return None
            return NotSince(matcher, since, wait)
        hint = "for how long, or since what? `for: 30 days`, `since: booking.created`"
        time = fields.require("for", window, hint)
        matcher = self._matcher(fields, activities)
        return None if matcher is None or time is None else Absent(matcher, time)

    def _recent(self, fields: Fields) -> Condition | None:
        """``at least: 3`` with ``of: page.viewed`` and ``within: 7 days``."""
        activities = fields.require("of", types, "of what? `of: page.viewed`")
        time = fields.require("within", window, "within what time? `within: 7 days`")
        count = fields.require("at least", _count, "how many? `at least: 1`")
        matcher = self._matcher(fields, activities)
        return None if matcher is None or time is None or count is None else Recent(matcher, time, count)

    def _matcher(self, fields: Fields, activities: tuple[str, ...] | None) -> Matcher | None:
        def properties(report: Report, node: Node) -> Condition | None:
            return where(report, node, activities or ())

        condition = fields.read("where", properties)
        if activities is None or ("where" in fields and condition is None):
            return None
        return Matcher(activities, condition)


def _since(report: Report, node: Node) -> Matcher | None:
    """An activity, several, or ``{of: booking.created, where: {kind: demo}}``."""
    if not isinstance(node, Mapping):
        activities = types(report, node)
        return None if activities is None else Matcher(activities)
    fields = Fields(report, node, "`since`")
    fields.only(keys("since"), {"on": "write `of`"})
    activities = fields.require("of", types, "since what? `of: booking.created`")
    condition = fields.read("where", lambda _, inner: where(report, inner, activities or ()))
    if activities is None or ("where" in fields and condition is None):
        return None
    return Matcher(activities, condition)


def _count(report: Report, node: Node) -> int | None:
    return whole_number(report, node, 1, MOST_COUNTED)
