"""The words of the rule file: one definition for the reader, the editor's schema and the reference page.

What a key's value may look like is a ``Shape``; which keys a group of ``key: value`` lines may have, and what
they mean, is a tuple of ``Word``s. The readers refuse every key that is not here.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Shape(NamedTuple):
    """What a value may be. ``schema``: JSON Schema of it; ``says``: in words, for the reference page."""

    says: str
    schema: dict[str, Any]


class Word(NamedTuple):
    key: str
    shape: str
    """A name in ``SHAPES``, or a group: ``group:qualify``, ``list:rule``, ``each:score``."""
    says: str
    example: str
    """A value in YAML."""
    needed: bool = False


def _text(says: str, pattern: str | None = None, *examples: str) -> Shape:
    schema: dict[str, Any] = {"type": "string"}
    if pattern is not None:
        schema["pattern"] = f"^(?:{pattern})$"
    if examples:
        schema["examples"] = list(examples)
    return Shape(says, schema)


def _either(says: str, *schemas: dict[str, Any]) -> Shape:
    return Shape(says, {"anyOf": list(schemas)})


_DURATION = r"[0-9.]+ ?(ms|s|secs?|seconds?|mins?|minutes?|h|hours?|d|days?|w|weeks?)"
_PERIOD = r"(day|week|month|quarter)"
_SCALAR = {"type": ["string", "number", "boolean"]}
_NAMES = {"type": ["string", "array"], "items": {"type": ["string", "number"]}}
_ACTIVITIES = {
    "anyOf": [{"$ref": "#/$defs/activity"}, {"type": "array", "items": {"$ref": "#/$defs/activity"}}]
}
_STAGE = {"$ref": "#/$defs/stage"}
_CONDITION = {"$ref": "#/$defs/condition"}

SHAPES: dict[str, Shape] = {
    "name": _either("a text of 1 to 120 visible characters", {"type": ["string", "number"]}),
    "number": Shape("a number, with or without sign and decimals", {"type": "number"}),
    "whole": Shape("a whole number", {"type": "integer", "minimum": 1}),
    "truth": _either("`yes` or `no`", {"type": "boolean"}, {"enum": ["yes", "no", "true", "false"]}),
    "duration": _text("a number and a unit: `90 s`, `12 hours`, `30 days`, `2 weeks`", _DURATION),
    "decay": _text(
        "`half every 30 days`, `10% a week`, `25% every 30 days` or `none`",
        rf"none|half every ({_DURATION}|hour|day|week)|[0-9.]+ ?% (every|an?) ([0-9]+ ?)?(days?|weeks?)",
        "half every 30 days",
        "10% a week",
        "none",
    ),
    "fading": _text(
        "`half every 30 days` or `none`",
        rf"none|half every ({_DURATION}|hour|day|week)",
        "half every 30 days",
    ),
    "combine": _text(
        "`sum`, `maximum`, or `best 3` (the sum of the three that count most)",
        r"sum|maximum|best [0-9]+",
        "sum",
        "best 3",
    ),
    "expiry": _text("`after 90 days`, `after 2 weeks`", r"after [0-9]+ ?(days?|weeks?)", "after 90 days"),
    "limit": _text(
        "`once`, `once per PROPERTY`, `once a day`, `3 times a week`, `10 points a month`",
        rf"once|once per .+|(once|twice|[0-9]+ times?) an? {_PERIOD}|[0-9.]+ points? an? {_PERIOD}",
        "once",
        "once a day",
        "3 times a week",
        "10 points a month",
    ),
    "above": _text("`above NUMBER`", r"above [-+]?[0-9.]+", "above 20"),
    "below": _text("`below NUMBER`", r"below [-+]?[0-9.]+", "below 15"),
    "cooling": _text(
        "a duration, or `once a day`, `week`, `month`, `quarter`",
        rf"{_DURATION}|once (a|per|every) {_PERIOD}",
        "90 days",
        "once a quarter",
    ),
    "zone": _text("a name of the IANA database: `UTC`, `Europe/Berlin`", None, "UTC", "Europe/Berlin"),
    "activities": Shape("an activity, or a list of them", _ACTIVITIES),
    "since": _either(
        "an activity, a list of them, or `{of: ACTIVITY, where: CONDITION}`", _ACTIVITIES, {"type": "object"}
    ),
    "condition": Shape("a condition: below", _CONDITION),
    "conditions": Shape("a list of conditions", {"type": "array", "items": _CONDITION, "minItems": 1}),
    "segments": Shape("a segment's name, or a list of them", _NAMES),
    "property": Shape("the name of a property", {"type": "string"}),
    "attribute": Shape("the name of an attribute", {"type": "string"}),
    "names": Shape("a text, or a list of them", _NAMES),
    "days": Shape("a list of days: `[2026-12-25]`", {"type": ["array", "string"]}),
    "values": Shape("points for each value: `{basic: +1, pro: +5}`", {"type": "object"}),
    "fields": Shape("`field: value` lines", {"type": "object"}),
    "minimum": Shape("points or a grade for each score: `{fit: 10}`", {"type": "object"}),
    "grades": Shape(
        "the least points of each, the best first, and one `otherwise`: `{A: 20, B: 10, C: otherwise}`",
        {"type": "object", "additionalProperties": {"type": ["number", "string"]}},
    ),
    "cells": Shape(
        "a list of names for each grade of the rows",
        {"type": "object", "additionalProperties": {"type": "array"}},
    ),
    "score": Shape("the name of a score", {"type": "string"}),
    "stage": _either("a stage, or `by PROPERTY`", _STAGE, {"type": "string", "pattern": "^by .+$"}),
    "stages": _either("a stage, or a list of them", _STAGE, {"type": "array", "items": _STAGE}),
    "rearm": Shape("`at once`, or `below exit`", {"enum": ["at once", "below exit"]}),
    "business days": _text(
        "`2 business days`, or `today`", r"today|[0-9]+ business days?", "2 business days", "today"
    ),
    "links": _text("`3 within 5 seconds`", rf"[0-9]+ (links )?within {_DURATION}", "3 within 5 seconds"),
    "counts as": Shape("an activity, or `nothing`", {"type": "string"}),
    "list values": Shape("a list of values, or a file with one a line: `lists/free-mail.txt`", _NAMES),
    "temperature": Shape("a condition; of `otherwise`: a name", {"anyOf": [_CONDITION, _SCALAR]}),
}

GROUPS: dict[str, tuple[Word, ...]] = {
    "file": (
        Word("model", "name", "the name of these rules", "Our company", needed=True),
        Word("time zone", "zone", "where days, weeks, months and quarters begin", "Europe/Berlin"),
        Word(
            "grace",
            "duration",
            "how long late activities are waited for before time alone decides",
            "2 seconds",
        ),
        Word("lists", "each:list values", "named lists of values", "{Target countries: [US, UK]}"),
        Word(
            "machines", "group:machines", "which opens and clicks are no reader's", "{where: {machine: true}}"
        ),
        Word("qualify", "group:qualify", "when a lead is worth a call", "{enter: above 20, exit: below 15}"),
        Word("scores", "each:group:score", "the scores", "{fit: {decay: none}}", needed=True),
        Word("total", "group:total", "bounds of the weighted sum of the scores", "{cap: 100}"),
        Word(
            "matrix",
            "group:matrix",
            "what leads are called by the grades of two scores",
            "{rows: fit, columns: engagement, cells: {A: [now, soon], B: [soon, wait]}}",
        ),
        Word("rules", "each:list:rule", "a list of rules for each score", "{fit: []}", needed=True),
        Word(
            "segments",
            "each:condition",
            "named conditions",
            "{Readers: {at least: 3, of: email.opened, within: 30 days}}",
        ),
        Word(
            "disqualify",
            "list:disqualification",
            "which leads sales should not see",
            "[{rule: Student, when: {role: student}}]",
        ),
        Word(
            "temperature",
            "each:temperature",
            "the first whose condition holds, and `otherwise`",
            "{hot: {need: [yes, true]}, otherwise: cold}",
        ),
        Word(
            "stages",
            "list:stage rule",
            "what moves a lead from stage to stage",
            "[{rule: Accepted, on: feedback.accepted, to: Contacted}]",
        ),
        Word(
            "follow up",
            "list:follow-up",
            "what sales is asked to do about a lead that qualifies",
            "[{rule: Everybody, owners: [anna, ben]}]",
        ),
        Word(
            "holidays", "days", "days that are no business days, beside Saturdays and Sundays", "[2026-12-25]"
        ),
        Word("memory", "group:memory", "how much of the past a lead keeps", "{event ids: 500}"),
        Word("identity", "group:identity", "how many identifiers one person may have", "{emails: 3}"),
        Word(
            "accounts",
            "group:accounts",
            "companies: what their people count together",
            "{score: best 3, enter: above 60, exit: below 40}",
        ),
    ),
    "qualify": (
        Word("enter", "above", "a lead whose total is above it is ready", "above 20", needed=True),
        Word("exit", "below", "a qualified lead whose total is below it is dropped", "below 15", needed=True),
        Word("dwell", "duration", "it must have been ready for so long", "2 days"),
        Word("minimum", "minimum", "the least value that scores must have", "{fit: 10}"),
        Word("when", "condition", "what else must hold of the lead", "{email: exists}"),
        Word("cooling off", "cooling", "so long it does not qualify again", "90 days"),
    ),
    "score": (
        Word(
            "decay",
            "decay",
            "how the points of its activities fade, unless a rule says otherwise",
            "half every 30 days",
        ),
        Word("weight", "number", "how often it counts in the total", "0.5"),
        Word("cap", "number", "its value at most", "50"),
        Word("floor", "number", "its value at least", "0"),
        Word("grades", "grades", "what its values are called", "{A: 20, B: 10, C: otherwise}"),
    ),
    "total": (
        Word("cap", "number", "the total at most", "100"),
        Word("floor", "number", "the total at least", "0"),
    ),
    "memory": (
        Word("event ids", "whole", "publishers' ids remembered per lead, against repetitions", "256"),
        Word("objects", "whole", "objects remembered per lead and `once per` rule", "1000"),
    ),
    "identity": (
        Word("anonymous ids", "whole", "visitors' ids that may be one person", "100"),
        Word("emails", "whole", "addresses that may be one person's", "5"),
        Word("user ids", "whole", "ids of an app's user that may be one person", "1"),
        Word("lead ids", "whole", "ids given as `subject` that may be one person", "1"),
    ),
    "accounts": (
        Word("score", "combine", "which of its people count", "best 3", needed=True),
        Word("enter", "above", "an account whose score is above it qualifies", "above 60", needed=True),
        Word("exit", "below", "a qualified account below it is dropped", "below 40", needed=True),
        Word(
            "decay",
            "fading",
            "how what a person counts fades from its last activity on",
            "half every 30 days",
        ),
        Word("people", "whole", "how many may count in one account", "1000"),
    ),
    "matrix": (
        Word("rows", "score", "a score with grades", "fit", needed=True),
        Word("columns", "score", "another one", "engagement", needed=True),
        Word(
            "cells",
            "cells",
            "for each grade of the rows, a name for each grade of the columns",
            "{A: [now, soon]}",
            needed=True,
        ),
    ),
    "machines": (
        Word("of", "activities", "which activities", "[email.opened, email.clicked]"),
        Word("where", "condition", "what a machine's activity says of itself", "{machine: true}"),
        Word("sooner than", "duration", "after email.delivered of the same email_id", "1 second"),
        Word("links", "links", "clicks on so many different links of one mail", "3 within 5 seconds"),
        Word("counts as", "counts as", "what they are instead", "nothing"),
    ),
    "rule": (
        Word("rule", "name", "its name, in every explanation", "Opened an e-mail", needed=True),
        Word("on", "activities", "points for an activity", "email.opened"),
        Word("entering", "segments", "points for coming into a segment", "Readers"),
        Word("leaving", "segments", "points for leaving one", "Readers"),
        Word("when", "condition", "points for as long as something is so of the lead", "{country: US}"),
        Word("where", "condition", "which activities: a condition on their properties", "{kind: newsletter}"),
        Word(
            "only if",
            "condition",
            "of which leads: a condition on the lead before the activity",
            "{country: US}",
        ),
        Word("points", "number", "how many", "+5"),
        Word("first", "number", "how many the first time", "+1"),
        Word("later", "number", "how many every later time", "+2"),
        Word(
            "points by",
            "group:points by",
            "how many by the value of a property",
            "{property: plan, values: {basic: +1, pro: +5}}",
        ),
        Word("multiplied by", "property", "a property by whose number `points` are multiplied", "seats"),
        Word("limit", "limit", "how often, or how many points", "once a day"),
        Word("renamed from", "property", "beside `once per`: the object's former value", "rescheduled_from"),
        Word("decay", "decay", "how its points fade", "half every 60 days"),
        Word("expires", "expiry", "when they are gone", "after 90 days"),
        Word("cap", "number", "what the rule is worth at most; of a negative one at least", "30"),
    ),
    "points by": (
        Word("property", "property", "whose value counts", "plan", needed=True),
        Word("values", "values", "points for each", "{basic: +1, pro: +5}", needed=True),
        Word("otherwise", "number", "points for all others", "+1"),
    ),
    "disqualification": (
        Word("rule", "name", "its name", "Student", needed=True),
        Word("when", "condition", "which leads", "{role: student}", needed=True),
        Word("reason", "name", "in words", "A student"),
        Word("deal stage", "name", "what the deal becomes", "Disqualified / Lost"),
        Word("requalify", "truth", "whether the lead is back when this holds no longer", "yes"),
    ),
    "stage rule": (
        Word("rule", "name", "its name", "Accepted by sales", needed=True),
        Word("on", "activities", "when this happens", "feedback.accepted"),
        Word("where", "condition", "with such properties", "{reason: fits}"),
        Word(
            "when", "condition", "or when this comes to hold of the lead", "{no: page.viewed, for: 180 days}"
        ),
        Word("from", "stages", "which leads", "[Open, Nurture]"),
        Word("to", "stage", "where to", "Contacted", needed=True),
        Word("rearm", "rearm", "when an announced lead may qualify again", "at once"),
        Word("deal stage", "name", "of a move to Unqualified: what the deal becomes", "Disqualified / Lost"),
    ),
    "follow-up": (
        Word("rule", "name", "its name", "Everybody else", needed=True),
        Word("when", "condition", "which leads", "{employees: at least 500}"),
        Word("existing owner", "attribute", "the attribute that names a lead's owner", "owner"),
        Word("owners", "names", "to one of them, by turn", "[anna, ben]"),
        Word("due", "business days", "until when", "2 business days"),
        Word("next step", "name", "what to do", "Call and ask"),
    ),
    "condition": (
        Word("all", "conditions", "every one of them holds", "[{country: US}, {age: 25 to 45}]"),
        Word("any", "conditions", "one of them holds", "[{country: US}, {city: London}]"),
        Word("none", "conditions", "none of them holds", "[{country: missing}]"),
    ),
    "condition on a lead": (
        Word("no", "activities", "none of these", "email.opened"),
        Word("for", "duration", "for so long", "30 days"),
        Word("since", "since", "or since the newest of these", "booking.created"),
        Word("at least", "whole", "so many", "3"),
        Word("of", "activities", "of these", "page.viewed"),
        Word("within", "duration", "within so long", "7 days"),
        Word("where", "condition", "with such properties", "{path: starts with /pricing}"),
        Word("in segment", "segments", "is in one of them", "Readers"),
        Word("not in segment", "segments", "is in none of them", "Readers"),
        Word("attributes", "fields", "attributes that are called like a word of the language", "{no: 17}"),
    ),
    "condition on an activity": (
        Word("properties", "fields", "properties that are called like a word of the language", "{all: 17}"),
    ),
    "since": (
        Word("of", "activities", "the activity", "booking.created", needed=True),
        Word("where", "condition", "with such properties", "{kind: demo}"),
    ),
}

TITLES = {
    "file": "The file",
    "qualify": "`qualify`",
    "score": "A score",
    "total": "`total`",
    "memory": "`memory`",
    "identity": "`identity`",
    "accounts": "`accounts`",
    "matrix": "`matrix`",
    "machines": "`machines`",
    "rule": "A rule",
    "points by": "`points by`",
    "disqualification": "A disqualification",
    "stage rule": "A stage rule",
    "follow-up": "A follow-up",
    "condition": "A condition",
    "condition on a lead": "A condition on a lead: `when`, `only if`",
    "condition on an activity": "A condition on an activity: `where`",
    "since": "`since`",
}
"""Of the reference page, in its order."""

COMPARISONS: tuple[tuple[str, str], ...] = (
    ("US", "is US; capitals make no difference"),
    ("[US, UK]", "is one of them"),
    ("not US", "is another, or missing"),
    ("25 to 45", "is a number from 25 to 45, both included"),
    ("at least 25", "is such a number; also `at most`, `above`, `below`"),
    ("starts with /blog", "is such a text; also `contains`, `matches` (a regular expression)"),
    ("exists", "is there; also `missing`"),
    ("in list Target countries", "is in a named list; also `not in list`"),
    ("within the next 30 days", "attributes only: a date that is now or later, but less than 30 days away"),
    ("within the last 30 days", "attributes only: a date that has come, less than 30 days ago"),
    ("more than 365 days ago", "attributes only: a date that lies 365 days back or further"),
    ("more than 90 days ahead", "attributes only: a date that is 90 days away or further"),
)
"""What may follow a field: (an example, when it is true)."""


def keys(group: str) -> tuple[str, ...]:
    """The keys of a group, in the order in which they are best written."""
    return tuple(word.key for word in GROUPS[group])
