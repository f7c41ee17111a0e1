"""Reading the entries of one mapping: each key is known, and each that must be there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Dict
from typing import TypeVar

from scorer.rulefile.diagnostics import Place, Report
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Broken, Entry, Mapping, Node, Sequence, Text, kind

T = TypeVar("T")
U = TypeVar("U")

LONGEST_NAME = 120
"""Characters of a rule's, segment's, band's or field's name."""


class Fields:
    """The entries of ``node``, a mapping of known keys. ``what`` names it in messages: "a rule"."""

    def __init__(self, report: Report, node: Mapping, what: str) -> None:
        self.report = report
        self.node = node
        self.what = what
        self._meant: set[str] = set()
        """Known keys that unknown ones were probably meant to be."""
        self._entries: dict[str, list[Entry]] = {}
        for entry in node.entries:
            self._entries.setdefault(entry.key.value, []).append(entry)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def key(self, key: str) -> Place:
        """Where the key stands; where the mapping begins if it is not there."""
        return self._entries[key][0].key.place if key in self._entries else self.node.place

    def read(self, key: str, reader: Callable[[Report, Node], T], default: U | None = None) -> T | U | None:
        """What ``reader`` makes of the value: None, after a diagnostic, if it is no good.

        ``default`` if the key is not there.
        """
        if key not in self._entries:
            return default
        results: list[T | U | None] = []
        for entry in self._entries[key]:
            if isinstance(entry.value, Text) and entry.value.empty:
                self.report.error(entry.key.place, f"`{key}` has no value")
                results.append(None)
            else:
                results.append(reader(self.report, entry.value))
        return results[0]

    def require(self, key: str, reader: Callable[[Report, Node], T], hint: str) -> T | None:
        if key not in self._entries:
            self.missing([key], f"`{key}` is missing in {self.what}", hint)
        return self.read(key, reader)

    def missing(self, keys: Iterable[str], message: str, hint: str | None = None) -> None:
        """One of ``keys`` must be there and is not.

        Nothing is said if it may have stood in a line that was left out, or is there with a slip.
        """
        unknown = self._meant.intersection(keys) or "<<" in self._entries
        if not unknown and self.report.whole(self.node.place.line, self.node.end):
            self.report.error(self.node.place, message, hint)

    def only(self, known: Iterable[str], hints: Dict[str, str]) -> None:
        """Refuses every other key. ``hints``: what to write instead of a word that others use."""
        known = list(known)
        for key, entries in self._entries.items():
            if key in known:
                continue
            hint = hints.get(key) or colon_hint(key) or did_you_mean(key, known)
            # `name: X`, with the hint "write `rule: NAME`", was meant to be `rule`.
            self._meant |= {one for one in known if hint and re.search(rf"`{re.escape(one)}[:`]", hint)}
            for entry in entries:
                self.report.error(entry.key.place, f"unknown key `{key}` in {self.what}", hint)

    def refuse(self, keys: Iterable[str], message: str, hint: str | None = None) -> None:
        """Known keys that don't go together with the others here; {key} in ``message`` is replaced."""
        for key in keys:
            for entry in self._entries.get(key, ()):
                self.report.error(entry.key.place, message.replace("{key}", key), hint)


def colon_hint(key: str) -> str | None:
    before, colon, after = key.partition(":")
    return f"write a space after the colon: `{before}: {after}`" if colon and after else None


def mapping(report: Report, node: Node, what: str, hint: str | None = None) -> Mapping | None:
    """``node`` if it is a mapping, else a diagnostic."""
    if isinstance(node, Mapping):
        return node
    if not isinstance(node, Broken):
        report.error(node.place, f"{what} is written as `key: value` lines, but this is {kind(node)}", hint)
    return None


def sequence(report: Report, node: Node, what: str) -> Sequence | None:
    """``node`` if it is a list, else a diagnostic."""
    if isinstance(node, Sequence):
        return node
    if not isinstance(node, Broken):
        hint = "begin each with `- `"
        report.error(node.place, f"{what} is a list, but this is {kind(node)}", hint)
    return None


def single(report: Report, node: Node, what: str) -> Text | None:
    """``node`` if it is a single value that is not empty, else a diagnostic."""
    if isinstance(node, Text) and not node.empty:
        return node
    if not isinstance(node, Broken):
        report.error(node.place, f"{what} is a single value, but this is {kind(node)}")
    return None


def items(node: Node) -> list[Node]:
    """The values of a list, or the one value as a list."""
    return node.items if isinstance(node, Sequence) else [node]


def name(report: Report, node: Node, what: str = "a name") -> str | None:
    """A text that names something: short, without control characters."""
    text = single(report, node, what)
    if text is None:
        return None
    value = " ".join(text.value.split())
    if not value or len(value) > LONGEST_NAME or not value.isprintable():
        report.error(text.place, f"{what} has 1 to {LONGEST_NAME} characters, all of them visible")
        return None
    return value


def truth(report: Report, node: Node) -> bool | None:
    """``yes`` or ``no``."""
    text = single(report, node, "this")
    if text is None:
        return None
    value = {"yes": True, "true": True, "no": False, "false": False}.get(text.value.casefold())
    if value is None:
        hint = "write `no`" if text.value.casefold() in {"never", "off", "false", "n"} else None
        report.error(text.place, f"`{text.value}` is neither `yes` nor `no`", hint)
    return value


def texts(report: Report, node: Node, what: str) -> list[Text]:
    """A single value or a list of them, without those that are no good."""
    found = [single(report, item, what) for item in items(node)]
    if isinstance(node, Sequence) and not node.items:
        report.error(node.place, "this list is empty")
    return [text for text in found if text is not None]
