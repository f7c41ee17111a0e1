"""The rule file as a tree in which every value knows its place."""

from __future__ import annotations

from dataclasses import dataclass, field

from scorer.rulefile.diagnostics import Place


@dataclass(slots=True)
class Node:
    place: Place
    end: int = 0
    """The last line, from 1."""


@dataclass(slots=True)
class Text(Node):
    """A single value, as written. Quoted text means itself; words of the language are not quoted."""

    value: str = ""
    quoted: bool = False

    @property
    def empty(self) -> bool:
        """Nothing was written, or YAML's word for nothing."""
        return not self.quoted and self.value in {"", "~", "null", "Null", "NULL"}


@dataclass(slots=True)
class Entry:
    key: Text
    value: Node


@dataclass(slots=True)
class Mapping(Node):
    """``key: value`` lines, or ``{key: value}``. A key that is written twice is here twice."""

    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Sequence(Node):
    """``- value`` lines, or ``[value, value]``."""

    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Broken(Node):
    """Something that a diagnostic was already made for: readers pass over it in silence."""


def kind(node: Node) -> str:
    """What the author would call it."""
    if isinstance(node, Mapping):
        return "a group of `key: value`"
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Text) and node.empty:
        return "nothing"
    return "a text" if isinstance(node, Text) and node.quoted else "a single value"
