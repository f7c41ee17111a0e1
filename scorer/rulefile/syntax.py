"""From a rule file's text to its tree.

The YAML parser gives events; scalars keep what was written, because YAML's guesses (``NO`` is false,
``12:30`` is 750) are not what an author means. What no rule file needs is refused: anchors and aliases
(a few of which make a file of gigabytes), tags, several documents, deep nesting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from yaml.error import MarkedYAMLError

from scorer.rulefile.diagnostics import Place, Report
from scorer.rulefile.draft import TABS, Draft
from scorer.rulefile.mending import Mender
from scorer.rulefile.mistakes import Unreadable, explain
from scorer.rulefile.nodes import Broken, Entry, Mapping, Node, Sequence, Text

DEEPEST = 32
"""Levels of nesting."""


def parse(
    lines: list[str], report: Report, what: str = "a rule file", *, quoting: bool = True
) -> Node | None:
    """The tree of a file; None when it holds nothing. Every mistake goes to ``report``, none is raised.

    ``what`` it is, for messages. ``quoting``: whether they may repeat a value.
    """
    draft = _plain(lines, report)
    mender = Mender(draft)
    events: list[Any] | None = None
    while events is None:
        try:
            events = list(_events(draft))
        except Unreadable as mistake:
            if not mender.seen(mistake):
                place = draft.place(mistake.line, mistake.column, mistake.length)
                report.error(place, mistake.message, mistake.hint)
            if not mender.mend(mistake):
                report.damaged.update(range(1, len(lines) + 1))
                return None
    report.damaged.update(line + 1 for line in draft.damaged)
    return _Builder(draft, report, what, quoting=quoting).build(events)


def _plain(lines: list[str], report: Report) -> Draft:
    """The text without what can't stand in a rule file, its tabs being what makes most of it readable."""
    draft = Draft(lines)
    for problem in draft.make_plain():
        report.error(*problem)
    if not draft.tabbed:
        return draft
    drafts = [draft]
    for width in TABS[1:]:
        drafts.append(Draft(lines, width))
        drafts[-1].make_plain()
    return max(drafts, key=_readable)


def _readable(draft: Draft) -> int:
    """Lines before the first mistake."""
    try:
        for _ in _events(draft):
            pass
    except Unreadable as mistake:
        return mistake.line
    return len(draft.lines)


def _events(draft: Draft) -> Iterator[Any]:
    """The parser's events; raises ``Unreadable`` where it stops."""
    depth = line = 0
    try:
        events: Iterator[Any] = yaml.parse(draft.text(), Loader=yaml.CSafeLoader)
        for event in events:
            line = event.start_mark.line
            name = type(event).__name__
            if name in {"MappingStartEvent", "SequenceStartEvent"}:
                depth += 1
                _check_depth(event, depth)
            elif name in {"MappingEndEvent", "SequenceEndEvent"}:
                depth -= 1
            yield event
    except MarkedYAMLError as error:
        raise explain(error, draft.lines, line) from error
    except Unreadable:
        raise
    except Exception as error:
        # The parser trips over some escapes ("\UFFFFFFFF") with errors of other kinds.
        raise Unreadable(line, 0, f"this line can't be read ({error})") from error


def _check_depth(event: Any, depth: int) -> None:
    if depth > DEEPEST:
        mark = event.start_mark
        raise Unreadable(mark.line, mark.column, f"this is nested deeper than {DEEPEST} levels")


class _Builder:
    """Makes the tree from events without recursion."""

    def __init__(self, draft: Draft, report: Report, what: str, *, quoting: bool) -> None:
        self._draft = draft
        self._report = report
        self._many = what.removeprefix("a ").replace("file", "files", 1)
        self._quoting = quoting

    def build(self, events: list[Any]) -> Node | None:
        root: Node | None = None
        before = Place(1, 1)
        open_: list[tuple[Mapping | Sequence, list[Node]]] = []
        documents = 0
        for event in events:
            name = type(event).__name__
            node: Node
            if name == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    place = self._draft.place(event.start_mark.line, 0, 3)
                    self._report.error(place, "a second document starts here", "one file holds one model")
                    break
                continue
            if name in {"MappingStartEvent", "SequenceStartEvent"}:
                self._refuse_extras(event)
                kind = Mapping if name == "MappingStartEvent" else Sequence
                open_.append((kind(self._place(event)), []))
                continue
            if name in {"MappingEndEvent", "SequenceEndEvent"}:
                node, children = open_.pop()
                node.end = max([node.place.line, *(child.end for child in children)])
                self._fill(node, children)
            elif name == "ScalarEvent":
                node = self._scalar(event, before)
            elif name == "AliasEvent":
                node = self._alias(event)
            else:
                continue
            before = node.place
            if open_:
                open_[-1][1].append(node)
            else:
                root = node
        return None if isinstance(root, Text) and root.empty else root

    def _scalar(self, event: Any, before: Place) -> Node:
        self._refuse_extras(event)
        line = event.start_mark.line
        absent = event.start_mark == event.end_mark
        # A value that is not there has no place; it is missed where its key stands.
        place = before if absent else self._place(event)
        end = max(place.line, event.end_mark.line + (event.end_mark.column > 0))
        left_out = absent and any(number in self._draft.damaged for number in range(place.line - 1, line + 1))
        if left_out or (line, event.start_mark.column) in self._draft.broken:
            return Broken(place, end)
        quoted = event.style in {"'", '"', "|", ">"}
        return Text(place, end, value=event.value, quoted=quoted)

    def _alias(self, event: Any) -> Node:
        place = self._place(event)
        name = event.anchor
        shown = f"`*{name}`" if self._quoting else "this"
        message = f"{shown} stands for a YAML alias, which {self._many} don't have"
        example = f': "*{name}"' if self._quoting else ""
        hint = f"put text that starts with * in quotes{example}; write repeated values out"
        self._report.error(place, message, hint)
        return Broken(place, place.line)

    def _refuse_extras(self, event: Any) -> None:
        if event.anchor is not None:
            sign = f"&{event.anchor}"
            shown = f"`{sign}`" if self._quoting else "this"
            message = f"{shown} is a YAML anchor, which {self._many} don't have"
            self._report.error(self._find(event, "&"), message, "put text that starts with & in quotes")
        if event.tag is not None:
            place = self._find(event, "!")
            message, hint = (
                f"this is a YAML tag, which {self._many} don't have",
                "put text that starts with ! in quotes",
            )
            if self._draft.lines[event.start_mark.line].find("!=") >= 0:
                message, hint = "a value can't begin with `!`", "write comparisons in words: `not CEO`"
            self._report.error(place, message, hint)

    def _find(self, event: Any, sign: str) -> Place:
        """Where the anchor or tag stands: the parsers differ about whether a value begins with it."""
        column = event.start_mark.column
        for line in range(event.start_mark.line, -1, -1):
            text = self._draft.lines[line]
            at = text.find(sign, column, column + 1) if column < len(text) else -1
            at = at if at >= 0 else text.rfind(sign, 0, column)
            if at > 0 and text[at - 1] == sign:
                at -= 1
            if at >= 0:
                return self._draft.place(line, at, len(text[at:].split(" ", 1)[0]))
            column = len(text)
            if line and self._draft.lines[line - 1].strip():
                column = len(self._draft.lines[line - 1])
        return self._place(event)

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return self._draft.place(start.line, start.column, length)

    def _fill(self, node: Mapping | Sequence, children: list[Node]) -> None:
        if isinstance(node, Sequence):
            node.items = children
            return
        first: dict[str, int] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            if isinstance(key, Text):
                entry = self._entry(key, value)
                self._note(entry.key, first)
                node.entries.append(entry)
            elif not isinstance(key, Broken):
                self._report.error(key.place, "a key must be a single word or text")

    def _note(self, key: Text, first: dict[str, int]) -> None:
        """Refuses a key that the mapping has already; ``first``: where it has it."""
        if key.value in first:
            message = f"`{key.value}` is written twice here; the first is on line {first[key.value]}"
            self._report.error(key.place, message, "keep one of them, or begin a new entry with `- `")
        first.setdefault(key.value, key.place.line)

    def _entry(self, key: Text, value: Node) -> Entry:
        """``{country:US}`` is a key without value to one parser, and a mistake to another."""
        before, colon, after = key.value.partition(":")
        if key.quoted or not colon or not after or not (isinstance(value, Text) and value.empty):
            return Entry(key, value)
        line, column, _ = key.place
        at = column + len(before)
        self._report.error(Place(line, at), "a space is missing after the colon", "write `key: value`")
        name = Text(Place(line, column, len(before)), line, before)
        return Entry(name, Text(Place(line, at + 1, len(after)), line, after))
