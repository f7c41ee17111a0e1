"""From the tree of a file of rule tests to a suite."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from scorer.domain.lifecycle import STAGES
from scorer.domain.record import PROFILE_UPDATED
from scorer.rulefile.conditions import types
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, items, mapping, name, sequence, single
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Broken, Entry, Mapping, Node, Sequence, Text
from scorer.rulefile.quantities import whole_number
from scorer.ruletests.instants import amount, instant, span, starts
from scorer.ruletests.story import START, Amount, Does, Emitted, Expect, Kind, Step, Suite, Test, Word

FILE = ("rules", "tests")
TEST = ("test", "starts", "story")
STEP = ("at", "does", "with", "times", "is", "expect")
EXPECT = (
    "total",
    "scores",
    "points",
    "stage",
    "stages",
    "temperature",
    "grades",
    "cell",
    "segments",
    "emitted",
    "follow up",
)
FOLLOW_UP = ("rule", "owner", "due", "next step")
KINDS = ("qualified", "disqualified")
NOTHING = "nothing"
MOST_TIMES = 1_000

_STEP_HINTS = {"on": "write `does`", "where": "write `with`", "when": "write `is`", "then": "write `expect`"}
_EXPECT_HINTS = {
    "score": "write `total`",
    "band": "write `temperature`",
    "outcomes": "write `emitted`",
    "owner": "write `follow up: {owner: NAME}`",
    "due": "write `follow up: {due: 2026-01-06}`",
    "matrix": "write `cell`",
}
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_WORDS: dict[str, object] = {"true": True, "false": False}


def read_suite(report: Report, root: Mapping) -> Suite | None:
    """The suite of a file, or None when ``report`` has errors. Everything is read in any case."""
    fields = Fields(report, root, "a file of rule tests")
    fields.only(FILE, {"name": "a file has no name of its own"})
    rules = fields.read("rules", _word)
    tests = fields.require("tests", _tests, "`tests:` and a list below it")
    return None if report.errors else Suite(rules, tests or [])


def _word(report: Report, node: Node) -> Word | None:
    text = single(report, node, "this")
    return None if text is None else Word(text.place, text.value.strip())


def _tests(report: Report, node: Node) -> list[Test] | None:
    found = sequence(report, node, "`tests`")
    if found is None:
        return None
    if not found.items:
        report.error(found.place, "this list is empty")
    tests = [_test(report, item) for item in found.items]
    names: set[str] = set()
    for test in tests:
        if test is not None and test.name in names:
            report.error(test.place, f"there are two tests `{test.name}`", "give each a name of its own")
        elif test is not None:
            names.add(test.name)
    return [test for test in tests if test is not None]


def _test(report: Report, node: Node) -> Test | None:
    found = mapping(report, node, "a test", "begin it with `- test: NAME`")
    if found is None:
        return None
    fields = Fields(report, found, "a test")
    fields.only(TEST, {"name": "write `test: NAME`", "steps": "write `story`"})
    named = fields.require("test", name, "`test: A booked call qualifies`")
    began = fields.read("starts", starts, START)
    steps = fields.require("story", _story, "`story:` and a list of steps below it")
    if named is None or began is None or steps is None:
        return None
    return Test(named, found.place, began, steps)


def _story(report: Report, node: Node) -> list[Step] | None:
    found = sequence(report, node, "a story")
    if found is None:
        return None
    steps: list[Step] = []
    latest = 0
    for item in found.items:
        step = _step(report, item)
        if isinstance(step, Expect) and step.at < latest:
            message = "an expectation can't be earlier than what was told before it"
            report.error(step.place, message, "an activity can: it then arrives late")
        if step is not None:
            latest = max(latest, step.at)
            steps.append(step)
    if not any(isinstance(step, Expect) for step in steps) and not report.errors:
        report.error(found.place, "this story expects nothing", "- at: 1 day\n  expect: {total: 20}")
    return steps


def _step(report: Report, node: Node) -> Step | None:
    found = mapping(report, node, "a step", "`- at: 1 day`, and below it `does`, `is` or `expect`")
    if found is None:
        return None
    fields = Fields(report, found, "a step")
    fields.only(STEP, _STEP_HINTS)
    at = fields.require("at", instant, "`at: start` or `at: 3 days`")
    said = [key for key in ("does", "is", "expect") if key in fields]
    if len(said) != 1:
        if said:
            fields.refuse(said[1:], f"a step says one thing, and `{said[0]}` is said already", "add a step")
        else:
            fields.missing(("does", "is", "expect"), "a step says `does`, `is` or `expect`")
        return None
    if said[0] != "does":
        fields.refuse(("with", "times"), "`{key}` goes with `does`")
    if said[0] == "expect":
        expected = fields.read("expect", lambda report, node: _expect(report, node, at or 0))
        return None if at is None else expected
    if said[0] == "is":
        attributes = fields.read("is", lambda report, node: _values(report, node, "attribute"))
        return None if at is None or attributes is None else Does(at, PROFILE_UPDATED, attributes, 1)
    activities = fields.read("does", types)
    properties = fields.read("with", lambda report, node: _values(report, node, "property"), {})
    times = fields.read("times", lambda report, node: whole_number(report, node, 1, MOST_TIMES), 1)
    if activities is not None and len(activities) > 1:
        report.error(fields.key("does"), "a step is one activity", "add a step for each")
        return None
    if at is None or activities is None or properties is None or times is None:
        return None
    return Does(at, activities[0], properties, times)


def _values(report: Report, node: Node, what: str) -> dict[str, Any] | None:
    found = mapping(report, node, f"what follows has an `{what}: value`" if what[0] == "a" else "this")
    if found is None:
        return None
    return {entry.key.value: _value(entry.value) for entry in found.entries}


def _value(node: Node) -> Any:
    """As a publisher would send it: numbers and truth values where they are not in quotes."""
    if isinstance(node, Sequence):
        return [_value(item) for item in node.items]
    if isinstance(node, Mapping):
        return {entry.key.value: _value(entry.value) for entry in node.entries}
    if not isinstance(node, Text) or node.empty:
        return None
    if node.quoted:
        return node.value
    if _NUMBER.fullmatch(node.value):
        return float(node.value) if "." in node.value else int(node.value)
    return _WORDS.get(node.value.casefold(), node.value)


# -- expectations ---------------------------------------------------------------------------------


def _expect(report: Report, node: Node, at: int) -> Expect | None:
    found = mapping(report, node, "`expect`", "for example `expect: {total: 20, stage: Qualified}`")
    if found is None:
        return None
    fields = Fields(report, found, "an expectation")
    fields.only(EXPECT, _EXPECT_HINTS)
    if not found.entries:
        report.error(found.place, "nothing is expected here", "for example `expect: {total: 20}`")
    return Expect(
        at,
        found.place,
        fields.read("total", amount),
        _amounts_of(fields, "scores"),
        _amounts_of(fields, "points"),
        fields.read("stage", _stage),
        fields.read("temperature", _word),
        fields.read("segments", _segments),
        fields.read("emitted", _emitted),
        fields.read("stages", _stages),
        _words_of(fields, "grades", _words),
        fields.read("cell", _word),
        _words_of(fields, "follow up", _follow_up),
    )


def _amounts_of(fields: Fields, key: str) -> dict[str, Amount]:
    return fields.read(key, _amounts) or {}


def _amounts(report: Report, node: Node) -> dict[str, Amount] | None:
    found = mapping(report, node, "this", "`NAME: number` for each")
    if found is None:
        return None
    read = {entry.key.value: amount(report, entry.value) for entry in found.entries}
    return {key: value for key, value in read.items() if value is not None}


def _stage(report: Report, node: Node) -> Word | None:
    word = _word(report, node)
    if word is not None and word.text not in STAGES:
        report.error(word.place, f"`{word.text}` is not a stage", did_you_mean(word.text, STAGES))
        return None
    return word


def _stages(report: Report, node: Node) -> list[Word] | None:
    if isinstance(node, Text) and not node.quoted and node.value == NOTHING:
        return []
    words = [_stage(report, item) for item in items(node)]
    return [word for word in words if word is not None]


def _words_of(
    fields: Fields, key: str, reader: Callable[[Report, Node], dict[str, Word] | None]
) -> dict[str, Word]:
    return fields.read(key, reader) or {}


def _words(report: Report, node: Node) -> dict[str, Word] | None:
    found = mapping(report, node, "this", "`NAME: value` for each")
    if found is None:
        return None
    read = {entry.key.value: _word(report, entry.value) for entry in found.entries}
    return {key: value for key, value in read.items() if value is not None}


def _follow_up(report: Report, node: Node) -> dict[str, Word] | None:
    if isinstance(node, Mapping):
        Fields(report, node, "`follow up`").only(FOLLOW_UP, {"step": "write `next step`"})
    return _words(report, node)


def _segments(report: Report, node: Node) -> list[Word] | None:
    if isinstance(node, Text) and not node.quoted and node.value == NOTHING:
        return []
    words = [_word(report, item) for item in items(node)]
    return [word for word in words if word is not None]


def _emitted(report: Report, node: Node) -> list[Emitted] | None:
    if isinstance(node, Text) and not node.quoted and node.value == NOTHING:
        return []
    found = [_one_emitted(report, item) for item in items(node)]
    return [one for one in found if one is not None]


def _one_emitted(report: Report, node: Node) -> Emitted | None:
    """``qualified``, ``qualified: 3 days`` or ``disqualified: {at: 60 days, reason: NAME}``."""
    if isinstance(node, Mapping) and len(node.entries) == 1:
        entry = node.entries[0]
        kind = _kind(report, entry.key)
        if kind is None or isinstance(entry.value, Broken):
            return None
        when, reason = _when(report, entry)
        if when is None:
            return Emitted(entry.key.place, kind, None, None, reason, _said(kind, "", reason))
        at, precision = when
        half = precision // 2
        return Emitted(entry.key.place, kind, at - half, at + half, reason, _said(kind, _text(entry), reason))
    if isinstance(node, Text):
        kind = _kind(report, node)
        return None if kind is None else Emitted(node.place, kind, None, None, None, kind)
    if not isinstance(node, Broken):
        hint = "`nothing`, `qualified`, or a list: `[qualified: 1 hour, disqualified: 60 days]`"
        report.error(node.place, "what is emitted is said as `qualified` or `disqualified`", hint)
    return None


def _when(report: Report, entry: Entry) -> tuple[tuple[int, int] | None, str | None]:
    if not isinstance(entry.value, Mapping):
        return span(report, entry.value), None
    fields = Fields(report, entry.value, "this")
    fields.only(("at", "reason"), {})
    reason = fields.read("reason", _word)
    return fields.read("at", span), None if reason is None else reason.text


def _text(entry: Entry) -> str:
    value = entry.value
    if isinstance(value, Mapping):
        value = next(inner.value for inner in value.entries if inner.key.value == "at")
    return value.value if isinstance(value, Text) else ""


def _said(kind: str, at: str, reason: str | None) -> str:
    return kind + (f" at {at}" if at else "") + (f" by `{reason}`" if reason else "")


def _kind(report: Report, text: Text) -> Kind | None:
    word = text.value.strip().removeprefix("lead.")
    if word not in KINDS:
        hint = did_you_mean(word, (*KINDS, NOTHING))
        report.error(text.place, f"`{text.value}` is not emitted by any rules", hint)
        return None
    return cast("Kind", word)
