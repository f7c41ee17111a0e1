"""Where the parts of a compiled model stand in the file that they were read from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from scorer.rulefile.diagnostics import Place
from scorer.rulefile.nodes import Entry, Mapping, Node, Sequence, Text


class Part(NamedTuple):
    """A rule, segment, temperature...: its name and all that is written about it."""

    name: Text
    body: Node

    def value(self, *keys: str) -> Node:
        """The value under keys of the body; the name where there is none."""
        node: Node | None = self.body
        for key in keys:
            node = _child(node, key)
        return node or self.name

    def place(self, *keys: str) -> Place:
        return self.value(*keys).place

    def key(self, key: str) -> Place:
        """Where a key of the body stands."""
        found = entry(self.body, key)
        return found.key.place if found else self.name.place


class Places:
    """The parts of a file, by section and name."""

    def __init__(self, root: Mapping) -> None:
        self.root = root
        self._named: dict[tuple[str, str], Part] = {}
        rules = _child(root, "rules")
        lists = [_child(root, section) for section in ("disqualify", "stages", "follow up")]
        lists += [one.value for one in rules.entries] if isinstance(rules, Mapping) else []
        for found in lists:
            for item in found.items if isinstance(found, Sequence) else ():
                named = _child(item, "rule")
                if isinstance(named, Text):
                    self._named.setdefault(("rule", _plain(named)), Part(named, item))
        for section in ("segments", "temperature", "lists", "scores"):
            node = _child(root, section)
            for one in node.entries if isinstance(node, Mapping) else ():
                self._named.setdefault((section, _plain(one.key)), Part(one.key, one.value))

    def rule(self, name: str) -> Part | None:
        """A rule, disqualification, stage rule or follow-up: no two of them have the same name."""
        return self._named.get(("rule", name))

    def part(self, section: str, name: str) -> Part | None:
        """One of ``segments``, ``temperature``, ``lists`` or ``scores``."""
        return self._named.get((section, name))

    def section(self, section: str) -> Part | None:
        """A whole section, named by its key."""
        found = entry(self.root, section)
        return None if found is None else Part(found.key, found.value)


def entry(node: Node | None, key: str) -> Entry | None:
    found = node.entries if isinstance(node, Mapping) else ()
    return next((one for one in found if one.key.value == key), None)


def entries(node: Node) -> Iterator[Entry]:
    """Every ``key: value`` in a tree, in the order of the file."""
    for one in node.entries if isinstance(node, Mapping) else ():
        yield one
        yield from entries(one.value)
    for item in node.items if isinstance(node, Sequence) else ():
        yield from entries(item)


def values(node: Node) -> Iterator[Text]:
    """Every single value in a tree, in the order of the file, without keys."""
    if isinstance(node, Text):
        yield node
    for one in node.entries if isinstance(node, Mapping) else ():
        yield from values(one.value)
    for item in node.items if isinstance(node, Sequence) else ():
        yield from values(item)


def _child(node: Node | None, key: str) -> Node | None:
    found = entry(node, key)
    return None if found is None else found.value


def _plain(text: Text) -> str:
    return " ".join(text.value.split())
