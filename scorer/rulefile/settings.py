"""The sections of a rule file that are neither rules nor conditions."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from scorer.domain.model import Decay, Identity, Score
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, mapping, name, single
from scorer.rulefile.grades import Grades, grades
from scorer.rulefile.names import closest
from scorer.rulefile.nodes import Broken, Node, Text
from scorer.rulefile.quantities import decay, duration, number, whole_number
from scorer.rulefile.words import keys

LONGEST_GRACE = 3_600_000
"""ms. A timer fires so much later than it might."""
MOST_REMEMBERED = 10_000
MOST_WEIGHT = 1_000
MOST_OF_ONE_PERSON = 1_000
_ZONE = re.compile(r"UTC|[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+")


class Scores(NamedTuple):
    scores: tuple[Score, ...]
    fading: dict[str, Decay | None]
    """What a score's awards do unless a rule says otherwise; of every score that the file names."""


class Bounds(NamedTuple):
    cap: float | None = None
    floor: float | None = None


class Memory(NamedTuple):
    events: int | None = None
    objects: int | None = None


def time_zone(report: Report, node: Node) -> str | None:
    """A name of the IANA database with a place in it: one that means the same on every machine."""
    text = single(report, node, "a time zone")
    if text is None:
        return None
    if _ZONE.fullmatch(text.value):
        try:
            ZoneInfo(text.value)
        except (KeyError, ValueError, OSError):
            pass
        else:
            return text.value
    close = closest(text.value, _zones(), cutoff=0.6)
    hint = f"did you mean `{close}`?" if close else "for example `UTC` or `Europe/Berlin`"
    report.error(text.place, f"unknown time zone `{text.value[:80]}`", hint)
    return None


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(zone for zone in available_timezones() if _ZONE.fullmatch(zone)))


def grace(report: Report, node: Node) -> int | None:
    """How far the doors' clock must be past an instant before a timer of that instant fires; ms."""
    value = duration(report, node)
    if value is not None and value > LONGEST_GRACE:
        report.error(node.place, "the grace delays every timer, by an hour at most")
        return None
    return value


def bounds(report: Report, node: Node) -> Bounds | None:
    """``total``: what the total is clamped to."""
    found = mapping(report, node, "`total`")
    if found is None:
        return None
    fields = Fields(report, found, "`total`")
    fields.only(keys("total"), {"max": "write `cap`", "min": "write `floor`"})
    return _bounds(fields)


def _bounds(fields: Fields) -> Bounds:
    cap, floor = fields.read("cap", number), fields.read("floor", number)
    if cap is not None and floor is not None and floor >= cap:
        fields.refuse(("floor",), "the floor must lie below the cap")
    return Bounds(cap, floor)


def memory(report: Report, node: Node) -> Memory | None:
    """How much of the past a lead keeps: ``event ids``, and ``objects`` per once-per-object rule."""
    found = mapping(report, node, "`memory`")
    if found is None:
        return None
    fields = Fields(report, found, "`memory`")
    fields.only(keys("memory"), {})
    return Memory(fields.read("event ids", _remembered), fields.read("objects", _remembered))


def identity(report: Report, node: Node) -> Identity | None:
    """How many ids of each kind one person may have."""
    found = mapping(report, node, "`identity`")
    if found is None:
        return None
    fields = Fields(report, found, "`identity`")
    words = keys("identity")
    fields.only(words, {"visitors": "write `anonymous ids`", "users": "write `user ids`"})
    read = {word.replace(" ", "_"): fields.read(word, _of_one_person) for word in words}
    return Identity(**{kind: most for kind, most in read.items() if most is not None})


def _of_one_person(report: Report, node: Node) -> int | None:
    return whole_number(report, node, 1, MOST_OF_ONE_PERSON)


def _remembered(report: Report, node: Node) -> int | None:
    return whole_number(report, node, 1, MOST_REMEMBERED)


def scores(report: Report, node: Node) -> Scores | None:
    """The scores, each with its decay, weight, cap and floor."""
    found = mapping(report, node, "`scores`")
    if found is None:
        return None
    if not found.entries:
        report.error(found.place, "a model has at least one score", "`scores: {fit: {decay: none}}`")
    made: dict[str, Score] = {}
    fading: dict[str, Decay | None] = {}
    for entry in found.entries:
        named = name(report, entry.key, "a score's name")
        if named == "total":
            report.error(entry.key.place, "`total` is the sum of the scores", "choose another name")
        if named is None:
            continue
        made.setdefault(named, Score(named))
        fading.setdefault(named, None)
        if isinstance(entry.value, Broken) or (isinstance(entry.value, Text) and entry.value.empty):
            continue
        inner = mapping(report, entry.value, f"the score `{named}`")
        if inner is not None:
            made[named], fading[named] = _score(named, Fields(report, inner, f"the score `{named}`"))
    return Scores(tuple(made.values()), fading)


def _score(named: str, fields: Fields) -> tuple[Score, Decay | None]:
    hints = {
        "half-life": "write `decay: half every 30 days`",
        "rules": f"rules stand under `rules: {{{named}: [...]}}`",
    }
    fields.only(keys("score"), hints)
    fading = fields.read("decay", decay)
    weight = fields.read("weight", _weight, 1.0)
    limits = _bounds(fields)
    graded = fields.read("grades", grades) or Grades()
    score = Score(named, 1.0 if weight is None else weight, limits.cap, limits.floor, *graded)
    return score, fading[0] if fading else None


def _weight(report: Report, node: Node) -> float | None:
    value = number(report, node, MOST_WEIGHT)
    if value is not None and value < 0:
        report.error(node.place, "a weight is not negative", "give the rules negative points instead")
        return None
    return value
