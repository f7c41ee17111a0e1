"""Reads a mapping file: all mistakes at once, with line, column and a hint."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from scorer.collector.webhook.mapping import Equals, Mapping, Rule
from scorer.collector.webhook.mapping_signature import signature
from scorer.collector.webhook.selectors import Selector, looks_like_one, parse
from scorer.errors import UserError
from scorer.rulefile.comparisons import scalar
from scorer.rulefile.diagnostics import Diagnostic, Place, Report
from scorer.rulefile.fields import Fields, items, mapping, name, sequence, single
from scorer.rulefile.files import read, understand
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Broken, Entry, Node, Text
from scorer.wire.properties import MAX_FIELDS, MAX_NAME
from scorer.wire.registry import Registry

IDENTIFIERS: Final = ("user_id", "email", "anonymous_id")
MOST_RULES: Final = 200

_ALL: Final = "[*]"
_TOP: Final = ("webhook", "signature", "each", "events")
_RULE: Final = ("when", "type", "id", "time", "subject", *IDENTIFIERS, "data")
_TOP_HINTS: Final = {
    "name": "write `webhook: NAME`",
    "secret": "secrets stand in the keys file",
    "rules": "write `events:`",
    "mapping": "write `events:`",
}
_RULE_HINTS: Final = {
    "topic": "the topic follows from `type`",
    "if": "write `when: {$.type: value}`",
    "source": "the source is `webhook/` and the key's name",
    "identifiers": "write user_id, email, anonymous_id or subject as keys of their own",
    "timestamp": "write `time: $.created_at`",
    "properties": "write `data:`",
}


class Loaded(NamedTuple):
    """What came of a file. ``mapping`` is None if one of the diagnostics is an error."""

    mapping: Mapping | None
    diagnostics: list[Diagnostic]


def load(path: Path) -> Loaded:
    """Reads a file; raises ``UserError`` only if it can't be opened."""
    return _read(read(path), str(path))


def loads(text: str, named: str = "mapping.yaml") -> Loaded:
    """Reads a text; ``named`` stands for the file in the diagnostics."""
    return _read(text.encode("utf-8", "replace"), named)


def require(path: Path) -> Mapping:
    """The mapping of a file without mistakes; raises ``UserError`` with all of them."""
    loaded = load(path)
    if loaded.mapping is None:
        shown = "\n\n".join(one.render() for one in loaded.diagnostics)
        raise UserError(f"{path} is no good\n\n{shown}")
    return loaded.mapping


def _read(data: bytes, named: str) -> Loaded:
    types = _types()

    def build(report: Report, root: Any) -> Mapping | None:
        return _mapping(Fields(report, root, "the mapping"), types)

    made, report = understand(data, named, build, "a mapping file", "begin with `webhook: NAME`")
    return Loaded(None if report.errors else made, report.diagnostics())


class _Types:
    """The doors' event types, and the topic of each."""

    def __init__(self, registry: Registry) -> None:
        self._doors = [(door.name, door.type_matcher()) for door in registry.doors]
        self._known = [kind for door in registry.doors for kind in door.types]

    def topic(self, kind: str) -> str | None:
        return next((topic for topic, fits in self._doors if fits(kind)), None)

    def hint(self, kind: str) -> str:
        return did_you_mean(kind, self._known) or "docs/rules.md lists them; one of your own begins with app."


@cache
def _types() -> _Types:
    """Those of this code: a few dozen files, read once."""
    return _Types(Registry.load())


def _mapping(fields: Fields, types: _Types) -> Mapping | None:
    fields.only(_TOP, _TOP_HINTS)
    named = fields.require("webhook", name, "begin with `webhook: NAME`")
    signed = fields.require("signature", signature, "`signature: standard`, or how the header is made")
    each = fields.read("each", _each)

    def rules(report: Report, node: Node) -> tuple[Rule, ...] | None:
        listed = sequence(report, node, "`events`")
        if listed is None:
            return None
        if not listed.items:
            report.error(node.place, "this list is empty")
        if len(listed.items) > MOST_RULES:
            report.error(listed.items[MOST_RULES].place, f"a mapping has at most {MOST_RULES} events")
        found = [_rule(report, one, types) for one in listed.items]
        return tuple(one for one in found if one is not None)

    events = fields.require("events", rules, "write `events:` and below it a list")
    if named is None or signed is None or events is None:
        return None
    return Mapping(named, signed, each, events)


def _each(report: Report, node: Node) -> Selector | None:
    text = single(report, node, "`each`")
    if text is None:
        return None
    if not text.value.endswith(_ALL):
        report.error(text.place, "`each` names all members of a list", f"write `{text.value or '$'}[*]`")
        return None
    return _selected(report, text, text.value.removesuffix(_ALL))


def _rule(report: Report, node: Node, types: _Types) -> Rule | None:
    found = mapping(report, node, "an event", "begin with `- type: page.form_submitted`")
    if found is None:
        return None
    fields = Fields(report, found, "an event")
    fields.only(_RULE, _RULE_HINTS)

    def kind(report: Report, node: Node) -> tuple[str, str] | None:
        text = single(report, node, "a type")
        if text is None:
            return None
        topic = types.topic(text.value)
        if topic is None:
            report.error(text.place, f"there is no activity `{text.value}`", types.hint(text.value))
            return None
        return text.value, topic

    when = fields.read("when", _when, ())
    type_ = fields.require("type", kind, "`type: page.form_submitted`")
    id_ = fields.require(
        "id", _id, "`id: $.event_id`, or `id: content` where the message has none of its own"
    )
    time = fields.read("time", _selector)
    subject = fields.read("subject", _selector)
    identifiers = [(one, fields.read(one, _selector)) for one in IDENTIFIERS if one in fields]
    data = fields.read("data", _data, ())
    if not identifiers and "subject" not in fields:
        fields.missing(
            (*IDENTIFIERS, "subject"), "whom is it about?", "`email: $.email`; or user_id, anonymous_id"
        )
    if when is None or type_ is None or id_ is None or data is None:
        return None
    known = tuple((one, where) for one, where in identifiers if where is not None)
    return Rule(when, *type_, id_[0], time, subject, known, data)


def _id(report: Report, node: Node) -> tuple[Selector | None] | None:
    """In a tuple; None if it is no good."""
    text = single(report, node, "an id")
    if text is None:
        return None
    if text.value == "content":
        return (None,)
    found = _selected(report, text, text.value)
    return None if found is None else (found,)


def _selector(report: Report, node: Node) -> Selector | None:
    text = single(report, node, "a selector")
    return None if text is None else _selected(report, text, text.value)


def _selected(report: Report, text: Text, written: str) -> Selector | None:
    found = parse(written)
    if isinstance(found, Selector):
        return found
    at, message = found
    line, column, length = text.place
    hint = f"write `$.{written}`" if at == 0 and written[:1].isalpha() else None
    shift = at + text.quoted if at else 0
    report.error(Place(line, column + shift, max(1, length - shift)), message, hint)
    return None


def _when(report: Report, node: Node) -> tuple[Equals, ...] | None:
    found = mapping(report, node, "`when`", "`when: {$.type: lead.created}`")
    if found is None:
        return None
    read_ = [_equals(report, entry) for entry in found.entries]
    return None if None in read_ else tuple(one for one in read_ if one is not None)


def _equals(report: Report, entry: Entry) -> Equals | None:
    selector = _selected(report, entry.key, entry.key.value)
    if isinstance(entry.value, Text) and entry.value.empty:
        report.error(entry.key.place, "with what value?", "`$.type: lead.created`, or a list of values")
        return None
    values = [_value(report, one) for one in items(entry.value)]
    if not values and not isinstance(entry.value, Broken):
        report.error(entry.value.place, "this list is empty")
    if selector is None or not values or None in values:
        return None
    return Equals(selector, tuple(one[0] for one in values if one is not None))


def _data(report: Report, node: Node) -> tuple[tuple[str, Any], ...] | None:
    found = mapping(report, node, "`data`", "`data: {form: $.form.name}`")
    if found is None:
        return None
    if len(found.entries) > MAX_FIELDS:
        report.error(found.entries[MAX_FIELDS].key.place, f"an activity has at most {MAX_FIELDS} fields")
    made: list[tuple[str, Any]] = []
    for key, value in ((entry.key, entry.value) for entry in found.entries):
        if not 1 <= len(key.value) <= MAX_NAME:
            report.error(key.place, f"a field's name has 1 to {MAX_NAME} characters")
        elif key.value in IDENTIFIERS:
            report.error(key.place, f"`{key.value}` finds the lead", "write it beside `type`, not in `data`")
        elif isinstance(value, Text) and not value.empty and looks_like_one(value.value):
            made.append((key.value, _selected(report, value, value.value)))
        elif (literal := _value(report, value)) is not None:
            made.append((key.value, literal[0]))
    return tuple(made)


def _value(report: Report, node: Node) -> tuple[Any] | None:
    """A text, a number or true / false, in a tuple; None if it is no good."""
    found = scalar(report, node)
    return None if found is None else (found,)
